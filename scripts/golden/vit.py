"""timm's ViT on a tiny seeded model that is committed, and on the ImageNet weights that are not."""
import json, os, pathlib
import torch, timm
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "../../crates/encode/tests/golden"
SHARED = pathlib.Path(os.environ.get("TUWEN_SHARED", HERE / "../../../shared"))


def picture(size):
    i = torch.arange(3 * size * size, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(1, 3, size, size)


torch.manual_seed(0)
tiny = timm.models.vision_transformer.VisionTransformer(
    img_size=16, patch_size=4, embed_dim=24, depth=3, num_heads=2, mlp_ratio=2.0, num_classes=5).eval()
for p in tiny.parameters():
    torch.nn.init.normal_(p, std=0.3)
x = picture(16)
patches = tiny.patch_embed(x)
with torch.no_grad():
    feature = tiny.forward_features(x)[:, 0]
save_file({k: v.contiguous() for k, v in tiny.state_dict().items()}, OUT / "vit-tiny-seeded.safetensors")
full = timm.create_model("vit_tiny_patch16_224", pretrained=False).eval()
full.load_state_dict(load_file(SHARED / "weights/vit-tiny-imagenet/model.safetensors"))
with torch.no_grad():
    real = full.forward_features(picture(224))[:, 0]
(OUT / "vit.json").write_text(json.dumps({"seeded": feature[0].tolist(), "imagenet": real[0].tolist()}) + "\n")
