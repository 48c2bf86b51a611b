"""The clients of other programs against a running server: `tuwen serve` on a gallery of `tuwen demo`.

    python3 -m venv /tmp/clients && /tmp/clients/bin/pip install openai huggingface_hub numpy requests
    /tmp/clients/bin/pip install --no-deps clip-retrieval
    tuwen demo --folder /tmp/demo && tuwen serve --gallery demo=/tmp/demo/gallery &
    /tmp/clients/bin/python clients.py http://127.0.0.1:8787

`clip-client` needs jina, which needs pydantic 1, and so an environment of its own; jina's wish for old versions can be passed over:

    pip install --no-deps clip-client jina==3.23.2 docarray==0.21.1 jina-hubble-sdk jcloud
    pip install "pydantic<2" "fastapi<0.100" "numpy<2" "protobuf<5" aiofiles aiohttp docker filelock grpcio grpcio-health-checking \\
        grpcio-reflection importlib-metadata opentelemetry-exporter-otlp opentelemetry-instrumentation-aiohttp-client \\
        opentelemetry-instrumentation-grpc pathspec prometheus-client python-dateutil python-dotenv python-jose pyyaml requests rich \\
        uvloop websockets
    python clients.py http://127.0.0.1:8787 --only clip-client

Prints what each saw, and ends with 1 where one saw something wrong. A client that is not installed is said to be
missing, which is wrong as well, unless `--without NAME` or `--only NAME` says so.
"""
import argparse, base64, importlib.metadata, importlib.util, io, json, pathlib, sys, tempfile, traceback

import requests

CLIENTS = {}


def client(name):
    return lambda check: CLIENTS.setdefault(name, check)


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5


def a_picture(url):
    """A picture of the gallery: its item, and the bytes of its file."""
    item = requests.get(f"{url}/v1/items?k=1", timeout=60).json()["hits"][0]
    whole = requests.get(f"{url}/v1/items/{item['id']}/image", timeout=60)
    whole.raise_for_status()
    return item, whole.content


def embedding(url, text):
    answer = requests.post(f"{url}/v1/embeddings", json={"input": text}, timeout=60)
    answer.raise_for_status()
    return answer.json()["data"][0]["embedding"]


def uri(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


@client("clip-retrieval")
def clip_retrieval(url):
    # The package's own start imports its server with faiss and torch; the client is one file of it.
    path = importlib.metadata.distribution("clip-retrieval").locate_file("clip_retrieval/clip_client.py")
    spec = importlib.util.spec_from_file_location("clip_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    item, content = a_picture(url)
    index = requests.get(f"{url}/indices-list", timeout=60).json()[0]
    ask = module.ClipClient(url=f"{url}/knn-service", indice_name=index, num_images=5)
    by_words = ask.query(text="a dog on the grass")
    yield "words", [(hit["id"], round(hit["similarity"], 4), hit["image_path"].rsplit("/", 1)[-1]) for hit in by_words]
    assert by_words and all(base64.b64decode(hit["image"])[:3] == b"\xff\xd8\xff" for hit in by_words)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "query"
        file.write_bytes(content)
        by_picture = ask.query(image=str(file))
    yield "picture", [(hit["id"], round(hit["similarity"], 4)) for hit in by_picture]
    assert by_picture[0]["id"] == item["id"] and by_picture[0]["similarity"] > 0.999
    by_vector = ask.query(embedding_input=embedding(url, "a dog on the grass"))
    assert [hit["id"] for hit in by_vector] == [hit["id"] for hit in by_words], "vector and words disagree"
    texts = module.ClipClient(url=f"{url}/knn-service", indice_name=index, modality=module.Modality.TEXT, num_images=2)
    yield "captions", [hit.get("caption") for hit in texts.query(text="a dog")]
    ids = [hit["id"] for hit in by_words]
    known = requests.post(f"{url}/metadata", data=json.dumps({"ids": ids, "indice_name": index}), timeout=60).json()
    assert [one["id"] for one in known] == ids
    yield "metadata", sorted(known[0]["metadata"])
    yield "an address", ask.query(image="http://127.0.0.1/x.png")
    wrong = module.ClipClient(url=f"{url}/knn-service", indice_name="laion5B").query(text="a dog")
    yield "another index", wrong
    assert "laion5B" in wrong["message"]


@client("openai")
def openai(url):
    from openai import OpenAI, APIStatusError

    ask = OpenAI(base_url=f"{url}/v1", api_key="a key that is 16 long", max_retries=0)
    texts = ["a dog", "一只狗", "a bus"]
    # The client asks for base64 unless told otherwise, and decodes it.
    packed = ask.embeddings.create(model="tuwen-small", input=texts)
    floats = ask.embeddings.create(model="tuwen-small", input=texts, encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1, 2]
    for one, other in zip(packed.data, floats.data, strict=True):
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding, strict=True)) < 1e-6
    raw = ask.embeddings.create(model="tuwen-small", input="a dog", encoding_format="base64")
    assert isinstance(raw.data[0].embedding, str)
    vectors = [one.embedding for one in packed.data]
    yield "width, tokens", (len(vectors[0]), packed.usage.total_tokens)
    yield "dog and 狗, dog and bus", (round(cosine(vectors[0], vectors[1]), 3), round(cosine(vectors[0], vectors[2]), 3))
    item, content = a_picture(url)
    picture = ask.embeddings.create(model="tuwen-small", input=uri(content))
    yield "a picture", len(picture.data[0].embedding)
    try:
        ask.embeddings.create(model="ada", input="x")
        raise AssertionError("a model that is not here was taken")
    except APIStatusError as error:
        yield "another model", (error.status_code, error.body["detail"])


