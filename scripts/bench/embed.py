"""Embedding beside onnxruntime and PyTorch: random weights of the architectures, the same batches, in turn, one process
each, all cores; prints medians and ratios in Markdown.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch transformers onnx onnxruntime onnxscript
    /tmp/peers/bin/python scripts/bench/embed.py --vocab vocab.txt            # of a Chinese BERT
    /tmp/peers/bin/python scripts/bench/embed.py --vocab vocab.txt --models clip-b32 --rounds 5 --folder /tmp/embed

onnxruntime's int8 is its dynamic quantisation of every MatMul (QInt8 weights, one scale for each channel). PyTorch and
onnxruntime pad texts to the longest of a batch; ours does not pad. Ours is given resized pictures and makes numbers of
pixels itself; the peers are given these."""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import time

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

# Tokens of the first 32 captions of a test set, specials included: sentences of people, some long.
LENGTHS = [13, 11, 18, 9, 14, 22, 12, 10, 16, 12, 27, 11, 13, 15, 9, 19, 12, 14, 10, 31, 13, 12, 17, 11, 14, 13, 20, 10, 12, 15, 24, 11]


def models():
    from transformers import (ChineseCLIPConfig, ChineseCLIPModel, ChineseCLIPTextConfig, ChineseCLIPVisionConfig, CLIPConfig,
                              CLIPModel, CLIPVisionConfig)

    def chinese_b16():
        vision = ChineseCLIPVisionConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                                         patch_size=16, image_size=224, hidden_act="quick_gelu", projection_dim=512)
        text = ChineseCLIPTextConfig(vocab_size=21128)
        return ChineseCLIPModel(ChineseCLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=512))

    def clip_l14():
        vision = CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
                                  patch_size=14, image_size=224, projection_dim=768)
        return CLIPModel(CLIPConfig(vision_config=vision.to_dict(), projection_dim=768))

    return {"clip-b32": (lambda: CLIPModel(CLIPConfig()), ["images"]),
            "chinese-clip-b16": (chinese_b16, ["images", "texts"]),
            "clip-l14": (clip_l14, ["images"])}


class Images(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model.visual_projection(self.model.vision_model(pixel_values).pooler_output)


class Texts(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        hidden = self.model.text_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.model.text_projection(hidden[:, 0])


def inputs(part, batch):
    if part == "images":
        return {"pixel_values": np.zeros((batch, 3, 224, 224), np.float32)}
    lengths = LENGTHS[:batch]
    ids = np.zeros((batch, max(lengths)), np.int64)
    mask = np.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length], mask[row, :length] = 200 + np.arange(length), 1
    return {"input_ids": ids, "attention_mask": mask}


class Ours:
    def __init__(self, bench, folder, precision):
        self.process = subprocess.Popen([bench, folder, precision], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def run(self, part, batch):
        words = [str(batch)] if part == "images" else map(str, LENGTHS[:batch])
        self.process.stdin.write(" ".join([part, *words]) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def timed(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def prepare(name, make, parts, folder, vocab):
    """The model as transformers writes it, and its towers as ONNX files in both precisions."""
    torch.manual_seed(1)
    model = make().eval()
    place = folder / name
    if not (place / "ready").exists():
        model.save_pretrained(place)
        shutil.copy(vocab, place / "vocab.txt")
        for part in parts:
            wrapper = (Images if part == "images" else Texts)(model)
            example = {key: torch.from_numpy(value) for key, value in inputs(part, 2).items()}
            axes = {key: {0: "batch"} if part == "images" else {0: "batch", 1: "length"} for key in example}
            torch.onnx.export(wrapper, tuple(example.values()), str(place / f"{part}.onnx"), input_names=list(example),
                              output_names=["vectors"], dynamic_axes=axes, dynamo=False, opset_version=17)
            quantize_dynamic(place / f"{part}.onnx", place / f"{part}.int8.onnx", weight_type=QuantType.QInt8, per_channel=True)
        (place / "ready").touch()
    return model, place


def measure(name, make, parts, args):
    model, place = prepare(name, make, parts, args.folder, args.vocab)
    ours = {precision: Ours(args.bench, place, precision) for precision in ("f32", "int8")}
    for part in parts:
        sessions = {"f32": onnxruntime.InferenceSession(place / f"{part}.onnx"),
                    "int8": onnxruntime.InferenceSession(place / f"{part}.int8.onnx")}
        wrapper = (Images if part == "images" else Texts)(model)
        for batch in args.batches:
            given = inputs(part, batch)
            tensors = [torch.from_numpy(value) for value in given.values()]
            contestants = {
                "ours f32": lambda: ours["f32"].run(part, batch),
                "onnxruntime f32": lambda: timed(lambda: sessions["f32"].run(None, given)),
                "PyTorch f32": lambda: timed(lambda: wrapper(*tensors)),
                "ours int8": lambda: ours["int8"].run(part, batch),
                "onnxruntime int8": lambda: timed(lambda: sessions["int8"].run(None, given)),
            }
            taken = {who: [] for who in contestants}
            with torch.inference_mode():
                for turn in range(args.rounds + 1):
                    for who, run in contestants.items():
                        # Threads of a pool go on looking for work for a while, which takes the next one's processor.
                        time.sleep(0.3)
                        milliseconds = run()
                        if turn:
                            taken[who].append(milliseconds)
            each = {who: statistics.median(times) / batch for who, times in taken.items()}
            f32, int8 = each["ours f32"], each["ours int8"]
            print(f"| {name}, {part}, batch {batch} | " + " | ".join(f"{value:.1f}" for value in each.values())
                  + f" | {each['onnxruntime f32'] / f32:.2f} | {each['PyTorch f32'] / f32:.2f} | {each['onnxruntime int8'] / int8:.2f} |",
                  flush=True)
    for process in ours.values():
        process.process.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vocab", type=pathlib.Path, required=True, help="a vocabulary of BERT's, for the models' folders")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/tuwen-embed"))
    parser.add_argument("--models", nargs="+", default=["clip-b32", "chinese-clip-b16"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bench", help="the built bench `model`, else it is built")
    args = parser.parse_args()
    if not args.bench:
        built = subprocess.run(["cargo", "bench", "--workspace", "--bench", "model", "--no-run"], check=True, capture_output=True, text=True)
        args.bench = re.search(r"benches/model\.rs \((.*)\)", built.stderr).group(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {len(os.sched_getaffinity(0))} cores; ms for each item\n")
    print("| | ours f32 | onnxruntime f32 | PyTorch f32 | ours int8 | onnxruntime int8 | f32: onnxruntime/ours | PyTorch/ours | int8: onnxruntime/ours |")
    print("|---|---|---|---|---|---|---|---|---|")
    every = models()
    for name in args.models:
        measure(name, *every[name], args)


if __name__ == "__main__":
    main()
