#!/usr/bin/env bash
# The built-in model's decoder from its data, in one command: the rows of the image tower once (the longest part), then the
# decoder, which is measured beside the captions of the nearest photos. Needs ../shared (see the configuration) and writes
# to runs/. Stopped and started again it goes on. After the model was trained again, the same command makes all anew.
#
#   scripts/train/tuwen-small-captions.sh [PROGRAM]      PROGRAM is target/release/tuwen when not given
set -euo pipefail
cd "$(dirname "$0")/../.."
tuwen=$(realpath "${1:-target/release/tuwen}")

"$tuwen" captions train configs/train/captions/tuwen-small.toml
echo "copy runs/tuwen-small-captions/decoder.{json,safetensors} to models/tuwen-small-captions, and build anew"
