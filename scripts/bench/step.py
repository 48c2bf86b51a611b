"""A training step's forward, contrastive loss and backward in PyTorch, both towers, f32, random weights of the
architectures that `cargo bench --workspace --bench step` times: run the two one after the other on a quiet machine.
Needs torch, timm, transformers, cn_clip (for the ResNet, whose batch normalisations keep their statistics as ours)."""
import json
import statistics
import time

import torch

torch.manual_seed(1)


def tiny():
    import timm
    from transformers import BertConfig, BertModel
    image = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    # tuwen-tiny's text tower has BERT's size, 4 layers of 256.
    with open("configs/models/tuwen-tiny.json") as file:
        text = json.load(file)["text"]
    words = BertModel(BertConfig(vocab_size=21128, hidden_size=text["width"], num_hidden_layers=text["layers"],
                                 num_attention_heads=text["heads"], intermediate_size=text["mlp"]), add_pooling_layer=False)
    heads = torch.nn.ModuleList([torch.nn.Linear(192, 256, bias=False), torch.nn.Linear(256, 256, bias=False)])
    modules = torch.nn.ModuleList([image, words, heads])
    return modules, lambda pixels, ids: (heads[0](image(pixels)), heads[1](words(ids).last_hidden_state.mean(1)))


def of(config, model):
    module = model(config)
    return module, lambda pixels, ids: features(module(input_ids=ids, pixel_values=pixels))


def features(out):
    return out.image_embeds, out.text_embeds


def chinese_b16():
    from transformers import ChineseCLIPConfig, ChineseCLIPModel, ChineseCLIPTextConfig, ChineseCLIPVisionConfig
    vision = ChineseCLIPVisionConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                                     patch_size=16, image_size=224, hidden_act="quick_gelu")
    return of(ChineseCLIPConfig(text_config=ChineseCLIPTextConfig(vocab_size=21128).to_dict(),
                                vision_config=vision.to_dict(), projection_dim=512), ChineseCLIPModel)


def clip_b32():
    from transformers import CLIPConfig, CLIPModel
    return of(CLIPConfig(), CLIPModel)


def siglip():
    from transformers import SiglipConfig, SiglipModel
    return of(SiglipConfig(), SiglipModel)


def chinese_rn50():
    from cn_clip.clip.model import CLIP
    module = CLIP(1024, 224, (3, 4, 6, 3), 64, None, 21128, 0.0, "gelu", 0.0, 768, 0.02, 3072, 512, 12, 3, 2)
    module = module.float()
    return module, lambda pixels, ids: (module.encode_image(pixels), module.encode_text(ids))


CASES = [("tuwen-tiny", tiny, 32, 20), ("chinese-clip-vit-base-patch16", chinese_b16, 8, 20),
         ("clip-vit-base-patch32", clip_b32, 16, 20), ("chinese-clip-rn50", chinese_rn50, 8, 20),
         ("siglip-base-patch16-224", siglip, 8, 64)]

for name, build, rows, tokens in CASES:
    module, embed = build()
    # No dropout, and statistics that stay.
    module.eval()
    pixels, ids = torch.randn(rows, 3, 224, 224), torch.randint(1, 20000, (rows, tokens))

    def step():
        images, texts = (torch.nn.functional.normalize(x) for x in embed(pixels, ids))
        logits = 14.3 * images @ texts.T
        truth = torch.arange(rows)
        loss = (torch.nn.functional.cross_entropy(logits, truth) + torch.nn.functional.cross_entropy(logits.T, truth)) / 2
        module.zero_grad(set_to_none=True)
        loss.backward()

    step()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    middle = statistics.median(seconds)
    print(f"{name}: {middle:.2f} s, {rows / middle:.1f} pairs/s", flush=True)
    del module, embed
