//! Galleries: incremental, safe against kills, clear about everything that is wrong.

mod common;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use tuwen_image::{Filter, Limits, decode_file, encode_jpeg, resize};

const NAMES: [&str; 4] = ["red_car.png", "pizza.png", "sunset.png", "dog_grass.png"];

fn counts(summary: &serde_json::Value) -> [u64; 5] {
    ["added", "updated", "unchanged", "moved", "removed"]
        .map(|key| summary[key].as_u64().expect("a count"))
}

#[test]
fn only_what_changed_is_embedded_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let pictures = home.join("pictures");
    copy_pictures(&NAMES, &pictures);
    assert_eq!(counts(&index(home, &["pictures"])), [4, 0, 0, 0, 0]);
    assert_eq!(counts(&index(home, &["pictures"])), [0, 0, 4, 0, 0]);
    std::fs::create_dir(pictures.join("sub")).expect("a folder");
    std::fs::rename(pictures.join("pizza.png"), pictures.join("sub/food.png")).expect("moved");
    std::fs::copy(demo_pictures().join("cow.png"), pictures.join("sunset.png")).expect("changed");
    std::fs::remove_file(pictures.join("red_car.png")).expect("deleted");
    assert_eq!(counts(&index(home, &["pictures"])), [0, 1, 1, 1, 1]);
    let hits = search(home, &["a cow", "-k", "10"]);
    let names: Vec<&str> = hits.iter().filter_map(|h| h["path"].as_str()).collect();
    assert_eq!(names.len(), 3);
    assert!(names.iter().any(|name| name.ends_with("sub/food.png")));
}

#[test]
fn captions_follow_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    let file = home.join("c.csv");
    std::fs::write(&file, "image,caption\npizza.png,a pizza\nsunset.png,夕阳\n").expect("a file");
    assert_eq!(index(home, &["pictures", "--captions", "c.csv"])["texts"], 2);
    assert_eq!(index(home, &["--captions", "c.csv"])["texts"], 0, "nothing changed");
    std::fs::write(&file, "image,caption\npizza.png,a pizza\nno.png,nothing\n").expect("a file");
    let summary = index(home, &["--captions", "c.csv"]);
    assert_eq!((&summary["texts"], &summary["removed"]), (&1.into(), &1.into()));
    assert!(summary["texts_alone"][0]["reason"].as_str().expect("a reason").contains("no.png"));
    std::fs::write(&file, "foto,words\npizza.png,a pizza\n").expect("a file");
    let message = fail(home, &["index", "--captions", "c.csv"], 1);
    assert!(message.contains("no column `image`") && message.contains("words"), "{message}");
}

