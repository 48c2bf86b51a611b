"""Scores of random vectors by the field's own evaluation code: cn_clip's, LAVIS's, CLIP_benchmark's, open_clip's.

Needs the wheels of salesforce-lavis 1.0.2 and clip_benchmark 1.6.2, unpacked into the folder that is the argument
(`pip download --no-deps`, `unzip`): of LAVIS one function is run, without its many dependencies."""
import json, pathlib, re, sys, tempfile, textwrap
import numpy as np
import torch
from cn_clip.eval import evaluation, evaluation_tr
from open_clip_train.train import get_clip_metrics

sys.path.insert(0, sys.argv[1])
from clip_benchmark.metrics.zeroshot_retrieval import recall_at_k, batchify  # noqa: E402

OUT = pathlib.Path(__file__).parent / "../../crates/eval/tests/golden"
OUT.mkdir(parents=True, exist_ok=True)
source = (pathlib.Path(sys.argv[1]) / "lavis/tasks/retrieval.py").read_text()
body = re.search(r"    def _report_metrics.*?return eval_result\n", source, re.S).group(0)
body = re.sub(r"        with open\(.*?f\.write.*?\n", "", body, flags=re.S)
exec(textwrap.dedent(body))


def chinese_clip(scores, owner):
    """Through its files: predictions of ten whole numbers, Python's stable sort as in make_topk_predictions.py."""
    folder = pathlib.Path(tempfile.mkdtemp())

    def top(row):
        return [i for i, _ in sorted(enumerate(row.tolist()), key=lambda x: x[1], reverse=True)[:10]]

    def lines(name, rows):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(folder / name)

    texts, images = range(scores.shape[0]), range(scores.shape[1])
    captions = {i: [t for t in texts if owner[t] == i] for i in images}
    reference = lines("r.jsonl", [{"text_id": t, "text": "", "image_ids": [owner[t]]} for t in texts])
    found = [{"text_id": t, "image_ids": top(scores[t])} for t in texts]
    reference_tr = lines("r.tr.jsonl", [{"image_id": i, "text_ids": captions[i]} for i in images])
    found_tr = [{"image_id": i, "text_ids": top(scores[:, i])} for i in images]
    evaluation.report_score(*[x / 100 for x in evaluation.compute_score(reference, lines("p.jsonl", found))[1:]], folder / "o.json")
    evaluation_tr.report_score(*[x / 100 for x in evaluation_tr.compute_score(reference_tr, lines("q.jsonl", found_tr))[1:]], folder / "o.tr.json")
    return {"text_to_image": json.loads((folder / "o.json").read_text()), "image_to_text": json.loads((folder / "o.tr.json").read_text()),
            "predictions": [row["image_ids"] for row in found], "tr_predictions": [row["text_ids"] for row in found_tr]}


def clip_benchmark(scores, owner):
    scores = torch.tensor(scores)
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(owner)), torch.tensor(owner)] = True
    result = {}
    for k in (1, 5, 10):
        result[f"image_retrieval_recall@{k}"] = (batchify(recall_at_k, scores, positive, 64, "cpu", k=k) > 0).float().mean().item()
        result[f"text_retrieval_recall@{k}"] = (batchify(recall_at_k, scores.T, positive.T, 64, "cpu", k=k) > 0).float().mean().item()
    return result


rng = np.random.default_rng(0)
owner = np.sort(np.concatenate([np.arange(40), rng.integers(0, 40, 60)])).tolist()
images = rng.normal(size=(40, 6)).astype(np.float32)
texts = (0.5 * images[owner] + rng.normal(size=(100, 6))).astype(np.float32)
scores = texts @ images.T
captions = {i: [t for t, o in enumerate(owner) if o == i] for i in range(40)}
first = [captions[i][0] for i in range(40)]
one = get_clip_metrics(torch.tensor(images), torch.tensor(texts[first]), 1.0)
tied_images = rng.integers(0, 3, (40, 3)).astype(np.float32)
tied_texts = rng.integers(0, 3, (100, 3)).astype(np.float32)
golden = {
    "owner": owner, "images": images.tolist(), "texts": texts.tolist(),
    "chinese_clip": chinese_clip(scores, owner),
    "lavis": _report_metrics(scores.T, scores, owner, captions),
    "clip_benchmark": clip_benchmark(scores, owner),
    "first": first, "open_clip": {k: float(v) for k, v in one.items()},
    "tied": {"images": tied_images.tolist(), "texts": tied_texts.tolist(), "chinese_clip": chinese_clip(tied_texts @ tied_images.T, owner)},
}
(OUT / "evaluation.json").write_text(json.dumps(golden) + "\n")
