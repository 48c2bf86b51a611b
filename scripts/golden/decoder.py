"""A tiny GPT-2 that attends to what an encoder gave, with its logits: transformers."""
import json, pathlib
import torch
from transformers import GPT2Config, GPT2LMHeadModel

OUT = pathlib.Path(__file__).parent / "../../crates/nn/tests/golden"
SEEN, LEN = 5, 7


def flat(tensor):
    return [float(f"{value:.8g}") for value in tensor.detach().reshape(-1).tolist()]


torch.manual_seed(0)
config = GPT2Config(vocab_size=23, n_positions=12, n_embd=16, n_layer=2, n_head=2, add_cross_attention=True,
                    attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, attn_implementation="eager")
model = GPT2LMHeadModel(config).eval()
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.25)
ids = torch.tensor([[1, 5, 9, 2, 7, 22, 3], [4, 4, 8, 0, 21, 6, 10]])
seen = torch.randn(2, SEEN, 16, requires_grad=True)
logits = model(input_ids=ids, encoder_hidden_states=seen).logits
loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 23), ids[:, 1:].reshape(-1))
loss.backward()
weights = {name: {"shape": list(value.shape), "values": flat(value)} for name, value in model.state_dict().items()
           if name != "lm_head.weight" and not name.endswith(".attn.bias")}
(OUT / "decoder.json").write_text(json.dumps({
    "ids": ids.tolist(), "seen": flat(seen), "logits": flat(logits), "loss": loss.item(), "dseen": flat(seen.grad),
    "weights": weights}))
