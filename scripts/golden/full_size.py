"""Full-size models with random weights and their outputs, for a check by hand (CONTRIBUTING.md):

    python full_size.py DIR NAME...     # names below; several GB each
    TUWEN_FULL_SIZE=DIR cargo test --release --workspace --test families full_size -- --nocapture
"""
import json, pathlib, sys
import torch
from transformers import ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel


def vit(width, layers, heads, patch, size):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
                patch_size=patch, image_size=size)


def bert(width, layers):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
                intermediate_size=4 * width, vocab_size=21128)


def words(width):
    return dict(hidden_size=width, num_hidden_layers=12, num_attention_heads=width // 64, intermediate_size=4 * width)


CHINESE = {
    "chinese-clip-vit-base-patch16": (vit(768, 12, 12, 16, 224), bert(768, 12), 512),
    "chinese-clip-vit-large-patch14": (vit(1024, 24, 16, 14, 224), bert(768, 12), 768),
    "chinese-clip-vit-large-patch14-336px": (vit(1024, 24, 16, 14, 336), bert(768, 12), 768),
    "chinese-clip-vit-huge-patch14": (vit(1280, 32, 16, 14, 224), bert(1024, 24), 1024),
}
CLIP = {
    "clip-vit-base-patch32": (vit(768, 12, 12, 32, 224), words(512), 512),
    "clip-vit-base-patch16": (vit(768, 12, 12, 16, 224), words(512), 512),
    "clip-vit-large-patch14": (vit(1024, 24, 16, 14, 224), words(768), 768),
    "clip-vit-large-patch14-336": (vit(1024, 24, 16, 14, 336), words(768), 768),
}


def unit(x):
    x = getattr(x, "pooler_output", x)
    return (x / x.norm(dim=-1, keepdim=True)).tolist()


out = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    torch.manual_seed(0)
    chinese = name in CHINESE
    vision, text, dim = (CHINESE if chinese else CLIP)[name]
    config, kind = (ChineseCLIPConfig, ChineseCLIPModel) if chinese else (CLIPConfig, CLIPModel)
    model = kind(config(vision_config=vision, text_config=text, projection_dim=dim)).eval()
    size, length = vision["image_size"], 52 if chinese else 77
    i = torch.arange(3 * size * size, dtype=torch.float64)
    picture = (torch.sin(i * 0.37) * 0.8).float().reshape(1, 3, size, size)
    ids = [49406] + [300 + 37 * i for i in range(length - 2)] + [49407]
    if chinese:
        ids = [101] + [300 + 37 * i for i in range(length - 2)] + [102]
    with torch.no_grad():
        image = unit(model.get_image_features(picture))
        words_out = unit(model.get_text_features(torch.tensor([ids])))
    model.save_pretrained(out / name)
    (out / name / "golden.json").write_text(json.dumps({"size": size, "image": image, "text": words_out, "ids": [ids]}))
    print(name, sum(p.numel() for p in model.parameters()) // 10**6, "million")
