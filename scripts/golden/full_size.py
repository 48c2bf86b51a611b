"""Full-size models with random weights and their outputs, for a check by hand (CONTRIBUTING.md):

    python full_size.py CLIPDIR DIR NAME...     # names of configs/models; up to 4 GB each
    TUWEN_FULL_SIZE=DIR cargo test --release --workspace --test families full_size -- --nocapture

CLIPDIR is the folder of clip/model.py of https://github.com/openai/CLIP (for its ResNets); for FG-CLIP 2 the environment
says in FGCLIP where https://github.com/360CVGroup/FG-CLIP is."""
import json, os, pathlib, sys
import torch
from cn_clip.clip.model import CLIP as CnClip
from safetensors.torch import save_file
from transformers import (Blip2Config, Blip2ForImageTextRetrieval, BlipConfig, BlipForImageTextRetrieval, ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel,
                          MetaClip2Config, MetaClip2Model, Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel, XLMRobertaConfig)

sys.path.insert(0, sys.argv[1])
from model import CLIP as OpenAiClip  # noqa: E402


def vit(width, layers, heads, patch, size, **more):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
                patch_size=patch, image_size=size, **more)


def bert(width, layers):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
                intermediate_size=4 * width, vocab_size=21128)


def words(width, layers=12, **more):
    return dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
                intermediate_size=4 * width, **more)


GELU = dict(hidden_act="gelu")
XLM = "clip-vit-b-32-xlm-roberta-base"
BLIP = "blip-itm-base-coco"
BLIP_2 = "blip2-itm-vit-g"
FG = "fg-clip-2-base"
ANY_SHAPE = [FG, "siglip2-base-patch16-naflex"]
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
    "clip-vit-b-32-laion2b": (vit(768, 12, 12, 32, 224, **GELU), words(512, **GELU), 512),
    "clip-vit-h-14-laion2b": (vit(1280, 32, 16, 14, 224, **GELU), words(1024, 24, **GELU), 1024),
}
SIGLIP = {"siglip-base-patch16-224": 32000, "siglip2-base-patch16-224": 256000}
META = {
    "metaclip-2-worldwide-s16": (vit(384, 12, 6, 16, 224, **GELU), words(384, **GELU), 384),
    "metaclip-2-worldwide-m16": (vit(512, 12, 8, 16, 224, **GELU), words(512, **GELU), 512),
    "metaclip-2-worldwide-b32": (vit(768, 12, 12, 32, 224, **GELU), words(512, **GELU), 512),
}
# Width of the stem, bottlenecks, pictures, common space, width of the text tower.
RESNET = {
    "clip-rn50": (64, (3, 4, 6, 3), 224, 1024, 512),
    "clip-rn101": (64, (3, 4, 23, 3), 224, 512, 512),
    "clip-rn50x4": (80, (4, 6, 10, 6), 288, 640, 640),
    "clip-rn50x16": (96, (6, 8, 18, 8), 384, 768, 768),
    "clip-rn50x64": (128, (3, 15, 36, 10), 448, 1024, 1024),
}


def unit(x):
    x = getattr(x, "pooler_output", x)
    return (x / x.norm(dim=-1, keepdim=True)).tolist()


def lively(model):
    """Normalisations as after training: at first some let nothing through."""
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if "running_mean" in name:
            value.data.normal_(std=0.1)
        elif "running_var" in name or ("bn" in name and name.endswith("weight")):
            value.data.uniform_(0.5, 1.5)
    return model.eval()


