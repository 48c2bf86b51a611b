"""Fusers of two vectors, forward and backward, as the papers write them: PyTorch autograd on tiny random weights."""
import json, pathlib
import torch
import torch.nn.functional as F

OUT = pathlib.Path(__file__).parent / "../../crates/matching/tests/golden/fuser.json"
D, N, SHARE = 6, 4, 0.3
torch.manual_seed(0)
image, text = F.normalize(torch.randn(N, D), dim=1), F.normalize(torch.randn(N, D), dim=1)
text[1] = 0.0  # an item without a text
image[2] = 0.0  # one without a picture
seed = torch.randn(N, D)
sides = {side: {"mean": 0.1 * torch.randn(D), "spread": 0.2 + 0.3 * torch.rand(1)} for side in ("image", "text")}


def weights(shapes):
    both = [(f"{side}.{name}", shape) for name, shape in shapes if name not in ("out", "gate") for side in ("image", "text")]
    alone = [(name, shape) for name, shape in shapes if name in ("out", "gate")]
    found = {}
    for name, (out, wide) in both + alone:
        found[f"{name}.weight"] = (torch.randn(out, wide) * 0.6 / wide ** 0.5).requires_grad_()
        found[f"{name}.bias"] = (0.2 * torch.randn(out)).requires_grad_()
    return found


def layer(w, name, x):
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def tucker(w, a, b):
    """z = W_o (T x1 q x2 v), the core and the last matrix as one."""
    q, v = layer(w, "image.proj", a), layer(w, "text.proj", b)
    return layer(w, "out", torch.einsum("ni,nj->nij", q, v).flatten(1))


def mutan(w, a, b, rank=3):
    """z = W_o mean_r (M_r q) * (N_r v)."""
    q, v = layer(w, "image.proj", a), layer(w, "text.proj", b)
    parts = layer(w, "image.ranks", q) * layer(w, "text.ranks", v)
    return layer(w, "out", parts.view(N, rank, -1).mean(1))


def low_rank(w, a, b, rank=2):
    """mean_r (W_a^r [1; a]) * (W_b^r [1; b]); a matrix with a bias is one on [1; x]."""
    return (layer(w, "image.ranks", a) * layer(w, "text.ranks", b)).view(N, rank, -1).mean(1)


def gated(w, a, b):
    """A hidden layer, a gate for each value, and what is added."""
    h = F.gelu(torch.cat([layer(w, "image.proj", a), layer(w, "text.proj", b)], 1))
    return layer(w, "out", h) + torch.tanh(layer(w, "gate", h)) * (a - b) / D ** 0.5


KINDS = {
    "tucker": ({"kind": "tucker", "width": 4}, tucker, [("proj", (4, D)), ("out", (D, 16))]),
    "mutan": ({"kind": "mutan", "width": 4, "rank": 3}, mutan, [("proj", (4, D)), ("ranks", (12, 4)), ("out", (D, 4))]),
    "low-rank": ({"kind": "low-rank", "rank": 2}, low_rank, [("ranks", (2 * D, D))]),
    "gated": ({"kind": "gated", "hidden": 5}, gated, [("proj", (5, D)), ("gate", (D, 10)), ("out", (D, 10))]),
}


def standard(side, rows):
    there = (rows != 0).any(1, keepdim=True)
    return torch.where(there, (rows - sides[side]["mean"]) / sides[side]["spread"], rows)


def flat(tensor):
    return [float(f"{value:.8g}") for value in tensor.detach().reshape(-1).tolist()]


cases = {}
for name, (network, learned, shapes) in KINDS.items():
    w = weights(shapes)
    a, b = standard("image", image), standard("text", text)
    sums = 2 * (SHARE * a + (1 - SHARE) * b) / D ** 0.5
    y = F.normalize(sums + 4 * SHARE * (1 - SHARE) * learned(w, a, b), dim=1)
    (y * seed).sum().backward()
    arrays = {key: {"shape": list(value.shape), "values": flat(value), "grad": flat(value.grad)} for key, value in w.items()}
    cases[name] = {"network": network, "joined": flat(y), "weights": arrays}
means = {side: {key: flat(value) for key, value in own.items()} for side, own in sides.items()}
OUT.write_text(json.dumps({"dim": D, "share": SHARE, "image": flat(image), "text": flat(text), "seed": flat(seed),
                           "sides": means, "cases": cases}) + "\n")
