"""A tiny seeded FG-CLIP 2 in the layout of its authors' folder, with what their own code makes of pictures of four shapes
and of short, long and region texts; and the sizes to which their code stretches pictures.

    python fg_clip_2.py FGCLIP      # the folder of https://github.com/360CVGroup/FG-CLIP (its commit b1af1cd was used)

Its image tower is SigLIP 2's with any aspect ratio: transformers' own must give the same vectors, which is checked here."""
import importlib, json, pathlib, random, shutil, sys, types
import numpy as np
import torch
import transformers
from PIL import Image
from transformers import PreTrainedTokenizerFast, Siglip2Config, Siglip2Model

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
SIZES = pathlib.Path(__file__).parent / "../../crates/image/tests/golden/grids.json"
CONTEXT, LONG, KEPT, PATCH = 16, 24, 5, 4
PICTURES = [(61, 40), (40, 61), (200, 9), (16, 16)]
SHORT = ["a dog runs on the grass", "Two CHILDREN play, outside!", "  a photo of a cat.  ", "狗 in the snow", ""]
REGIONS = ["the grass", "一只狗", "a very long name of a part that does not fit into the context of short texts at all"]
LONGER = ["the quick brown fox jumps over the dog", " ".join(SHORT[:3]),
          "the quick brown fox jumps over the lazy dog while two children play football on a large green field"]


def authors(root):
    """Their modules, and what of transformers 4 they call."""
    def mask(mask, dtype, tgt_len=None):
        hidden = 1 - mask[:, None, None, :].expand(len(mask), 1, tgt_len or mask.shape[1], mask.shape[1]).to(dtype)
        return hidden.masked_fill(hidden.bool(), torch.finfo(dtype).min)

    sys.modules["transformers.modeling_attn_mask_utils"] = types.SimpleNamespace(_prepare_4d_attention_mask=mask)
    sys.modules["torchvision.ops"] = types.SimpleNamespace(roi_align=None)
    transformers.utils.check_model_inputs = lambda f: f
    package = types.ModuleType("strcs")
    package.__path__ = [str(pathlib.Path(root) / "fgclip2/model/strcs")]
    sys.modules["strcs"] = package
    return [importlib.import_module(f"strcs.{name}_fgclip2") for name in ("configuration", "modeling", "image_processing")]


def noise(width, height):
    i = np.arange(width * height * 3, dtype=np.uint64)
    z = (i * np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
    return Image.fromarray(((z >> np.uint64(40)) & np.uint64(0xFF)).astype(np.uint8).reshape(height, width, 3))


def rows(x):
    x = getattr(x, "pooler_output", x)
    return [[round(value, 8) for value in row] for row in (x / x.norm(dim=-1, keepdim=True)).tolist()]


def seeded(model):
    """Random weights that half precision holds exactly."""
    torch.manual_seed(0)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.25)
        p.data = p.data.half().float()
    model.logit_scale.data.fill_(2.25)
    model.logit_bias.data.fill_(-3.0)
    return model.eval()


def sizes(processing):
    """Of 16 x 16 patches, as published."""
    random.seed(0)
    shapes = [(random.randint(1, 2500), random.randint(1, 2500)) for _ in range(120)]
    shapes += [(1, 1), (1, 60000), (60000, 1), (3000, 20), (256, 128), (272, 128), (448, 448), (16, 16), (12000, 9000)]
    cases = []
    for width, height in shapes:
        most = processing._determine_max_value(np.empty((height, width, 0)), 16)
        tall, wide = processing.get_image_size_for_max_num_patches(height, width, 16, most)
        cases.append([width, height, most, wide, tall])
    SIZES.write_text(json.dumps(cases) + "\n")


