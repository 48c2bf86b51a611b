"""Tables and golden of the analyser of full-text search (crates/text).

    pip install jieba==0.42.1 opencc-python-reimplemented==0.1.7
    apt-get download unicode-data && dpkg -x unicode-data_*.deb unicode   # Debian's copy of Unihan, 15.0
    python scripts/golden/words.py unicode/usr/share/unicode/Unihan_Variants.txt.bz2 SENTENCES.txt

writes `crates/text/src/words.bin` (jieba's dictionary without its rarest words), `simplified.bin` (traditional
to simplified) and `crates/text/tests/golden/words.tsv` (how jieba itself cuts the sentences with it; those of
today are its first column, made of this repository's own words).
"""

import bz2
import math
import struct
import sys
import tempfile
from pathlib import Path

import jieba
import opencc

TEXT = Path(__file__).resolve().parents[2] / "crates/text"
# Seen less often in jieba's texts: two thirds of its dictionary, names above all.
RAREST = 5
# Of a logarithm: 17.9 is the largest, a word that was seen once.
SCALE = 2048


def is_han(text):
    return all("\u4e00" <= c <= "\u9fff" for c in text)


def dictionary(to):
    """Words in simplified characters, as the analyser folds texts, and how often jieba saw them."""
    lines = (Path(jieba.__file__).parent / "dict.txt").read_text(encoding="utf-8").splitlines()
    words = {}
    for word, seen in (line.split(" ")[:2] for line in lines):
        if is_han(word) and len(word) <= 8:
            word = "".join(to.get(c, c) for c in word)
            words[word] = words.get(word, 0) + int(seen)
    return {word: seen for word, seen in words.items() if len(word) == 1 or seen >= RAREST}


def write_words(words):
    """Number of first characters; for each of them its code and where its words begin; the words without
    their first character in the order of their bytes: length in bytes, cost in 1/2048, bytes."""
    total = math.log(sum(words.values()))
    groups = {}
    for word, seen in words.items():
        # A word that jieba lists with 0 counts as one that was seen once.
        cost = round((total - math.log(max(seen, 1))) * SCALE)
        groups.setdefault(word[0], []).append((word[1:].encode(), cost))
    starts, records = [], b""
    at = 4 + 8 * len(groups)
    for first in sorted(groups):
        starts.append(struct.pack("<II", ord(first), at + len(records)))
        for rest, cost in sorted(groups[first]):
            records += struct.pack("<BH", len(rest), cost) + rest
    (TEXT / "src/words.bin").write_bytes(struct.pack("<I", len(groups)) + b"".join(starts) + records)


def simplified(variants):
    """From a traditional character to its simplified one: OpenCC's, Unihan's for what OpenCC has not. Of
    several the first one that is another character and in the Basic Multilingual Plane; forms of forms are
    followed to their end."""
    lists = []
    for line in bz2.open(variants, "rt", encoding="utf-8"):
        if "\tkSimplifiedVariant\t" in line:
            code, _, forms = line.strip().split("\t")
            lists.append((chr(int(code[2:], 16)), [chr(int(form[2:], 16)) for form in forms.split()]))
    folder = Path(opencc.__file__).parent / "dictionary"
    for line in (folder / "TSCharacters.txt").read_text(encoding="utf-8").splitlines():
        character, forms = line.split("\t")
        lists.append((character, forms.split(" ")))
    to = {}
    for character, forms in lists:
        forms = [form for form in forms if form != character and form < "\U00010000"]
        if forms and character < "\U00010000":
            to[character] = forms[0]
    ends = {}
    for character in to:
        end, seen = character, set()
        while end in to and end not in seen:
            seen.add(end)
            end = to[end]
        # A circle of two ends at the same one of them, from wherever it is entered.
        end = min(seen) if end in seen else end
        if end != character:
            ends[character] = end
    return ends


def write_simplified(to):
    """Pairs of codes, sorted."""
    pairs = [struct.pack("<HH", ord(character), ord(to[character])) for character in sorted(to)]
    (TEXT / "src/simplified.bin").write_bytes(b"".join(pairs))


def write_golden(words, to, sentences):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as file:
        file.writelines(f"{word} {seen} n\n" for word, seen in words.items())
    cutter = jieba.Tokenizer(dictionary=file.name)
    with open(TEXT / "tests/golden/words.tsv", "w", encoding="utf-8") as out:
        for sentence in Path(sentences).read_text(encoding="utf-8").splitlines():
            sentence = "".join(to.get(c, c) for c in sentence)
            cut = cutter.cut(sentence, HMM=False)
            found = cutter.cut_for_search(sentence, HMM=False)
            out.write(f"{sentence}\t{' '.join(cut)}\t{' '.join(found)}\n")


def main():
    to = simplified(sys.argv[1])
    words = dictionary(to)
    write_simplified(to)
    write_words(words)
    write_golden(words, to, sys.argv[2])


if __name__ == "__main__":
    main()
