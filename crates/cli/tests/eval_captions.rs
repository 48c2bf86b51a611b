//! `tuwen eval captions`, run on files.

mod common;

use std::fs;
use std::path::Path;

use common::{copy_pictures, fail, succeed};
use serde_json::{Value, json};

/// Eight drawn pictures, what somebody says of each, and what is in it.
const SAID: [[&str; 4]; 8] = [
    ["airplane", "An airplane flies in the sky.", "a plane in the air", "airplane"],
    ["apples", "Red apples lie on a table.", "three apples", "apple"],
    ["dog_ball", "A dog plays with a ball.", "the dog's ball is red", "dog|ball"],
    ["black_dog_snow", "A black dog in the snow.", "dogs like snow", "dog"],
    ["dog_beach", "A dog runs on the beach.", "one dog at the sea", "dog"],
    ["sailboat", "A boat on the water.", "somebody's boat isn't moving", "boat"],
    ["bicycle", "A bicycle stands there.", "the bike", "bicycle"],
    ["bananas", "Bananas on a plate.", "yellow bananas", "banana"],
];

/// Writes references (two a picture, Flickr's tokens), predictions (the first of each, COCO's results) and labels.
fn write(folder: &Path) {
    let tokens = SAID
        .iter()
        .flat_map(|[id, a, b, _]| [format!("{id}.png#0\t{a}\n"), format!("{id}.png#1\t{b}\n")]);
    fs::write(folder.join("references.txt"), tokens.collect::<String>()).expect("a file");
    let results: Vec<Value> =
        SAID.iter().map(|[id, a, ..]| json!({ "image_id": id, "caption": a })).collect();
    fs::write(folder.join("predictions.json"), json!(results).to_string()).expect("a file");
    let labels: String = SAID.iter().map(|[id, .., labels]| format!("{id},{labels}\n")).collect();
    fs::write(folder.join("labels.csv"), format!("image,label\n{labels}")).expect("a file");
}

fn args<'a>(predictions: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let files =
        ["eval", "captions", "--predictions", predictions, "--references", "references.txt"];
    [&files[..], more].concat()
}

