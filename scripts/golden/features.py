"""Features by scikit-learn, gensim, OpenCV and scikit-image on texts and pictures that are drawn here."""
import json, pathlib, struct
import cv2
import numpy as np
from gensim.models import FastText, KeyedVectors, fasttext
from skimage import color, feature
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

HERE = pathlib.Path(__file__).parent
OUT = HERE / "../../crates/features/tests/golden"
rounded = lambda values, digits=6: [round(float(v), digits) for v in np.asarray(values).ravel()]

# ---- texts ----
THINGS = ["dog", "cat", "horse", "car", "boat", "child", "woman", "bird", "ball", "tree"]
PLACES = ["beach", "street", "field", "river", "garden", "snow"]
rng = np.random.default_rng(7)


def sentence():
    topic = rng.integers(2)
    words = (THINGS[:5], THINGS[5:])[topic]
    places = (PLACES[:3], PLACES[3:])[topic]
    return f"a {rng.choice(words)} and a {rng.choice(words)} on the {rng.choice(places)}"


texts = [sentence() for _ in range(40)] + [""]
split = {"token_pattern": r"(?u)\b\w+\b"}
counts = CountVectorizer(**split)
bag = counts.fit_transform(texts).astype(float)
tfidf = TfidfVectorizer(**split).fit_transform(texts)
N, lengths = bag.shape[0], np.asarray(bag.sum(1)).ravel()
df = np.asarray((bag > 0).sum(0)).ravel()
idf = np.log(1 + (N - df + 0.5) / (df + 0.5))
dense = bag.toarray()
bm25 = idf * dense * 2.2 / np.maximum(dense + 1.2 * (1 - 0.75 + 0.75 * lengths / lengths.mean())[:, None], 1e-12)

K = 3
first = np.linspace(0.8, 1.2, K * bag.shape[1]).reshape(K, -1) * (1 + 0.1 * np.sin(np.arange(K * bag.shape[1]))).reshape(K, -1)
lda = LatentDirichletAllocation(K, learning_method="batch", max_iter=1, random_state=0).fit(bag)


def set_topics(components):
    lda.components_ = components
    e = lambda x: __import__("scipy.special").special.psi(x)
    lda.exp_dirichlet_component_ = np.exp(e(components) - e(components.sum(1))[:, None])


set_topics(first)
for _ in range(5):
    _, statistics = lda._e_step(bag, cal_sstats=True, random_init=False)
    set_topics(lda.topic_word_prior_ + statistics)
text_golden = {
    "texts": texts, "words": sorted(counts.vocabulary_), "counts": dense.tolist(), "tfidf": rounded(tfidf.toarray()),
    "bm25": rounded(bm25), "first": rounded(first), "topics": rounded(lda.components_, 4),
    "shares": rounded(lda.transform(bag), 5), "perplexity": lda.perplexity(bag),
}

# ---- word vectors ----
small = FastText([t.split() for t in texts if t], vector_size=6, min_count=1, min_n=2, max_n=4, bucket=50, epochs=3, seed=1, workers=1)
fasttext.save_facebook_model(small, str(OUT / "fasttext.bin"))
vectors = small.wv
plain = KeyedVectors(6)
names = ["dog", "cat", "beach", "狗", "Dog"]
plain.add_vectors(names, np.array([np.linspace(-1, 1, 6) * (i + 1) for i in range(5)], dtype=np.float32))
plain.save_word2vec_format(str(OUT / "word2vec.bin"), binary=True)
plain.save_word2vec_format(str(OUT / "word2vec.txt"), binary=False)
(OUT / "glove.txt").write_text("".join(f"{w} {' '.join(map(str, plain[w]))}\n" for w in names))
text_golden["fasttext"] = {w: rounded(vectors[w]) for w in vectors.index_to_key}

# ---- pictures ----


