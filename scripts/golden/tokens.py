"""Token ids of over 2,000 strings by cn_clip's tokenizer, with HF's where it answers otherwise."""
import json, pathlib, random
import cn_clip.clip as _  # noqa: F401  (fails early when the package is not there)
from cn_clip.clip.bert_tokenizer import FullTokenizer
from transformers import BertTokenizer

HERE = pathlib.Path(__file__).parent
VOCAB = HERE / "../../crates/text/src/token/vocab.txt"
ours = FullTokenizer(vocab_file=str(VOCAB))
theirs = BertTokenizer(str(VOCAB), do_lower_case=True)
rng = random.Random(7)
zh = "一只狗在绿色的草地上奔跑两个孩子踢足球穿着红衣服女人站海边看日落雪山下有座房子蓝天白云飞机城市夜晚灯光猫睡沙发面条碗桌子書車東國學體龍鳳愛樂畫貓鳥魚馬"
en = ("a dog runs across the green grass two children play football woman in red dress stands by the sea watching sunset "
      "unbelievable snowboarding motorcyclist photographer's well-known café naïve résumé Zürich Straße İstanbul ﬁsh Ⅷ 42nd "
      "e-mail user@example.com https://example.com/x?y=1&z=2 C++ 3.14 $5 50% #tag @me don't I'm rock'n'roll USA iPhone15").split()
nasty = ["", " ", "\t\n\r", "　全角　空格　", "ＦＵＬＬ　ＷＩＤＴＨ１２３", "ｶﾀｶﾅ ひらがな カタカナ", "한국어 텍스트", "Привет, мир!", "שלום עולם", "مرحبا بالعالم",
         "नमस्ते दुनिया", "ไทยภาษา", "😀😃😄 👨‍👩‍👧‍👦 🇨🇳 👍🏽", "狗🐶跑🏃草地🌿", "a\u0000b\ufffdc", "zero\u200bwidth\u200djoin\ufeff", "soft\u00adhyphen",
         "line\u2028para\u2029end", "nb\u00a0space\u3000wide", "e\u0301 combining a\u0300\u0323", "ﬀ ﬁ ﬂ ﬃ", "½ ² ³ ™ © ®", "…—–‘’“”«»", "「」『』【】《》、。！？；：",
         "[CLS] [SEP] [MASK] [PAD] [UNK]", "[cls][sep]", "##ing ##狗", "x" * 100, "x" * 101, "x" * 199, "x" * 200, "x" * 201, "狗" * 300, "ab" * 5000, "狗 " * 3400,
         "a-b_c.d,e;f:g!h?i(j)k[l]m{n}o<p>q/r\\s|t~u`v^w&x*y%z", "１２３４５", "①②③", "㎏ ㎡ ℃", "Ａ．Ｂ．Ｃ", "ΑΒΓ Σας ΟΔΟΣ", "ǅ ǈ", "ß ẞ", "ı İ i I",
         "𠀀𠮷 𪚥", "豈更車", "⺀⼀", "〇〡〢", "\u202eright to left\u202c", "\x01\x02\x1f\x7f", "tab\tseparated\tvalues", "a\u0085b", "𝒽𝑒𝓁𝓁𝑜", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
         "繁體中文的圖片與文字", "简体中文的图片与文字", "中英mixed文字test混合123", "2024年泰迪杯B题", "“引号”和‘引号’", "Image14001001-0000.jpg", "<人名>在<地名>"]
texts = list(nasty)
pools = [zh, "".join(map(chr, range(0x20, 0x7f))), "".join(map(chr, range(0xa0, 0x250))), "".join(map(chr, range(0x370, 0x400))), "".join(map(chr, range(0x3000, 0x3100))),
         "".join(map(chr, range(0xff00, 0xff60))), "".join(map(chr, range(0x1f600, 0x1f640))), "".join(map(chr, range(0x2000, 0x2070))), "".join(map(chr, range(0x4e00, 0x4f00)))]
while len(texts) < 2300:
    kind = rng.randrange(5)
    if kind == 0:
        texts.append(" ".join(rng.choices(en, k=rng.randint(1, 14))))
    elif kind == 1:
        texts.append("".join(rng.choices(zh, k=rng.randint(1, 30))))
    elif kind == 2:
        texts.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 30))))
    elif kind == 3:
        texts.append("".join(rng.choices(zh, k=4)) + rng.choice([" ", "", ",", "，"]) + " ".join(rng.choices(en, k=3)) + rng.choice("。.!！?？"))
    else:
        words = [w.upper() if rng.random() < .3 else w.title() if rng.random() < .3 else w for w in rng.choices(en, k=5)]
        texts.append(rng.choice(["", " ", "  "]).join(words))
lines, differ = [], 0
for text in texts:
    ids = ours.convert_tokens_to_ids(ours.tokenize(text))
    hf = theirs(text, add_special_tokens=False)["input_ids"]
    line = {"text": text, "ids": ids}
    if hf != ids:
        differ += 1
        line["hf"] = hf
    lines.append(json.dumps(line))
(HERE / "../../crates/text/tests/golden/tokens.jsonl").write_text("\n".join(lines) + "\n")
print(len(lines), "strings, HF differs in", differ)
