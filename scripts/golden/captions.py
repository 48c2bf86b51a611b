"""What pycocoevalcap (1.2) says of made-up captions -> crates/text/tests/golden/captions/, crates/eval/tests/golden/captions/.

Needs Java. `captions.py compare REFERENCES.tsv PREDICTIONS.tsv [zh]` prints the numbers of two files of
`id<TAB>caption` lines instead, for a comparison of any size.
"""

import json
import math
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pycocoevalcap.meteor.meteor as meteor_module
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

CRATES = Path(__file__).resolve().parents[2] / "crates"
METEOR = Path(meteor_module.__file__).parent

# Sentences that the tokenizer's rules are about. Nobody's data set.
SENTENCES = """
The man's dog can't run; it won't, and shouldn't've.
They cannot come, and I'm gonna wanna go. Gimme that, lemme see, we gotta leave!
'Tis the season, 'twas the night; rock 'n' roll o'clock, ma'am, y'all.
Mr. Smith and Dr. Jones visited St. Louis, Mo. in the U.S. on Jan. 5, 2010.
He lives in the U.S. The dog barks. I am here at 5 p.m. in D.C.
It costs $5.00, £3 or €4.50 (about 50%) [see note] {x} <y>.
A "quoted" phrase, 'single quoted' words, ``latex'' quotes, “curly” and ‘curly single’ here
E-mail me at john.doe@example.com or visit http://www.example.com/path?x=1 or www.example.com.
1/2 cup and ½ cup, 3/4-inch and 12/25/2010 at 10:30 a.m.
Wait... what?!! No!! Really?? -- yes - well --- done ---- ok ----- long
The 1990s, the '90s, the 1990's and 5'10" tall, 6ft. 2in.
Colour, grey, centre and theatre stay as they are.
AT&T and R&B and black & white; Q&A
A rock-n-roll band, jack-o'-lantern, O'Neil and d'Avignon
Smiley :) and :-( and ;) <3 #hashtag @user
naïve café résumé façade-like Zürich 你好 world 狗 在 跑
one,two three;four five:six seven/eight and/or n/a w/ a dog
100,000 people, 3.14, -5, +3, 1st, 2nd, 10th, 20%, .5 and 5.
a.k.a. e.g. i.e. etc. vs. Inc. Ltd. Co. Ph.D. B.A.
the dogs' bowls and the boys' toys
…ellipsis and . . . spaced dots
snow*board *star* a_b __init__ x=y == a+b c++ c# tom@
A man with a t-shirt that says "I ♥ NY" ™ ® © °C 20° 🐶 😀
TV's 80's '80s it's I'm you're they've he'd she'll let's
He said,"Hello."Then left.
end of sentence.No space here.Next
  leading and   multiple   spaces
a man (wearing a hat) runs.)
No. 5 Fig. 3 pp. 10-12 vol. 2
a man in a No. 7 jersey. The no.
I. J. K. Rowling's book; C.D.s; J.R.R. Tolkien
two-year-old, mid-1990s, 5-year-old, red-and-white 3-0 3-D 4x4 4x4's
T-Rex. vs vs. Mt. Everest Ft. Worth Ave. Blvd. Rd. Jr. Sr. Sgt. Lt. Capt. Gov.
rock 'n' roll 'em 'til 'cause 'nother '99 '99ers
yes/no/maybe 24/7 9/11 50/50
<b>bold</b> &amp; &lt; &quot;hi&quot; &nbsp; tag
ain't isn't aren't don't DON'T Can't CANNOT won’t it’s man’s dogs’
Rock ’n’ roll ’90s, ma’am, O’Neil, ’em, y’all, o’clock, dogs’, c’mon, l’Opera and ’tis
See http://a.com/b or https://a.com/b, ftp://a.com/b and mailto://x; 「quoted」 《so》 ‚or so‘ ★ → ₹5 ‼
A DOG RUNS ON THE BEACH
a cat
""".strip("\n").split("\n") + ['"', ".", "...", "🐶", "?!", "--", "A dog.", "' '"]

