"""Small pictures in every mode and format, with the colours Pillow sees in their corners."""
import json, pathlib
import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent / "../../crates/image/tests/golden/pictures"
HERE.mkdir(parents=True, exist_ok=True)
W, H = 24, 16
corners = np.zeros((H, W, 3), np.uint8)
corners[:8, :12] = (200, 30, 40)
corners[:8, 12:] = (30, 180, 60)
corners[8:, :12] = (40, 60, 210)
corners[8:, 12:] = (230, 220, 50)
rgb = Image.fromarray(corners)
alpha = rgb.convert("RGBA")
alpha.putalpha(Image.fromarray(np.where(np.arange(W)[None, :] < 12, 255, 0).repeat(H, 0).astype(np.uint8).reshape(H, W)))
grey16 = Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) * 257))
frames = [rgb.convert("P"), rgb.transpose(Image.FLIP_LEFT_RIGHT).convert("P")]
exif = Image.Exif()
exif[0x0112] = 6
saves = {
    "rgb.jpg": (rgb, {"quality": 95, "subsampling": 0}),
    "cmyk.jpg": (rgb.convert("CMYK"), {"quality": 95, "subsampling": 0}),
    "grey.jpg": (rgb.convert("L"), {"quality": 95}),
    "turned.jpg": (rgb, {"quality": 95, "subsampling": 0, "exif": exif}),
    "progressive.jpg": (rgb, {"quality": 95, "subsampling": 0, "progressive": True}),
    "rgb.png": (rgb, {}), "palette.png": (rgb.convert("P"), {}), "alpha.png": (alpha, {}), "grey16.png": (grey16, {}),
    "one-bit.png": (rgb.convert("1", dither=Image.NONE), {}),
    "grey-alpha.png": (alpha.convert("LA"), {}), "rgb.webp": (rgb, {"lossless": True}), "lossy.webp": (rgb, {"quality": 95}),
    "alpha.webp": (alpha, {"lossless": True}), "animated.gif": (frames[0], {"save_all": True, "append_images": frames[1:]}),
    "rgb.bmp": (rgb, {}), "rgb.tif": (rgb, {}), "lzw.tif": (rgb, {"compression": "tiff_lzw"}), "cmyk.tif": (rgb.convert("CMYK"), {}),
}
out = []
for name, (picture, options) in saves.items():
    picture.save(HERE / name, **options)
    read = Image.open(HERE / name)
    from PIL import ImageOps
    if read.mode.startswith("I;16"):
        read = Image.fromarray((np.asarray(read) >> 8).astype(np.uint8))
    read = ImageOps.exif_transpose(read)
    if read.mode in ("RGBA", "LA", "PA") or "transparency" in read.info:
        rgba = read.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        read = Image.alpha_composite(white, rgba)
    read = read.convert("RGB")
    w, h = read.size
    points = [(3, 3), (w - 4, 3), (3, h - 4), (w - 4, h - 4)]
    out.append({"name": name, "size": [w, h], "corners": [list(read.getpixel(p)) for p in points]})
(HERE / "corners.json").write_text("[\n" + ",\n".join(json.dumps(line) for line in out) + "\n]\n")
print(len(out))
