"""Tiny seeded models of each family, saved as their own programs save them, with their outputs.

Needs clip/model.py of https://github.com/openai/CLIP; give its folder as the argument."""
import io, json, pathlib, sys, zipfile
import torch
from cn_clip.clip.model import CLIP as CnClip
from transformers import (ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel)

sys.path.insert(0, sys.argv[1])
from model import CLIP as OpenAiClip  # noqa: E402

HERE = pathlib.Path(__file__).parent
OUT = HERE / "../../crates/encode/tests/golden"
SIZE, PATCH, VOCAB = 32, 8, 60
IMAGE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
             image_size=SIZE, patch_size=PATCH)
TEXT = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, vocab_size=VOCAB)
# The highest id ends a text: transformers' CLIP looks for it.
IDS = [[1, 5, 9, 33, 59], [2, 7, 59], [1, 2, 3, 4, 5, 6, 7, 8, 59]]


def picture():
    i = torch.arange(2 * 3 * SIZE * SIZE, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(2, 3, SIZE, SIZE)


def seeded(model):
    torch.manual_seed(0)
    for p in model.parameters():
        if p.ndim:
            torch.nn.init.normal_(p, std=0.25)
    return model.eval()


def texts():
    ids = torch.zeros(len(IDS), max(map(len, IDS)), dtype=torch.long)
    for row, text in zip(ids, IDS):
        row[:len(text)] = torch.tensor(text)
    return ids


def unit(x):
    x = getattr(x, "pooler_output", x)
    return (x / x.norm(dim=-1, keepdim=True)).tolist()


def hf(name, model):
    model = seeded(model)
    model.save_pretrained(OUT / name)
    if name == "clip":
        model.save_pretrained(OUT / "clip-shards", max_shard_size="60KB")
    with torch.no_grad():
        image = model.get_image_features(picture())
        text = model.get_text_features(texts(), attention_mask=(texts() > 0).long())
    return {"image": unit(image), "text": unit(text)}


def cn_clip():
    """Chinese-CLIP's own module and checkpoint, with an optimizer's state as after fine-tuning."""
    model = seeded(CnClip(
        embed_dim=16, image_resolution=SIZE, vision_layers=2, vision_width=64, vision_patch_size=PATCH,
        vocab_size=VOCAB, text_attention_probs_dropout_prob=0.1, text_hidden_act="gelu",
        text_hidden_dropout_prob=0.1, text_hidden_size=64, text_initializer_range=0.02,
        text_intermediate_size=40, text_max_position_embeddings=20, text_num_attention_heads=1,
        text_num_hidden_layers=2, text_type_vocab_size=2))
    optimizer = torch.optim.AdamW(list(model.parameters())[:3])
    model.encode_image(picture()).sum().backward()
    optimizer.step()
    with torch.no_grad():
        image, text = model.encode_image(picture()), model.encode_text(texts())
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    torch.save({"epoch": 3, "step": 7, "name": "tiny", "state_dict": state, "optimizer": optimizer.state_dict()},
               OUT / "cn_clip.pt")
    return {"image": unit(image), "text": unit(text)}


def openai():
    """OpenAI's own module, traced and saved as its published archives are."""
    model = seeded(OpenAiClip(
        embed_dim=16, image_resolution=SIZE, vision_layers=2, vision_width=64, vision_patch_size=PATCH,
        context_length=12, vocab_size=VOCAB, transformer_width=64, transformer_heads=1, transformer_layers=2))
    ids = torch.zeros(len(IDS), 12, dtype=torch.long)
    ids[:, :texts().shape[1]] = texts()
    # As open_clip saves it; only names and shapes are looked at, so a part is enough.
    part = {k: v.half() for k, v in model.state_dict().items() if "attn" not in k and "c_proj" not in k}
    torch.save(part, OUT / "open_clip.pt")
    with torch.no_grad():
        image, text = model.encode_image(picture()), model.encode_text(ids)
        traced = torch.jit.trace(model, (picture(), ids), check_trace=False)
    whole = io.BytesIO()
    torch.jit.save(traced, whole)
    # Without the records of where on this machine the source lay.
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(OUT / "openai.pt", "w") as out:
        for name in archive.namelist():
            if not name.endswith(".debug_pkl"):
                out.writestr(zipfile.ZipInfo(name), archive.read(name))
    return {"image": unit(image), "text": unit(text)}


OUT.mkdir(parents=True, exist_ok=True)
golden = {
    "clip": hf("clip", CLIPModel(CLIPConfig(
        text_config=dict(TEXT, max_position_embeddings=12, eos_token_id=59, bos_token_id=1, pad_token_id=0),
        vision_config=IMAGE, projection_dim=16))),
    "chinese-clip": hf("chinese-clip", ChineseCLIPModel(ChineseCLIPConfig(
        text_config=dict(TEXT, max_position_embeddings=20), vision_config=IMAGE, projection_dim=16))),
    "cn_clip": cn_clip(),
    "openai": openai(),
    "ids": IDS,
}
model = seeded(ChineseCLIPModel.from_pretrained(OUT / "chinese-clip"))
(OUT / "chinese-clip-bin").mkdir(exist_ok=True)
torch.save({k: v.half() for k, v in model.state_dict().items()}, OUT / "chinese-clip-bin/pytorch_model.bin")
(OUT / "chinese-clip-bin/config.json").write_text((OUT / "chinese-clip/config.json").read_text())
(OUT / "families.json").write_text(json.dumps(golden) + "\n")
