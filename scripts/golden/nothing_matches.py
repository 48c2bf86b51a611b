"""How much the word `none` ("nothing matches") of a search can be trusted, on a captioned set that half is in a gallery.

    python3 scripts/golden/nothing_matches.py --tuwen target/release/tuwen --photos FOLDER --english captions.en.txt --chinese captions.zh.txt

FOLDER has the photos (`ID.jpg`); the captions are Flickr8k's (`ID.jpg#N<TAB or space>text`). Every other photo goes into the gallery with
all captions but its last; asked are the last captions of photos that are there, of photos that are not, and names of things that no
photo of Flickr8k shows; pictures are searched, then captions. Prints precision and recall of `none`, with Wilson's intervals of 95%."""
import argparse
import csv
import http.client
import json
import math
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ABSENT = {
    "en": "teapot, stethoscope, microscope, washing machine, submarine, space shuttle, microwave oven, printer, cactus, pineapple, broccoli, "
          "lobster, octopus, penguin, zebra, giraffe, kangaroo, koala, panda, scorpion, snail, typewriter, grand piano, harp, chess board, "
          "hourglass, compass, thermometer, sewing machine, vacuum cleaner, toaster, refrigerator, dishwasher, bathtub, toilet, lipstick, "
          "wedding cake, tank, fighter jet, container ship, lighthouse, windmill",
    "zh": "茶壶, 听诊器, 显微镜, 洗衣机, 潜水艇, 航天飞机, 微波炉, 打印机, 仙人掌, 菠萝, 西兰花, 龙虾, 章鱼, 企鹅, 斑马, 长颈鹿, 袋鼠, 考拉, 熊猫, 蝎子, "
          "蜗牛, 打字机, 三角钢琴, 竖琴, 棋盘, 沙漏, 指南针, 温度计, 缝纫机, 吸尘器, 烤面包机, 冰箱, 洗碗机, 浴缸, 马桶, 口红, 婚礼蛋糕, 坦克, 战斗机, "
          "集装箱船, 灯塔, 风车",
}

# Short names of what photos of Flickr8k show; asked are those that captions of four photos of the gallery or more have.
PRESENT = {
    "en": {"a dog": "dog", "a man": "man", "a woman": "woman", "a boy": "boy", "a girl": "girl", "people": "people", "children": "children", "a ball": "ball",
           "a bicycle": "bike", "snow": "snow", "grass": "grass", "water": "water", "the beach": "beach", "a street": "street", "a car": "car", "a horse": "horse",
           "a swimming pool": "pool", "a swing": "swing", "a football player": "football", "a skateboard": "skateboard", "a mountain": "mountain",
           "a red shirt": "red shirt", "a hat": "hat", "a tree": "tree", "sand": "sand"},
    "zh": {word: word for word in "狗 男人 女人 男孩 女孩 小孩 球 自行车 雪地 草地 水 海滩 街道 汽车 马 游泳池 秋千 滑板 山 帽子 树 孩子 人群 足球".split()},
}


def captions(path):
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(\S+?)\.jpg#(?:\w+#)?\d+\s+(.*)", line)
        if match:
            found.setdefault(match[1], []).append(match[2].strip())
    return found


def wilson(hits, of):
    if of == 0:
        return "none asked"
    share, z = hits / of, 1.96
    middle, reach = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = (middle - reach) / (1 + z * z / of), (middle + reach) / (1 + z * z / of)
    return f"{hits} of {of}, {100 * share:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


def ask(address, body):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", "/v1/search", json.dumps(body), {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def main():
    parser = argparse.ArgumentParser()
    for name in ("tuwen", "photos", "english", "chinese"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    args = parser.parse_args()
    known = {"en": captions(args.english), "zh": captions(args.chinese)}
    photos = sorted(path.stem for path in args.photos.glob("*.jpg"))
    there, elsewhere = photos[::2], photos[1::2]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "photos").mkdir()
        with open(folder / "photos" / "captions.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "caption"])
            for photo in there:
                shutil.copy(args.photos / f"{photo}.jpg", folder / "photos")
                rows.writerows([f"{photo}.jpg", text] for language in known.values() for text in language.get(photo, [])[:-1])
        gallery = folder / "gallery"
        subprocess.run([args.tuwen, "index", folder / "photos", "--captions", folder / "photos" / "captions.csv", "--gallery", gallery],
                       check=True, capture_output=True)
        server = subprocess.Popen([args.tuwen, "serve", "--gallery", gallery, "--listen", "127.0.0.1:0", "--log", "error"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            address = server.stdout.readline().strip().removeprefix("http://").rstrip("/")
            while "match" not in ask(address, {"query": "a dog", "k": 1}):
                time.sleep(0.2)
            for kind in ("image", "text"):
                for language, texts in known.items():
                    told(address, kind, language, texts, there, elsewhere)
        finally:
            server.terminate()
            server.wait()


def shown(language, texts, there):
    """Short names that captions of four photos of the gallery or more have."""
    has = lambda photo, word: any(word in text.lower() for text in texts.get(photo, []))
    return [name for name, word in PRESENT[language].items() if sum(has(photo, word) for photo in there) >= 4]


def told(address, kind, language, texts, there, elsewhere):
    asked = {"captions of photos that are there": [texts[photo][-1] for photo in there if photo in texts],
             "captions of photos that are not": [texts[photo][-1] for photo in elsewhere if photo in texts],
             "short names of what photos there show": shown(language, texts, there),
             "names of things that no photo shows": ABSENT[language].split(", ")}
    # Quoted and signed words are a language of their own, which captions do not mean.
    plain = lambda text: re.sub(r'["“”:-]', " ", text)
    said = {what: [ask(address, {"query": plain(text), "k": 1, "kind": kind})["match"] for text in lines] for what, lines in asked.items()}
    print(f"{language}, {kind}:")
    for what, words in said.items():
        counts = ", ".join(f"{word} {words.count(word)}" for word in ("none", "unsure", "yes"))
        print(f"  {what}: {counts} of {len(words)}")
    wrong = said["captions of photos that are there"].count("none")
    for what in list(said)[1:]:
        if what.startswith("short"):
            continue
        right = said[what].count("none")
        print(f"  `none` for {what}: recall {wilson(right, len(said[what]))}; precision {wilson(right, right + wrong)}")


if __name__ == "__main__":
    main()
