"""Checksums of Pillow 12.0's resize over many size pairs, on noise that Rust makes too."""
import json, pathlib, zlib
import numpy as np
import PIL
from PIL import Image

assert PIL.__version__ == "12.0.0", PIL.__version__
HERE = pathlib.Path(__file__).parent
PAIRS = [(1, 1, 224, 224), (1, 300, 224, 224), (300, 1, 224, 224), (2, 3, 5, 7), (7, 5, 3, 2), (16, 16, 16, 16),
         (16, 16, 17, 16), (16, 16, 16, 15), (33, 57, 8, 8), (8, 8, 33, 57), (100, 10, 10, 100), (10, 100, 100, 10),
         (224, 224, 112, 112), (224, 224, 224, 224), (225, 224, 224, 224), (224, 225, 224, 224), (500, 333, 224, 224),
         (333, 500, 224, 224), (500, 375, 336, 336), (640, 480, 224, 224), (480, 640, 224, 224), (640, 427, 288, 288),
         (96, 96, 224, 224), (72, 128, 224, 224), (1024, 31, 224, 224), (31, 1024, 224, 224), (799, 601, 97, 113),
         (15, 17, 224, 224), (47, 48, 49, 50), (64, 64, 1, 1), (64, 64, 1, 64), (64, 64, 64, 1), (3, 900, 224, 10),
         (900, 3, 10, 224), (256, 256, 255, 255), (257, 255, 256, 256), (123, 321, 321, 123), (17, 16, 48, 47),
         (384, 216, 224, 224), (216, 384, 224, 224), (200, 200, 160, 160), (31, 33, 31, 66), (1200, 900, 224, 224)]


def noise(width, height):
    i = np.arange(width * height * 3, dtype=np.uint64)
    z = (i * np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
    return ((z >> np.uint64(40)) & np.uint64(0xFF)).astype(np.uint8).reshape(height, width, 3)


out = []
for w, h, tw, th in PAIRS:
    for name in ("bicubic", "bilinear", "nearest", "box", "hamming", "lanczos"):
        kind = Image.Resampling[name.upper()]
        data = Image.fromarray(noise(w, h)).resize((tw, th), kind).tobytes()
        out.append({"from": [w, h], "to": [tw, th], "filter": name, "crc32": zlib.crc32(data), "first": list(data[:6])})
target = HERE / "../../crates/image/tests/golden/resize.json"
target.write_text("[\n" + ",\n".join(json.dumps(line) for line in out) + "\n]\n")
print(len(out))