@client("huggingface_hub")
def text_embeddings(url):
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    ask = InferenceClient(model=f"{url}/embed")
    found = ask.feature_extraction("a dog", normalize=True, truncate=True)
    yield "shape of /embed", found.shape
    assert max(abs(a - b) for a, b in zip(found[0].tolist(), embedding(url, "a dog"), strict=True)) < 1e-5
    info = requests.get(f"{url}/info", timeout=60).json()
    yield "/info", {key: info[key] for key in ("model_id", "max_input_length", "max_client_batch_size")}
    try:
        ask.feature_extraction("a dog " * 500, truncate=False)
        raise AssertionError("a text beyond the context was taken")
    except HfHubHTTPError as error:
        yield "a long text", (error.response.status_code, error.response.json())


@client("clip-as-service")
def clip_as_service(url):
    # As its documentation asks with curl.
    item, content = a_picture(url)
    body = {"data": [{"text": "a dog"}, {"blob": base64.b64encode(content).decode()}], "execEndpoint": "/"}
    answer = requests.post(f"{url}/post", json=body, timeout=60).json()
    assert len(answer["data"]) == 2 and max(map(abs, answer["data"][0]["embedding"])) <= 1
    yield "header", answer["header"]
    matches = [{"text": "a dog"}, {"text": "a bus"}, {"text": "a birthday cake"}]
    body = {"data": [{"uri": uri(content), "matches": matches}], "execEndpoint": "/rank"}
    ranked = requests.post(f"{url}/post", json=body, timeout=60).json()["data"][0]["matches"]
    yield item["name"], [(one["text"], round(one["scores"]["clip_score"]["value"], 3)) for one in ranked]
    assert abs(sum(one["scores"]["clip_score"]["value"] for one in ranked) - 1) < 1e-4
    body = {"data": [{"text": "x"}], "execEndpoint": "/index"}
    yield "/index", requests.post(f"{url}/post", json=body, timeout=60).json()["header"]["status"]["description"]


@client("clip-client")
def clip_client(url):
    from clip_client import Client
    from docarray import Document

    ask = Client(url)
    item, content = a_picture(url)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "picture.png"
        file.write_bytes(content)
        found = ask.encode(["a dog", "一只狗", str(file)], show_progress=False)
        yield "shape", found.shape
        for row, text in zip(found, ["a dog", "一只狗", uri(content)], strict=True):
            assert max(abs(a - b) for a, b in zip(row.tolist(), embedding(url, text), strict=True)) < 1e-5
        many = ask.encode([f"photo number {at}" for at in range(300)], show_progress=False)
        yield "of 300 texts", many.shape
        matches = [Document(text=text) for text in ("a dog", "a bus", "a birthday cake")]
        ranked = ask.rank([Document(uri=str(file), matches=matches)], show_progress=False)[0].matches
    yield item["name"], [(one.text, round(one.scores["clip_score"].value, 3)) for one in ranked]
    assert abs(sum(one.scores["clip_score"].value for one in ranked) - 1) < 1e-4
    yield "profile", sorted(ask.profile("a text that nobody has sent before"))
    try:
        ask.search(["x"])
        raise AssertionError("/search was taken")
    except ValueError as error:
        yield "/search", str(error)[:200]


@client("immich")
def immich(url):
    # The form that an immich server sends; it is no package.
    assert requests.get(f"{url}/ping", timeout=60).text == "pong"
    entries = json.dumps({"clip": {"textual": {"modelName": "ViT-B-32__openai", "options": {"language": "zh"}}}})
    answer = requests.post(f"{url}/predict", files={"entries": (None, entries), "text": (None, "一只狗")}, timeout=60).json()
    assert isinstance(answer["clip"], str)
    assert max(abs(a - b) for a, b in zip(json.loads(answer["clip"]), embedding(url, "一只狗"), strict=True)) < 1e-5
    item, content = a_picture(url)
    entries = json.dumps({"clip": {"visual": {"modelName": "ViT-B-32__openai"}}})
    files = {"entries": (None, entries), "image": ("blob", io.BytesIO(content), "application/octet-stream")}
    answer = requests.post(f"{url}/predict", files=files, timeout=60).json()
    yield item["name"], (answer["imageWidth"], answer["imageHeight"], len(json.loads(answer["clip"])))
    assert (answer["imageWidth"], answer["imageHeight"]) == (item["width"], item["height"])
    entries = json.dumps({"ocr": {"detection": {"modelName": "x", "options": {}}}})
    refused = requests.post(f"{url}/predict", files={"entries": (None, entries), "text": (None, "x")}, timeout=60)
    yield "text in pictures", (refused.status_code, refused.json())
    assert not refused.ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--without", action="append", default=[], choices=CLIENTS)
    parser.add_argument("--only", action="append", default=[], choices=CLIENTS)
    given = parser.parse_args()
    failed = []
    for name, check in CLIENTS.items():
        if name in given.without or given.only and name not in given.only:
            continue
        try:
            for what, seen in check(given.url.rstrip("/")):
                print(f"{name}: {what}: {seen}")
            print(f"{name}: good")
        except Exception:
            traceback.print_exc()
            print(f"{name}: WRONG")
            failed.append(name)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
