//! Other people's sets and results, as they have them: scored as the field's programs score them, or
//! refused by name.

mod common;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{demo_pictures, fail, succeed, tuwen};
use serde_json::{Value, json};

/// Some of the demo's pictures with a caption each.
const PICTURES: [(&str, &str); 6] = [
    ("airplane.png", "an airplane"),
    ("apples.png", "apples"),
    ("balloon.png", "a balloon"),
    ("bananas.png", "bananas"),
    ("beach.png", "a beach"),
    ("ship.png", "a boat"),
];

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("inside a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

fn picture(name: &str) -> Vec<u8> {
    std::fs::read(demo_pictures().join(name)).expect("a demo picture")
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&succeed(folder, args)).expect("JSON")
}

/// Captions and pictures that `data stats` counts.
fn count(folder: &Path, args: &[&str]) -> [u64; 3] {
    let stats = json_of(folder, &[&["data", "stats", "--json"], args].concat());
    ["pictures", "captions", "skipped"].map(|key| stats[key].as_u64().expect("a number"))
}

/// MUGE's layout: each text has several pictures. The last picture has no text, the last text no picture.
fn muge(folder: &Path) {
    let tsv: String = PICTURES
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("{}\t{}\n", 100 + at, STANDARD.encode(picture(name))))
        .collect();
    write(folder, "set/valid_imgs.tsv", tsv);
    let texts = [
        json!({"text_id": 8, "text": "fruit", "image_ids": [101, 103]}),
        json!({"text_id": 9, "text": "something in the sky", "image_ids": [100, 102, 104]}),
        json!({"text_id": 10, "text": "nothing of these", "image_ids": []}),
    ];
    write(folder, "set/valid_texts.jsonl", texts.map(|text| format!("{text}\n")).concat());
}

#[test]
fn a_text_with_several_pictures_is_one_query() {
    let folder = tempfile::tempdir().expect("a folder");
    muge(folder.path());
    let args = ["eval", "--images", "set", "--out", "out", "--json"];
    let report = json_of(folder.path(), &args);
    let found = &report["set"]["text_to_image"];
    assert_eq!(report.as_object().map(serde_json::Map::len), Some(1), "one set: {report}");
    // The gallery holds the picture that no text describes, too.
    assert_eq!((&found["queries"], &found["gallery"]), (&json!(2), &json!(6)));
    // Of 6 pictures 2 and 3 are right: the chance to find one first.
    let chance = found["chance"][0].as_f64().expect("a number");
    assert!((chance - 100.0 * (2.0 / 6.0 + 3.0 / 6.0) / 2.0).abs() < 1e-9, "{chance}");
    // cn_clip's own rule on what was written, with the set's own ids.
    let texts = std::fs::read_to_string(folder.path().join("out/set_texts.jsonl")).expect("texts");
    assert!(
        texts.contains("\"image_ids\":[101,103]") && texts.contains("\"text_id\":8"),
        "{texts}"
    );
    // The same vectors as features.
    let embed = |what: &[&str]| succeed(folder.path(), &[&["embed"], what].concat());
    let lines = |out: String, key: &str, ids: &[u64]| -> String {
        let rows = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let row = |(row, id): (Value, &u64)| {
            format!("{}\n", json!({key: id, "feature": row["embedding"]}))
        };
        rows.zip(ids).map(row).collect()
    };
    let paths: Vec<String> = PICTURES
        .iter()
        .flat_map(|(name, _)| ["--image".into(), demo_pictures().join(name).display().to_string()])
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let images = lines(embed(&paths), "image_id", &[100, 101, 102, 103, 104, 105]);
    let words = embed(&["--text", "fruit", "--text", "something in the sky"]);
    write(folder.path(), "i.jsonl", images);
    write(folder.path(), "t.jsonl", lines(words, "text_id", &[8, 9]));
    let files = ["--image-features", "i.jsonl", "--text-features", "t.jsonl"];
    let score = [&["score", "--json", "--reference", "set/valid_texts.jsonl"][..], &files].concat();
    let scored: Vec<Value> = (0..3).map(|_| json_of(folder.path(), &score)).collect();
    assert_eq!(scored[0]["t"]["text_to_image"]["recall"], found["recall"]);
    assert_eq!((&scored[0], &scored[0]), (&scored[1], &scored[2]), "the same in every run");
    // A truth that names what has no feature would be scored against less than there is.
    write(folder.path(), "r.jsonl", "{\"text_id\": 77, \"text\": \"\", \"image_ids\": [100]}\n");
    let score = [&["score", "--reference", "r.jsonl"][..], &files].concat();
    assert!(fail(folder.path(), &score, 1).contains("text 77 has no feature"));
}

