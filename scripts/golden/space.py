"""Losses of common spaces by PyTorch autograd, closed forms by NumPy, SciPy and scikit-learn, on small fixed features."""
import json, pathlib
import numpy as np
import torch
from sklearn.cross_decomposition import PLSSVD
from sklearn.linear_model import LogisticRegression

HERE = pathlib.Path(__file__).parent
torch.manual_seed(3)
N, D = 8, 4
a0, b0 = torch.randn(N, D), torch.randn(N, D)
labels = [0, 1, 2, 0, 1, 2, 2, 0]
negatives = [1, 0, 3, 4, 2, 7, 0, 5]
flat = lambda t: t.flatten().tolist()


def run(loss):
    a, b = a0.clone().requires_grad_(), b0.clone().requires_grad_()
    value = loss(a, b)
    value.backward()
    return {"loss": value.item(), "a": flat(a.grad), "b": flat(b.grad)}


def likelihood(a, b):  # DSCMR, calc_loss
    theta = a.mm(b.t()) / (a.norm(dim=1, keepdim=True).mm(b.norm(dim=1, keepdim=True).t())).clamp(min=1e-6) / 2
    y = torch.nn.functional.one_hot(torch.tensor(labels)).float()
    return ((1 + theta.exp()).log() - y.mm(y.t()) * theta).mean()


def triplets(margin, alpha):  # ACMR, triplet_loss of one direction
    half = lambda d: (d ** 2).sum() / 2
    return lambda a, b: torch.clamp(margin + alpha * half(a - b) - half(a - b[negatives]), min=0)


def correlation(a, b):  # deep CCA's objective as published: the trace norm
    root = lambda m: (lambda s: s[1] @ torch.diag(s[0] ** -0.5) @ s[1].t())(torch.linalg.eigh(m))
    a, b = (a - a.mean(0)).double(), (b - b.mean(0)).double()
    eye = 0.1 * torch.eye(D, dtype=torch.double)
    t = root(a.t() @ a / (N - 1) + eye) @ (a.t() @ b / (N - 1)) @ root(b.t() @ b / (N - 1) + eye)
    return -torch.linalg.svdvals(t).sum()


def bits(a, b):  # DCMH's objective, B fixed
    theta, y = a.mm(b.t()) / 2, torch.nn.functional.one_hot(torch.tensor(labels)).float()
    sign = torch.where(a + b > 0, 1.0, -1.0).detach()
    pair = (torch.nn.functional.softplus(theta) - y.mm(y.t()) * theta).sum()
    rest = 0.7 * (((sign - a) ** 2).sum() + ((sign - b) ** 2).sum()) + 0.3 * ((a.sum(0) ** 2).sum() + (b.sum(0) ** 2).sum())
    return (pair + rest) / N ** 2


losses = {
    "bits": run(bits),
    "squared": run(lambda a, b: ((a - b) ** 2).sum(1).mean()),
    "distance": run(lambda a, b: ((a - b) ** 2).sum(1).sqrt().mean()),
    "likelihood": run(likelihood),
    "triplets": run(triplets(0.1, 5.0)),
    "triplets_at_rest": run(triplets(0.1, 0.2)),
    "correlation": run(correlation),
}

rng = np.random.default_rng(5)
hidden = rng.normal(size=(60, 3))
x = hidden @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(60, 5))
y = hidden @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(60, 4))
x, y = x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
classes = (hidden[:, 0] > 0).astype(int) + (hidden[:, 1] > 0.5)
xc, yc = x - x.mean(0), y - y.mean(0)
ridged = lambda s, r: s + r * np.trace(s) / len(s) * np.eye(len(s))
white = lambda s: np.linalg.inv(np.linalg.cholesky(s))
sx, sy = ridged(xc.T @ xc / 60, 0.01), ridged(yc.T @ yc / 60, 0.01)
u, s, v = np.linalg.svd(white(sx) @ (xc.T @ yc / 60) @ white(sy).T)
pls = PLSSVD(n_components=3, scale=False).fit(x, y)
ordered = LogisticRegression(C=1 / (60 * 0.01), tol=1e-10, max_iter=10000).fit(x, classes)
closed = {
    "x": x.flatten().tolist(), "y": y.flatten().tolist(), "labels": classes.tolist(),
    "correlations": s[:3].tolist(),
    "image_codes": (xc @ (white(sx).T @ u[:, :3])).flatten().tolist(),
    "text_codes": (yc @ (white(sy).T @ v[:3].T)).flatten().tolist(),
    "pls_image_codes": pls.transform(x).flatten().tolist(),
    "probabilities": ordered.predict_proba(x).flatten().tolist(),
}
out = {"width": D, "a": flat(a0), "b": flat(b0), "labels": labels, "negatives": negatives, "losses": losses, "closed": closed}
(HERE / "../../crates/space/tests/golden/space.json").write_text(json.dumps(out) + "\n")
