"""Other servers beside `tuwen serve`: the same questions by the same client (wrk) on the same machine, one server after the
other, in one run. Prints a table.

    python -m venv peers && peers/bin/pip install clip-retrieval 'setuptools<80' && peers/bin/pip install 'infinity-emb[torch,server,vision]'
    peers/bin/python scripts/bench/peers.py --tuwen target/release/tuwen --folder FOLDER

FOLDER is that of serve.sh (`/tmp/tuwen-load-100000`): a gallery of 100,000 vectors of 256 values. clip-retrieval gets as many,
drawn in the same way, in its exact index (`IndexFlatIP`) and in the one that its own indexer (autofaiss) chooses. Both are asked at
`/knn-service` for 20 numbers and the best one's picture and name. Words go through OpenAI's ViT-B/32 there (512 values), whose weights are drawn
here, since that costs no other time, and through the built-in model of tuwen: so those two rows are what a user has, not one model twice.
infinity embeds and does not search: it and tuwen are asked at `/embeddings` for one text, with one folder of ViT-B/32."""
import argparse
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from urllib.request import Request, urlopen

from serve import BEFORE, Server, processor

HERE = pathlib.Path(__file__).parent
ITEMS, PORT = 100_000, 8799


def clip_retrieval(paths):
    """Runs its back end on the loopback, with a ViT-B/32 of any weights, without what needs a network."""
    import all_clip
    import flask
    import open_clip
    from clip_retrieval.clip_back import clip_back

    def load_clip(*_, **__):
        model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained=None)
        return model.eval(), preprocess, open_clip.get_tokenizer("ViT-B-32-quickgelu")

    all_clip.load_clip = load_clip
    run = flask.Flask.run
    flask.Flask.run = lambda app, host, port, debug: run(app, host="127.0.0.1", port=port, debug=debug)
    clip_back(indices_paths=paths, port=PORT, enable_mclip_option=False, provide_aesthetic_embeddings=False,
              columns_to_return=["image_path", "caption"])