#[test]
fn conversions_keep_ids_and_do_not_multiply_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    muge(folder.path());
    let eval = |set: &[&str]| {
        let report = json_of(folder.path(), &[&["eval", "--json"], set].concat());
        let found = &report.as_object().expect("an object").values().next().expect("a set")["text_to_image"];
        (found["queries"].clone(), found["recall"].clone(), found["map"].clone())
    };
    let own = eval(&["--images", "set"]);
    for (to, set) in [
        ("chinese-clip", &["--images", "chinese-clip"][..]),
        ("chinese-clip-lmdb", &["--images", "chinese-clip-lmdb"]),
        ("jsonl", &["--images", "jsonl/images", "--captions", "jsonl/captions.jsonl"]),
        ("csv", &["--images", "csv/images", "--captions", "csv/captions.csv"]),
        ("coco", &["--images", "coco/images", "--captions", "coco/annotations.json"]),
        ("shards", &["--images", "shards"]),
        ("parquet", &["--images", "parquet"]),
    ] {
        succeed(folder.path(), &["data", "convert", "set", to, "--to", to]);
        let found = eval(set);
        assert_eq!(found.0, own.0, "{to}: texts");
        // Pictures without a text are in the gallery where the format has a place for them.
        if !matches!(to, "jsonl" | "csv") {
            assert_eq!(found, own, "{to}");
        }
    }
    let texts = std::fs::read_to_string(folder.path().join("chinese-clip/valid_texts.jsonl"));
    let texts = texts.expect("texts");
    assert_eq!(texts.lines().count(), 2, "{texts}");
    assert!(
        texts.contains("\"image_ids\":[101,103]") && texts.contains("\"text_id\":8"),
        "{texts}"
    );
    for to in ["flickr", "folder", "taidi"] {
        let error = fail(folder.path(), &["data", "convert", "set", to, "--to", to], 1);
        assert!(error.contains("several pictures") && error.contains("jsonl"), "{error}");
        assert!(!folder.path().join(to).exists(), "nothing half written stays");
    }
}

#[test]
fn several_splits_are_never_one_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = PICTURES
        .iter()
        .zip(["train", "train", "val", "val", "val", "test"])
        .map(|((name, text), split)| format!("{name},{text},{split}\n"))
        .collect();
    PICTURES.iter().for_each(|(name, _)| write(folder.path(), name, picture(name)));
    write(folder.path(), "c.csv", format!("image,caption,split\n{rows}"));
    let eval = ["eval", "--images", ".", "--captions", "c.csv", "--json"];
    let error = fail(folder.path(), &eval, 1);
    assert!(error.contains("test (1), train (2), val (3)") && error.contains("--split"), "{error}");
    let valid = json_of(folder.path(), &[&eval[..], &["--split", "valid"]].concat());
    assert_eq!(valid["c"]["text_to_image"]["queries"], 3);
    let error = fail(folder.path(), &[&eval[..], &["--split", "dev2"]].concat(), 1);
    assert!(error.contains("`dev2`") && error.contains("train (2)"), "{error}");
    // Lists of ids with and without extension; one that names a picture twice is refused.
    write(folder.path(), "ids", "ship\nbeach.png\n");
    let listed = json_of(folder.path(), &[&eval[..], &["--ids", "ids"]].concat());
    assert_eq!(listed["c"]["text_to_image"]["queries"], 2);
    write(folder.path(), "ids", "ship\nship.png\n");
    let error = fail(folder.path(), &[&eval[..], &["--ids", "ids"]].concat(), 1);
    assert!(error.contains("line 2") && error.contains("twice"), "{error}");
}