# Captions of 12 pictures that say something unusual, each with its references.
UNUSUAL = [
    ("A man's dog isn't running.", ["The man's dog is not running.", "A dog doesn't run, its owner does."]),
    ("Two red-haired girls play rock-n-roll", ["Two red haired girls play rock 'n' roll!", "girls with red hair"]),
    ('A sign says "STOP" in the U.S.', ["A U.S. stop sign", "The sign says stop (in red).", "stop"]),
    ("...", ["A blurred picture of nothing.", "Nothing can be seen"]),
    ("🐶", ["A dog.", "🐶"]),
    ("a", ["a"]),
    ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]),
    ("3 dogs, 10 cats & 1/2 a sandwich", ["Three dogs and ten cats", "3 dogs and 10 cats with half a sandwich"]),
    ("Ein Café in Zürich", ["A café in Zürich at 5 p.m.", "The naïve façade of a café"]),
    ("a dog runs on the beach", ["a dog runs on the beach", "the beach has a dog that runs"]),
    ("running dogs were happily jumping over fences", ["a dog runs and jumps over a fence happily", "dogs jump"]),
    ("the man on the horse on the hill on the right", ["on the hill on the right the man on the horse", "a man"]),
]
ANIMALS = ["dog", "cat", "horse", "bird", "cow", "elephant", "rabbit"]
LOOKS = ["small", "brown", "big", "wet", "happy", "old"]
VERBS = ["running", "sleeping", "jumping", "eating", "standing", "playing"]
PLACES = ["on the beach", "in the grass", "near a fence", "under a tree", "in the snow", "on a sofa", "by the river"]
HAN_ANIMALS = ["狗", "小猫", "一匹马", "鸟", "奶牛", "大象"]
HAN_VERBS = ["在奔跑", "睡觉", "正在跳跃", "吃东西", "站着"]
HAN_PLACES = ["海滩上", "草地里", "树下", "雪地中", "沙发上", "河边"]


def english():
    rng = random.Random(1)
    pick = rng.choice

    def sentence(animal, verb, place):
        forms = [
            f"A {pick(LOOKS)} {animal} is {verb} {place}.",
            f"the {animal} {verb} {place}",
            f"Two {animal}s {verb} together {place}!",
            f"There's a {animal} {place}, {verb}.",
        ]
        return pick(forms)

    rows = list(UNUSUAL)
    for _ in range(28):
        what = [pick(ANIMALS), pick(VERBS), pick(PLACES)]
        references = []
        for _ in range(rng.randint(1, 5)):
            said = [w if rng.random() < 0.7 else pick(of) for w, of in zip(what, [ANIMALS, VERBS, PLACES])]
            references.append(sentence(*said))
        rows.append((sentence(*what), references))
    return rows


def chinese():
    rng = random.Random(2)
    pick = rng.choice

    def sentence():
        return pick(["一只", "", "两只"]) + pick(HAN_ANIMALS) + pick(["在", ""]) + pick(HAN_PLACES) + pick(HAN_VERBS) + pick(["。", "！", ""])

    rows = [("穿红色T恤的小女孩", ["一个穿红T恤的女孩", "小女孩，2岁。"]), ("。", ["什么都没有"]), ("狗狗狗", ["狗", "一条狗"])]
    return rows + [(sentence(), [sentence() for _ in range(rng.randint(1, 5))]) for _ in range(25)]


def characters(text):
    """Each Chinese character, each run of Latin letters, each run of digits."""
    import re

    return " ".join(re.findall(r"[\u3400-\u9fff]|[a-z]+|[0-9]+", text.lower()))


def tokenized(texts):
    found = PTBTokenizer().tokenize({at: [{"caption": text}] for at, text in enumerate(texts)})
    # A token such as `1 1/2` has a no-break space inside.
    return [found[at][0].replace("\u00a0", " ") for at in range(len(texts))]


def plain_cider(references, predictions):
    """CIDEr as the paper has it, without CIDEr-D's clipping and penalty."""

    def counts(text):
        words = text.split()
        return Counter(tuple(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1))

    having = Counter()
    for texts in references.values():
        having.update(set().union(*(counts(text) for text in texts)))
    pictures = math.log(len(references))

    def vectors(text):
        out = [defaultdict(float) for _ in range(4)]
        for ngram, count in counts(text).items():
            out[len(ngram) - 1][ngram] = count * (pictures - math.log(max(1, having[ngram])))
        return out

    def cosine(a, b):
        dot = sum(value * b[ngram] for ngram, value in list(a.items()) if ngram in b)
        length = math.sqrt(sum(v * v for v in a.values())) * math.sqrt(sum(v * v for v in b.values()))
        return dot / length if length else 0.0

    scores = []
    for key, texts in references.items():
        mine = vectors(predictions[key][0])
        sums = [sum(cosine(a, b) for a, b in zip(mine, vectors(text))) / 4 for text in texts]
        scores.append(10 * sum(sums) / len(texts))
    return sum(scores) / len(scores), scores


