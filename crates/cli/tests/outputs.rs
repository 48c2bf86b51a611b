//! What commands write, and what they refuse to write.

mod captioned;
mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use captioned::{names, set, text};
use common::{TUWEN, fail, index, succeed, tuwen};
use serde_json::Value;

#[test]
fn an_input_is_no_output() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let before = text(&home.join("set.csv"));
    fs::hard_link(home.join("set.csv"), home.join("other.html")).expect("a link");
    std::os::unix::fs::symlink("set.csv", home.join("link.html")).expect("a link");
    for page in ["set.csv", "./images/../set.csv", "other.html", "link.html"] {
        let args = ["data", "doctor", "set.csv", "--no-pairing", "--force", "--html", page];
        assert!(fail(home, &args, 2).contains("is read by this command"), "{page}");
    }
    assert_eq!(text(&home.join("set.csv")), before);
    let inside = ["data", "convert", "images", "images/more", "--names", "--to", "folder"];
    assert!(fail(home, &inside, 2).contains("lies inside images"));
    assert!(!home.join("images/more.part").exists());
}

#[test]
fn files_of_others_stay_and_our_own_are_replaced() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    index(home, &["images"]);
    fs::write(home.join("z.jpg"), "precious").expect("a file");
    let search =
        |page: &str| vec!["search".to_owned(), "a cow".into(), "--html".into(), page.into()];
    let run = |args: &[String]| tuwen(home, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = run(&search("z.jpg"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("z.jpg exists already"));
    assert_eq!(text(&home.join("z.jpg")), "precious");
    let missing = run(&search("no/where/hits.html"));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no folder no/where"));
    assert!(run(&search("hits.html")).status.success());
    assert!(run(&search("hits.html")).status.success(), "our own page is replaced");
    fs::write(home.join("empty.html"), "").expect("a file");
    assert!(run(&search("empty.html")).status.success(), "nothing to lose");
    let forced = [search("z.jpg"), vec!["--force".to_owned()]].concat();
    assert!(run(&forced).status.success());
    assert!(text(&home.join("z.jpg")).starts_with("<!doctype html>"));
    // A link is followed, not replaced.
    std::os::unix::fs::symlink("hits.html", home.join("link.html")).expect("a link");
    assert!(run(&search("link.html")).status.success() && home.join("link.html").is_symlink());
    assert!(!names(home).iter().any(|name| name.ends_with(".part")), "{:?}", names(home));
}

#[test]
fn folders_of_results_know_their_own_files() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let split = |out: &str, more: &[&str]| {
        let args = ["data", "split", "set.csv", "--share", "0.5", "--out", out];
        tuwen(home, &[&args[..], more].concat())
    };
    fs::create_dir(home.join("foreign")).expect("a folder");
    fs::write(home.join("foreign/train.ids"), "precious\n").expect("a file");
    let refused = split("foreign", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("tuwen did not write"));
    assert_eq!(names(&home.join("foreign")), ["train.ids"]);
    assert!(split("s", &[]).status.success() && split("s", &["--seed", "1"]).status.success());
    assert_eq!(names(&home.join("s")), [".tuwen-outputs", "train.ids", "val.ids"]);
    // What somebody edits is theirs.
    fs::write(home.join("s/val.ids"), "cow\n").expect("a file");
    let refused = split("s", &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("val.ids exists already"));
    assert_eq!(text(&home.join("s/val.ids")), "cow\n");
    assert!(split("s", &["--force"]).status.success());
    let eval = ["eval", "--images", "images", "--captions", "set.csv"];
    let both = [&eval[..], &["--out", "results", "--report", "results"]].concat();
    succeed(home, &both);
    succeed(home, &both);
}

#[test]
fn a_full_disk_leaves_the_old_page() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let args = ["data", "doctor", "set.csv", "--no-pairing", "--html", "d.html"];
    tuwen(home, &args);
    let before = text(&home.join("d.html"));
    let rows: String = (0..200).map(|i| format!("gone{i}.png,{}\n", "long ".repeat(100))).collect();
    fs::write(home.join("set.csv"), text(&home.join("set.csv")) + &rows).expect("a file");
    // A limit on the size of files ends a write as a full disk does.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let output = Command::new("bash")
        .args(["-c", script, TUWEN])
        .args(args)
        .current_dir(home)
        .output()
        .expect("bash starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("d.html"), "{error}");
    assert_eq!(text(&home.join("d.html")), before);
    assert_eq!(names(home), ["d.html", "images", "set.csv"]);
}

#[test]
fn two_cannot_write_one_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let held = |folder: &str| {
        fs::create_dir_all(home.join(folder)).expect("a folder");
        let lock = File::create(home.join(folder).join(".tuwen-lock")).expect("a file");
        lock.try_lock().expect("free");
        lock
    };
    let _locks = [held("new.part"), held("ids")];
    for args in [
        &["data", "convert", "set.csv", "new", "--to", "csv"][..],
        &["data", "augment", "set.csv", "new", "--copies", "1"],
        &["data", "embed", "set.csv", "new", "--to", "fbin"],
        &["model", "convert", "tuwen-small", "new"],
        &["model", "mix", "tuwen-small", "tuwen-small", "--out", "new"],
        &["data", "split", "set.csv", "--out", "ids"],
    ] {
        assert!(fail(home, args, 1).contains("another tuwen is writing"), "{args:?}");
    }
    assert_eq!(names(&home.join("new.part")), [".tuwen-lock"]);
}

#[test]
fn what_is_converted_is_read_again_in_every_format() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let sorted = |set: &str| -> Vec<(String, Vec<String>)> {
        let lines = succeed(home, &["data", "sample", set, "-n", "100", "--json"]);
        let record = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let captions = record["captions"].as_array().expect("a list");
            let captions = captions.iter().map(|c| c["text"].as_str().expect("words").to_owned());
            (record["id"].as_str().expect("an id").to_owned(), captions.collect())
        };
        let mut records: Vec<_> = lines.lines().map(record).collect();
        records.sort();
        records
    };
    let original = sorted("set.csv");
    assert_eq!(original.len(), 4);
    let pictures = |folder: &Path| -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = names(folder)
            .iter()
            .map(|name| fs::read(folder.join(name)).expect("a picture"))
            .collect();
        all.sort();
        all
    };
    for format in [
        "csv",
        "jsonl",
        "flickr",
        "taidi",
        "folder",
        "coco",
        "chinese-clip",
        "chinese-clip-lmdb",
        "shards",
        "parquet",
    ] {
        succeed(home, &["data", "convert", "set.csv", format, "--to", format]);
        let stats = succeed(home, &["data", "stats", format, "--json"]);
        let stats: Value = serde_json::from_str(&stats).expect("JSON");
        let counts = ["pictures", "captions", "skipped", "repeated"].map(|key| stats[key].clone());
        assert_eq!(counts, [4, 5, 0, 0].map(Value::from), "{format}: {stats}");
        let back = format!("{format}-back");
        succeed(home, &["data", "convert", format, &back, "--to", "jsonl"]);
        assert_eq!(
            pictures(&home.join(&back).join("images")),
            pictures(&home.join("images")),
            "{format}"
        );
        let again = sorted(&back);
        if format.starts_with("chinese-clip") {
            // Its ids are numbers; `ids.csv` says whose.
            let captions = |all: &[(String, Vec<String>)]| {
                let mut captions: Vec<_> =
                    all.iter().map(|(_, captions)| captions.clone()).collect();
                captions.sort();
                captions
            };
            assert_eq!(captions(&again), captions(&original), "{format}");
        } else {
            assert_eq!(again, original, "{format}");
        }
    }
}
