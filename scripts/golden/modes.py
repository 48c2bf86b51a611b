"""What Pillow 12.0 makes of pictures in every mode when it resizes before it converts to RGB, as OpenAI's
and cn_clip's pipelines do. Reads the pictures of decode.py and adds two richer ones."""
import json, pathlib, zlib
import numpy as np
import PIL
from PIL import Image

assert PIL.__version__ == "12.0.0", PIL.__version__
HERE = pathlib.Path(__file__).parent / "../../crates/image/tests/golden/pictures"
noise = np.random.default_rng(0).integers(0, 256, (16, 24, 4), dtype=np.uint8)
noise[:, :4, 3], noise[:, -4:, 3] = 0, 255
Image.fromarray(noise).save(HERE / "soft-alpha.png")
Image.fromarray(noise[..., :3]).convert("P", palette=Image.ADAPTIVE, colors=32).save(HERE / "noise-palette.png")
Image.fromarray(noise[..., 0]).save(HERE / "grey.bmp")
Image.fromarray(noise[..., :3]).convert("P", palette=Image.ADAPTIVE, colors=32).save(HERE / "palette.bmp")
names = ["rgb.png", "palette.png", "alpha.png", "one-bit.png", "grey-alpha.png", "rgb.webp", "alpha.webp", "animated.gif",
         "rgb.bmp", "rgb.tif", "soft-alpha.png", "noise-palette.png", "grey.bmp", "palette.bmp"]
out = []
for name in names:
    for size in [9, 20, 33]:
        for filter, kind in [("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR)]:
            picture = Image.open(HERE / name).resize((size, size), kind).convert("RGB")
            out.append({"name": name, "to": size, "filter": filter, "crc32": zlib.crc32(picture.tobytes()), "first": list(picture.tobytes()[:12])})
(HERE / "../modes.json").write_text("[\n" + ",\n".join(json.dumps(line) for line in out) + "\n]\n")
print(len(out))