fn measured(folder: &Path, predictions: &str, more: &[&str]) -> Value {
    let printed = succeed(folder, &[&args(predictions, more)[..], &["--json"]].concat());
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn captions_that_are_their_references_score_best_and_others_less() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    let found = measured(folder, "predictions.json", &[]);
    let by = &found["by"][0];
    assert_eq!((&found["language"], &by["tokens"]), (&json!("en"), &json!("words")));
    assert_eq!((&by["pictures"], &by["references"]), (&json!(8), &json!(16)));
    for name in ["rouge_l", "meteor"] {
        assert!((by[name]["value"].as_f64().expect("a number") - 1.0).abs() < 1e-9, "{by}");
    }
    assert!((by["bleu"][3]["value"].as_f64().expect("a number") - 1.0).abs() < 1e-6, "{by}");
    // Half of CIDEr's ten is each reference's.
    assert!(by["cider_d"]["value"].as_f64().expect("a number") > 5.0, "{by}");
    let wrong: serde_json::Map<String, Value> = SAID
        .iter()
        .zip(SAID.iter().cycle().skip(3))
        .map(|([id, ..], [_, a, ..])| ((*id).to_owned(), json!([a])))
        .collect();
    fs::write(folder.join("wrong.json"), Value::Object(wrong).to_string()).expect("a file");
    let wrong = measured(folder, "wrong.json", &[]);
    for name in ["rouge_l", "meteor", "cider", "cider_d"] {
        let [best, low] =
            [by, &wrong["by"][0]].map(|by| by[name]["value"].as_f64().expect("a number"));
        assert!(low < 0.6 * best, "{name}: {low} {best}");
        let [from, to] =
            [0, 1].map(|at| wrong["by"][0][name]["interval"][at].as_f64().expect("a number"));
        assert!(from <= low && low <= to, "{name}");
    }
    let printed = succeed(folder, &args("predictions.json", &[]));
    for part in ["BLEU-4", "METEOR (exact, stem)", "CIDEr-D", "SPICE", "8 pictures, 16 references"]
    {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

#[test]
fn made_up_objects_are_counted_by_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    let found = measured(folder, "predictions.json", &["--labels", "labels.csv"]);
    let found = &found["hallucination"];
    assert!(found["mentions"].as_u64().expect("a number") >= 8, "{found}");
    assert_eq!(
        (&found["of_mentions"]["value"], &found["of_captions"]["value"]),
        (&json!(0.0), &json!(0.0))
    );
    let lines = SAID.iter().map(|[id, ..]| {
        format!("{{\"image\": \"{id}.png\", \"caption\": \"two puppies, a plane\"}}\n")
    });
    let made_up = lines.collect::<String>().replace("puppies", "golden retrievers");
    fs::write(folder.join("made-up.jsonl"), made_up).expect("a file");
    let found = measured(folder, "made-up.jsonl", &["--labels", "labels.csv"]);
    let found = &found["hallucination"];
    // Each caption names a dog and an airplane; three pictures have a dog, one an airplane, none both.
    assert_eq!(found["mentions"], json!(16));
    assert_eq!(
        (&found["of_mentions"]["value"], &found["of_captions"]["value"]),
        (&json!(0.75), &json!(1.0))
    );
    fs::write(folder.join("few.csv"), "airplane,airplane\n").expect("a file");
    let error = fail(folder, &args("predictions.json", &["--labels", "few.csv"]), 1);
    assert!(
        error.contains("no label for the picture `apples`") && error.contains("write `apples,"),
        "{error}"
    );
    fs::write(folder.join("none.csv"), "airplane,\n").expect("a file");
    let error = fail(folder, &args("predictions.json", &["--labels", "none.csv"]), 1);
    assert!(error.contains("there is no label in it"), "{error}");
}

#[test]
fn chinese_is_measured_by_characters_and_by_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(
        folder.join("references.txt"),
        "1.jpg#zhc#0 一只狗在沙滩上奔跑\n1.jpg#zhc#1 狗跑\n2.jpg#zhc#0 小猫睡觉\n",
    )
    .expect("a file");
    fs::write(
        folder.join("predictions.csv"),
        "image,caption\n2.jpg,小貓睡覺。\n1.jpg,一只狗在沙滩上奔跑\n",
    )
    .expect("a file");
    let found = measured(folder, "predictions.csv", &[]);
    assert_eq!(found["language"], json!("zh"));
    for (at, tokens) in ["characters", "words"].into_iter().enumerate() {
        let by = &found["by"][at];
        assert_eq!(by["tokens"], json!(tokens));
        // Traditional characters are the same.
        assert!((by["rouge_l"]["value"].as_f64().expect("a number") - 1.0).abs() < 1e-9, "{by}");
    }
    fs::write(folder.join("near.csv"), "image,caption\n2.jpg,小狗睡觉\n1.jpg,一只狗\n")
        .expect("a file");
    let near = measured(folder, "near.csv", &[]);
    let [characters, words] = [0, 1].map(|at| near["by"][at]["bleu"][0]["value"].as_f64());
    assert!(characters > words, "half a word counts by characters alone: {near}");
    let error = fail(folder, &args("predictions.csv", &["--lang", "en"]), 1);
    assert!(
        error.contains("not of the language `en`") && error.contains("look like zh"),
        "{error}"
    );
    fs::write(folder.join("english.csv"), "image,caption\n2.jpg,a cat\n1.jpg,a dog\n")
        .expect("a file");
    let error = fail(folder, &args("english.csv", &[]), 1);
    assert!(
        error.contains("english.csv looks like en") && error.contains("one language"),
        "{error}"
    );
    fs::write(folder.join("russian.csv"), "image,caption\n2.jpg,кошка\n1.jpg,собака\n")
        .expect("a file");
    let error = fail(folder, &args("russian.csv", &[]), 1);
    assert!(error.contains("neither English nor Chinese"), "{error}");
    assert!(
        fail(folder, &args("english.csv", &["--lang", "fr"]), 2)
            .contains("[possible values: auto, en, zh]")
    );
}

