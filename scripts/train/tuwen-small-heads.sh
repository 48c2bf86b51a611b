#!/usr/bin/env bash
# The heads of the built-in model from its data, in one command: the tokens of the towers once (the longest part), then
# late interaction and the matching head. Needs ../shared (see the configuration) and writes to runs/. After the model was trained
# again, the same command makes its tokens and heads anew.
#
#   scripts/train/tuwen-small-heads.sh [PROGRAM]      PROGRAM is target/release/tuwen when not given
set -euo pipefail
cd "$(dirname "$0")/../.."
tuwen=$(realpath "${1:-target/release/tuwen}")
data=../shared/data/flickr8k

"$tuwen" heads train configs/train/heads/tuwen-small.toml
for rerank in "" late:100 itm:100 both:100; do
    echo "== ${rerank:-the dual encoder alone}"
    "$tuwen" eval --images "$data/flickr8k-val.tar" --ids "$data/val.ids" --captions "$data/captions.en.txt" \
        --captions "$data/captions.zh-native.txt" ${rerank:+--rerank "$rerank" --heads runs/tuwen-small-heads}
done
echo "runs/tuwen-small-heads is what --heads takes"
