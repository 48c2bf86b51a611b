"""Token ids by OpenAI CLIP's tokenizer of the strings in tokens.jsonl, and of some more HTML.

Needs clip/simple_tokenizer.py and bpe_simple_vocab_16e6.txt.gz of https://github.com/openai/CLIP
beside each other; give their folder as the argument."""
import json, pathlib, sys

sys.path.insert(0, sys.argv[1])
from simple_tokenizer import SimpleTokenizer  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent / "../../crates/data/tests/golden"
html = ["a &amp; b", "&lt;b&gt;bold&lt;/b&gt;", "<b>x &amp; y</b>", "caf&eacute; &#233; &#xe9;", "this&not that &copy 2024", "&amp;amp;", "&nbsp;&hellip;",
        "\x1b[31mred\x1b[0m", "“curly” ‘quotes’", "<|endoftext|> here", "ĲSSEL ĳ ŉ Ǆ ǆ", "won't we'll I'd they've 12ab34"]
texts = html + [json.loads(line)["text"] for line in (GOLDEN / "tokens.jsonl").read_text().splitlines()]
tokenizer = SimpleTokenizer()
lines = [json.dumps({"text": text, "ids": tokenizer.encode(text)}) for text in texts]
(GOLDEN / "clip_tokens.jsonl").write_text("\n".join(lines) + "\n")
print(len(lines), "strings")