def make(folder):
    """Indices and questions; FOLDER/peers is made once."""
    import faiss
    import numpy as np
    import pandas as pd
    from autofaiss import build_index

    peers = folder / "peers"
    if (peers / "paths.json").exists():
        return peers
    rng = np.random.default_rng(2)

    def unit(count, dim):
        rows = rng.standard_normal((count, dim), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    rows, names = unit(ITEMS, 256), {}
    # The pictures of the gallery: both servers put the best one into their answer.
    paths = [folder.resolve() / "pictures" / f"{of // 1_000:03}" / f"{of:06}.jpg" for of in range(ITEMS)]
    captions = pd.DataFrame({"caption": [path.name for path in paths], "image_path": list(map(str, paths))})
    for name, vectors in [("exact", rows), ("autofaiss", rows), ("words", unit(ITEMS, 512))]:
        at = peers / name
        (at / "metadata").mkdir(parents=True, exist_ok=True)
        captions.to_parquet(at / "metadata" / "metadata_0.parquet")
        if name == "autofaiss":
            build_index(vectors, index_path=str(at / "image.index"), index_infos_path=str(at / "infos.json"),
                        max_index_memory_usage="4G", current_memory_available="8G", metric_type="ip")
        else:
            index = faiss.IndexFlatIP(vectors.shape[1])
            index.add(vectors)
            faiss.write_index(index, str(at / "image.index"))
        names[name] = str(at)
    asked = {"modality": "image", "num_images": 1, "num_result_ids": 20}
    with open(peers / "vectors.jsonl", "w") as file:
        for vector in unit(5_000, 256):
            file.write(json.dumps({**asked, "embedding_input": [round(float(v), 6) for v in vector]}) + "\n")
    # More than are asked, so that no cache answers.
    with open(peers / "words.jsonl", "w") as file:
        for of in range(100_000):
            file.write(json.dumps({**asked, "text": f"a dog number {of} in the snow by the sea"}) + "\n")
    (peers / "paths.json").write_text(json.dumps(names))
    return peers


def make_clip(folder, tuwen):
    """FOLDER/peers/clip: a ViT-B/32 of any weights as transformers saves it, and a gallery of one picture for it."""
    import open_clip
    import torch
    from open_clip.tokenizer import bytes_to_unicode
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    clip = folder / "peers" / "clip"
    if clip.exists():
        return clip
    making = clip.with_name("clip-making")
    making.mkdir(exist_ok=True)
    packed = pathlib.Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.open(packed).read().decode().split("\n")[1:49152 - 256 - 2 + 1]
    signs = list(bytes_to_unicode().values())
    tokens = signs + [sign + "</w>" for sign in signs] + ["".join(pair.split()) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    (making / "vocab.json").write_text(json.dumps({token: at for at, token in enumerate(tokens)}))
    (making / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    tokenizer = CLIPTokenizer(str(making / "vocab.json"), str(making / "merges.txt"))
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(making)
    torch.manual_seed(1)
    ends = {"bos_token_id": 49406, "eos_token_id": 49407}
    CLIPModel(CLIPConfig(text_config=ends, vision_config={"patch_size": 32})).save_pretrained(making)
    making.rename(clip)
    one = folder / "pictures" / "000" / "000000.jpg"
    pictures = folder / "peers" / "one"
    pictures.mkdir(exist_ok=True)
    (pictures / one.name).write_bytes(one.read_bytes())
    subprocess.run([tuwen, "index", pictures, "--gallery", folder / "peers" / "clip-gallery", "--model", clip], check=True)
    with open(folder / "peers" / "texts.jsonl", "w") as file:
        for of in range(100_000):
            file.write(json.dumps({"model": "clip", "input": [f"a dog number {of} in the snow by the sea"]}) + "\n")
    return clip


def named(questions, index):
    """The questions with the name of an index."""
    asked = questions.with_suffix(f".{index}.jsonl")
    with open(questions) as lines, open(asked, "w") as file:
        for line in lines:
            file.write(json.dumps({**json.loads(line), "indice_name": index}) + "\n")
    return asked


def load(url, path, asked, clients, seconds):
    """wrk's rate and percentiles."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "60s", "-s", HERE / "peers.lua", url, "--",
               path, asked]
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def ask(url, path, asked):
    """The first question's answer."""
    with open(asked) as file:
        body = file.readline().encode()
    return json.load(urlopen(Request(url + path, body, {"content-type": "application/json"}), timeout=60))


def hits(url, asked):
    """How many hits an answer has; their scores must fall."""
    found = ask(url, "/knn-service", asked)
    scores = [hit["similarity"] for hit in found]
    if not scores or scores != sorted(scores, reverse=True):
        raise SystemExit(f"{url} answers with {len(found)} hits: {found[:2]}")
    return len(found)


def peer(name, command, log, is_there, **variables):
    """Starts a server and waits until it answers."""
    with open(log, "w") as file:
        process = subprocess.Popen(list(map(str, command)), stdout=file, stderr=file, env={**os.environ, **variables})
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            is_there()
            return process
        except OSError:
            time.sleep(1)
    process.kill()
    raise SystemExit(f"{name} does not start: {log}")


class Table:
    def __init__(self, seconds):
        self.seconds, self.rows = seconds, []

    def row(self, name, url, path, asked):
        told = []
        for clients in (1, 8):
            it = load(url, path, asked, clients, self.seconds)
            failed = f", **{it['failed']} failed**" if it["failed"] else ""
            told.append(f"{it['rate']:.0f}/s, p50 {it['p50']:.1f} ms, p99 {it['p99']:.1f} ms{failed}")
        self.rows.append(f"| {name} | {told[0]} | {told[1]} |")
        print(self.rows[-1], flush=True)

    def searches(self, name, url, questions, index):
        asked = named(questions, index)
        self.row(f"{name}, {hits(url, asked)} hits", url, "/knn-service", asked)


def search(args, table):
    peers = make(args.folder)
    server = Server(args.tuwen, args.folder / "gallery")
    try:
        name = json.loads(server.ask("GET", "/indices-list")[1])[0]
        table.searches("tuwen, a vector of 256 values (exact)", server.url, peers / "vectors.jsonl", name)
        table.searches("tuwen, words by its built-in model", server.url, peers / "words.jsonl", name)
    finally:
        server.stop()
    url, asked = f"http://127.0.0.1:{PORT}", named(peers / "vectors.jsonl", "exact")
    command = [sys.executable, __file__, "--serve", peers / "paths.json"]
    process = peer("clip-retrieval", command, peers / "log.txt", lambda: hits(url, asked))
    try:
        table.searches("clip-retrieval, a vector of 256 values (exact)", url, peers / "vectors.jsonl", "exact")
        table.searches("clip-retrieval, a vector of 256 values (autofaiss's index)", url, peers / "vectors.jsonl", "autofaiss")
        table.searches("clip-retrieval, words by ViT-B/32, 512 values (exact)", url, peers / "words.jsonl", "words")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def embed(args, table):
    clip = make_clip(args.folder, args.tuwen)
    texts = args.folder / "peers" / "texts.jsonl"

    def vector(url, path):
        return ask(url, path, texts)["data"][0]["embedding"]

    server = Server(args.tuwen, args.folder / "peers" / "clip-gallery")
    try:
        own = vector(server.url, "/v1/embeddings")
        table.row("tuwen, a text through ViT-B/32", server.url, "/v1/embeddings", texts)
    finally:
        server.stop()
    url = f"http://127.0.0.1:{PORT}"
    command = [pathlib.Path(sys.executable).with_name("infinity_emb"), "v2", "--model-id", clip, "--served-model-name", "clip",
               "--host", "127.0.0.1", "--port", PORT, "--engine", "torch", "--device", "cpu", "--no-bettertransformer"]
    process = peer("infinity", command, args.folder / "peers" / "infinity.txt", lambda: vector(url, "/embeddings"),
                   INFINITY_ANONYMOUS_USAGE_STATS="0", HF_HUB_OFFLINE="1")
    try:
        other = vector(url, "/embeddings")
        lengths = [sum(v * v for v in of) ** 0.5 for of in (own, other)]
        cosine = sum(a * b for a, b in zip(own, other, strict=True)) / lengths[0] / lengths[1]
        if cosine < 0.9999:
            raise SystemExit(f"the vectors of one text are not the same: their cosine is {cosine}")
        table.row("infinity, a text through ViT-B/32", url, "/embeddings", texts)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", help="only run clip-retrieval's back end with this file of indices")
    parser.add_argument("--tuwen")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=15)
    args = parser.parse_args()
    if args.serve:
        return clip_retrieval(args.serve)
    table = Table(args.seconds)
    search(args, table)
    embed(args, table)
    head = "| server and question | 1 client | 8 clients |\n|---|---|---|"
    print(f"\n{processor()}; load before it began {BEFORE:.1f}\n\n{head}\n" + "\n".join(table.rows))


if __name__ == "__main__":
    main()
