//! `tuwen data scenes` on pictures made here.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{TUWEN, fail, succeed};
use serde_json::{Value, json};
use tuwen_image::{RgbImage, encode_png};

/// Boxes on white paper with names, and a configuration with the lines before its set.
fn set(folder: &Path, names: &[&str], lines: &str) {
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let mut labels = String::new();
    for (at, name) in names.iter().enumerate() {
        let wide = 24 + at as u32 * 3;
        let picture = RgbImage::from_fn(64, 64, |x, y| {
            let inside = (4..4 + wide).contains(&x) && (4..44).contains(&y);
            if inside { [40 * at as u8, 90, 60].into() } else { [255; 3].into() }
        });
        let file = format!("{at}.png");
        std::fs::write(pictures.join(&file), encode_png(&picture)).expect("a file");
        labels += &format!("{}\n", json!({ "file": file, "name": name }));
    }
    std::fs::write(folder.join("labels.jsonl"), labels).expect("a file");
    let config = format!(
        "{lines}\n[[sets]]\nformat = \"jsonl\"\nimages = \"pictures\"\ncaptions = [{{ file = \"labels.jsonl\", \
         source = \"en\", image_field = \"file\", caption_field = \"name\" }}]\n"
    );
    std::fs::write(folder.join("scenes.toml"), config).expect("a file");
}

const THINGS: [&str; 6] = ["dog", "cat", "apple", "car", "tree", "up arrow"];

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), std::fs::read(&path).expect("a file"))).collect()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    set(folder, &THINGS, "count = 70\nsize = 64\nseed = 5");
    for threads in ["1", "3"] {
        let run = Command::new(TUWEN)
            .args(["data", "scenes", "scenes.toml", threads])
            .env("RAYON_NUM_THREADS", threads)
            .current_dir(folder)
            .output()
            .expect("the program starts");
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{error}");
        assert!(error.contains("5 pictures of 5 things; 1 more have a name"), "{error}");
    }
    let one = files(&folder.join("1"));
    assert_eq!(one, files(&folder.join("3")));
    assert_eq!(one.len(), 71, "{:?}", one.keys());
    let other =
        succeed(folder, &["data", "scenes", "scenes.toml", "other", "--seed", "6", "--json"]);
    let other: Value = serde_json::from_str(&other).expect("JSON");
    assert_eq!((&other["scenes"], &other["things"]), (&json!(70), &json!(5)));
    assert_ne!(one["000000.jpg"], files(&folder.join("other"))["000000.jpg"]);
}

#[test]
fn the_set_is_read_as_any_other_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    set(folder, &THINGS, "");
    let command = ["data", "scenes", "scenes.toml", "out", "--count", "9", "--size", "64"];
    succeed(folder, &command);
    let lines = std::fs::read_to_string(folder.join("out/scenes.jsonl")).expect("a file");
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        for key in ["file", "en", "zh", "en2", "zh2"] {
            assert!(record[key].as_str().is_some_and(|text| !text.is_empty()), "{line}");
        }
    }
    for field in ["en", "zh2"] {
        let stats =
            ["data", "stats", "out/scenes.jsonl", "--images", "out", "--caption-field", field];
        let stats = succeed(folder, &[&stats[..], &["--image-field", "file", "--json"]].concat());
        let stats: Value = serde_json::from_str(&stats).expect("JSON");
        assert_eq!(stats["pictures"], 9, "{stats}");
    }
    let before = files(&folder.join("out"));
    let error = fail(folder, &command, 1);
    assert!(error.contains("out"), "{error}");
    assert_eq!(files(&folder.join("out")), before);
}

#[test]
fn what_makes_no_sense_is_refused_by_name_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    set(folder, &THINGS, "");
    for wrong in [["--count", "0"], ["--size", "0"], ["--size", "63"], ["--size", "100000"]] {
        let error = fail(folder, &["data", "scenes", "scenes.toml", "out", wrong[0], wrong[1]], 2);
        assert!(error.contains(wrong[0]), "{error}");
    }
    let cases = [
        (&THINGS[..], "count = 0", "`count` is 0, it must be from 1"),
        (&THINGS[..], "size = 9000", "`size` is 9000, it must be from 64"),
        (&THINGS[..], "colour = 1", "unknown field `colour`"),
        (&["up arrow", "Aries"][..], "", "no picture of its sets can be used"),
    ];
    for (names, lines, words) in cases {
        set(folder, names, lines);
        let error = fail(folder, &["data", "scenes", "scenes.toml", "out"], 1);
        assert!(error.contains(words) && error.contains("scenes.toml"), "{error}");
    }
    std::fs::write(folder.join("scenes.toml"), "sets = []").expect("a file");
    let error = fail(folder, &["data", "scenes", "scenes.toml", "out"], 1);
    assert!(error.contains("`sets` is empty"), "{error}");
    let left: Vec<String> = files_named(folder);
    assert!(!left.iter().any(|name| name.starts_with("out")), "{left:?}");
}

fn files_named(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