def resnet(name, folder):
    stem, layers, size, dim, width = RESNET[name]
    model = lively(OpenAiClip(
        embed_dim=dim, image_resolution=size, vision_layers=layers, vision_width=stem, vision_patch_size=None,
        context_length=77, vocab_size=49408, transformer_width=width, transformer_heads=width // 64, transformer_layers=12))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    config = {"model_cfg": {"embed_dim": dim, "quick_gelu": True, "text_cfg": {"heads": width // 64}}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return model.encode_image, model.encode_text, size


def chinese_resnet(folder):
    model = lively(CnClip(
        embed_dim=1024, image_resolution=224, vision_layers=(3, 4, 6, 3), vision_width=64, vision_patch_size=None,
        vocab_size=21128, text_attention_probs_dropout_prob=0.1, text_hidden_act="gelu", text_hidden_dropout_prob=0.1,
        text_hidden_size=768, text_initializer_range=0.02, text_intermediate_size=3072,
        text_max_position_embeddings=512, text_num_attention_heads=12, text_num_hidden_layers=3, text_type_vocab_size=2))
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    torch.save({"epoch": 1, "step": 1, "name": "rn50", "state_dict": state}, folder / "clip_cn_rn50.pt")
    return model.encode_image, model.encode_text, 224


def xlm_roberta(folder):
    import open_clip
    from open_clip.hf_model import HFTextEncoder
    from xlm_roberta import tokenizer
    vision = dict(image_size=224, layers=12, width=768, patch_size=32)
    model = open_clip.CustomTextCLIP(512, vision, dict(layers=1, heads=1, width=64))
    text = XLMRobertaConfig(vocab_size=250002, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
    model.text = HFTextEncoder("", 512, config=text, proj_type="mlp", pooler_type="mean_pooler")
    model.eval()
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    named = dict(hf_model_name="xlm-roberta-base", hf_tokenizer_name="xlm-roberta-base", hf_pooler_type="mean_pooler")
    config = {"model_cfg": {"embed_dim": 512, "vision_cfg": vision, "text_cfg": named}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tokenizer().save_pretrained(folder)
    return model.encode_image, model.encode_text, 224


def blip(folder):
    from blip import tokenizer
    model = BlipForImageTextRetrieval(BlipConfig(text_config=dict(num_attention_heads=12), vision_config=dict(initializer_range=0.02)))
    words = tokenizer()
    words.model_max_length = 512
    words.save_pretrained(folder)
    model.eval().save_pretrained(folder)
    image = lambda x: model.vision_proj(model.vision_model(x).last_hidden_state[:, 0])
    return image, lambda x: model.text_proj(model.text_encoder(x).last_hidden_state[:, 0]), 384


def blip_2(folder):
    from blip_2 import spoken
    config = Blip2Config(qformer_config=dict(vocab_size=30523, use_qformer_text_input=True), vision_config=dict(initializer_range=0.02))
    model = Blip2ForImageTextRetrieval(config).eval()
    model.query_tokens.normal_(std=0.02)
    words = spoken()
    words.model_max_length = 512
    words.save_pretrained(folder)
    model.save_pretrained(folder)
    def image(x):
        asks = model.qformer(query_embeds=model.query_tokens, encoder_hidden_states=model.vision_model(x).last_hidden_state)
        return model.vision_projection(asks.last_hidden_state.mean(dim=1))
    def text(x):
        return model.text_projection(model.qformer(query_embeds=model.embeddings(x), query_length=0).last_hidden_state[:, 0])
    return image, text, 224


def any_shape(name, folder):
    if name == FG:
        from fg_clip_2 import authors
        configuration, modeling, _ = authors(os.environ["FGCLIP"])
        model = modeling.Fgclip2Model(configuration.Fgclip2Config(text_config=dict(vocab_size=256000))).eval()
    else:
        model = Siglip2Model(Siglip2Config(text_config=dict(vocab_size=256000))).eval()
    model.save_pretrained(folder)
    def image(x):
        patches = x.reshape(1, 3, 16, 16, 16, 16).permute(0, 2, 4, 3, 5, 1).reshape(1, 256, 768)
        return model.get_image_features(patches, torch.ones(1, 256), torch.tensor([[16, 16]]))
    return image, model.get_text_features, 256


def transformers(name, folder):
    if name in SIGLIP:
        model, size = SiglipModel(SiglipConfig(text_config=dict(vocab_size=SIGLIP[name]))), 224
    else:
        vision, text, dim = (CHINESE | CLIP | META)[name]
        config, kind = (ChineseCLIPConfig, ChineseCLIPModel) if name in CHINESE else (CLIPConfig, CLIPModel)
        if name in META:
            from xlm_roberta import tokenizer
            config, kind, text = MetaClip2Config, MetaClip2Model, dict(text, vocab_size=901629, eos_token_id=2)
            tokenizer().save_pretrained(folder)
        model, size = kind(config(vision_config=vision, text_config=text, projection_dim=dim)), vision["image_size"]
    model.eval().save_pretrained(folder)
    return model.get_image_features, model.get_text_features, size


@torch.no_grad()
def main():
    for name in sys.argv[3:]:
        torch.manual_seed(0)
        folder = pathlib.Path(sys.argv[2]) / name
        folder.mkdir(parents=True, exist_ok=True)
        if name == "chinese-clip-rn50":
            image, text, size = chinese_resnet(folder)
        elif name == XLM:
            image, text, size = xlm_roberta(folder)
        elif name == BLIP:
            image, text, size = blip(folder)
        elif name == BLIP_2:
            image, text, size = blip_2(folder)
        elif name in ANY_SHAPE:
            image, text, size = any_shape(name, folder)
        else:
            image, text, size = (resnet if name in RESNET else transformers)(name, folder)
        i = torch.arange(3 * size * size, dtype=torch.float64)
        picture = (torch.sin(i * 0.37) * 0.8).float().reshape(1, 3, size, size)
        first, last, length = (101, 102, 52) if name.startswith("chinese") or name in (BLIP, BLIP_2) else (300, 1, 64) if name in SIGLIP or name in ANY_SHAPE else (49406, 49407, 77)
        if name in META or name == XLM:
            first, last, length = 0, 2, 77
        ids = [[first] + [300 + 37 * i for i in range(length - 2)] + [last]]
        golden = {"size": size, "image": unit(image(picture)), "text": unit(text(torch.tensor(ids))), "ids": ids}
        (folder / "golden.json").write_text(json.dumps(golden))


main()
