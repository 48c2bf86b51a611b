//! `tuwen eval --out` and `tuwen score`.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, succeed};
use serde_json::Value;

const PICTURES: [&str; 12] = [
    "airplane.png",
    "apples.png",
    "balloon.png",
    "bananas.png",
    "beach.png",
    "dog_ball.png",
    "night.png",
    "black_dog_snow.png",
    "dog_beach.png",
    "dog_grass.png",
    "boat.png",
    "bicycle.png",
];

fn set(folder: &Path) {
    let names: Vec<&str> =
        PICTURES.into_iter().filter(|name| common::demo_pictures().join(name).is_file()).collect();
    copy_pictures(&names, &folder.join("images"));
    let lines = names.iter().flat_map(|name| {
        let words = name.trim_end_matches(".png").replace('_', " ");
        [format!("{name}#0\ta {words}\n"), format!("{name}#1\tthe {words} again\n")]
    });
    std::fs::write(folder.join("captions.txt"), lines.collect::<String>()).expect("a file");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn results_are_written_in_every_convention_and_score_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let args = [
        "eval",
        "--images",
        "images",
        "--captions",
        "captions.txt",
        "--out",
        "out",
        "--k",
        "3",
        "--json",
        "--report",
        "page",
    ];
    let report = &json(&succeed(folder.path(), &args))["captions"];
    let read = |name: &str| {
        json(&std::fs::read_to_string(folder.path().join("out").join(name)).expect("a result"))
    };
    let page = std::fs::read_to_string(folder.path().join("page/index.html")).expect("a page");
    for part in ["<svg", "class=\"right\"", "data:image/jpeg", "worst queries", "airplane again"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.replace("http://www.w3.org/2000/svg", "").contains("http"),
        "it opens without a network"
    );
    for name in ["text-to-image-best", "image-to-text-worst"] {
        let grid = folder.path().join(format!("page/captions-{name}.png"));
        let grid = tuwen_image::decode_file(&grid, Default::default()).expect("a picture");
        let grid = grid.into_rgb();
        let green = grid.pixels().filter(|pixel| pixel.0 == [0x1b, 0x7a, 0x2a]).count();
        assert!(grid.width() > 1000, "{name}");
        assert!(
            name.contains("image-to-text") || green > 4 * 170,
            "the right one is framed: {green}"
        );
    }
    let recall = &report["text_to_image"]["recall"];
    assert_eq!(read("captions.chinese-clip.json")["scoreJson"]["r1"], recall[0]);
    assert_eq!(read("captions.taidi.json")["text_to_image_R@5"], recall[1]);
    assert!(report["text_to_image"]["recall_at"]["3"].as_f64() >= recall[0].as_f64());
    for name in ["lavis", "clip-benchmark", "open-clip", "chinese-clip-tr"] {
        assert!(read(&format!("captions.{name}.json")).is_object(), "{name}");
    }
    let score = |predictions: &str| {
        let reference = "out/captions_texts.jsonl";
        json(&succeed(
            folder.path(),
            &["score", "--predictions", predictions, "--reference", reference],
        ))
    };
    assert_eq!(score("out/captions_predictions.jsonl"), read("captions.chinese-clip.json"));
    assert_eq!(score("out/captions_tr_predictions.jsonl"), read("captions.chinese-clip-tr.json"));
    let queries = std::fs::read_to_string(folder.path().join("out/captions.text-to-image.jsonl"));
    let queries = queries.expect("a line for each query");
    std::fs::write(
        folder.path().join("worse.jsonl"),
        queries.replace("\"rank\":1,", "\"rank\":2,"),
    )
    .expect("a file");
    let args = ["score", "--compare", "worse.jsonl", "out/captions.text-to-image.jsonl", "--json"];
    let compared = json(&succeed(folder.path(), &args));
    assert_eq!(compared["recall"][0], 0.0);
    assert!(compared["p"].as_f64().expect("a number") < 0.05, "{compared}");
}

