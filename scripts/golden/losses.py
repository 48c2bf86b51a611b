"""Losses and gradients by PyTorch autograd on small fixed embeddings."""
import json, pathlib
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.manual_seed(1)
B, D = 6, 5
a0, b0 = F.normalize(torch.randn(B, D), dim=1), F.normalize(torch.randn(B, D), dim=1)
rows = [(0, 10), (0, 11), (1, 12), (2, 13), (3, 14), (4, 12)]  # (picture, text): two share a picture, two a text
pos = torch.tensor([[float(r[0] == c[0] or r[1] == c[1]) for c in rows] for r in rows])


def run(loss):
    a, b = a0.clone().requires_grad_(), b0.clone().requires_grad_()
    scale, bias = torch.tensor([2.3], requires_grad=True), torch.tensor([-1.5], requires_grad=True)
    value = loss(a, b, scale, bias)
    value.backward()
    grad = lambda t: [] if t.grad is None else t.grad.flatten().tolist()
    return {"loss": value.item(), "a": grad(a), "b": grad(b), "scale": grad(scale), "bias": grad(bias)}


def contrastive(smoothing):
    def loss(a, b, scale, bias):
        logits = scale.exp() * a @ b.T
        target = lambda p: p / p.sum(1, keepdim=True) * (1 - smoothing) + smoothing / B
        return (F.cross_entropy(logits, target(pos)) + F.cross_entropy(logits.T, target(pos.T))) / 2
    return loss


def sigmoid(a, b, scale, bias):
    logits = scale.exp() * a @ b.T + bias
    return -F.logsigmoid((2 * pos - 1) * logits).sum() / B


out = {"a": a0.flatten().tolist(), "b": b0.flatten().tolist(), "dim": D, "pairs": rows, "log_scale": 2.3, "bias": -1.5,
       "contrastive": run(contrastive(0.0)), "smoothed": run(contrastive(0.1)), "sigmoid": run(sigmoid)}
(HERE / "../../crates/nn/tests/golden/losses.json").write_text(json.dumps(out) + "\n")
