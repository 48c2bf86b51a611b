"""Tiny seeded BLIP models as transformers saves them: for retrieval (vectors, logits of the matching head) and for
captions (logits, what greedy and beam search say), with the tokens of some texts and the pixels of a picture; and models in
the files of BLIP's and ALBEF's authors, whose parts are transformers'."""
import json, pathlib, re
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BlipConfig, BlipForConditionalGeneration, BlipForImageTextRetrieval, PreTrainedTokenizerFast
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

HERE = pathlib.Path(__file__).parent
OUT = HERE / "../../crates/encode/tests/golden"
PICTURE = HERE / "../../crates/cli/tests/golden/model_files/picture.png"
DEMO = HERE / "../../assets/demo/png"
SIZE = 32
ENGLISH = ["a brown dog runs on the grass", "two children play football outside", "the cat on the sill, looking at the rain",
           "a cup of coffee and three books", "a woman in a red coat rides a bicycle", "sea gulls at the beach at sunset!",
           "this shop sells phones, computers & cameras", "old men play chess in the park"]
ASKED = "a woman in a red coat"
ODD = ["", "  A Photo   of\ta CAT \n", "café naïve, ÅNGSTRÖM", "[SEP] a dog [CLS]", "狗 and 🐕", "don't", "a dog " * 40]


def tokenizer():
    """Of bert-base-uncased's shape; BLIP's `[DEC]` and `[ENC]` are rows of the table behind its entries."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted(set(re.findall(r"\w+|[^\w\s]", " ".join(ENGLISH))))
    signs = sorted({c for word in words for c in word})
    entries = special + signs + ["##" + c for c in signs if c.isalpha()] + [word for word in words if len(word) > 1]
    t = Tokenizer(models.WordPiece({entry: i for i, entry in enumerate(entries)}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], special))
    return PreTrainedTokenizerFast(tokenizer_object=t, model_max_length=40, do_lower_case=True, **names)


def pictures(count=2):
    i = torch.arange(count * 3 * SIZE * SIZE, dtype=torch.float64)
    return (torch.sin(i * 0.37) * 0.8).float().reshape(count, 3, SIZE, SIZE)


def seeded(model, seed, std=0.25):
    """Random weights that half precision holds exactly."""
    torch.manual_seed(seed)
    for name, p in model.named_parameters():
        mean = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        torch.nn.init.normal_(p, mean=mean, std=std)
        p.data = p.data.half().float()
    return model.eval()


def config(words):
    sizes = dict(num_hidden_layers=2, intermediate_size=40)
    text = dict(sizes, hidden_size=48, num_attention_heads=3, vocab_size=len(words) + 2, max_position_embeddings=64,
                bos_token_id=len(words), sep_token_id=words.sep_token_id, pad_token_id=0)
    vision = dict(sizes, hidden_size=32, num_attention_heads=2, image_size=SIZE, patch_size=8)
    return BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=16)


def save(model, words, name):
    model.half().save_pretrained(OUT / name)
    model.float()
    side = {"height": SIZE, "width": SIZE}
    processor = BlipImageProcessorPil(size=side)
    processor.save_pretrained(OUT / name)
    words.save_pretrained(OUT / name)
    return processor


def rounded(rows):
    return [[round(value, 8) for value in row] for row in rows.tolist()]


@torch.no_grad()
def retrieval(words):
    model = seeded(BlipForImageTextRetrieval(config(words)), 0)
    processor = save(model, words, "blip")
    texts = words(ENGLISH[:4] + ["a dog", ""], return_tensors="pt", padding=True)
    ids, mask, shown = texts.input_ids, texts.attention_mask, pictures()
    states = model.vision_model(shown).last_hidden_state
    image = torch.nn.functional.normalize(model.vision_proj(states[:, 0]), dim=-1)
    hidden = model.text_encoder(ids, attention_mask=mask).last_hidden_state
    text = torch.nn.functional.normalize(model.text_proj(hidden[:, 0]), dim=-1)
    cosines = model(ids, shown, use_itm_head=False, attention_mask=mask).itm_score
    assert torch.allclose(cosines, image @ text.T, atol=1e-6)
    match = [model(ids, one[None].expand(len(ids), -1, -1, -1), attention_mask=mask).itm_score for one in shown]
    # As BLIP's own evaluation asks, with [ENC] in the place of the first token.
    begun = ids.clone()
    begun[:, 0] = len(words) + 1
    own = [model(begun, one[None].expand(len(ids), -1, -1, -1), attention_mask=mask).itm_score for one in shown]
    pixels = processor(Image.open(PICTURE).convert("RGB"), return_tensors="pt").pixel_values
    asked = words(ASKED, return_tensors="pt").input_ids
    whole = [model(asked, pixels, use_itm_head=head).itm_score[0].tolist() for head in [True, False]]
    return {"asked": ASKED, "asked_match": whole[0], "asked_cosine": whole[1][0], "ids": ids.tolist(), "image": rounded(image), "text": rounded(text), "match": [rounded(x) for x in match],
            "match_enc": [rounded(x) for x in own], "enc": len(words) + 1,
            "pixels": [round(x, 6) for x in pixels.flatten().tolist()],
            "texts": ENGLISH + ODD, "tokens": [words(t, truncation=True).input_ids for t in ENGLISH + ODD]}


@torch.no_grad()
def captions(words):
    model = seeded(BlipForConditionalGeneration(config(words)), 7, 0.2)
    # Sentences end now and then.
    model.text_decoder.cls.predictions.bias[words.sep_token_id] = 1.6
    model.text_decoder.cls.predictions.bias[words.sep_token_id] = 3.0
    processor = save(model, words, "blip-captions")
    shown = 1.5 * pictures(6)
    begun = torch.tensor([[len(words), 7, 60, 9, 30, 11]]).expand(len(shown), -1)
    # In 64 bits, so that the test's bound is on our own rounding alone.
    logits = model.double()(shown.double(), begun).logits
    model.float()
    said = lambda **how: [model.generate(one[None], max_length=20, no_repeat_ngram_size=2, **how)[0].tolist() for one in shown]
    beams = lambda width: said(num_beams=width, early_stopping=True, length_penalty=0.7)
    written = {}
    for name in ["red_car", "pizza", "sunset", "dog_grass"]:
        pixels = processor(Image.open(DEMO / f"{name}.png").convert("RGB"), return_tensors="pt").pixel_values
        how = dict(max_length=20, no_repeat_ngram_size=3, length_penalty=0.7, early_stopping=True)
        texts = [model.generate(pixels, num_beams=beams, **(how if beams > 1 else dict(max_length=20))) for beams in [1, 3]]
        written[name] = [words.decode(ids[0], skip_special_tokens=True) for ids in texts]
    return {"written": written, "begun": begun[0].tolist(), "logits": [rounded(x) for x in logits], "greedy": said(do_sample=False),
            "beams": beams(3), "wide": beams(5), "begin": len(words), "end": words.sep_token_id}


def own_names(state):
    """transformers' names as BLIP's and ALBEF's programs have them."""
    pairs = [(r"^vision_model\.encoder\.layers", "visual_encoder.blocks"), (r"\.self_attn\.projection", ".attn.proj"),
             (r"\.self_attn\.", ".attn."), (r"layer_norm(\d)", r"norm\1"), (r"^vision_model\.post_layernorm", "visual_encoder.norm"),
             (r"^vision_model\.embeddings\.class_embedding", "visual_encoder.cls_token"),
             (r"^vision_model\.embeddings\.position_embedding", "visual_encoder.pos_embed"),
             (r"^vision_model\.embeddings\.patch_embedding", "visual_encoder.patch_embed.proj")]
    out = {}
    for name, value in state.items():
        for pattern, with_what in pairs:
            name = re.sub(pattern, with_what, name)
        out[name] = value.half().clone()
    return out


