"""Tiny seeded models with XLM-R as their text tower in open_clip's layout (open_clip's `HFTextEncoder` over
transformers' `XLMRobertaModel`), their outputs, and the tokens of 200 texts."""
import json, pathlib
import open_clip, torch
from open_clip.hf_model import HFTextEncoder
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import XLMRobertaConfig, XLMRobertaTokenizer

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
SIZE, EMBED, CONTEXT = 32, 16, 20
CHINESE = ["一只棕色的狗在草地上奔跑", "两个孩子在外面踢足球。", "窗台上的猫，望着窗外的雨", "桌上有一杯咖啡和三本书",
           "穿红色外套的女人骑着自行车", "夕阳下的海边有几只海鸥！", "这家商店卖手机、电脑和相机", "老人在公园里下象棋"]
ENGLISH = ["a brown dog runs on the grass", "Two CHILDREN play football outside.", "the cat on the sill, looking at the rain",
           "a cup of coffee and three books", "a woman in a red coat rides a bicycle", "sea gulls at the beach at sunset!",
           "this shop sells phones, computers & cameras", "old men play chess in the park"]
ODD = ["", " ", "  a photo   of\ta cat \n", "ＡＢＣ　１２３", "ﬁne café naïve", "🐕 and 🐈", "5 米 × 3 m", "“引号” 'quotes'",
       "<s>", "a </s> b", "a <pad> dog <pad>", "<mask> of a dog", "&amp; &lt;b&gt;", "龘龖", "l'été", "ÅNGSTRÖM"]


def texts():
    """200 of them, Chinese and English alone and together, some longer than the context."""
    mixed = [f"{a} {b}" if i % 2 else f"{b}，{a}" for i, a in enumerate(CHINESE) for b in ENGLISH]
    halves = [a[: len(a) // 2] + b[len(b) // 3 :] for a in CHINESE for b in ENGLISH]
    long = [" ".join(CHINESE[i:] + ENGLISH[:i]) for i in range(8)]
    all_texts = CHINESE + ENGLISH + ODD + mixed + halves + long
    return all_texts + [f"{i} {t}" for i, t in enumerate(mixed)][: 200 - len(all_texts)]


def tokenizer():
    """Of XLM-R's shape: pieces with probabilities and its five special tokens, cut at white space."""
    trained = Tokenizer(models.Unigram())
    trained.normalizer = normalizers.NFKC()
    trained.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trained.train_from_iterator(CHINESE + ENGLISH, trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    pieces = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    whole = XLMRobertaTokenizer(vocab=pieces)
    # Where the published file has SentencePiece's own table of NFKC.
    whole._tokenizer.normalizer = normalizers.NFKC()
    return whole


def picture():
    i = torch.arange(2 * 3 * SIZE * SIZE, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(2, 3, SIZE, SIZE)


def seeded(model):
    """Random weights that half precision holds exactly."""
    torch.manual_seed(0)
    for p in model.parameters():
        if p.ndim:
            torch.nn.init.normal_(p, std=0.25)
        p.data = p.data.half().float()
    return model.eval()


def unit(x):
    x = getattr(x, "pooler_output", x)
    return [[round(value, 8) for value in row] for row in (x / x.norm(dim=-1, keepdim=True)).tolist()]


@torch.no_grad()
def main():
    words, golden = tokenizer(), {"texts": texts()}
    for name, proj, heads in [("xlm-roberta", "mlp", 2), ("xlm-roberta-linear", "linear", 1)]:
        # Heads of 64, as all of these models have them.
        text = XLMRobertaConfig(
            vocab_size=len(words), hidden_size=64 * heads, num_hidden_layers=2, num_attention_heads=heads, intermediate_size=32,
            max_position_embeddings=CONTEXT + 8, type_vocab_size=1, layer_norm_eps=1e-5)
        vision = dict(image_size=SIZE, layers=2, width=64, patch_size=8, mlp_ratio=0.625)
        model = open_clip.CustomTextCLIP(EMBED, vision, dict(width=64, heads=1, layers=1))
        model.text = HFTextEncoder("", EMBED, config=text, proj_type=proj, pooler_type="mean_pooler")
        model = seeded(model)
        model.logit_scale.fill_(2.25)
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
        named = dict(hf_model_name="xlm-roberta-base", hf_tokenizer_name="xlm-roberta-base", context_length=CONTEXT)
        # As today's configurations say it, and as older ones.
        more = dict(hf_pooler_type="mean_pooler") if proj == "mlp" else dict(proj="linear", pooler_type="mean_pooler")
        (folder / "open_clip_config.json").write_text(json.dumps({
            "model_cfg": {"embed_dim": EMBED, "vision_cfg": vision, "text_cfg": named | more}, "preprocess_cfg": {}}) + "\n")
        words.save_pretrained(folder)
        (folder / "tokenizer_config.json").unlink()
        cleaned = [open_clip.tokenizer.get_clean_fn("whitespace")(text) for text in golden["texts"]]
        ids = words(cleaned, return_tensors="pt", max_length=CONTEXT, padding="max_length", truncation=True).input_ids
        some = ids[[0, 8, 26, 40, 199]]
        text = model.encode_text(some)
        golden["tokens"] = ids.tolist()
        golden["all"] = golden.get("all", unit(model.encode_text(ids)))
        golden[name] = {
            "ids": some.tolist(), "image": unit(model.encode_image(picture())), "text": unit(text),
            "logits": (model.logit_scale.exp() * model.encode_image(picture(), normalize=True)
                       @ torch.nn.functional.normalize(text).T).tolist()}
    (OUT / "xlm_roberta.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