#[test]
fn tables_and_json_of_other_programs_are_recognised() {
    let folder = tempfile::tempdir().expect("a folder");
    PICTURES.iter().for_each(|(name, _)| write(folder.path(), name, picture(name)));
    for (name, text, wanted) in [
        (
            "kaggle.txt",
            "image,caption\nship.png,A boat , with a mast .\nship.png,\"one, two\"\n",
            [1, 1, 1],
        ),
        ("kaggle2.txt", "image,caption\nship.png,A boat .\nship.png,\"one, two\"\n", [1, 2, 0]),
        (
            "openclip.csv",
            "filepath\ttitle\nship.png\ta boat, red\n./beach.png\ta beach\n",
            [2, 2, 0],
        ),
        ("semi.csv", "image;caption\nship.png;a boat, red\n", [1, 1, 0]),
        ("bars.csv", "Image|Caption|Note\nship.png|a boat|x\n", [1, 1, 0]),
        ("german.csv", "image,描述\nship.png,一艘船\n", [1, 1, 0]),
        ("urls.csv", "url,path,caption\nhttp://x/1.jpg,ship.png,a boat\n", [1, 1, 0]),
        ("local.csv", "url,caption\nship.png,a boat\n", [1, 1, 0]),
        ("windows.csv", "image,caption\n.\\ship.png,a boat\n", [1, 1, 0]),
        ("order.csv", "title,image,text\nx,ship.png,a boat\n", [1, 1, 0]),
        (
            "lavis.json",
            r#"[{"image": "ship.png", "caption": ["a", "b"]}, {"image": "beach.png", "caption": "c"}]"#,
            [2, 3, 0],
        ),
        (
            "blip.jsonl",
            "{\"image\": \"ship.png\", \"text\": \"a boat\"}\n{\"image\": \"beach.png\"}\n",
            [1, 1, 1],
        ),
    ] {
        write(folder.path(), name, text);
        let found = count(folder.path(), &[name]);
        assert_eq!(found, wanted, "{name}");
    }
    let printed = tuwen(folder.path(), &["data", "stats", "order.csv"]).stderr;
    let printed = String::from_utf8(printed).expect("UTF-8");
    assert!(printed.contains("`image`") && printed.contains("`text`"), "the choice: {printed}");
}

#[test]
fn an_open_quote_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    PICTURES.iter().for_each(|(name, _)| write(folder.path(), name, picture(name)));
    let stats = |text: &str| {
        write(folder.path(), "c.csv", text);
        let out = tuwen(folder.path(), &["data", "stats", "c.csv"]);
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let open = stats("image,caption\nship.png,fine\nbeach.png,\"never closed\napples.png,gone\n");
    assert!(open.contains("line 3") && open.contains("never closed"), "{open}");
    let far = format!(
        "image,caption\nship.png,\"open\n{}beach.png,\"b\"\n",
        "apples.png,a\n".repeat(300)
    );
    let far = stats(&far);
    assert!(far.contains("line 2") && far.contains("a quote is missing"), "{far}");
    let fine = stats("image,caption\nship.png,\"two\nlines\"\nbeach.png,\"a \"\"b\"\"\"");
    assert!(!fine.contains("quote"), "{fine}");
}

fn archive(path: &Path, members: &[(&str, &[u8])]) {
    let mut builder = tar::Builder::new(std::fs::File::create(path).expect("a file"));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).expect("a member");
    }
    builder.finish().expect("an archive");
}