def drawn():
    """Shapes and noise that is smoothed, 200 x 150."""
    picture = np.zeros((150, 200, 3), np.uint8)
    picture[:] = (120, 90, 60)
    cv2.circle(picture, (60, 50), 30, (30, 200, 240), -1)
    cv2.rectangle(picture, (110, 20), (170, 70), (200, 60, 40), -1)
    cv2.ellipse(picture, (140, 110), (40, 20), 25, 0, 360, (60, 220, 90), -1)
    for i in range(6):
        cv2.line(picture, (10 + 12 * i, 90), (40 + 8 * i, 145), (240 - 20 * i, 40 * i, 250), 2)
    cv2.putText(picture, "tuwen", (20, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    noise = cv2.GaussianBlur(rng.normal(0, 60, picture.shape), (0, 0), 2.5) * 2
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


picture = drawn()
cv2.imwrite(str(OUT / "drawn.png"), picture)
rgb = picture[:, :, ::-1]
grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def shares(values, boxes, ranges):
    found, _ = np.histogramdd(values.reshape(-1, 3), boxes, ranges)
    return rounded(found / found.sum())


def lbp(points, radius):
    patterns = feature.local_binary_pattern(grey, points, radius, "uniform")
    return np.bincount(patterns.astype(int).ravel(), minlength=points + 2) / patterns.size


sift = cv2.SIFT_create()
keypoints, descriptors = sift.detectAndCompute(grey, None)
lists = lambda kps: [[round(float(v), 4) for v in (*k.pt, k.size, k.angle, k.response)] for k in kps]
grid = [cv2.KeyPoint(float(x), float(y), 4.0, 0.0) for y in range(4, 150, 24) for x in range(4, 200, 24)]
grid, dense_sift = sift.compute(grey, grid)
orb_keypoints, orb_descriptors = cv2.ORB_create().detectAndCompute(grey, None)
image_golden = {
    "grey": [int(grey.sum()), *map(int, grey[75, :8])],
    "hsv": shares(color.rgb2hsv(rgb), (16, 4, 4), [(0, 1)] * 3),
    "lab": shares(np.clip(color.rgb2lab(rgb), [0, -100, -100], [100, 100, 100]), (4, 8, 8), [(0, 100), (-100, 100), (-100, 100)]),
    "lbp": rounded(np.concatenate([lbp(8, 1), lbp(16, 2), lbp(24, 3)])),
    "hog": rounded(feature.hog(grey, 9, (16, 16), (2, 2), block_norm="L2-Hys")),
    "sift": {"keypoints": lists(keypoints), "octaves": [((k.octave & 255) ^ 128) - 128 for k in keypoints],
             "descriptors": descriptors.astype(int).ravel().tolist()},
    "dense": {"places": [list(map(int, k.pt)) for k in grid], "descriptors": dense_sift.astype(int).ravel().tolist()},
    "orb": {"keypoints": lists(orb_keypoints), "octaves": [k.octave for k in orb_keypoints], "descriptors": orb_descriptors.ravel().tolist()},
}


# ---- GIST, by its definition in NumPy ----
def gist(grey):
    side, frame, edge = 128, 256, 64
    frequency = np.fft.fftfreq(frame) * frame
    fx, fy = np.meshgrid(frequency, frequency)
    low = np.exp(-(fx ** 2 + fy ** 2) / (4 / np.sqrt(np.log(2))) ** 2)
    smooth = lambda x: np.fft.ifft2(np.fft.fft2(x) * low).real
    x = np.pad(np.log(grey.astype(float) + 1), edge, mode="symmetric")
    x = x - smooth(x)
    x = x / (0.2 + np.sqrt(np.abs(smooth(x ** 2))))
    spectrum, found = np.fft.fft2(x), []
    radius, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    for scale in range(4):
        for turn in range(8):
            towards = angle + np.pi / 8 * turn
            towards = towards + 2 * np.pi * (towards < -np.pi) - 2 * np.pi * (towards > np.pi)
            gabor = np.exp(-10 * 0.35 * (radius / frame / (0.3 / 1.85 ** scale) - 1) ** 2 - 2 * np.pi * 1.0 * towards ** 2)
            energy = np.abs(np.fft.ifft2(spectrum * gabor))[edge:-edge, edge:-edge]
            found.append(energy.reshape(4, 32, 4, 32).mean((1, 3)))
    return rounded(found, 7)


image_golden["gist"] = gist(grey[:128, :128])
for name, golden in [("texts", text_golden), ("pictures", image_golden)]:
    (OUT / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
