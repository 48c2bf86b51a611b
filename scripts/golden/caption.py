"""A tiny caption decoder with its logits, its loss and the gradient of every weight: PyTorch."""
import json, pathlib
import torch
from torch.nn import functional as F

OUT = pathlib.Path(__file__).parent / "../../crates/caption/tests/golden"
ROWS, ROW, W, LAYERS, HEADS, MLP, LONGEST = 5, 6, 8, 2, 2, 12, 6
LANGUAGES = {"en": 7, "zh": 6}
BEGIN, UNKNOWN, SMOOTHING, EPS = 0, 1, 0.1, 1e-5
# Language, picture, tokens; the second picture is seen without two of its rows.
TEXTS = [("en", 0, [2, 4, 3]), ("en", 1, [6]), ("zh", 0, [5, 1, 2, 2]), ("zh", 1, [3, 4])]
PLACES = [[0, 1, 2, 3, 4], [0, 2, 4]]


def flat(tensor):
    return [float(f"{value:.8g}") for value in tensor.detach().reshape(-1).tolist()]


def shapes():
    yield from {"row.mean": [ROW], "row.deviation": [ROW], "row.places": [ROWS, W], "places": [LONGEST + 1, W]}.items()
    layers = {"row.proj": (W, ROW)}
    for at in range(LAYERS):
        layers |= {f"blocks.{at}.{name}": shape for name, shape in {
            "qkv": (3 * W, W), "proj": (W, W), "ask": (W, W), "seen": (2 * W, W), "told": (W, W), "fc1": (MLP, W),
            "fc2": (W, MLP)}.items()}
    layers |= {f"words.{name}": (count, W) for name, count in LANGUAGES.items()}
    for name, (out, wide) in layers.items():
        yield f"{name}.weight", [out, wide]
        yield f"{name}.bias", [out]
    for name in [f"blocks.{at}.norm{n}" for at in range(LAYERS) for n in (1, 2, 3)] + ["norm", "row.norm"]:
        yield f"{name}.weight", [W]
        yield f"{name}.bias", [W]


torch.manual_seed(0)
weights = {name: torch.randn(shape) * 0.3 for name, shape in shapes()}
weights["row.deviation"] = weights["row.deviation"].abs() + 0.5
for name in weights:
    weights[name].requires_grad_("mean" not in name and "deviation" not in name)
pictures = torch.randn(len(PLACES), ROWS, ROW)


def linear(x, name):
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(x, name):
    return F.layer_norm(x, [W], weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)


def attend(q, k, v, causal):
    part = lambda x: x.reshape(len(x), HEADS, W // HEADS).transpose(0, 1)
    mixed = F.scaled_dot_product_attention(part(q), part(k), part(v), is_causal=causal)
    return mixed.transpose(0, 1).reshape(len(q), W)


def logits(language, picture, tokens):
    rows = (pictures[picture] - weights["row.mean"]) / weights["row.deviation"]
    rows = norm(linear(rows[PLACES[picture]], "row.proj") + weights["row.places"][PLACES[picture]], "row.norm")
    x = weights[f"words.{language}.weight"][[BEGIN, *tokens]] + weights["places"][:len(tokens) + 1]
    for at in range(LAYERS):
        q, k, v = linear(norm(x, f"blocks.{at}.norm1"), f"blocks.{at}.qkv").split(W, dim=1)
        x = x + linear(attend(q, k, v, True), f"blocks.{at}.proj")
        k, v = linear(rows, f"blocks.{at}.seen").split(W, dim=1)
        asked = linear(norm(x, f"blocks.{at}.norm2"), f"blocks.{at}.ask")
        x = x + linear(attend(asked, k, v, False), f"blocks.{at}.told")
        x = x + linear(F.gelu(linear(norm(x, f"blocks.{at}.norm3"), f"blocks.{at}.fc1")), f"blocks.{at}.fc2")
    return linear(norm(x, "norm"), f"words.{language}")


found = [logits(*text) for text in TEXTS]
losses = []
for rows, (_, _, tokens) in zip(found, TEXTS):
    right = torch.tensor([*tokens, BEGIN])
    losses.append(F.cross_entropy(rows, right, label_smoothing=SMOOTHING, reduction="none")[right != UNKNOWN])
loss = torch.cat(losses).mean()
loss.backward()
OUT.mkdir(exist_ok=True)
(OUT / "caption.json").write_text(json.dumps({
    "config": {"name": "tiny", "model": "model", "rows": ROWS, "row_width": ROW, "width": W, "layers": LAYERS,
               "heads": HEADS, "mlp": MLP, "longest": LONGEST,
               "languages": [{"name": name, "spaces": name == "en", "words": [f"w{at}" for at in range(count - 2)]}
                             for name, count in LANGUAGES.items()]},
    "weights": {name: {"shape": list(value.shape), "values": flat(value)} for name, value in weights.items()},
    "pictures": [flat(picture) for picture in pictures], "places": PLACES, "texts": TEXTS, "smoothing": SMOOTHING,
    "logits": [flat(rows) for rows in found], "loss": float(f"{loss.item():.8g}"),
    "gradients": {name: flat(value.grad) for name, value in weights.items() if value.grad is not None}}))
