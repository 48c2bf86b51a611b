"""A tiny seeded SigLIP 2 of any aspect ratio (NaFlex) as transformers saves it, with what transformers makes of pictures of
three shapes and of some texts."""
import json, pathlib, shutil
import torch
from transformers import PreTrainedTokenizerFast, Siglip2Config, Siglip2Model
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

from fg_clip_2 import noise, rows, seeded

OUT = pathlib.Path(__file__).parent / "../../crates/encode/tests/golden"
CONTEXT, PATCH, MOST = 16, 4, 60
PICTURES = [(61, 40), (9, 200), (16, 16)]
TEXTS = ["a dog runs on the grass", "Two CHILDREN play, outside!", "狗 in the snow", ""]


@torch.no_grad()
def main():
    folder = OUT / "siglip-2-naflex"
    folder.mkdir(exist_ok=True)
    shutil.copy(OUT / "siglip2/tokenizer.json", folder / "tokenizer.json")
    words = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", eos_token="<eos>",
                                    model_input_names=["input_ids"])
    size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    model = seeded(Siglip2Model(Siglip2Config(
        text_config=dict(size, vocab_size=len(words), max_position_embeddings=CONTEXT, bos_token_id=2, eos_token_id=1, pad_token_id=0),
        vision_config=dict(size, patch_size=PATCH, num_patches=16))))
    model.half().save_pretrained(folder)
    model.float()
    processor = Siglip2ImageProcessorPil(patch_size=PATCH, max_num_patches=MOST)
    processor.save_pretrained(folder)
    golden = {"pictures": []}
    for width, height in PICTURES:
        seen = processor(noise(width, height), return_tensors="pt")
        golden["pictures"].append({"size": [width, height], "grid": seen["spatial_shapes"][0].tolist(),
                                   "vector": rows(model.get_image_features(**seen))[0]})
    ids = words([text.lower() for text in TEXTS], padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt")
    text = model.get_text_features(**ids)
    unit = torch.nn.functional.normalize(getattr(text, "pooler_output", text))
    vectors = torch.tensor([picture["vector"] for picture in golden["pictures"]])
    golden |= {"texts": TEXTS, "ids": ids.input_ids.tolist(), "vectors": rows(text),
               "logits": (model.logit_scale.exp() * vectors @ unit.T + model.logit_bias).tolist()}
    (OUT / "siglip_2_naflex.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


main()