#[test]
fn predictions_that_their_checker_refuses_are_refused_with_the_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write(
        "r.jsonl",
        "{\"text_id\": 1, \"text\": \"x\", \"image_ids\": [3]}\n{\"text_id\": 2, \"text\": \"y\", \"image_ids\": [4]}\n",
    );
    let refused = |text: &str| {
        write("p.jsonl", text);
        fail(folder.path(), &["score", "--predictions", "p.jsonl", "--reference", "r.jsonl"], 1)
    };
    let ten = "[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]";
    assert!(
        refused(&format!("{{\"text_id\": 1, \"image_ids\": {ten}}}\n")).contains("1 of 2 queries")
    );
    let short = refused("{\"text_id\": 1, \"image_ids\": [3, 4]}\n");
    assert!(short.contains("line 1") && short.contains("2 answers"), "{short}");
    assert!(
        refused(&format!("{{\"text_id\": 1, \"image_ids\": {}}}\n", ten.replace("12", "3")))
            .contains("9 of them")
    );
    assert!(refused("nonsense\n").contains("line 1"));
    assert!(fail(folder.path(), &["score"], 2).contains("--predictions"));
}

/// NumPy's format, version 1.
fn npy(rows: &[[f32; 2]]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 2), }}", rows.len());
    let header = format!("{header:117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(rows.iter().flatten().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn features_of_others_are_scored_and_bad_ones_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("i.npy", &npy(&[[1.0, 0.0], [0.0, 2.0]]));
    write("t.npy", &npy(&[[3.0, 0.1], [1.0, 0.5], [0.2, 1.0], [1.0, 0.3]]));
    let score =
        |args: &[&str]| json(&succeed(folder.path(), &[&["score", "--json"], args].concat()));
    let found = &score(&["--image-features", "i.npy", "--text-features", "t.npy"])["t"];
    assert_eq!(found["text_to_image"]["recall"][0], 75.0);
    write(
        "i.jsonl",
        b"{\"image_id\": 7, \"feature\": [1, 0]}\n{\"image_id\": 8, \"feature\": [0, 1]}\n",
    );
    write(
        "t.jsonl",
        b"{\"text_id\": \"a\", \"feature\": [0.1, 1]}\n{\"text_id\": \"b\", \"feature\": [1, 0]}\n",
    );
    write(
        "r.jsonl",
        b"{\"text_id\": \"a\", \"image_ids\": [8]}\n{\"text_id\": \"b\", \"image_ids\": [8]}\n",
    );
    let fbin = |rows: &[[f32; 2]]| -> Vec<u8> {
        let sizes = [rows.len() as u32, 2].into_iter().flat_map(u32::to_le_bytes);
        sizes.chain(rows.iter().flatten().flat_map(|value| value.to_le_bytes())).collect()
    };
    write("i.fbin", &fbin(&[[1.0, 0.0], [0.0, 2.0]]));
    write("c.fbin", &fbin(&[[1.0, 0.0], [0.0, 2.0]])[..12]);
    assert_eq!(&score(&["--image-features", "i.fbin", "--text-features", "t.npy"])["t"], found);
    let files =
        ["--image-features", "i.jsonl", "--text-features", "t.jsonl", "--reference", "r.jsonl"];
    assert_eq!(score(&files)["t"]["text_to_image"]["recall"][0], 50.0);
    // By class: text 0 finds its two pictures first and second, text 1 its one picture second.
    write("ci.npy", &npy(&[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]));
    write("ct.npy", &npy(&[[1.0, 0.0], [0.5, 0.6]]));
    write("ci.txt", "狗\n狗\n猫\n".as_bytes());
    write("ct.txt", "狗\n狗\n".as_bytes());
    let args = ["--image-features", "ci.npy", "--text-features", "ct.npy"];
    let classes = ["--image-labels", "ci.txt", "--text-labels", "ct.txt"];
    let by_class = &score(&[args, classes].concat())["ct"];
    // Text 1: 猫 first, then the dogs at 2 and 3: (1/2 + 2/3) / 2.
    let map = by_class["text_to_image"]["map"].as_f64().expect("a number");
    assert!((map - (1.0 + (0.5 + 2.0 / 3.0) / 2.0) / 2.0).abs() < 1e-9, "{map}");
    assert_eq!(by_class["image_to_text"]["queries"], 2, "no text has the class of the third");
    let failing = |args: &[&str]| fail(folder.path(), &[&["score"], args].concat(), 1);
    let cut = failing(&["--image-features", "c.fbin", "--text-features", "t.npy"]);
    assert!(cut.contains("2 rows of 2"), "{cut}");
    write("z.npy", &npy(&[[0.0, 0.0], [0.0, 2.0]]));
    assert!(
        failing(&["--image-features", "z.npy", "--text-features", "t.npy"]).contains("all zeros")
    );
    write("n.npy", &npy(&[[f32::NAN, 0.0], [0.0, 2.0]]));
    assert!(
        failing(&["--image-features", "n.npy", "--text-features", "t.npy"]).contains("no number")
    );
    write("c.npy", &npy(&[[1.0, 0.0], [0.0, 2.0]])[..100]);
    assert!(
        failing(&["--image-features", "c.npy", "--text-features", "t.npy"]).contains("cut short")
    );
    write("w.jsonl", b"{\"text_id\": 1, \"feature\": [0.1, 1, 2]}\n");
    let dims = failing(&["--image-features", "i.jsonl", "--text-features", "w.jsonl"]);
    assert!(dims.contains('2') && dims.contains('3'), "{dims}");
}

