"""The first five of 50,000 for 5,000 queries of 512 values: numpy and, where it is installed, FAISS flat.
Beside it, on the same machine: cargo bench --workspace --bench rank."""
import time
import numpy as np

rng = np.random.default_rng(0)
queries, gallery = (rng.random((n, 512), dtype=np.float32) - 0.5 for n in (5_000, 50_000))


def timed(name, run):
    best = min(timer(run) for _ in range(3))
    print(f"{name}: {best:.2f} s, {2e-9 * 5_000 * 50_000 * 512 / best:.0f} GFLOPS")


def timer(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def numpy_top5():
    for block in np.array_split(queries, 20):
        scores = block @ gallery.T
        best = np.argpartition(-scores, 5, axis=1)[:, :5]
        np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)


timed("numpy", numpy_top5)
try:
    import faiss
    index = faiss.IndexFlatIP(512)
    index.add(gallery)
    timed("FAISS flat", lambda: index.search(queries, 5))
except ImportError:
    print("faiss-cpu is not installed")
