"""Approximate search beside others, on the same vectors and the same machine, in one run:

    cargo bench --workspace --bench cells --no-run
    python scripts/bench/scale.py target/release/deps/cells-HASH OUT ROWS [NAME ...]

(numpy, faiss-cpu, hnswlib, usearch and psutil of PyPI, in an environment of their own.) The gallery is made by
`cells make OUT ROWS`; queries are 2,000 captions of pictures that are not in it. Each index gets the smallest setting
at which the first 1,000 find 0.98 of the ten best; the other 1,000 are measured: one by one on one thread, in seconds
of CPU time. Memory is what the process has grown by with the index and its vectors."""
import json
import os
import subprocess
import sys
import time
import numpy as np
import psutil

program, out, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
names = sys.argv[4:] or ["ours", "faiss-ivf", "faiss-ivfpq", "faiss-hnsw", "hnswlib", "usearch"]
K, TARGET, DIM = 10, 0.98, 512
THREADS = os.cpu_count()


def fbin(path):
    n, d = np.fromfile(path, "<u4", 2)
    return np.memmap(path, "<f4", "r", 8, (int(n), int(d)))


def recall(found, wanted):
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found, wanted)]))


def cpu():
    """Of all threads, by the system's clock for them."""
    t = psutil.Process().cpu_times()
    return t.user + t.system


def measure(name, build, settings, search):
    before, rss = cpu(), psutil.Process().memory_info().rss
    begun = time.perf_counter()
    index = build()
    built, wall = cpu() - before, time.perf_counter() - begun
    grown = (psutil.Process().memory_info().rss - rss) / 1e6
    for setting in settings:
        found = np.array([search(index, q, setting) for q in queries[:1000]])
        if recall(found, truth[:1000]) >= TARGET:
            break
    found = [search(index, q, setting) for q in queries[1000:1100]]
    before, begun = cpu(), time.perf_counter()
    found = [search(index, q, setting) for q in queries[1000:]]
    spent = cpu() - before
    print(json.dumps({
        "name": name, "rows": rows, "setting": setting, "recall": round(recall(found, truth[1000:]), 4),
        "queries_per_cpu_s": round(1000 / spent), "ms": round(time.perf_counter() - begun, 3),
        "built_s": round(wall, 1), "built_cpu_s": round(built, 1), "mb": round(grown),
    }), flush=True)
    del index


if "ours" in names:
    print(subprocess.run([program, "search", out, str(rows)], capture_output=True, text=True, check=True).stdout, end="", flush=True)
import faiss

faiss.omp_set_num_threads(THREADS)
base = np.ascontiguousarray(fbin(f"{out}/{rows}.fbin"))
queries = np.ascontiguousarray(fbin(f"{out}/queries.fbin"))
flat = faiss.IndexFlatIP(DIM)
flat.add(base)
truth = flat.search(queries, K)[1]
del flat


def one(index, query):
    return index.search(query[None], K)[1][0]


def faiss_ivf(kind, **more):
    def build():
        index = faiss.index_factory(DIM, f"IVF{max(rows // 256, 64)},{kind}", faiss.METRIC_INNER_PRODUCT)
        # The quantiser as it is made for inner products; more points for each centre than these change little.
        faiss.extract_index_ivf(index).cp.max_points_per_centroid = 64
        index.train(base)
        index.add(base)
        faiss.omp_set_num_threads(1)
        return index
    return build


def ivf_search(index, query, setting):
    faiss.extract_index_ivf(index).nprobe = setting[0]
    if len(setting) > 1:
        index.k_factor = setting[1]
    return one(index, query)


def faiss_hnsw():
    index = faiss.IndexHNSWFlat(DIM, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 200
    index.add(base)
    faiss.omp_set_num_threads(1)
    return index


def hnsw_search(index, query, ef):
    index.hnsw.efSearch = ef
    return one(index, query)


def hnswlib_build():
    import hnswlib
    index = hnswlib.Index("ip", DIM)
    index.init_index(rows, M=16, ef_construction=200)
    index.set_num_threads(THREADS)
    index.add_items(base)
    index.set_num_threads(1)
    return index


def hnswlib_search(index, query, ef):
    index.set_ef(ef)
    return index.knn_query(query, K)[0][0]


def usearch_build():
    from usearch.index import Index
    index = Index(ndim=DIM, metric="ip", dtype="f16", connectivity=16, expansion_add=200)
    index.add(np.arange(rows), base, threads=THREADS)
    return index


def usearch_search(index, query, ef):
    index.expansion_search = ef
    return index.search(query, K, threads=1).keys


efs = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048]
probes = [(n,) for n in (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024)]
fast = [(n, f) for (n,) in probes for f in (8, 16, 32)]
todo = {
    "faiss-ivf": (faiss_ivf("Flat"), probes, ivf_search),
    "faiss-ivfpq": (faiss_ivf("PQ256x4fs,RFlat"), fast, ivf_search),
    "faiss-hnsw": (faiss_hnsw, efs, hnsw_search),
    "hnswlib": (hnswlib_build, efs, hnswlib_search),
    "usearch": (usearch_build, efs, usearch_search),
}
for name in names:
    if name in todo:
        faiss.omp_set_num_threads(THREADS)
        measure(name, *todo[name])