#[test]
fn a_model_scores_captions_by_their_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    let names: Vec<String> = SAID.iter().map(|[id, ..]| format!("{id}.png")).collect();
    copy_pictures(&names.iter().map(String::as_str).collect::<Vec<_>>(), &folder.join("images"));
    let found = measured(folder, "predictions.json", &["--images", "images"]);
    let value = |found: &Value, name: &str| found[name]["value"].as_f64().expect("a number");
    assert_eq!(found["model"], json!("tuwen-small"));
    let right = value(&found, "clip_score");
    assert!(right > 0.1 && value(&found, "ref_clip_score") > 0.0, "{found}");
    // The same captions of other pictures.
    let others = SAID.iter().zip(SAID.iter().cycle().skip(1));
    let lines: String = others.map(|([id, ..], [_, a, ..])| format!("{id},\"{a}\"\n")).collect();
    fs::write(folder.join("others.csv"), format!("image,caption\n{lines}")).expect("a file");
    let others = measured(folder, "others.csv", &["--images", "images"]);
    assert!(value(&others, "clip_score") < 0.8 * right, "{others} {right}");
    fs::remove_file(folder.join("images/sailboat.png")).expect("it is there");
    let error = fail(folder, &args("predictions.json", &["--images", "images"]), 1);
    assert!(error.contains("no picture `sailboat`"), "{error}");
    let error = fail(folder, &args("predictions.json", &["--model", "tuwen-small"]), 2);
    assert!(error.contains("--images"), "{error}");
}

#[test]
fn what_is_wrong_with_the_files_is_named_with_its_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    let all = fs::read_to_string(folder.join("predictions.json")).expect("a file");
    let first = r#"{"image_id": "airplane", "caption": "a plane"}"#;
    for (name, text, parts) in [
        (
            "other.json",
            r#"[{"image_id": 17, "caption": "a dog"}]"#.to_owned(),
            &["1 of 1 captions", "such as `17`", "called `airplane`", "write their ids"][..],
        ),
        (
            "more.json",
            all.replacen('[', &format!("[{},", first.replace("airplane", "nobody")), 1),
            &["1 of 9 captions", "`nobody`"],
        ),
        (
            "twice.json",
            all.replacen('[', &format!("[{first},"), 1),
            &["`airplane` has two captions, in the entries 1 and 2", "keep one"],
        ),
        ("missing.json", format!("[{first}]"), &["7 of the 8 pictures", "`apples`", "--ids"]),
        (
            "blank.json",
            all.replace("Bananas on a plate.", " "),
            &["entry 8: the caption of `bananas` is empty", "write its words"],
        ),
        (
            "empty.json",
            "[]".to_owned(),
            &["empty.json: there is no caption in it", "give the file"],
        ),
        ("nothing.json", String::new(), &["nothing.json: the file is empty"]),
        (
            "strange.json",
            r#"[{"image_id": 1, "text_of": "x"}]"#.to_owned(),
            &["strange.json, line 1: no `caption`"],
        ),
    ] {
        fs::write(folder.join(name), text).expect("a file");
        let error = fail(folder, &args(name, &[]), 1);
        for part in parts {
            assert!(error.contains(part), "{name}: {part}: {error}");
        }
    }
    fs::write(folder.join("references.json"), r#"{"airplane": []}"#).expect("a file");
    let bad = [
        "eval",
        "captions",
        "--predictions",
        "predictions.json",
        "--references",
        "references.json",
    ];
    let error = fail(folder, &bad, 1);
    assert!(error.contains("the entry `airplane` has no caption: give it one"), "{error}");
    fs::write(folder.join("references.json"), r#"{"airplane": ["a plane", ""]}"#).expect("a file");
    let error = fail(folder, &bad, 1);
    assert!(
        error.contains("references.json, entry 1: the caption of `airplane` is empty"),
        "{error}"
    );
    assert!(fail(folder, &["eval", "captions", "--predictions", "x"], 2).contains("--references"));
    assert!(
        fail(folder, &["eval", "captions", "--predictions", "x", "--references", "y"], 1)
            .contains('x')
    );
    assert!(fail(folder, &["eval"], 2).contains("--images"));
}

#[test]
fn a_list_of_ids_says_which_pictures_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    fs::write(folder.join("val.ids"), "sailboat\nbicycle.png\n").expect("a file");
    let found = measured(folder, "predictions.json", &["--ids", "val.ids"]);
    assert_eq!(found["by"][0]["pictures"], json!(2));
    fs::write(folder.join("val.ids"), "sailboat\nnobody\n").expect("a file");
    let error = fail(folder, &args("predictions.json", &["--ids", "val.ids"]), 1);
    assert!(error.contains("`nobody` has no reference in references.txt"), "{error}");
    fs::write(folder.join("val.ids"), "\n").expect("a file");
    assert!(
        fail(folder, &args("predictions.json", &["--ids", "val.ids"]), 1)
            .contains("no picture is listed")
    );
}

