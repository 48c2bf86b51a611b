"""Tiny seeded models with ResNet towers, of SigLIP, with flash attention's names and in open_clip's
layout, with their outputs; and the logits of families.py's models.

Needs clip/model.py of https://github.com/openai/CLIP; give its folder as the argument."""
import json, pathlib, sys
import torch
from cn_clip.clip.model import CLIP as CnClip, convert_state_dict
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ChineseCLIPModel, CLIPModel, SiglipConfig, SiglipModel

sys.path.insert(0, sys.argv[1])
from model import CLIP as OpenAiClip  # noqa: E402

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
VOCAB = 60
IDS = [[1, 5, 9, 33, 59], [2, 7, 59], [1, 2, 3, 4, 5, 6, 7, 8, 59]]
BERT = dict(vocab_size=VOCAB, text_attention_probs_dropout_prob=0.1, text_hidden_act="gelu",
            text_hidden_dropout_prob=0.1, text_hidden_size=64, text_initializer_range=0.02,
            text_intermediate_size=40, text_max_position_embeddings=20, text_num_attention_heads=1,
            text_num_hidden_layers=2, text_type_vocab_size=2)
TEXTS = ["a dog runs on the grass", "Two CHILDREN play, outside!", "  a photo of a cat.  ", "狗 in the snow",
         "the quick brown fox jumps over the lazy dog while two children play football on a large green field"]


def picture(size):
    i = torch.arange(2 * 3 * size * size, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(2, 3, size, size)


def seeded(model, std=0.25):
    """Random weights that half precision holds exactly, so that the files can be small."""
    torch.manual_seed(0)
    for name, p in model.named_parameters():
        if p.ndim:
            torch.nn.init.normal_(p, std=std)
        p.data = p.data.half().float()
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand_like(buffer).add(0.5 if "var" in name else -0.5).half().float())
    return model.eval()


def texts(length=0):
    ids = torch.zeros(len(IDS), length or max(map(len, IDS)), dtype=torch.long)
    for row, text in zip(ids, IDS):
        row[:len(text)] = torch.tensor(text)
    return ids


def unit(x):
    x = getattr(x, "pooler_output", x)
    return x / x.norm(dim=-1, keepdim=True)


@torch.no_grad()
def outputs(image, text, scale, bias=0.0):
    image, text = unit(image), unit(text)
    logits = scale.exp() * image @ text.T + bias
    return {"image": image.tolist(), "text": text.tolist(), "logits": logits.tolist()}


def half(state):
    return {k: v.half() if v.is_floating_point() else v for k, v in state.items()}


@torch.no_grad()
def cn_clip_resnet():
    model = seeded(CnClip(embed_dim=16, image_resolution=64, vision_layers=(2, 1, 1, 1), vision_width=4,
                          vision_patch_size=None, **BERT))
    state = {f"module.{k}": v for k, v in half(model.state_dict()).items()}
    torch.save({"epoch": 3, "step": 7, "name": "tiny", "state_dict": state}, OUT / "cn_clip-resnet.pt")
    return outputs(model.encode_image(picture(64)), model.encode_text(texts()), model.logit_scale)


@torch.no_grad()
def openai_resnet():
    """In open_clip's layout, as the hub has OpenAI's ResNets."""
    model = seeded(OpenAiClip(
        embed_dim=16, image_resolution=64, vision_layers=(1, 1, 2, 1), vision_width=4, vision_patch_size=None,
        context_length=12, vocab_size=VOCAB, transformer_width=64, transformer_heads=1, transformer_layers=2))
    out = OUT / "open_clip-resnet"
    out.mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in half(model.state_dict()).items()}, out / "open_clip_model.safetensors")
    config = {"model_cfg": {"embed_dim": 16, "quick_gelu": True, "vision_cfg": {"image_size": 64, "layers": [1, 1, 2, 1],
              "width": 4}, "text_cfg": {"context_length": 12, "vocab_size": VOCAB, "width": 64, "heads": 1, "layers": 2}},
              "preprocess_cfg": {"mean": [0.5, 0.25, 0.125], "std": [0.5, 0.5, 0.25]}}
    (out / "open_clip_config.json").write_text(json.dumps(config) + "\n")
    return outputs(model.encode_image(picture(64)), model.encode_text(texts(12)), model.logit_scale)


@torch.no_grad()
def flash():
    model = seeded(CnClip(embed_dim=16, image_resolution=32, vision_layers=2, vision_width=64, vision_patch_size=8, **BERT))
    result = outputs(model.encode_image(picture(32)), model.encode_text(texts()), model.logit_scale)
    state = convert_state_dict({f"module.{k}": v for k, v in half(model.state_dict()).items()})
    torch.save({"epoch": 1, "step": 7, "name": "tiny", "state_dict": state}, OUT / "cn_clip-flash.pt")
    return result


def sentencepiece():
    """As SigLIP's: pieces with probabilities, lower case, no punctuation, `</s>` at the end."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(Regex(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(TEXTS, trainers.UnigramTrainer(
        vocab_size=110, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def gemma():
    """As SigLIP 2's: byte pairs over SentencePiece's spaces, bytes for the unknown, `<eos>` at the end."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokenizer.train_from_iterator(TEXTS[:3], trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return tokenizer


@torch.no_grad()
def siglip(name, tokenizer, pad):
    context = 16
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    model = seeded(SiglipModel(SiglipConfig(
        text_config=dict(sizes, vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=context, pad_token_id=pad),
        vision_config=dict(sizes, image_size=32, patch_size=8))))
    model.logit_scale.fill_(2.3)
    model.logit_bias.fill_(-3.0)
    model.half().save_pretrained(OUT / name)
    model.float()
    tokenizer.save(str(OUT / name / "tokenizer.json"))
    (OUT / name / "preprocessor_config.json").write_text(json.dumps({
        "do_center_crop": False, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2 if pad == 0 else 3,
        "size": {"height": 32, "width": 32}}) + "\n")
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(length=context, pad_id=pad)
    ids = [tokenizer.encode(text.lower()).ids for text in TEXTS]
    result = outputs(model.get_image_features(picture(32)), model.get_text_features(torch.tensor(ids)),
                     model.logit_scale, model.logit_bias)
    return {"texts": TEXTS, "ids": ids, **result}


@torch.no_grad()
def again(model):
    model = model.eval()
    mask = (texts() > 0).long()
    return outputs(model.get_image_features(picture(32)), model.get_text_features(texts(), attention_mask=mask),
                   model.logit_scale)


@torch.no_grad()
def resized(kind, name, size):
    """Pictures of another size than the model's."""
    model = kind.from_pretrained(OUT / name, dtype=torch.float32).eval()
    return unit(model.get_image_features(picture(size), interpolate_pos_encoding=True)).tolist()


golden = {
    "ids": IDS,
    "cn_clip-resnet.pt": cn_clip_resnet(),
    "open_clip-resnet": openai_resnet(),
    "cn_clip-flash.pt": flash(),
    "siglip": siglip("siglip", sentencepiece(), 1),
    "siglip2": siglip("siglip2", gemma(), 0),
    "clip": again(CLIPModel.from_pretrained(OUT / "clip")),
    "clip at 48": resized(CLIPModel, "clip", 48),
    "clip at 24": resized(CLIPModel, "clip", 24),
    "siglip at 56": resized(SiglipModel, "siglip", 56),
    "chinese-clip": again(ChineseCLIPModel.from_pretrained(OUT / "chinese-clip")),
}
(OUT / "towers.json").write_text(json.dumps(golden) + "\n")