def keep(state, words, name):
    """As the authors' trainers save: with a momentum encoder, its queues and more."""
    more = {"visual_encoder_m.cls_token": torch.zeros(1, 1, 64).half(), "image_queue": torch.zeros(16, 8).half(),
            "ptr_queue": torch.zeros(1, dtype=torch.int64), "temp": torch.tensor(0.05)}
    (OUT / name).mkdir(exist_ok=True)
    torch.save({"model": {**state, **more}, "optimizer": {"state": {}, "param_groups": []}, "epoch": 5,
                "config": {"image_res": SIZE, "bert_config": "configs/config_bert.json"}}, OUT / name / f"{name}.pth")
    words.save_pretrained(OUT / name)


@torch.no_grad()
def authors(words):
    """Both programs' models in their own files. Of ALBEF's text encoder the first of two blocks is for texts alone."""
    settings = config(words)
    for part, more in [(settings.text_config, {}), (settings.vision_config, {"layer_norm_eps": 1e-6})]:
        for key, value in dict(hidden_size=64, num_attention_heads=1, encoder_hidden_size=64, **more).items():
            setattr(part, key, value)
    model = seeded(BlipForImageTextRetrieval(settings), 2)
    texts = words(ENGLISH[:4] + ["a dog", ""], return_tensors="pt", padding=True)
    ids, mask, shown, found = texts.input_ids, texts.attention_mask, pictures(), {"ids": texts.input_ids.tolist()}
    unit = lambda x: rounded(torch.nn.functional.normalize(x, dim=-1))
    states = model.vision_model(shown).last_hidden_state
    image = unit(model.vision_proj(states[:, 0]))
    begun = ids.clone()
    begun[:, 0] = len(words) + 1
    match = [model(begun, one[None].expand(len(ids), -1, -1, -1), attention_mask=mask).itm_score for one in shown]
    text = unit(model.text_proj(model.text_encoder(ids, attention_mask=mask).last_hidden_state[:, 0]))
    found["blip"] = {"image": image, "text": text, "match": [rounded(x) for x in match]}
    state = own_names(model.state_dict())
    keep(state, words, "blip-own")

    types = (torch.randn(2, 64) * 0.25).half().float()
    embeddings, layers = model.text_encoder.embeddings, model.text_encoder.encoder.layer
    places = torch.arange(ids.shape[1])
    x = embeddings.word_embeddings(ids) + embeddings.position_embeddings(places) + types[0]
    hidden = (1.0 - mask.float())[:, None, None, :] * -1e9
    alone = layers[0](embeddings.LayerNorm(x), attention_mask=hidden)
    match = []
    for one in states:
        rows = one[None].expand(len(ids), -1, -1)
        match.append(rounded(model.itm_head(layers[1](alone, rows, attention_mask=hidden)[:, 0])))
    found["albef"] = {"image": image, "text": unit(model.text_proj(alone[:, 0])), "match": match}
    state = {name.replace("text_encoder.", "text_encoder.bert."): value for name, value in state.items()
             if "layer.0.crossattention" not in name}
    state["text_encoder.bert.embeddings.token_type_embeddings.weight"] = types.half()
    state["text_encoder.cls.predictions.bias"] = torch.zeros(8).half()
    keep(state, words, "albef-own")
    return found


def main():
    words = tokenizer()
    golden = {"retrieval": retrieval(words), "captions": captions(words), "authors": authors(words)}
    (OUT / "blip.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