#[test]
fn values_that_a_field_cannot_have_are_told_once_for_each_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let lines = [
        r#"{"image": "x.png", "text": "one", "date": "soon", "year": "two", "price": "free"}"#,
        r#"{"image": "x.png", "text": "two", "date": "2020-05-17", "year": ""}"#,
        r#"{"image": "x.png", "text": "three", "日期": "32.13.2020"}"#,
    ];
    std::fs::write(home.join("c.jsonl"), lines.join("\n")).expect("a file");
    let output = common::tuwen(home, &["index", "--captions", "c.jsonl"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let date =
        "c.jsonl: 2 values of date left out, such as \"soon\", for date is a date: write 2020";
    let year = "c.jsonl: 1 value of year left out, such as \"two\", for year is a number: write 12";
    assert!(said.contains(date) && said.contains(year), "{said}");
    assert!(!said.contains("price"), "{said}");
    let values = &index(home, &["--captions", "c.jsonl"])["unread_values"];
    assert_eq!((&values[0]["field"], &values[0]["count"]), (&"date".into(), &2.into()));
}

#[test]
fn bad_files_are_skipped_and_the_rest_is_indexed() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let pictures = home.join("pictures");
    copy_pictures(&NAMES, &pictures);
    let png = std::fs::read(pictures.join("pizza.png")).expect("a picture");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/pictures");
    let jpeg = std::fs::read(golden.join("rgb.jpg")).expect("a picture");
    std::fs::write(pictures.join("empty.jpg"), b"").expect("a file");
    std::fs::write(pictures.join("words.png"), b"no picture at all").expect("a file");
    std::fs::write(pictures.join("half.jpg"), &jpeg[..jpeg.len() / 2]).expect("a file");
    std::fs::write(pictures.join("half.png"), &png[..png.len() / 2]).expect("a file");
    std::fs::write(pictures.join("really-a-jpeg.png"), &jpeg).expect("a file");
    std::fs::write(pictures.join("no-extension"), &png).expect("a file");
    std::fs::write(pictures.join("notes.txt"), b"some notes").expect("a file");
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9-\xff.png");
    std::fs::copy(demo_pictures().join("cow.png"), pictures.join(strange)).expect("a file");
    std::os::unix::fs::symlink(&pictures, pictures.join("loop")).expect("a link");
    std::os::unix::fs::symlink("nowhere.png", pictures.join("broken.png")).expect("a link");
    let summary = index(home, &["pictures"]);
    let failed = summary["failed"].as_array().expect("a list");
    let about = |name: &str| {
        let found = failed.iter().find(|f| f["path"].as_str().is_some_and(|p| p.ends_with(name)));
        found.unwrap_or_else(|| panic!("{name} is not reported: {summary}"))["reason"].to_string()
    };
    assert!(about("empty.jpg").contains("empty"));
    assert!(about("words.png").contains("unknown format"));
    assert!(about("half.jpg").contains("truncated"));
    about("half.png");
    about("broken.png");
    assert_eq!(failed.len(), 5, "{summary}");
    assert_eq!(summary["repeated"], 1, "a link back to the folder: {summary}");
    assert_eq!(summary["added"], 4 + 3, "{summary}");
    let again = index(home, &["pictures"]);
    assert_eq!((&again["unchanged"], &again["added"]), (&7.into(), &0.into()), "{again}");
    assert_eq!(search(home, &["a cow", "-k", "50"]).len(), 7);
    let message = fail(home, &["index", "no-such-folder"], 1);
    assert!(message.contains("no-such-folder"), "{message}");
}

#[test]
fn a_kill_loses_nothing_and_the_next_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let pictures = home.join("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    for copy in 0..4 {
        for entry in std::fs::read_dir(demo_pictures()).expect("demo pictures") {
            let from = entry.expect("an entry").path();
            let mut bytes = std::fs::read(&from).expect("a picture");
            bytes.extend(format!("copy {copy}").into_bytes());
            let name = format!("{copy}-{}", from.file_name().expect("a name").to_string_lossy());
            std::fs::write(pictures.join(name), bytes).expect("a file");
        }
    }
    let total = std::fs::read_dir(&pictures).expect("pictures").count();
    let mut child = Command::new(TUWEN)
        .args(["index", "pictures"])
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    // Readers are never blocked: wait until some, but not all, are committed.
    let committed = loop {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing was committed");
        let output = common::tuwen(home, &["search", "x", "--json", "-k", "9999"]);
        let hits: Vec<serde_json::Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        if !hits.is_empty() {
            break hits.len();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let second = common::tuwen(home, &["index", "pictures"]);
    let busy = String::from_utf8_lossy(&second.stderr).into_owned();
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    if committed < total {
        assert!(busy.contains("another tuwen"), "a second writer: {busy}");
    }
    let summary = index(home, &["pictures"]);
    let [added, updated, unchanged, ..] = counts(&summary);
    assert!(unchanged >= committed as u64, "{summary}, {committed} were committed");
    assert_eq!((added + unchanged, updated), (total as u64, 0), "{summary}");
    assert_eq!(search(home, &["x", "-k", "9999"]).len(), total);
}

#[test]
fn damaged_foreign_and_unwritable_galleries_are_named_with_the_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &["pictures"]);
    let database = home.join(".tuwen/gallery.sqlite");

    // Another model: the same weights under another configuration give another fingerprint.
    let model = common::built_in_folder();
    common::copy_model(&model, &home.join("model"));
    let config = std::fs::read_to_string(model.join("config.json")).expect("the built-in model");
    let other = config.replace("squash", "two-to-one");
    std::fs::write(home.join("model/config.json"), other).expect("a file");
    for args in
        [&["search", "a dog", "--model", "model"][..], &["index", "pictures", "--model", "model"]]
    {
        let message = fail(home, args, 1);
        assert!(message.contains("--rebuild") && message.contains("tuwen-small-"), "{message}");
    }
    let rebuilt = index(home, &["pictures", "--model", "model", "--rebuild"]);
    assert_eq!(rebuilt["added"], 4);
    assert_eq!(search(home, &["a dog"]).len(), 4, "the gallery knows its model");
    assert!(fail(home, &["search", "a", "--model", "no-such-model"], 1).contains("no-such-model"));

    let bytes = std::fs::read(&database).expect("the database");
    std::fs::write(&database, &bytes[..bytes.len() / 2]).expect("cut in half");
    for args in [&["search", "a dog"][..], &["index", "pictures", "--model", "model"]] {
        let message = fail(home, args, 1);
        assert!(message.contains("damaged") && message.contains("--rebuild"), "{message}");
    }
    std::fs::write(&database, b"not a database at all, but long enough to be looked at")
        .expect("a file");
    assert!(fail(home, &["search", "a dog"], 1).contains("damaged"));
    let message = fail(home, &["index", "pictures", "--gallery", "/proc/tuwen"], 1);
    assert!(message.contains("/proc/tuwen"), "{message}");
    succeed(home, &["index", "pictures", "--rebuild"]);
}

