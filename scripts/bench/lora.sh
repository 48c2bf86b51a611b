#!/usr/bin/env bash
# Full fine-tuning beside LoRA of rank 16: Chinese-CLIP ViT-B/16 (random weights), batch 32 in chunks of 8, a few steps
# on Flickr8k photos each, in turn. Prints pictures/s (median of the steps) and the largest memory.
#
#   scripts/bench/lora.sh [PROGRAM]      needs ../shared, or TUWEN_SHARED
set -euo pipefail
cd "$(dirname "$0")/../.."
tuwen=$(realpath "${1:-target/release/tuwen}")
shared=$(realpath "${TUWEN_SHARED:-../shared}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -n 160 "$shared/data/flickr8k/train.ids" > "$work/train.ids"
head -n 16 "$shared/data/flickr8k/val.ids" > "$work/val.ids"
grep -m1 "model name" /proc/cpuinfo || true

configuration() { # NAME, further lines
    cat <<TOML
out = "$work/$1"
model = "$PWD/configs/models/chinese-clip-vit-base-patch16.json"
seed = 1
epochs = 1
batch = 32
chunk = 8
context = 52
token_mask = 0.0
keep_patches = 0
validate_every = 1000
checkpoint_every = 1000
captions = [{ sources = [["zh", 1.0]] }]
$2
[augment]
crop_scale = 1.0
flip = 0.0
colour = 0.0
[loss]
kind = "contrastive"
[optim]
image_lr = 1e-6
layer_decay = 1.0
text_lr = 1e-6
embed_lr = 1e-6
heads_lr = 1e-6
weight_decay = 0.1
betas = [0.9, 0.98]
warmup = 1
clip = 1.0
ema = 0.9
$3
[[train]]
format = "flickr"
images = "$shared/data/flickr8k/flickr8k-train.tar"
ids = "$work/train.ids"
captions = [{ file = "$shared/data/flickr8k/captions.zh-native.txt", source = "zh" }]
[valid]
format = "flickr"
images = "$shared/data/flickr8k/flickr8k-val.tar"
ids = "$work/val.ids"
captions = [{ file = "$shared/data/flickr8k/captions.zh-native.txt", source = "zh" }]
TOML
}

configuration full "" "" > "$work/full.toml"
configuration lora "" $'[lora]\nrank = 16\nalpha = 16.0\nlr = 1e-4' > "$work/lora.toml"
for name in full lora; do
    /usr/bin/time -f "%M" -o "$work/$name.memory" "$tuwen" train "$work/$name.toml" > "$work/$name.txt" 2>&1 ||
        { cat "$work/$name.txt"; exit 1; }
    python3 - "$name" "$work/$name/log.jsonl" "$work/$name.memory" <<'PY'
import json, statistics, sys
name, log, memory = sys.argv[1:]
speeds = [line["images_per_s"] for line in map(json.loads, open(log)) if "images_per_s" in line]
print(f"{name}: {statistics.median(speeds):.2f} pictures/s in {len(speeds)} steps, {int(open(memory).read().split()[-1]) / 1e6:.2f} GB")
PY
done
