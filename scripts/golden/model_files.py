"""Tiny seeded models whose configuration files each say something unusual, with what their own library makes of
one picture and some texts: the settings of open_clip's and transformers' files that tuwen obeys.

Run with Pillow 12.0, transformers 5 and open_clip 3. A line of `cases.json` is a case: the files of its folder, and the
vectors. All cases of a library share their weights, in half precision, and one of two tokenizers."""
import json, pathlib, shutil, tempfile
import numpy as np
import open_clip, torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

OUT = pathlib.Path(__file__).parent / "../../crates/cli/tests/golden/model_files"
WORDS = ["a dog runs on the grass", "a cat", "a dog, runs &amp; the_cat!"]
SIZE = 32
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)


def noise(width, height):
    i = np.arange(width * height * 3, dtype=np.uint64)
    z = (i * np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
    return ((z >> np.uint64(40)) & np.uint64(0xFF)).astype(np.uint8).reshape(height, width, 3)


picture = Image.fromarray(noise(61, 40))
picture.save(OUT / "picture.png")


def tokenizer(folder, highest):
    """Whole words; the end of a text is a low id, or the highest of all."""
    words = {"<s>": 0, "<pad>": 1, "</s>": 59 if highest else 2, "<unk>": 3}
    for at, word in enumerate("a dog runs on the grass cat".split()):
        words[word] = 10 + at
    t = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", words["<s>"]), ("</s>", words["</s>"])])
    fast = PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                   unk_token="<unk>", sep_token="</s>")
    fast.save_pretrained(folder)
    return fast


def seeded(model):
    torch.manual_seed(0)
    for p in model.parameters():
        if p.ndim:
            torch.nn.init.normal_(p, std=0.6)
        p.data = p.data.half().float()
    return model.eval()


def unit(x):
    x = getattr(x, "pooler_output", x)
    return [round(float(v), 7) for v in (x / x.norm(dim=-1, keepdim=True)).flatten()]


cases = []


def add(library, folder, name, highest, image, texts):
    """The folder's files become a part of the case; the tokenizer, a file of its own."""
    kind = "high" if highest else "low"
    shutil.move(folder / "tokenizer.json", OUT / f"tokenizer-{kind}.json")
    files = {file.name: json.loads(file.read_text()) for file in sorted(folder.iterdir())}
    cases.append(dict(library=library, name=name, tokenizer=kind, files=files, image=image, texts=texts))


@torch.no_grad()
def open_clip_case(name, vision={}, text={}, pre={}, top={}, highest=False):
    cfg = dict(embed_dim=8, **top,
               vision_cfg={**dict(image_size=SIZE, layers=1, width=32, head_width=16, patch_size=8), **vision},
               text_cfg=dict(context_length=12, vocab_size=60, width=32, heads=2, layers=1, hf_tokenizer_name="x", **text))
    folder = pathlib.Path(tempfile.mkdtemp())
    config = dict(model_cfg=cfg, preprocess_cfg=dict(mean=[0.5, 0.4, 0.3], std=[0.3, 0.25, 0.2], **pre))
    (folder / "open_clip_config.json").write_text(json.dumps(config) + "\n")
    tokenizer(folder, highest)
    model = seeded(open_clip.CLIP(**cfg))
    weights = OUT / "open_clip.safetensors"
    if not weights.exists():
        save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, weights)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(folder, scratch, dirs_exist_ok=True)
        torch.save(model.state_dict(), scratch + "/open_clip_pytorch_model.bin")
        model, _, transform = open_clip.create_model_and_transforms("local-dir:" + scratch)
        words = open_clip.get_tokenizer("local-dir:" + scratch)
        model.eval()
        add("open_clip", folder, name, highest, unit(model.encode_image(transform(picture)[None])),
            [unit(model.encode_text(words([text]))) for text in WORDS])


