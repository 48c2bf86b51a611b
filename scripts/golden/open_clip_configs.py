"""Walks all configurations of open_clip's package, a check by hand: with one layer and random weights, each gives what
open_clip gives, or is refused by name.

    TUWEN=path/to/tuwen python open_clip_configs.py [NAME...]"""
import json, logging, os, pathlib, subprocess, sys, tempfile
import numpy as np
import open_clip, torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

logging.disable(50)
CONFIGS = pathlib.Path(open_clip.__file__).parent / "model_configs"
WORDS = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "a": 4, "dog": 5}


def tokenizer(folder):
    t = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    PreTrainedTokenizerFast(tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                            eos_token="[SEP]").save_pretrained(folder)


def embed(folder):
    args = [os.environ["TUWEN"], "embed", "--model", folder, "--image", "noise.png", "--text", "a dog"]
    out = subprocess.run(args, capture_output=True, text=True)
    if out.returncode:
        return out.stderr.strip().replace(folder, "")
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    return {"text" if "text" in line else "image": torch.tensor(line["embedding"]) for line in lines}


def shrunk(config):
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "layers" in vision:
        vision["layers"] = [1, 1, 1, 1] if isinstance(vision["layers"], list) else 1
    text["layers"] = 1
    return config


Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)).save("noise.png")
for path in sorted(CONFIGS.glob("*.json")):
    if sys.argv[1:] and path.stem not in sys.argv[1:]:
        continue
    config = shrunk(json.loads(path.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        (pathlib.Path(folder) / "open_clip_config.json").write_text(json.dumps(dict(model_cfg=config, preprocess_cfg={})))
        if "timm_model_name" in config["vision_cfg"] or "hf_model_name" in config["text_cfg"] or "multimodal_cfg" in config:
            torch.save({"x": torch.zeros(1)}, folder + "/open_clip_pytorch_model.bin")
            print(path.stem, "|", embed(folder)[:150], flush=True)
            continue
        if "hf_tokenizer_name" in config["text_cfg"]:
            tokenizer(folder)
        settings = dict(config)
        custom = settings.pop("custom_text", False)
        model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings).eval()
        torch.save(model.state_dict(), folder + "/open_clip_pytorch_model.bin")
        found = embed(folder)
        if isinstance(found, str):
            print(path.stem, "|", found[:150], flush=True)
            continue
        _, _, transform = open_clip.create_model_and_transforms("local-dir:" + folder, load_weights=False)
        words = open_clip.get_tokenizer("local-dir:" + folder)
        with torch.no_grad():
            wanted = {"image": model.encode_image(transform(Image.open("noise.png"))[None])[0], "text": model.encode_text(words(["a dog"]))[0]}
        cosines = [round(float(torch.cosine_similarity(found[k], wanted[k], 0)), 6) for k in ("image", "text")]
        print(path.stem, "|", "cosines", *cosines, "" if min(cosines) > 0.99999 else "WRONG", flush=True)
