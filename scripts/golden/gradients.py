"""What transformers gives of its tiny models beside features: tokens, hidden states, attention maps, and gradients of
pixels and of token embeddings. The models are those that families.py and towers.py saved."""
import json, pathlib
import torch
from transformers import AutoModel

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
SIZE = 32
# The texts of families.py (0 fills), and SigLIP's, which are filled up to the last position.
IDS = {
    "clip": [[1, 5, 9, 33, 59], [2, 7, 59], [1, 2, 3, 4, 5, 6, 7, 8, 59]],
    "chinese-clip": [[1, 5, 9, 33, 59], [2, 7, 59], [1, 2, 3, 4, 5, 6, 7, 8, 59]],
    "siglip": [[3, 5, 9, 33] + [1] * 12, [2] + [1] * 15],
}


def weights(shape, start):
    """What the loss multiplies with: it depends on every value."""
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.float64) + start
    return torch.sin(i * 0.11).float().reshape(shape)


def picture():
    i = torch.arange(2 * 3 * SIZE * SIZE, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(2, 3, SIZE, SIZE)


def loss(features, tokens, hidden):
    parts = [(features, 0), (tokens, 1000), (hidden, 2000)]
    return sum((part * weights(part.shape, start)).sum() for part, start in parts)


def flat(tensor):
    return [float(f"{value:.8g}") for value in tensor.detach().reshape(-1).tolist()]


def image(name, model):
    pixels = picture().requires_grad_()
    out = model.vision_model(pixel_values=pixels, output_hidden_states=True, output_attentions=True)
    rows = out.last_hidden_state
    tokens = rows if name == "siglip" else model.vision_model.post_layernorm(rows)
    hidden = out.hidden_states[1]
    loss(out.pooler_output, tokens, hidden).backward()
    return {"features": flat(out.pooler_output), "tokens": flat(tokens), "hidden": flat(hidden),
            "map": flat(out.attentions[1]), "gradient": flat(pixels.grad)}


def text(name, model, ids):
    """One text: its embedded tokens are leaves."""
    embeddings = model.text_model.embeddings
    table = embeddings.word_embeddings if name == "chinese-clip" else embeddings.token_embedding
    kept = []
    hook = table.register_forward_hook(lambda *call: (call[2].retain_grad(), kept.append(call[2]))[0])
    out = model.text_model(input_ids=torch.tensor([ids]), output_hidden_states=True, output_attentions=True)
    hook.remove()
    tokens, hidden = out.last_hidden_state, out.hidden_states[1]
    pooled = tokens[:, 0] if name == "chinese-clip" else tokens[:, -1]
    loss(pooled, tokens, hidden).backward()
    return {"ids": ids, "features": flat(pooled), "tokens": flat(tokens), "hidden": flat(hidden),
            "map": flat(out.attentions[1]), "gradient": flat(kept[0].grad)}


all_found = {}
for name, texts in IDS.items():
    model = AutoModel.from_pretrained(OUT / name, attn_implementation="eager", dtype=torch.float32).eval()
    all_found[name] = {"image": image(name, model), "texts": [text(name, model, ids) for ids in texts]}
(OUT / "gradients.json").write_text(json.dumps(all_found))
