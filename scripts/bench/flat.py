"""FAISS's IndexFlatIP with the vectors of `cargo bench -p tuwen-index --bench codes -- OUT`, on the same machine:
python scripts/bench/flat.py OUT (numpy and faiss-cpu of PyPI, in an environment of their own)."""
import sys
import time
import faiss
import numpy as np

out = sys.argv[1]


def best(run):
    """In ms: of nine runs, or of as many as ten seconds have room for."""
    run()
    times = []
    while len(times) < 9 and sum(times) < 10:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


print(f"faiss {faiss.__version__}, {faiss.get_compile_options()}")
for rows, dim in ((100_000, 256), (1_000_000, 512)):
    gallery, queries = (
        np.fromfile(f"{out}/{rows}x{dim}{end}", "<f4").reshape(-1, dim) for end in (".f32", ".queries.f32")
    )
    index = faiss.IndexFlatIP(dim)
    index.add(gallery)
    print(f"{rows} x {dim}")
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        for count in (1, 8, 64):
            each = best(lambda: index.search(queries[:count], 10)) / count
            print(f"   {threads} threads, {count:2} queries: {each:.3f} ms a query")
    del index, gallery
