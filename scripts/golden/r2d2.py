"""A tiny seeded R2D2 by its authors' code, in a file as their trainer saves it: vectors of pictures and texts, and both pairs of
logits of its matching heads, with the tokens of some texts.

    python r2d2.py R2D2        # a checkout of https://github.com/yuxie11/R2D2; transformers 4.30, with which its code still runs

Its code has its widths inside, so that the one of its ViT-B is replaced by ours before it runs; the files that it reads have tiny
settings."""
import json, os, pathlib, re, sys, tempfile, types
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent.resolve()
OUT = HERE / "../../crates/encode/tests/golden"
PICTURE = HERE / "../../crates/cli/tests/golden/model_files/picture.png"
WIDE, SIZE = 128, 32
TEXTS = ["一只棕色的狗在草地上奔跑", "两个孩子在外面踢足球", "穿红色外套的女人骑自行车", "猫", "", "A dog 和 3 books!"]
ASKED = "穿红色外套的女人"


def tokenizer():
    """Of the shape of BERT's for Chinese, with the signs of the texts alone."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = sorted({sign for text in TEXTS for sign in text.lower() if not sign.isspace()})
    entries = special + signs + ["##" + sign for sign in signs if sign.isascii() and sign.isalpha()]
    t = Tokenizer(models.WordPiece({entry: at for at, entry in enumerate(entries)}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.add_special_tokens(special)
    return t


def settings(folder, vocab):
    """The files that its code reads from the working directory."""
    parts = folder / "checkpoints"
    (parts / "r2d2_config").mkdir(parents=True)
    (parts / "hfl_roberta").mkdir()
    bert = dict(hidden_size=32, num_attention_heads=1, intermediate_size=40, num_hidden_layers=2, vocab_size=vocab, layer_norm_eps=1e-12,
                max_position_embeddings=70, type_vocab_size=2, hidden_act="gelu", pad_token_id=0, model_type="bert")
    (parts / "hfl_roberta/config.json").write_text(json.dumps(bert))
    (parts / "hfl_roberta/vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    (parts / "r2d2_config/bert_config.json").write_text(json.dumps(dict(bert, add_cross_attention=True)))
    vision = dict(hidden_size=WIDE, num_attention_heads=2, intermediate_size=96, num_hidden_layers=2, patch_size=16, image_size=SIZE,
                  hidden_act="quick_gelu", layer_norm_eps=1e-5)
    text = dict(hidden_size=8, num_attention_heads=1, intermediate_size=8, num_hidden_layers=1, vocab_size=60)
    config = dict(model_type="clip", projection_dim=8, vision_config=vision, text_config=text)
    (parts / "r2d2_config/vision_config_base.json").write_text(json.dumps(config))


def authors(source, vocab):
    """Its model, of our size: two joint layers in the place of six, and no rows of tables that nothing reads."""
    sys.path.insert(0, str(source))
    folder = pathlib.Path(tempfile.mkdtemp())
    settings(folder, vocab)
    os.chdir(folder)
    text = (source / "models/r2d2.py").read_text()
    for old, new in [("vision_width = 768", f"vision_width = {WIDE}"), ("num_hidden_layers = 6", "num_hidden_layers = 2"),
                     ("vocab_size = 21128", "vocab_size = 6")]:
        assert old in text, old
        text = text.replace(old, new)
    module = types.ModuleType("tiny_r2d2")
    exec(compile(text, "r2d2.py", "exec"), module.__dict__)
    model = module.R2D2(vit_type="base", image_size=SIZE, embed_dim=16)
    model.text_joint_layer.embeddings.word_embeddings = torch.nn.Embedding(6, 32)
    return model


def seeded(model):
    """Random weights that half precision holds exactly. With 0.2 in the place of 0.15 the rows of its image tower, which no
    LayerNorm ends, are so large that PyTorch's own logits in 32 bits differ by 1e-5 from those in 64."""
    torch.manual_seed(5)
    for name, p in model.named_parameters():
        norm = re.search(r"norm|layrnorm", name.lower()) and name.endswith("weight")
        torch.nn.init.normal_(p, mean=1.0 if norm else 0.0, std=0.15)
        p.data = p.data.half().float()
    # Else what all rows see of the other side is so much that they end up alike.
    for name, weight in model.named_parameters():
        if "crossattention.output.dense" in name:
            weight.data *= 0.125
    model.temp.data.fill_(0.0625)
    return model.eval()


def rounded(rows):
    return [[round(value, 8) for value in row] for row in rows.tolist()]


def unpadded(encodings):
    most = max(len(e.ids) for e in encodings)
    fill = lambda row: torch.tensor([ids + [0] * (most - len(ids)) for ids in row])
    return types.SimpleNamespace(input_ids=fill([e.ids for e in encodings]), attention_mask=fill([e.attention_mask for e in encodings]))


@torch.no_grad()
def pair(model, pictured, written, mask):
    """As `cross_output` of its retrieval model, for one picture and several texts."""
    rows = pictured[None].expand(len(written), -1, -1)
    seen = torch.ones(rows.shape[:2], dtype=torch.long)
    text = model.text_joint_layer(encoder_embeds=written, attention_mask=mask, encoder_hidden_states=rows,
                                  encoder_attention_mask=seen, return_dict=True)
    image = model.img_joint_layer(encoder_embeds=model.img_joint_proj(rows), attention_mask=seen, encoder_hidden_states=written,
                                  encoder_attention_mask=mask, return_dict=True)
    return model.itm_head(text.last_hidden_state[:, 0]), model.itm_head_i(image.last_hidden_state[:, 0])


@torch.no_grad()
def main():
    words = tokenizer()
    model = seeded(authors(pathlib.Path(sys.argv[1]).resolve(), words.get_vocab_size()))
    (OUT / "r2d2").mkdir(exist_ok=True)
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    # As a trainer keeps it.
    torch.save({"model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3}, OUT / "r2d2/r2d2.pth")
    words.save(str(OUT / "r2d2/tokenizer.json"))
    # In 64 bits, so that the test's bound is on our own rounding alone.
    model = model.double()
    texts = unpadded(words.encode_batch(TEXTS))
    i = torch.arange(2 * 3 * SIZE * SIZE, dtype=torch.float64)
    shown = (torch.sin(i * 0.37) * 0.8).float().double().reshape(2, 3, SIZE, SIZE)
    written, text = model.encode_text(texts)
    seen, image = model.encode_image(shown)
    found = [pair(model, one, written, texts.attention_mask) for one in seen]
    # What its evaluation does to a picture.
    from torchvision import transforms
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    fit = transforms.Compose([transforms.Resize((SIZE, SIZE), interpolation=transforms.InterpolationMode.BICUBIC),
                              transforms.ToTensor(), transforms.Normalize(mean, deviation)])
    pixels = fit(Image.open(PICTURE).convert("RGB"))
    asked = unpadded([words.encode(ASKED)])
    one_seen, one_image = model.encode_image(pixels[None].double())
    one_written, one_text = model.encode_text(asked)
    both = pair(model, one_seen[0], one_written, asked.attention_mask)
    score = sum(torch.softmax(logits, dim=-1)[0, 1] for logits in both) / 2
    golden = {"ids": texts.input_ids.tolist(), "texts": TEXTS, "image": rounded(image), "text": rounded(text),
              "match": [rounded(x) for x, _ in found], "match_picture": [rounded(x) for _, x in found], "asked": ASKED,
              "asked_cosine": float(one_image[0] @ one_text[0]), "asked_probability": float(score),
              "pixels": [round(x, 6) for x in pixels.flatten().tolist()]}
    (OUT / "r2d2.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