@torch.no_grad()
def same_as_transformers(model, config, seen, found):
    """transformers' own tower with the same weights."""
    own = {key: config.vision_config.to_dict()[key] for key in (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_patches", "patch_size")}
    text = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=8, intermediate_size=8)
    other = Siglip2Model(Siglip2Config(vision_config=own, text_config=text)).eval()
    other.vision_model.load_state_dict(model.vision_model.state_dict())
    theirs = other.get_image_features(**seen)
    assert torch.allclose(getattr(theirs, "pooler_output", theirs), found, atol=1e-5), "not SigLIP 2's tower"


def waves(shape, step):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.sin(i * step).float().reshape(shape)


@torch.enable_grad()
def gradients(model, seen):
    """Of a number made of the feature and of each patch's: with respect to pixels, positions and a matrix of the dense head."""
    tall, wide = seen["spatial_shapes"][0].tolist()
    seen = dict(seen, pixel_values=seen["pixel_values"].clone().requires_grad_())
    model.zero_grad()
    feature, dense = model.get_image_features(**seen)[0], model.get_image_dense_feature(**seen)[0, : tall * wide]
    ((feature * waves(feature.shape, 0.11)).sum() + (dense * waves(dense.shape, 0.13)).sum()).backward()
    pixels = seen["pixel_values"].grad[0, : tall * wide].reshape(tall, wide, PATCH, PATCH, 3).permute(4, 0, 2, 1, 3).flatten()
    places = model.vision_model.embeddings.position_embedding.weight.grad.flatten()
    matrix = model.dense_feature_head.mlp.fc1.weight.grad.flatten()
    some = lambda grad: {"all": len(grad), "some": [float(f"{value:.8g}") for value in grad[::29].tolist()]}
    return {"pixels": some(pixels), "places": some(places), "matrix": some(matrix)}


@torch.no_grad()
def main():
    configuration, modeling, processing = authors(sys.argv[1])
    folder = OUT / "fg-clip-2"
    folder.mkdir(exist_ok=True)
    shutil.copy(OUT / "siglip2/tokenizer.json", folder / "tokenizer.json")
    words = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", eos_token="<eos>",
                                    bos_token="<bos>", unk_token="<unk>", model_input_names=["input_ids"])
    size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    config = configuration.Fgclip2Config(
        text_config=dict(size, vocab_size=len(words), max_position_embeddings=CONTEXT, keep_len=KEPT, longtext_len=LONG,
                         bos_token_id=2, eos_token_id=1, pad_token_id=0),
        vision_config=dict(size, patch_size=PATCH, num_patches=16))
    model = seeded(modeling.Fgclip2Model(config))
    model.half().save_pretrained(folder)
    model.float()
    # As the hub's folder says it.
    code = {"AutoConfig": "configuration_fgclip2.Fgclip2Config", "AutoModelForCausalLM": "modeling_fgclip2.Fgclip2Model"}
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(dict(text, auto_map=code), indent=1) + "\n")
    processor = processing.Fgclip2ImageProcessor(patch_size=PATCH, do_convert_rgb=True)
    processor.save_pretrained(folder)
    text = json.loads((folder / "preprocessor_config.json").read_text())
    code = {"AutoImageProcessor": "image_processing_fgclip2.Fgclip2ImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(text, auto_map=code), indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "GemmaTokenizer", "model_input_names": ["input_ids"], "model_max_length": 1e30, "pad_token": "<pad>"}) + "\n")

    golden = {"pictures": [], "texts": {}}
    for width, height in PICTURES:
        seen = processor(noise(width, height), return_tensors="pt")
        vector, dense = model.get_image_features(**seen), model.get_image_dense_feature(**seen)
        same_as_transformers(model, config, seen, vector)
        tall, wide = seen["spatial_shapes"][0].tolist()
        some = list(range(0, tall * wide, 17))
        golden["pictures"].append({"size": [width, height], "grid": [tall, wide], "vector": rows(vector)[0],
                                   "some": some, "dense": rows(dense[0, some])})
    golden["gradients"] = gradients(model, processor(noise(*PICTURES[0]), return_tensors="pt"))
    vectors = torch.tensor([picture["vector"] for picture in golden["pictures"]])
    for kind, texts, length in [("short", SHORT, CONTEXT), ("box", REGIONS, CONTEXT), ("long", LONGER, LONG)]:
        ids = words([text.lower() for text in texts], padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        found = model.get_text_features(**ids, walk_type=kind)
        unit = torch.nn.functional.normalize(found)
        golden["texts"][kind] = {"texts": texts, "ids": ids.input_ids.tolist(), "vectors": rows(found),
                                 "logits": (model.logit_scale.exp() * vectors @ unit.T + model.logit_bias).tolist()}
    (OUT / "fg_clip_2.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
    sizes(processing)


if __name__ == "__main__":
    main()
