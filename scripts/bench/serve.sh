#!/usr/bin/env bash
# The load test of `tuwen serve`: builds the program, makes a gallery, prints a table in Markdown for the README.
#
#     scripts/bench/serve.sh                       # 100,000 items, ten minutes of overload: about 15 minutes
#     ITEMS=1000 SECONDS_EACH=3 MINUTES=0.1 scripts/bench/serve.sh
#
# ITEMS: pictures of the gallery. SECONDS_EACH: how long each row is measured. MINUTES: of twice the sustainable load.
# CONNECTIONS: of that; one address has 256, beyond which the server refuses it, also when it asks for
# its health. FOLDER: where the gallery is kept (about 2.5 kB an item, links to 500 pictures; made where
# it is not there). TUWEN, GALLERY: programs that are built already. It needs `wrk` (Debian: apt-get install wrk) and
# Python 3. The clients run on the same machine, and take their part of its processors.
set -euo pipefail
cd "$(dirname "$0")/../.."
ITEMS=${ITEMS:-100000} SECONDS_EACH=${SECONDS_EACH:-30} MINUTES=${MINUTES:-10} CONNECTIONS=${CONNECTIONS:-250}
FOLDER=${FOLDER:-${TMPDIR:-/tmp}/tuwen-load-$ITEMS}
if ! command -v wrk >/dev/null; then
    echo "wrk is not installed: apt-get install wrk, or build it from https://github.com/wg/wrk" >&2
    exit 1
fi
if [ -z "${TUWEN:-}" ]; then
    cargo build --release -p tuwen-cli
    TUWEN=${CARGO_TARGET_DIR:-target}/release/tuwen
fi
if [ -z "${GALLERY:-}" ]; then
    cargo build --release -p tuwen-serve --example gallery
    GALLERY=${CARGO_TARGET_DIR:-target}/release/examples/gallery
fi
# Enough pictures for one client, none of which is asked with twice.
QUERIES=$((SECONDS_EACH * 100 + 100))
if [ ! -f "$FOLDER/queries.jsonl" ]; then
    "$GALLERY" "$FOLDER" "$ITEMS" "$QUERIES"
fi
exec python3 scripts/bench/serve.py --tuwen "$TUWEN" --folder "$FOLDER" --seconds "$SECONDS_EACH" \
    --minutes "$MINUTES" --connections "$CONNECTIONS"
