#!/usr/bin/env bash
# The built-in model from its data, in one command: about three hours on two cores. Killed and started again it
# goes on; what is done is not done twice. Needs ../shared (see the configurations) and writes to runs/.
#
#   scripts/train/tuwen-small.sh [PROGRAM]      PROGRAM is target/release/tuwen when not given
set -euo pipefail
cd "$(dirname "$0")/../.."
tuwen=$(realpath "${1:-target/release/tuwen}")

# The archive has two pictures of one name now and then; of a folder the second one stays.
mkdir -p runs
[ -d runs/grocery ] || tar xf ../shared/data/concepts/grocery.tar -C runs

# The image tower learns from captions, with a small text tower of its own that is not used any more.
"$tuwen" train configs/train/tuwen-tiny.toml
"$tuwen" train configs/train/tuwen-tiny-whole.toml
# e5, names and the classifier's knowledge.
"$tuwen" train configs/train/tuwen-small.toml
"$tuwen" train configs/train/tuwen-small-whole.toml
# 40 MB: 25,000 of 43,713 tokens, 8 bits. What follows learns with these tokens.
rm -rf runs/tuwen-small-cut
"$tuwen" model convert runs/tuwen-small-whole runs/tuwen-small-cut \
    --precision int8 --vocab 25000 --vocab-of configs/train/tuwen-small.toml
# Drawn scenes, a teacher, and an epoch in 8 bits.
[ -d runs/scenes ] || "$tuwen" data scenes configs/data/scenes.toml runs/scenes
"$tuwen" train configs/train/tuwen-small-taught.toml
"$tuwen" train configs/train/tuwen-small-int8.toml
# Both together know more than either: they teach the last run.
"$tuwen" train configs/train/tuwen-small-again.toml
rm -rf runs/tuwen-small-done
"$tuwen" model convert runs/tuwen-small-again runs/tuwen-small-done --precision int8
echo "runs/tuwen-small-done is what models/tuwen-small holds"
