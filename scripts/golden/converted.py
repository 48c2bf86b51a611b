"""Whether models that `tuwen model convert` wrote are read by the programs they are meant for, with the
outputs of the originals, and interpolated positions equal transformers'. By hand (CONTRIBUTING.md):

    python converted.py CLIPDIR TUWEN     # the folder of OpenAI's clip/model.py, the program"""
import json, pathlib, subprocess, sys, tempfile
import torch
from cn_clip.clip.model import CLIP as CnClip
from transformers import AutoImageProcessor, AutoModel

sys.path.insert(0, sys.argv[1])
from model import build_model  # noqa: E402

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "../../crates/encode/tests/golden"
BERT = dict(vocab_size=60, text_attention_probs_dropout_prob=0.1, text_hidden_act="gelu", text_hidden_dropout_prob=0.1,
            text_hidden_size=64, text_initializer_range=0.02, text_intermediate_size=40,
            text_max_position_embeddings=20, text_num_attention_heads=1, text_num_hidden_layers=2, text_type_vocab_size=2)
VIT = dict(image_resolution=32, vision_layers=2, vision_width=64, vision_patch_size=8)
RESNET = dict(image_resolution=64, vision_layers=(2, 1, 1, 1), vision_width=4, vision_patch_size=None)
families, towers = (json.loads((GOLDEN / f"{name}.json").read_text()) for name in ("families", "towers"))
out = pathlib.Path(tempfile.mkdtemp())


def convert(source, name, *options):
    subprocess.run([sys.argv[2], "model", "convert", GOLDEN / source, out / name, *options], check=True, stdout=subprocess.DEVNULL)
    return out / name


def picture(size):
    i = torch.arange(2 * 3 * size * size, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(2, 3, size, size)


def texts(length=0):
    ids = torch.zeros(len(families["ids"]), length or 9, dtype=torch.long)
    for row, text in zip(ids, families["ids"]):
        row[:len(text)] = torch.tensor(text)
    return ids


def unit(x):
    x = getattr(x, "pooler_output", x).float()
    return x / x.norm(dim=-1, keepdim=True)


def report(what, found, wanted, bound):
    worst = (unit(found) - torch.tensor(wanted)).abs().max().item()
    print(f"{'ok  ' if worst < bound else 'FAIL'} {what}: differs by {worst:.1e}")


@torch.no_grad()
def main():
    for source, sizes, size, golden in [("cn_clip.pt", VIT, 32, families["cn_clip"]),
                                        ("cn_clip-resnet.pt", RESNET, 64, towers["cn_clip-resnet.pt"])]:
        for precision, bound in [("f32", 1e-5), ("f16", 1e-2), ("bf16", 8e-2)]:
            file = convert(source, f"{source}-{precision}.pt", "--precision", precision)
            checkpoint = torch.load(file, weights_only=True)
            # As cn_clip.clip.utils.create_model does it, strictly.
            state = {k[len("module."):]: v for k, v in checkpoint["state_dict"].items() if "bert.pooler" not in k}
            model = CnClip(embed_dim=16, **sizes, **BERT)
            model.load_state_dict(state)
            model.float().eval()
            report(f"cn_clip reads {source}, {precision}, image", model.encode_image(picture(size)), golden["image"], bound)
            report(f"cn_clip reads {source}, {precision}, text", model.encode_text(texts()), golden["text"], bound)
    state = torch.load(convert("openai.pt", "openai.pt", "--precision", "f32"), weights_only=True)
    model = build_model(state).float()
    report("OpenAI's loader reads openai.pt, image", model.encode_image(picture(32)), families["openai"]["image"], 2e-3)
    report("OpenAI's loader reads openai.pt, text", model.encode_text(texts(12)), families["openai"]["text"], 2e-3)
    for source, golden in [("cn_clip.pt", families["cn_clip"]), ("clip", families["clip"]),
                           ("chinese-clip", families["chinese-clip"]), ("siglip", towers["siglip"]),
                           ("siglip2", towers["siglip2"])]:
        folder = convert(source, f"{source}-hf", "--layout", "hf", "--precision", "f32")
        model = AutoModel.from_pretrained(folder).eval()
        report(f"transformers reads {source}, image", model.get_image_features(picture(32)), golden["image"], 1e-5)
        ids = torch.tensor(golden["ids"]) if "ids" in golden else texts()
        mask = None if "ids" in golden else (ids > 0).long()
        report(f"transformers reads {source}, text", model.get_text_features(ids, attention_mask=mask), golden["text"], 1e-5)
        AutoImageProcessor.from_pretrained(folder)
    for source, size in [("clip", 48), ("siglip", 56), ("clip", 24)]:
        folder = convert(source, f"{source}-{size}", "--layout", "hf", "--precision", "f32", "--image-size", str(size))
        resized = AutoModel.from_pretrained(folder).eval().get_image_features(picture(size))
        wanted = AutoModel.from_pretrained(GOLDEN / source, dtype=torch.float32).eval().get_image_features(picture(size), interpolate_pos_encoding=True)
        report(f"{source} at {size} pixels", resized, unit(wanted).tolist(), 1e-5)


main()