#[test]
fn cocos_numbers_and_file_names_are_one_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let annotations = json!({
        "images": [{ "id": 7, "file_name": "COCO_val2014_000000000007.jpg" }, { "id": 9, "file_name": "COCO_val2014_000000000009.jpg" }],
        "annotations": [
            { "id": 1, "image_id": 7, "caption": "a dog runs" }, { "id": 2, "image_id": 9, "caption": "a cat sleeps" },
            { "id": 3, "image_id": 7, "caption": "a running dog" },
        ],
    });
    fs::write(folder.join("references.txt"), annotations.to_string()).expect("a file");
    for (name, first) in
        [("numbers.json", json!(7)), ("names.json", json!("COCO_val2014_000000000007.jpg"))]
    {
        let results = json!([{ "image_id": 9, "caption": "a cat sleeps" }, { "image_id": first, "caption": "a dog runs" }]);
        fs::write(folder.join(name), results.to_string()).expect("a file");
        let found = measured(folder, name, &[]);
        assert_eq!(
            (&found["by"][0]["pictures"], &found["by"][0]["references"]),
            (&json!(2), &json!(3)),
            "{name}"
        );
    }
    let both = json!([{ "image_id": 7, "caption": "a" }, { "image_id": "COCO_val2014_000000000007", "caption": "b" }, { "image_id": 9, "caption": "c" }]);
    fs::write(folder.join("both.json"), both.to_string()).expect("a file");
    let error = fail(folder, &args("both.json", &[]), 1);
    assert!(error.contains("are one picture"), "{error}");
}

#[test]
fn broken_bytes_are_told_before_they_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder);
    let lines = SAID.iter().map(|[id, a, ..]| format!("{id}.png#0\t{a}\n"));
    let mut bytes = lines.collect::<String>().into_bytes();
    let at = bytes.iter().position(|&byte| byte == b'y').expect("a letter");
    bytes[at] = 0xff;
    fs::write(folder.join("p.txt"), &bytes).expect("a file");
    let output = common::tuwen(folder, &args("p.txt", &["--encoding", "utf-8"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("p.txt: 1 byte sequences mean nothing"), "{said}");
    fs::write(folder.join("x.txt"), "nothing of a set\n").expect("a file");
    let error = fail(folder, &args("x.txt", &[]), 1);
    assert!(error.contains("begin it with a header") && !error.contains("give --from"), "{error}");
}
