"""Vectors as pyarrow, faiss and NumPy write them -> crates/sets/tests/golden/vectors/

Needs pyarrow, faiss-cpu and numpy. The same eight rows of six values are in every file; `rows.json` has them as unit
vectors, with the paths, urls and captions of the tables."""

import json
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).resolve().parents[2] / "crates/sets/tests/golden/vectors"
ROWS, DIM = 8, 6


def flat(rows, name, index, ids=None):
    index.add(rows) if ids is None else index.add_with_ids(rows, np.array(ids))
    faiss.write_index(index, str(OUT / name))


def trained(rows, name, spec):
    index = faiss.index_factory(DIM, spec, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    faiss.write_index(index, str(OUT / name))


def table(name, columns, **how):
    pq.write_table(pa.table(columns), OUT / name, **how)


def lists(rows, of, width=-1):
    return pa.array([list(row) for row in rows], pa.list_(of, width))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20)
    rows = random.standard_normal((ROWS, DIM)).astype("f4")
    texts = random.standard_normal((ROWS, DIM)).astype("f4")
    # Exact in 16 bits too, so that every file has the same numbers.
    rows, texts = rows.astype("f2").astype("f4"), texts.astype("f2").astype("f4")
    paths = [f"照片/{row}.jpg" for row in range(ROWS)]
    urls = [f"https://example.org/{row}.jpg" for row in range(ROWS)]
    captions = [f"caption {row}" for row in range(ROWS)]

    flat(rows, "ip.faiss", faiss.IndexFlatIP(DIM))
    flat(rows, "l2.faiss", faiss.IndexFlatL2(DIM))
    ids = [70, 3, 12, 5, 9, 41, 8, 6]
    flat(rows, "ids.faiss", faiss.IndexIDMap(faiss.IndexFlatIP(DIM)), ids)
    flat(rows, "ids2.faiss", faiss.IndexIDMap2(faiss.IndexFlatL2(DIM)), ids)
    many = random.standard_normal((80, DIM)).astype("f4")
    trained(many, "ivf.faiss", "IVF2,Flat")
    trained(many[:32], "hnsw.faiss", "HNSW4")
    trained(many, "sq8.faiss", "SQ8")

    f32, f64, f16 = pa.float32(), pa.float64(), pa.float16()
    table("list.parquet", {"image_path": paths, "caption": captions, "embedding": lists(rows, f32)}, row_group_size=3)
    table("fixed.parquet", {"image_path": paths, "embedding": lists(rows, f32, DIM)}, compression="zstd")
    table("double.parquet", {"path": paths, "vector": lists(rows, f64)}, use_dictionary=False, data_page_version="2.0")
    half = pa.array([list(row) for row in rows.astype("f2")], pa.list_(f16))
    table("half.parquet", {"key": paths, "emb": half})
    # img2dataset's and LAION's names, both vectors beside each other, a caption that is missing.
    some = captions[:-1] + [None]
    laion = {"URL": urls, "TEXT": some, "WIDTH": list(range(ROWS)), "image_embedding": lists(rows, f32)}
    table("laion.parquet", laion | {"text_embedding": lists(texts, f32)}, compression="gzip")
    short = [list(row) for row in rows[:-1]] + [[1.0] * (DIM - 1)]
    table("uneven.parquet", {"path": paths, "embedding": pa.array(short + [[1.0] * (DIM + 1)], pa.list_(f32))[1:]})
    null = [list(row) for row in rows]
    null[4][2] = None
    table("null.parquet", {"path": paths, "embedding": pa.array(null, pa.list_(f32))})
    table("none.parquet", {"path": paths, "caption": captions})
    table("nameless.parquet", {"width": list(range(ROWS)), "embedding": lists(rows, f32)})

    # clip-retrieval's folder: rows are pairs, so that the first picture is there twice.
    pairs = [0, 0, *range(1, ROWS)]
    for part, some in enumerate([pairs[:5], pairs[5:]]):
        for name, of in [("img_emb", rows[some]), ("text_emb", texts[some])]:
            (OUT / "folder" / name).mkdir(parents=True, exist_ok=True)
            np.save(OUT / "folder" / name / f"{name}_{part}.npy", of.astype("f2"))
        (OUT / "folder/metadata").mkdir(exist_ok=True)
        of = {"image_path": [paths[row] for row in some], "caption": [captions[row] for row in some]}
        table(f"folder/metadata/metadata_{part}.parquet", of)

    unit = [(of / np.linalg.norm(of, axis=1, keepdims=True)).tolist() for of in (rows, texts)]
    golden = {"images": unit[0], "texts": unit[1], "paths": paths, "urls": urls, "captions": captions, "ids": ids}
    (OUT / "rows.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


main()