#[test]
fn classes_make_everything_of_a_class_right() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let labels = |class: &dyn Fn(&str) -> String| {
        let lines: String =
            PICTURES.iter().map(|name| format!("{name},{}\n", class(name))).collect();
        std::fs::write(folder.path().join("labels.csv"), lines).expect("a file");
    };
    let args = ["eval", "--images", "images", "--captions", "captions.txt", "--json", "--labels"];
    let args = [&args[..], &["labels.csv"]].concat();
    labels(&|name| name.to_owned());
    let own = json(&succeed(folder.path(), &args));
    let (plain, by_class) = (&own["captions"], &own["captions, by class"]);
    // Each picture a class of its own: the same as by pairs.
    assert_eq!(plain["text_to_image"]["map"], by_class["text_to_image"]["map"]);
    assert_eq!(plain["image_to_text"]["recall"], by_class["image_to_text"]["recall"]);
    labels(&|name| if name.contains("dog") { "dog" } else { "other" }.to_owned());
    let two = json(&succeed(folder.path(), &args));
    let chance = &two["captions, by class"]["text_to_image"]["chance"][0];
    assert!(chance.as_f64() > plain["text_to_image"]["chance"][0].as_f64(), "{two}");
    std::fs::write(folder.path().join("labels.csv"), "boat.png,x\n").expect("a file");
    let error = fail(folder.path(), &args, 1);
    assert!(error.contains("no class for the picture `airplane`"), "{error}");
}

#[test]
fn several_models_vote_with_the_mean_of_their_cosines() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let one = ["eval", "--images", "images", "--captions", "captions.txt", "--json"];
    let twice = [
        &one[..],
        &["--model", "tuwen-small", "--model", "tuwen-small", "--weight", "0.3", "--weight", "2"],
    ]
    .concat();
    let [alone, voted] = [&one[..], &twice].map(|args| json(&succeed(folder.path(), args)));
    for direction in ["text_to_image", "image_to_text"] {
        let recall = |found: &Value| found["captions"][direction]["recall"].clone();
        assert_eq!(recall(&alone), recall(&voted), "a model with itself");
    }
    let args = [&one[..], &["--weight", "1", "--weight", "1"]].concat();
    assert!(fail(folder.path(), &args, 2).contains("2 --weight for 1 --model"));
    let args = [&one[..], &["--weight", "0"]].concat();
    assert!(fail(folder.path(), &args, 2).contains("above 0"));
}