#[test]
fn archives_lose_nothing_and_name_what_is_bad() {
    let folder = tempfile::tempdir().expect("a folder");
    let (boat, beach) = (picture("ship.png"), picture("beach.png"));
    let at = |name: &str| folder.path().join(name);
    // img2dataset: the caption stands in both; macOS: a resource fork that is no text.
    archive(
        &at("a.tar"),
        &[
            ("0001.PNG", &boat),
            ("0001.txt", b"a boat"),
            ("0001.json", br#"{"caption": "a boat", "url": "http://x"}"#),
            ("._0001.txt", b"\0\x05\x16\x07\xff\xfe"),
            ("0002.png", &beach),
            ("0002.txt", "一片海滩".as_bytes()),
        ],
    );
    assert_eq!(count(folder.path(), &["a.tar"]), [2, 2, 0]);
    // A key ends at the first dot.
    let members: [(&str, &[u8]); 3] =
        [("7.seg.png", &beach), ("7.png", &boat), ("7.caption.txt", b"another file")];
    archive(&at("b.tar"), &members);
    assert_eq!(count(folder.path(), &["b.tar"]), [1, 0, 0]);
    archive(
        &at("c.tar"),
        &[("x/1.png", &boat), ("x/1.json", b"not JSON"), ("2.png", &beach), ("2.txt", b"b")],
    );
    assert_eq!(count(folder.path(), &["c.tar"]), [1, 1, 1], "one bad member costs its sample");
    // Two archives that count from 1 each.
    std::fs::create_dir(at("shards")).expect("a folder");
    archive(&at("shards/00.tar"), &[("1.png", &boat), ("1.txt", b"a boat")]);
    archive(&at("shards/01.tar"), &[("1.png", &beach), ("1.txt", b"a beach")]);
    succeed(folder.path(), &["data", "convert", "shards", "out", "--to", "csv"]);
    assert_eq!(count(folder.path(), &["out"]), [2, 2, 0], "nothing is lost");
    // Compressed.
    let tar = std::fs::read(at("a.tar")).expect("an archive");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &tar).expect("into memory");
    write(folder.path(), "a.tar.gz", gz.finish().expect("into memory"));
    assert_eq!(count(folder.path(), &["a.tar.gz"]), [2, 2, 0]);
    // Two members of one base name: the caption must say which.
    archive(&at("d.tar"), &[("x/1.png", &boat), ("y/1.png", &beach)]);
    write(folder.path(), "d.csv", "image,caption\n1.png,which\nx/1.png,a boat\n");
    let out = tuwen(folder.path(), &["data", "stats", "d.csv", "--images", "d.tar", "--json"]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(error.contains("`1.png`") && error.contains("whole path"), "{error}");
}

#[test]
fn texts_in_other_encodings_are_read_or_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    muge(folder.path());
    let texts =
        std::fs::read_to_string(folder.path().join("set/valid_texts.jsonl")).expect("texts");
    let chinese = texts.replace("fruit", "红色的水果");
    let gbk = encoding_rs::GB18030.encode(&chinese).0.into_owned();
    for (what, bytes) in [
        ("a mark", [b"\xef\xbb\xbf".to_vec(), chinese.clone().into_bytes()].concat()),
        ("GB18030", gbk),
    ] {
        write(folder.path(), "set/valid_texts.jsonl", bytes);
        let stats = json_of(folder.path(), &["data", "stats", "set", "--json"]);
        assert_eq!(
            (&stats["skipped"], &stats["chinese"]),
            (&json!(0), &json!(2)),
            "{what}: {stats}"
        );
    }
    let wrong = texts.replace("image_ids", "image_id");
    write(folder.path(), "set/valid_texts.jsonl", wrong);
    let out = tuwen(folder.path(), &["data", "stats", "set"]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        error.contains("line 1") && error.contains("image_ids") && error.contains("image_id\""),
        "{error}"
    );

    PICTURES.iter().for_each(|(name, _)| write(folder.path(), name, picture(name)));
    let japanese = encoding_rs::SHIFT_JIS
        .encode("image,caption\nship.png,港に浮かぶ小さな赤い船と、その後ろに見える白い家です\n")
        .0;
    write(folder.path(), "j.csv", &*japanese);
    let stats = json_of(folder.path(), &["data", "stats", "j.csv", "--json"]);
    assert_eq!(stats["encoding"], "Shift_JIS");
    let stats =
        json_of(folder.path(), &["data", "stats", "j.csv", "--json", "--encoding", "cp932"]);
    assert_eq!(stats["encoding"], "Shift_JIS");
    let error = fail(folder.path(), &["data", "stats", "j.csv", "--encoding", "klingon"], 2);
    assert!(error.contains("klingon") && error.contains("gbk"), "{error}");
}

#[test]
fn devices_are_no_files() {
    let folder = tempfile::tempdir().expect("a folder");
    muge(folder.path());
    for args in [
        &["data", "stats", "/dev/zero"][..],
        &["eval", "--images", "set", "--ids", "/dev/zero"],
        &["eval", "--images", "set", "--captions", "/dev/zero", "--format", "csv"],
        &["score", "--predictions", "/dev/zero", "--reference", "/dev/zero"],
        &["score", "--image-features", "/dev/zero", "--text-features", "/dev/zero"],
    ] {
        let error = fail(folder.path(), args, 1);
        assert!(error.contains("/dev/zero") && error.contains("device"), "{args:?}: {error}");
    }
}
