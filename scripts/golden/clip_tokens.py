"""Token ids by OpenAI CLIP's tokenizer of the strings in tokens.jsonl, of more HTML and of
mojibake.

Needs clip/simple_tokenizer.py and bpe_simple_vocab_16e6.txt.gz of https://github.com/openai/CLIP
beside each other; give their folder as the argument."""
import json, pathlib, random, sys

from ftfy import chardata

sys.path.insert(0, sys.argv[1])
from simple_tokenizer import SimpleTokenizer  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent / "../../crates/text/tests/golden"
html = ["a &amp; b", "&lt;b&gt;bold&lt;/b&gt;", "<b>x &amp; y</b>", "caf&eacute; &#233; &#xe9;", "this&not that &copy 2024", "&amp;amp;", "&nbsp;&hellip;",
        "\x1b[31mred\x1b[0m", "“curly” ‘quotes’", "<|endoftext|> here", "ĲSSEL ĳ ŉ Ǆ ǆ", "won't we'll I'd they've 12ab34"]
html += ["&EACUTE;&NTILDE; &ccedil;", "a &lt; b\n&eacute;\n<i>\n&eacute;"]


def broken():
    """Text read in the wrong code page, once or twice, as it is found in the wild and at random."""
    wild = ["Ã³", "sÃ³", "voilÃ le travail", "â€œlike thisâ€�", "l’humanitÃ©", "The Mona Lisa doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t have eyebrows.",
            "Ã la mode", "Ã s ", "fÃ cil", "ðŸ˜‚ðŸ˜‚", "ä½\xa0å¥½ï¼Œä¸–ç•Œ", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "РїСЂРёРІРµС‚", "\x93quoted\x94", "broken \xed\xa0\xbd\xed\xb8\x8d pair",
            "à²\xa0_à²\xa0", "IÃ±tÃ«rnÃ¢tiÃ´nÃ lizÃ¦tiÃ¸n", "Å“uvre", "soufflé", "10 µm", "¯\\_(ツ)_/¯", "Ã©tÃ© Ã ParÃ­s — cafÃ©", "√©t√©", "‚Äúquoted‚Äù", "vocÃª tem Ã quela",
            "AÃ±os", "caf\u00c3\u00a9 and 你好", "â€™ in 一句话 â€™", "schÃ¶n · straÃŸe", "â‚¬100", "RenÃ\u0083Â©", "├⌐t├⌐", "Ã¢â‚¬â„¢", "Â£5 Â½ Â°C", "Ă©tĂ©", "\u00ef\u00bf\u00bd x"]
    yield from wild
    source = ["déjà vu — l’été à Paris", "Ærøskøbing, Ålesund", "“curly” ‘quotes’ …", "草地上奔跑的狗", "привет, мир", "Ελληνικά γράμματα", "żółć łódź", "şık İstanbul ğ", "ąžuolas ė", "😂 dog 🐕", "¿Qué? ¡Sí! ñandú", "10 °C ± 5 µm", "こんにちは", "naïve café £5 €9 ½", "š č ž ř ů", "한국어 문장"]
    for text in source:
        for first in chardata.CHARMAP_ENCODINGS:
            once = text.encode().decode(first, "replace")
            yield once
            yield "a word, " + once + " and 中文" if len(once) % 2 else once.replace("\xa0", " ")
            yield once[:-1] + "é"
            for second in ("latin-1", "sloppy-windows-1252", "macroman"):
                yield once.encode().decode(second, "replace")
    rng = random.Random(7)
    marks = [c for c in "".join(chr(i) for i in range(0x80, 0x180)) + "â€™œžŸ‚Ä√©вЂРГΒ€ā°¹²│┤█ ?a�\x1a" + "".join(bytes(range(128, 256)).decode("sloppy-windows-1251"))]
    for _ in range(1500):
        yield "".join(rng.choice(marks) if rng.random() < 0.7 else rng.choice("abc de.AZ?") for _ in range(rng.randint(2, 14)))


texts = html + list(broken()) + [json.loads(line)["text"] for line in (GOLDEN / "tokens.jsonl").read_text().splitlines()]
tokenizer = SimpleTokenizer()
lines = [json.dumps({"text": text, "ids": tokenizer.encode(text)}) for text in texts]
(GOLDEN / "clip_tokens.jsonl").write_text("\n".join(lines) + "\n")
print(len(lines), "strings")
