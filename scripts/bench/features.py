"""SIFT's pictures/s beside OpenCV's, and Word2Vec's words/s beside gensim's, on the same processor.

    python features.py TUWEN FOLDER CAPTIONS [THREADS]

FOLDER has pictures, CAPTIONS is a file with one text a line. Both read and decode the pictures. OpenCV is taken as it is
faster: with its own threads one picture after the other, or one thread a picture in as many threads."""
import json, pathlib, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
import cv2
from gensim.models import Word2Vec

tuwen, folder, captions = sys.argv[1:4]
threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
files = sorted(str(p) for p in pathlib.Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".png"))
home = tempfile.mkdtemp()


def ours(*args):
    best = None
    for _ in range(3):
        done = subprocess.run([tuwen, "features", *args, "--json", "--force"], check=True, capture_output=True, text=True,
                              env={"RAYON_NUM_THREADS": str(threads), "PATH": ""})
        found = json.loads(done.stdout)
        best = found if best is None or found["seconds"] < best["seconds"] else best
    return best


def one(file):
    return len(cv2.SIFT_create().detectAndCompute(cv2.imread(file, cv2.IMREAD_GRAYSCALE), None)[0])


def opencv(own):
    cv2.setNumThreads(threads if own else 1)
    begin = time.time()
    if own:
        count = sum(map(one, files))
    else:
        with ThreadPoolExecutor(threads) as pool:
            count = sum(pool.map(one, files))
    return len(files) / (time.time() - begin), count


theirs = [max(opencv(own) for _ in range(3)) for own in (True, False)]
sift = ours("image", "--kind", "sift", folder, "--output", f"{home}/sift.npy")
print(f"SIFT, pictures/s: tuwen {sift['pictures'] / sift['seconds']:.1f} ({sift['rows']} keypoints); OpenCV {cv2.__version__} "
      f"{theirs[0][0]:.1f} with its own threads, {theirs[1][0]:.1f} with a picture a thread ({theirs[0][1]} keypoints)")

# The same words for both: what tuwen cuts is written with blanks between.
texts = [line.split() for line in open(captions, encoding="utf-8")]
epochs, words = 5, sum(map(len, texts))
w2v = ours("text", "--kind", "word2vec", captions, "--output", f"{home}/w.npy", "--words", f"{home}/w.txt", "--min-texts", "5",
           "--max-words", "1000000", "--threads", str(threads), "--epochs", str(epochs))
model = Word2Vec(vector_size=100, window=5, min_count=5, sg=1, negative=5, workers=threads, seed=1)
model.build_vocab(texts)
seconds = []
for _ in range(3):
    begin = time.time()
    model.train(texts, total_examples=len(texts), epochs=epochs)
    seconds.append(time.time() - begin)
print(f"Word2Vec, {words} words, {epochs} epochs, words/s: tuwen {words * epochs / w2v['seconds']:.0f} (with counting), "
      f"gensim {words * epochs / min(seconds):.0f}")
