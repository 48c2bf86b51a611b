"""The tables of ftfy's mojibake repair as regular expressions and code pages for Rust:
crates/text/src/token/mojibake.json. ftfy is Copyright Robyn Speer, Apache-2.0."""
import json, pathlib, re

import ftfy
from ftfy import badness, chardata


def text_pattern(source):
    """A verbose pattern for the `regex` crate, whose verbose mode would skip spaces in classes too.

    Python's \\w and \\s are spelt out: they are not the crate's."""
    out, in_class, i = [], False, 0
    source = re.sub(r"(?m)^\s*#.*$", "", source)
    while i < len(source):
        c = source[i]
        if c == "\\":
            pair = source[i:i + 2]
            out.append({"\\w": r"[\p{L}\p{N}_]", "\\s": r"[\s\x1c-\x1f]"}.get(pair, pair))
            i += 2
            continue
        in_class = (in_class or c == "[") and c != "]"
        if in_class or not c.isspace() or c == "\xa0":
            out.append(c)
        i += 1
    return "".join(out)


def byte_pattern(source):
    return "(?-u)" + "".join(chr(b) if 0x20 <= b < 0x7f else f"\\x{b:02x}" for b in source)


strict = chardata.UTF8_CLUES["utf8_continuation_strict"]
detector = chardata.UTF8_DETECTOR_RE.pattern
before, body = detector.split("\n    (\n", 1)
assert strict in before, "the look-behind is what it was"
tables = {
    "source": f"ftfy {ftfy.__version__}, (c) Robyn Speer, Apache-2.0, https://github.com/rspeer/python-ftfy; made by scripts/golden/mojibake_tables.py",
    "badness": text_pattern(badness.BADNESS_RE.pattern),
    "inside": f"[{strict}]",
    "utf8": text_pattern("(\n" + body),
    "altered": byte_pattern(chardata.ALTERED_UTF8_RE.pattern),
    "lossy": byte_pattern(chardata.LOSSY_UTF8_RE.pattern),
    "codecs": [[name, bytes(range(0x80, 0x100)).decode(name)] for name in chardata.CHARMAP_ENCODINGS],
}
target = pathlib.Path(__file__).parent / "../../crates/text/src/token/mojibake.json"
target.write_text(json.dumps(tables, ensure_ascii=True, indent=1) + "\n")
print(target.stat().st_size, "bytes")
