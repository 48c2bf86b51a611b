"""transformers' BERT and ViT with the built-in model's weights -> crates/encode/tests/golden/built_in.json.

Reads models/tuwen-small of this repository: matrices of 8 bits with a scale for each row.
"""

import json
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/tuwen-small"
TEXTS = [
    "a dog running on the grass",
    "草地上奔跑的狗",
    "TEAPOT",
    "一把茶壶",
    "a slice of pizza ，ＡＢＣ１２",
    "",
    "word " * 80,
]
PICTURES = ["dog_grass.png", "pizza.png", "sailboat.png"]


def weights():
    raw = load_file(MODEL / "model.safetensors")
    out = {}
    for name, value in raw.items():
        if name.endswith(".scale"):
            continue
        value = value.astype(np.float32)
        if f"{name}.scale" in raw:
            value = value * raw[f"{name}.scale"][..., None]
        out[name] = torch.tensor(value)
    return out


def blocks(w, tower, layers, names, cut, qkv):
    state = {}
    for i in range(layers):
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                state[f"{cut.format(i)}.{theirs}.{kind}"] = w[f"{tower}.blocks.{i}.{ours}.{kind}"]
        for kind in ("weight", "bias"):
            parts = w[f"{tower}.blocks.{i}.attn.qkv.{kind}"].chunk(3)
            for part, value in zip(qkv, parts):
                state[f"{cut.format(i)}.{part}.{kind}"] = value
    return state


def text_vectors(w, config):
    c = config["text"]
    bert = BertModel(
        BertConfig(
            vocab_size=config["vocab"], hidden_size=c["width"], num_hidden_layers=c["layers"],
            num_attention_heads=c["heads"], intermediate_size=c["mlp"], layer_norm_eps=1e-12,
            max_position_embeddings=config["positions"], type_vocab_size=config["token_types"],
        ),
        add_pooling_layer=False,
    ).eval()
    names = {
        "attn.proj": "attention.output.dense", "norm1": "attention.output.LayerNorm",
        "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense", "norm2": "output.LayerNorm",
    }
    qkv = [f"attention.self.{part}" for part in ("query", "key", "value")]
    state = blocks(w, "text", c["layers"], names, "encoder.layer.{}", qkv)
    state["embeddings.word_embeddings.weight"] = w["text.token_embed.weight"]
    state["embeddings.position_embeddings.weight"] = w["text.pos_embed"]
    state["embeddings.token_type_embeddings.weight"] = w["text.type_embed"]
    for kind in ("weight", "bias"):
        state[f"embeddings.LayerNorm.{kind}"] = w[f"text.first_norm.{kind}"]
    missing, unexpected = bert.load_state_dict(state, strict=False)
    assert not unexpected and all("position_ids" in m for m in missing), (missing, unexpected)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    out = []
    for text in TEXTS:
        # e5's prefix is put before the text as it is, which is what its model card says.
        plain = tokenizer.encode(text.lower()).ids
        plain = plain[: config["context"] - 1] + plain[-1:] if len(plain) > config["context"] else plain
        ids = tokenizer.encode(f"query: {text.lower()}").ids
        if len(ids) > len(plain) + len(config["prefix"]):
            ids = ids[: len(plain) + len(config["prefix"]) - 1] + ids[-1:]
        with torch.inference_mode():
            deep = bert(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        words = plain[1:-1]
        bag = w["text.words.weight"][words].mean(0) if words else torch.zeros(config["words"])
        feature = torch.cat([deep, bag]) @ w["heads.text_proj.weight"].T + w["heads.text_proj.bias"]
        out.append(torch.nn.functional.normalize(feature, dim=0).tolist())
    return out


def image_vectors(w, config):
    c = config["image"]
    vit = ViTModel(
        ViTConfig(
            hidden_size=c["width"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
            intermediate_size=c["mlp"], layer_norm_eps=1e-6, hidden_act="gelu", image_size=224,
            patch_size=config["patch"], qkv_bias=True,
        ),
        add_pooling_layer=False,
    ).eval()
    names = {
        "attn.proj": "attention.o_proj", "norm1": "layernorm_before", "norm2": "layernorm_after",
        "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
    }
    qkv = [f"attention.{part}_proj" for part in "qkv"]
    state = blocks(w, "image", c["layers"], names, "layers.{}", qkv)
    state["embeddings.cls_token"] = w["image.cls_token"]
    state["embeddings.position_embeddings"] = w["image.pos_embed"]
    patch = "embeddings.patch_embeddings.projection"
    state[f"{patch}.weight"] = w["image.patch_embed.weight"].reshape(c["width"], 3, 16, 16)
    state[f"{patch}.bias"] = w["image.patch_embed.bias"]
    for kind in ("weight", "bias"):
        state[f"layernorm.{kind}"] = w[f"image.norm.{kind}"]
    vit.load_state_dict(state)
    out = []
    for name in PICTURES:
        picture = Image.open(ROOT / "assets/demo/png" / name).convert("RGB")
        picture = picture.resize((224, 224), Image.Resampling.BICUBIC)
        pixels = torch.tensor(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            feature = vit(pixels).last_hidden_state[0, 0] @ w["heads.image_proj.weight"].T
        out.append(torch.nn.functional.normalize(feature, dim=0).tolist())
    return out


def main():
    config = json.loads((MODEL / "config.json").read_text())
    w = weights()
    found = {
        "texts": TEXTS, "text": text_vectors(w, config),
        "pictures": PICTURES, "image": image_vectors(w, config),
    }
    path = ROOT / "crates/encode/tests/golden/built_in.json"
    path.write_text(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
