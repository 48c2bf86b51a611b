//! `tuwen classify` on the demo's drawn pictures.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, succeed, tuwen};
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A set in Chinese-CLIP's layout: airplanes, beaches, pizza.
fn set(folder: &Path) {
    let test = folder.join("set/test");
    copy_pictures(&["airplane.png"], &test.join("000"));
    copy_pictures(&["beach.png", "dog_beach.png"], &test.join("001"));
    copy_pictures(&["pizza.png"], &test.join("002"));
    std::fs::write(folder.join("set/label_cn.txt"), "\u{feff}飞机\n海滩\n披萨\n").expect("a file");
}

#[test]
fn pictures_get_the_likeliest_of_the_given_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&["airplane.png", "bananas.png"], &folder.path().join("photos"));
    std::fs::write(folder.path().join("photos/broken.jpg"), b"\xff\xd8\xffnot").expect("a file");
    for labels in [["an airplane", "bananas", "a bicycle"], ["飞机", "香蕉", "自行车"]] {
        let mut args = vec!["classify", "photos", "--json"];
        labels.iter().for_each(|label| args.extend(["--label", label]));
        let output = tuwen(folder.path(), &args);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("skipped photos/broken.jpg"));
        let found = lines(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(found.len(), 2);
        for (picture, label) in found.iter().zip(labels) {
            assert_eq!(picture["labels"][0]["label"], label, "{picture}");
            let all = picture["labels"].as_array().expect("a list");
            let sum: f64 = all.iter().map(|l| l["probability"].as_f64().expect("a number")).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }
    let text = succeed(
        folder.path(),
        &["classify", "photos/bananas.png", "--label", "香蕉", "--label", "飞机", "--top", "1"],
    );
    assert!(text.contains('%') && text.contains("香蕉") && !text.contains("飞机"), "{text}");
}

#[test]
fn a_set_in_chinese_clips_layout_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let args =
        ["classify", "--data", "set", "--confusion", "c.csv", "--elevater", "e.json", "--json"];
    let measured = &lines(&succeed(folder.path(), &args))[0];
    assert_eq!(measured["pictures"], 4);
    assert_eq!(measured["top5"], 100.0);
    assert!(measured["top1"].as_f64().expect("a number") >= 75.0, "{measured}");
    let confusion: Vec<Vec<usize>> =
        serde_json::from_value(measured["confusion"].clone()).expect("a table");
    assert_eq!(confusion.iter().map(|row| row.iter().sum()).collect::<Vec<usize>>(), [1, 2, 1]);
    let csv = std::fs::read_to_string(folder.path().join("c.csv")).expect("a table");
    assert!(
        csv.starts_with("label,\"飞机\",\"海滩\",\"披萨\"\n") && csv.lines().count() == 4,
        "{csv}"
    );
    let text = std::fs::read_to_string(folder.path().join("e.json")).expect("predictions");
    let elevater: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&elevater["dataset_name"], &elevater["model_name"]),
        (&"set".into(), &"tuwen-small".into())
    );
    let predictions: Vec<Vec<Vec<f64>>> =
        serde_json::from_value(elevater["predictions"].clone()).expect("pictures by labels");
    assert_eq!((predictions[0].len(), predictions[0][0].len()), (4, 3));
    let six = |p: &f64| (p * 1e6 - (p * 1e6).round()).abs() < 1e-6;
    assert!(predictions[0].iter().flatten().all(six));
    let people = succeed(folder.path(), &["classify", "--data", "set"]);
    assert!(
        people.contains("top-1") && people.contains("chance 33.33") && people.contains("海滩"),
        "{people}"
    );
    // Other words for the same classes, and the folders' names where there are none.
    std::fs::remove_file(folder.path().join("set/label_cn.txt")).expect("our own");
    std::fs::rename(folder.path().join("set/test/000"), folder.path().join("set/test/飞机"))
        .expect("our own");
    let named = succeed(folder.path(), &["classify", "--data", "set", "--json"]);
    assert_eq!(lines(&named)[0]["labels"], 3);
}

#[test]
fn what_makes_no_sense_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let failing = |args: &[&str], code| fail(folder.path(), &[&["classify"], args].concat(), code);
    assert!(failing(&["set"], 2).contains("--labels"));
    assert!(failing(&["set", "--label", "a", "--label", "a"], 2).contains("twice"));
    assert!(failing(&["nowhere", "--label", "a"], 1).contains("nowhere"));
    assert!(failing(&["set", "--label", "a", "--templates", "fr"], 2).contains("fr"));
    std::fs::write(folder.path().join("t.txt"), "no place").expect("a file");
    assert!(failing(&["set", "--label", "a", "--templates", "t.txt"], 2).contains("{}"));
    std::fs::write(folder.path().join("l.txt"), "a\nb\n").expect("a file");
    let counts = failing(&["--data", "set", "--labels", "l.txt"], 1);
    assert!(counts.contains("3 class folders") && counts.contains("2 labels"), "{counts}");
}