#[test]
fn fewer_pixels_are_decoded_where_somebody_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let pictures = home.join("pictures");
    std::fs::create_dir(&pictures).expect("a folder");
    for name in NAMES {
        let drawn = decode_file(&demo_pictures().join(name), Limits::default()).expect("a picture");
        let large = resize(&drawn.into_rgb(), 2048, 1536, Filter::Bicubic);
        std::fs::write(pictures.join(name.replace("png", "jpg")), encode_jpeg(&large, 92))
            .expect("a file");
    }
    copy_pictures(&["cow.png"], &pictures);
    let fast = index(home, &["pictures", "--fast"]);
    assert_eq!(counts(&fast), [5, 0, 0, 0, 0]);
    assert_eq!(fast["fast"]["pictures"], 4, "a PNG has all of its pixels: {fast}");
    let least = fast["fast"]["least_cosine"].as_f64().expect("a number");
    assert!((0.98..1.0).contains(&least), "{least}");
    let of_fast = search(home, &["a red car"]);
    let info = || -> serde_json::Value {
        let info = succeed(home, &["gallery", "info", "--json"]);
        serde_json::from_str(&info).expect("JSON")
    };
    assert_eq!((&info()["fast_pictures"], &info()["fast"]), (&4.into(), &fast["fast"]));
    assert_eq!(index(home, &["pictures", "--fast"])["fast"], serde_json::Value::Null, "all known");
    // It is measured once, and a gallery of both is told.
    copy_pictures(&["pizza.png"], &pictures);
    assert_eq!(index(home, &["pictures", "--fast"])["fast"], fast["fast"]);
    copy_pictures(&["apples.png"], &pictures);
    let said = tuwen(home, &["index", "pictures"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("4 pictures of this gallery were indexed with --fast"), "{said}");
    let exact = index(home, &["pictures", "--rebuild"]);
    assert_eq!((&exact["fast"], &exact["fast_pictures"]), (&serde_json::Value::Null, &0.into()));
    assert_eq!(info()["fast_pictures"], 0);
    let scores = |hits: &[serde_json::Value]| hits[0]["score"].as_f64().expect("a score");
    let of_exact = search(home, &["a red car"]);
    assert_ne!(scores(&of_fast), scores(&of_exact));
    assert_eq!(of_fast[0]["path"], of_exact[0]["path"]);
}
