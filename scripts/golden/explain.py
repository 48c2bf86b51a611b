"""Maps of a picture by attention and its gradients, in PyTorch, on transformers' tiny models that families.py and towers.py
saved. Formulas are written again from the papers' programs; the forward pass is transformers' own, with eager attention.

  rollout    github.com/samiraabnar/attention_flow: product of (mean over heads of A + I) / 2
  chefer     github.com/hila-chefer/Transformer-MM-Explainability, CLIP notebook: R += mean over heads of max(A dA, 0) R
  gradcam    max(sum over channels of mean gradient times activation, 0), before the last block (SigLIP: behind it)
  legrad     github.com/WalBouss/LeGrad: for each block max(dA, 0) of that block's own readout, mean over heads and queries
  grad-eclip github.com/Cyang-Zhao/Grad-Eclip: max(sum over c of g_c v_c, 0) times stretched cosine of query and key
"""
import json, pathlib
import torch
from transformers import AutoModel

OUT = pathlib.Path(__file__).parent / "../../crates/explain/tests/golden"
MODELS = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
SIZE = 32


def picture():
    """Bytes, as a decoded picture has them."""
    i = torch.arange(SIZE * SIZE * 3)
    return ((i * 37 + i // 96 * 11) % 256).to(torch.uint8).reshape(SIZE, SIZE, 3)


def toward(dim):
    t = torch.cos(torch.arange(dim, dtype=torch.float64) * 0.7).float()
    return t / t.norm()


class Kept:
    """Queries, keys, values and the gathered rows of every attention, heads merged, with gradients."""

    def __init__(self, model, probe):
        self.q, self.k, self.v, self.o, self.inputs = [], [], [], [], []
        for layer in model.vision_model.encoder.layers:
            attn = layer.self_attn
            for name, store in (("q_proj", self.q), ("k_proj", self.k), ("v_proj", self.v)):
                getattr(attn, name).register_forward_hook(lambda m, i, o, s=store: s.append(o))
            attn.out_proj.register_forward_pre_hook(lambda m, i: (i[0].retain_grad(), self.o.append(i[0]))[0])
            layer.register_forward_pre_hook(lambda m, i, kw=None: self.inputs.append(i[0]))


def score(model, name, pooled, t):
    feature = pooled if name == "siglip" else model.visual_projection(pooled)
    return (feature / feature.norm(dim=-1, keepdim=True)) @ t


def maps(name):
    model = AutoModel.from_pretrained(MODELS / name, attn_implementation="eager", dtype=torch.float32).eval()
    for p in model.parameters():
        p.requires_grad_(False)
    vision = model.vision_model
    raw = picture().permute(2, 0, 1).float() / 255
    if name == "siglip":
        mean = std = torch.full((3, 1, 1), 0.5)
    else:
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).reshape(3, 1, 1)
        std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).reshape(3, 1, 1)
    pixels = ((raw - mean) / std)[None].requires_grad_()
    kept = Kept(model, name == "siglip")
    out = vision(pixel_values=pixels, output_hidden_states=True, output_attentions=True)
    for a in out.attentions:
        a.retain_grad()
    for h in out.hidden_states:
        h.retain_grad()
    dim = out.pooler_output.shape[-1] if name == "siglip" else model.visual_projection.out_features
    t = toward(dim)
    s = score(model, name, out.pooler_output, t)[0]
    s.backward(retain_graph=True)
    found = {"score": s.item()}
    found["gradient"] = patch_sums(pixels[0] * pixels.grad[0], model.config.vision_config.patch_size)
    if name == "clip":
        found |= class_token(model, out, kept, t)
    else:
        rows, grad = out.hidden_states[-1][0], out.hidden_states[-1].grad[0]
        found["gradcam"] = grad_cam(rows, grad)
    return {key: flat(value) for key, value in found.items()}


def patch_sums(product, patch):
    side = product.shape[-1] // patch
    return product.sum(0).reshape(side, patch, side, patch).sum((1, 3))


def grad_cam(rows, grad):
    return (rows @ grad.mean(0)).clamp(min=0)


def class_token(model, out, kept, t):
    layers = len(out.attentions)
    tokens = out.attentions[0].shape[-1]
    eye = torch.eye(tokens)
    roll, all_layers = eye, eye
    for a in out.attentions:
        roll = (a[0].mean(0) + eye) / 2 @ roll
        m = (a[0] * a.grad[0]).clamp(min=0).mean(0)
        all_layers = all_layers + m @ all_layers
    a = out.attentions[-1]
    last = eye + (a[0] * a.grad[0]).clamp(min=0).mean(0)
    inputs, grad = out.hidden_states[-2][0, 1:], out.hidden_states[-2].grad[0, 1:]
    g, q = kept.o[-1].grad[0, 0], kept.q[-1][0, 0]
    k, v = kept.k[-1][0], kept.v[-1][0]
    cosine = torch.nn.functional.cosine_similarity(k, q[None], dim=-1)
    cosine = (cosine - cosine.min()) / (cosine.max() - cosine.min())
    legrad = torch.zeros(tokens)
    for at in range(layers):
        pooled = model.vision_model.post_layernorm(out.hidden_states[at + 1][:, 0])
        own = torch.autograd.grad(score(model, "clip", pooled, t)[0], out.attentions[at], retain_graph=True)[0]
        legrad += own[0].clamp(min=0).mean((0, 1))
    return {"rollout": roll[0, 1:], "chefer": last[0, 1:], "chefer-all": all_layers[0, 1:],
            "gradcam": grad_cam(inputs, grad), "legrad": legrad[1:],
            "grad-eclip": ((v @ g).clamp(min=0) * cosine)[1:]}


def flat(value):
    if isinstance(value, float):
        return value
    return [float(f"{x:.8g}") for x in value.detach().reshape(-1).tolist()]


OUT.mkdir(exist_ok=True)
(OUT / "maps.json").write_text(json.dumps({name: maps(name) for name in ("clip", "siglip")}))
