"""A tiny seeded BLIP-2 for retrieval as transformers saves it, in shards: the vectors of each picture's queries and of texts,
contrastive scores, logits of the matching head, the gradient of a cosine, tokens of some texts and the pixels of a picture."""
import json
import torch
from PIL import Image
from transformers import Blip2Config, Blip2ForImageTextRetrieval, Blip2Processor
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from blip import ASKED, ENGLISH, ODD, OUT, PICTURE, SIZE, pictures, rounded, seeded, tokenizer

QUERIES = 5
unit = lambda x: torch.nn.functional.normalize(x, dim=-1)


def config(words):
    sizes = dict(num_hidden_layers=3, intermediate_size=40)
    qformer = dict(sizes, hidden_size=48, num_attention_heads=3, vocab_size=len(words), max_position_embeddings=64,
                   use_qformer_text_input=True)
    vision = dict(sizes, hidden_size=32, num_attention_heads=2, image_size=SIZE, patch_size=8)
    # The language model, of which retrieval has nothing.
    text = dict(model_type="opt", hidden_size=8, num_hidden_layers=1, num_attention_heads=1, ffn_dim=8, word_embed_proj_dim=8)
    return Blip2Config(qformer_config=qformer, vision_config=vision, text_config=text, num_query_tokens=QUERIES,
                       image_text_hidden_size=16)


def pooled(model, pixels):
    """The one vector that a gallery keeps: the projected mean of the queries' rows."""
    seen = model.vision_model(pixels).last_hidden_state
    asks = model.query_tokens.expand(len(pixels), -1, -1)
    rows = model.qformer(query_embeds=asks, encoder_hidden_states=seen).last_hidden_state
    return unit(model.vision_projection(rows.mean(dim=1)))


def spoken():
    """With the token that begins what LAVIS' models say, as Salesforce/blip2-itm-vit-g has it."""
    words = tokenizer()
    words.add_special_tokens({"bos_token": "[DEC]"})
    return words


def main():
    words = spoken()
    model = seeded(Blip2ForImageTextRetrieval(config(words)), 11)
    # Else what all queries see in common is so much that they end up alike.
    for name, weight in model.qformer.named_parameters():
        if "attention.output.dense" in name:
            weight.data *= 0.25
    model.half().save_pretrained(OUT / "blip-2", max_shard_size="50KB")
    pictured = BlipImageProcessorPil(size={"height": SIZE, "width": SIZE})
    # It gives the tokenizer a token that stands for a query, behind the table's last row.
    Blip2Processor(pictured, spoken(), num_query_tokens=QUERIES).save_pretrained(OUT / "blip-2")
    # In 64 bits, so that the test's bound is on our own rounding alone.
    model = model.double()
    texts = words(ENGLISH[:4] + ["a dog", ""], return_tensors="pt", padding=True)
    ids, mask, shown = texts.input_ids, texts.attention_mask, pictures().double()
    pixels = pictured(Image.open(PICTURE).convert("RGB"), return_tensors="pt").pixel_values
    asked = words(ASKED, return_tensors="pt")

    def both(pixels, ids, mask):
        """Scores of one picture with texts: contrastive, and the two logits."""
        many = pixels[None].expand(len(ids), -1, -1, -1)
        ask = lambda head: model(many, ids, attention_mask=mask, use_image_text_matching_head=head).logits_per_image
        # All pairs of the copies come back.
        return ask(False)[0], ask(True)

    with torch.no_grad():
        found = model(shown, ids, attention_mask=mask)
        scores = [both(one, ids, mask) for one in shown]
        whole = both(pixels[0].double(), asked.input_ids, asked.attention_mask)
        golden = {"ids": ids.tolist(), "queries": [rounded(x) for x in found.image_embeds], "text": rounded(found.text_embeds),
                  "image": rounded(pooled(model, shown)), "contrast": rounded(torch.stack([c for c, _ in scores])),
                  "match": [rounded(x) for _, x in scores], "asked": ASKED, "asked_contrast": whole[0].tolist()[0],
                  "asked_match": whole[1][0].tolist()}
        asked_vector = model(pixels.double(), asked.input_ids, attention_mask=asked.attention_mask).text_embeds[0]
        golden["asked_cosine"] = float(pooled(model, pixels.double())[0] @ asked_vector)
    leaf = shown[:1].clone().requires_grad_()
    (pooled(model, leaf)[0] @ found.text_embeds[1]).backward()
    golden["gradient"] = [round(x, 8) for x in leaf.grad.flatten().tolist()]
    golden["pixels"] = [round(x, 6) for x in pixels.flatten().tolist()]
    golden["texts"] = ENGLISH + ODD
    golden["tokens"] = [words(t, truncation=True).input_ids for t in ENGLISH + ODD]
    (OUT / "blip-2.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