def exact_and_stem(references, predictions, chinese=False):
    """METEOR without synonyms and paraphrases."""
    options = ["-l", "other", "-t", "li", "-m", "exact", "-w", "1.0", "-lower"]
    if not chinese:
        options = ["-l", "en", "-norm", "-m", "exact stem", "-w", "1.0 0.6"]
    command = ["java", "-Xmx1G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", *options]
    process = subprocess.Popen(command, cwd=METEOR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(line):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    stats = [ask(" ||| ".join(["SCORE", *references[key], predictions[key][0]])) for key in references]
    scores = [float(ask("EVAL ||| " + " ||| ".join(stats)))]
    scores += [float(process.stdout.readline()) for _ in stats]
    process.stdin.close()
    process.wait()
    return scores[-1], scores[:-1]


def measured(references, predictions, chinese=False):
    bleu, bleus = Bleu(4).compute_score(references, predictions, verbose=0)
    rouge, rouges = Rouge().compute_score(references, predictions)
    cider_d, ciders_d = Cider().compute_score(references, predictions)
    cider, ciders = plain_cider(references, predictions)
    meteor, meteors = exact_and_stem(references, predictions, chinese)
    each = {"bleu_4": bleus[3], "rouge_l": rouges, "cider_d": ciders_d, "cider": ciders, "meteor": meteors}
    found = {
        "bleu": [float(value) for value in bleu],
        "rouge_l": float(rouge),
        "cider_d": float(cider_d),
        "cider": cider,
        "meteor": meteor,
        "each": {name: [float(value) for value in values] for name, values in each.items()},
    }
    if not chinese:
        found["meteor_of_pycocoevalcap"] = Meteor().compute_score(references, predictions)[0]
    return found


def set_of(rows, cut):
    """The rows with their tokens and the numbers."""
    texts = [text for caption, references in rows for text in [caption, *references]]
    tokens = iter(cut(texts))
    predictions, gold, out = {}, {}, []
    for at, (caption, references) in enumerate(rows):
        predictions[at] = [next(tokens)]
        gold[at] = [next(tokens) for _ in references]
        out.append({"caption": caption, "references": references, "tokens": [predictions[at][0], *gold[at]]})
    return out, gold, predictions


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value, encoding="utf-8")


def goldens():
    texts = CRATES / "text/tests/golden/captions"
    tokens = tokenized(SENTENCES)
    write(texts / "ptb.tsv", "".join(f"{a}\t{b}\n" for a, b in zip(SENTENCES, tokens)))
    words = sorted({word for line in tokens for word in line.split()} | set(STEMS.split()))
    jar = ["java", "-cp", "meteor-1.5.jar"]
    run = lambda args, text: subprocess.run([*jar, *args], cwd=METEOR, input=text, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    words = [word for word in words if word.isascii() and word.replace("'", "").isalpha()]
    stems = run(["Stemmer", "en"], "\n".join(words) + "\n").split("\n")
    write(texts / "stems.tsv", "".join(f"{a}\t{b.strip()}\n" for a, b in zip(words, stems)))
    normal = run(["edu.cmu.meteor.util.Normalizer", "en", "true"], "\n".join(tokens) + "\n").split("\n")
    write(texts / "meteor.tsv", "".join(f"{a}\t{b}\n" for a, b in zip(tokens, normal)))
    for name, rows, cut in [("english", english(), tokenized), ("chinese", chinese(), lambda all: [characters(text) for text in all])]:
        out, gold, predictions = set_of(rows, cut)
        numbers = measured(gold, predictions, name == "chinese")
        text = json.dumps({"rows": out, "numbers": numbers}, ensure_ascii=False, indent=1)
        write(CRATES / f"eval/tests/golden/captions/{name}.json", text + "\n")


def compare(references, predictions, language="en"):
    gold, found = defaultdict(list), {}
    for path, keep in [(references, lambda key, text: gold[key].append(text)), (predictions, lambda key, text: found.update({key: [text]}))]:
        rows = [line.split("\t", 1) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        cut = tokenized([text for _, text in rows]) if language == "en" else [characters(text) for _, text in rows]
        for (key, _), tokens in zip(rows, cut):
            keep(key, tokens)
    numbers = measured({key: gold[key] for key in found}, found, language == "zh")
    del numbers["each"]
    print(json.dumps(numbers, indent=1))


# Words for the stemmer: at least one for each of its rules.
STEMS = """
caresses ponies ties cats gas this kiwis cries dies lies skis skies dying lying tying idly gently ugly early only singly
sky news howe atlas cosmos bias andes agreed feed bleed plastered motoring sing hopping tanned falling hissing fizzed
failing filing luxuriated hoped hoping happy enjoy say cry by relational conditional rational valenci hesitanci
digitizer radically differently analogously vietnamization predication operator feudalism decisiveness hopefulness
callousness formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful goodness
revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption
homologous communism activate angularity effective bowdlerize probate rate cease control roll inning innings outing
canning herring earring proceed exceed succeed generate generously communication communal arsenal beauty beautiful
yellow youth boyish sayings dog's dogs' 'tis fluently happily quickly geology apology conformably rolling snowboarding
snowboarder skateboarders climbing biking bikes wrestling children women knives gases abilities likely nearly
""".strip()

if __name__ == "__main__":
    if sys.argv[1:2] == ["compare"]:
        compare(*sys.argv[2:])
    else:
        goldens()