E_ = dict(pool_type="eos", eos_id=2)
open_clip_case("plain", text=E_)
open_clip_case("squash", text=E_, pre=dict(resize_mode="squash", interpolation="bilinear"))
open_clip_case("longest", text=E_, pre=dict(resize_mode="longest", fill_color=200))
open_clip_case("random", text=E_, pre=dict(interpolation="random"))
open_clip_case("eps", text=dict(E_, norm_kwargs={"eps": 1e-2}), vision=dict(norm_kwargs={"eps": 1e-1}))
open_clip_case("quick", text=E_, top=dict(quick_gelu=True))
open_clip_case("tanh", text=dict(E_, act_kwargs={"approximate": "tanh"}), vision=dict(act_kwargs={"approximate": "tanh"}))
open_clip_case("heads", text=E_, vision=dict(head_width=8))
open_clip_case("avg", text=E_, vision=dict(pool_type="avg"))
open_clip_case("avg-ln-after", text=E_, vision=dict(pool_type="avg", final_ln_after_pool=True))
open_clip_case("last", text=dict(pool_type="last"))
open_clip_case("last-no-mask", text=dict(pool_type="last", no_causal_mask=True))
open_clip_case("strip-sep", text=dict(pool_type="last", no_causal_mask=True, tokenizer_kwargs={"strip_sep_token": True}))
open_clip_case("eos-no-mask", text=dict(E_, no_causal_mask=True))
open_clip_case("first-no-mask", text=dict(pool_type="first", no_causal_mask=True))
open_clip_case("argmax", highest=True)
open_clip_case("argmax-no-mask", text=dict(no_causal_mask=True), highest=True)
open_clip_case("canonicalize", text=dict(E_, tokenizer_kwargs={"clean": "canonicalize"}))


@torch.no_grad()
def hf_case(name, processor, whole=False):
    """`whole` writes processor_config.json as transformers 5 does."""
    t = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
    config = CLIPConfig(projection_dim=8, vision_config=dict(t, image_size=SIZE, patch_size=8),
                        text_config=dict(t, vocab_size=60, max_position_embeddings=12, eos_token_id=2))
    folder = pathlib.Path(tempfile.mkdtemp())
    config.text_config.eos_token_id = 59
    config.save_pretrained(folder)
    words = tokenizer(folder, True)
    model = seeded(CLIPModel(config))
    weights = OUT / "transformers.safetensors"
    if not weights.exists():
        save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, weights)
    json_ = {k: v for k, v in processor.to_dict().items() if v is not None}
    if whole:
        (folder / "processor_config.json").write_text(json.dumps({"image_processor": json_, "processor_class": "CLIPProcessor"}) + "\n")
        # transformers takes the other file first.
        (folder / "preprocessor_config.json").write_text(json.dumps(dict(json_, image_mean=[0.1] * 3)) + "\n")
    else:
        (folder / "preprocessor_config.json").write_text(json.dumps(json_) + "\n")
    pixels = torch.as_tensor(np.array(processor(images=[picture], return_tensors="np")["pixel_values"])).float()
    texts = [unit(model.get_text_features(**words([text], return_tensors="pt", return_token_type_ids=False))) for text in WORDS]
    add("transformers", folder, name, True, unit(model.get_image_features(pixels)), texts)


P = CLIPImageProcessorPil
S, SHORT = {"height": SIZE, "width": SIZE}, {"shortest_edge": SIZE}
hf_case("plain", P(size=SHORT, crop_size=S))
hf_case("squash", P(size=S, do_center_crop=False))
hf_case("exact-then-crop", P(size={"height": 36, "width": 47}, crop_size=S))
hf_case("larger-then-crop", P(size={"shortest_edge": 39}, crop_size=S))
hf_case("smaller-then-pad", P(size={"shortest_edge": 27}, crop_size=S))
hf_case("crop-alone", P(do_resize=False, crop_size=S))
hf_case("no-rescale", P(size=SHORT, crop_size=S, do_rescale=False, image_mean=[120, 110, 100], image_std=[60, 70, 80]))
hf_case("rescale-factor", P(size=SHORT, crop_size=S, rescale_factor=1 / 127.5, image_mean=[1.0] * 3, image_std=[1.0] * 3))
hf_case("no-normalize", P(size=SHORT, crop_size=S, do_normalize=False))
for code in (0, 1, 2, 4, 5):
    hf_case(f"resample-{code}", P(size=SHORT, crop_size=S, resample=code))
hf_case("processor-config", P(size=S, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3), whole=True)
(OUT / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
print(len(cases))
