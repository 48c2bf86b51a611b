"""Tiny seeded MetaCLIP 2 models as transformers saves them, with XLM-V's kind of tokenizer and with mT5's, their outputs,
and the tokens of 200 texts."""
import json
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPImageProcessor, MetaClip2Config, MetaClip2Model, PreTrainedTokenizerFast
from xlm_roberta import CHINESE, CONTEXT, ENGLISH, OUT, SIZE, picture, seeded, texts, tokenizer, unit


def mt5():
    """Of mT5's shape: no token before a text, `</s>` with the id 1 behind it, 0 for padding."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(CHINESE + ENGLISH, trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=t, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


@torch.no_grad()
def main():
    golden = {"texts": texts()}
    for name, words, activation in [("metaclip-2", tokenizer(), "gelu"), ("metaclip-2-mt5", mt5(), "quick_gelu")]:
        sizes = dict(num_hidden_layers=2, intermediate_size=48, hidden_act=activation)
        model = seeded(MetaClip2Model(MetaClip2Config(
            projection_dim=16, vision_config=dict(sizes, hidden_size=32, num_attention_heads=2, image_size=SIZE, patch_size=8),
            text_config=dict(sizes, hidden_size=48, num_attention_heads=3, vocab_size=len(words), eos_token_id=words.eos_token_id,
                             bos_token_id=0, pad_token_id=words.pad_token_id, max_position_embeddings=CONTEXT))))
        model.logit_scale.fill_(2.3)
        model.half().save_pretrained(OUT / name)
        model.float()
        CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(OUT / name)
        words.save_pretrained(OUT / name)
        all_ids = words(golden["texts"], return_tensors="pt", max_length=CONTEXT, padding="max_length", truncation=True).input_ids
        some = all_ids[[0, 8, 25, 40, 199]]
        image, text = model.get_image_features(picture()), model.get_text_features(some)
        image, text = (torch.nn.functional.normalize(getattr(x, "pooler_output", x)) for x in (image, text))
        golden[name] = {"ids": some.tolist(), "tokens": all_ids.tolist(), "image": unit(image), "text": unit(text),
                        "all": unit(model.get_text_features(all_ids)),
                        "logits": (model.logit_scale.exp() * image @ text.T).tolist()}
    (OUT / "metaclip_2.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
