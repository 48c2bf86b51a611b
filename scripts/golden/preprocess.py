"""Whole pre-processing of each family on noise that Rust makes too: cn_clip's, OpenAI's and SigLIP's own code.

Needs clip/clip.py of https://github.com/openai/CLIP; give the folder that holds `clip` as the argument."""
import json, pathlib, sys
import PIL
from cn_clip.clip.utils import image_transform
from PIL import Image
from transformers import SiglipImageProcessorPil

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from clip.clip import _transform  # noqa: E402
from resize import noise  # noqa: E402

assert PIL.__version__ == "12.0.0", PIL.__version__
SIZE = 8
siglip = SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}, resample=Image.BICUBIC)
FAMILIES = {
    "chinese-clip": lambda picture: image_transform(SIZE)(picture),
    "clip": lambda picture: _transform(SIZE)(picture),
    "siglip": lambda picture: siglip(picture, return_tensors="pt")["pixel_values"][0],
}
out = []
for width, height in [(50, 33), (33, 50), (47, 9), (8, 8), (3, 40), (5, 4)]:
    for family, transform in FAMILIES.items():
        values = transform(Image.fromarray(noise(width, height))).flatten().tolist()
        out.append({"family": family, "from": [width, height], "pixels": [round(v, 6) for v in values]})
target = pathlib.Path(__file__).parent / "../../crates/image/tests/golden/preprocess.json"
target.write_text("[\n" + ",\n".join(json.dumps(line) for line in out) + "\n]\n")
print(len(out))
