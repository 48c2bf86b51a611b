"""Small AVIF pictures of every kind that Pillow writes, each beside what Pillow reads from it, as PNG."""
import pathlib
import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent / "../../crates/image/tests/golden/avif"
HERE.mkdir(parents=True, exist_ok=True)
W, H = 45, 31
x, y = np.meshgrid(np.arange(W), np.arange(H))
waves = [127 + 120 * np.sin(x / (5 + c) + c) * np.cos(y / (4 + c)) for c in range(3)]
rgb = Image.fromarray(np.stack(waves, -1).clip(0, 255).astype(np.uint8))
alpha = rgb.convert("RGBA")
alpha.putalpha(Image.fromarray((x * 255 // (W - 1)).astype(np.uint8)))
exif = Image.Exif()
kinds = {
    "420": (rgb, {"subsampling": "4:2:0"}), "422": (rgb, {"subsampling": "4:2:2"}),
    "444": (rgb, {"subsampling": "4:4:4"}), "grey": (rgb.convert("L"), {"subsampling": "4:0:0"}),
    "limited": (rgb, {"range": "limited"}), "alpha": (alpha, {}),
    "premultiplied": (alpha, {"alpha_premultiplied": True}),
    "sequence": (rgb, {"save_all": True, "append_images": [ImageOps.invert(rgb)]}),
}
for turn in range(2, 9):
    exif[0x0112] = turn
    kinds[f"turned-{turn}"] = (rgb, {"exif": exif.tobytes()})
for name, (picture, options) in kinds.items():
    path = HERE / f"{name}.avif"
    picture.save(path, quality=90, **options)
    read = ImageOps.exif_transpose(Image.open(path))
    read.convert("RGBA" if read.mode == "RGBA" else "RGB").save(HERE / f"{name}.png", optimize=True)
print(len(kinds))
