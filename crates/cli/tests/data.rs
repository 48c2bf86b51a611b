//! `tuwen data` on small sets.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, succeed, tuwen};
use serde_json::Value;

fn set(folder: &Path) {
    copy_pictures(
        &["airplane.png", "beach.png", "dog_beach.png", "night.png"],
        &folder.join("images"),
    );
    std::fs::copy(folder.join("images/beach.png"), folder.join("images/again.png"))
        .expect("a copy");
    std::fs::write(folder.join("images/broken.png"), b"\x89PNG nothing").expect("a file");
    let rows = "image,caption,kind\nairplane.png,一架飞机,air\nairplane.png,a plane,air\nbeach.png,海滩,sea\n\
        again.png,海滩,sea\ndog_beach.png,a dog on the beach,sea\nnight.png,夜晚,air\nbroken.png,?,air\ngone.png,?,sea\n";
    std::fs::write(folder.join("set.csv"), rows).expect("a file");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_set_is_counted_divided_and_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let output = tuwen(folder.path(), &["data", "stats", "set.csv", "--json"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("gone.png"));
    let stats = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        (&stats["pictures"], &stats["captions"], &stats["skipped"]),
        (&6.into(), &7.into(), &1.into())
    );
    assert_eq!((&stats["repeated"], &stats["chinese"]), (&1.into(), &4.into()));
    for seed in ["1", "2", "3"] {
        let args =
            ["data", "split", "set.csv", "--out", "s", "--seed", seed, "--share", "0.5", "--json"];
        let split = json(&succeed(folder.path(), &args));
        assert_eq!(split["near_duplicates"], 1);
        let ids =
            |name: &str| std::fs::read_to_string(folder.path().join("s").join(name)).expect("ids");
        let (train, val) = (ids("train.ids"), ids("val.ids"));
        assert_eq!(train.lines().count() + val.lines().count(), 6);
        let side = |id: &str| train.lines().any(|line| line == id);
        assert_eq!(side("beach"), side("again"), "near-duplicates stay together");
    }
    let drawn = succeed(folder.path(), &["data", "sample", "set.csv", "-n", "2", "--json"]);
    assert_eq!(drawn.lines().count(), 2);
    assert_eq!(drawn, succeed(folder.path(), &["data", "sample", "set.csv", "-n", "2", "--json"]));
}

#[test]
fn a_set_is_converted_and_what_is_bad_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let done = json(&succeed(
        folder.path(),
        &["data", "convert", "set.csv", "clip", "--to", "chinese-clip", "--json"],
    ));
    assert_eq!(
        (&done["pictures"], &done["captions"], &done["skipped"]),
        (&6.into(), &7.into(), &1.into())
    );
    // What reads it next sees the same pictures.
    let again = json(&succeed(folder.path(), &["data", "stats", "clip", "--json"]));
    assert_eq!((&again["pictures"], &again["splits"]["train"]), (&6.into(), &6.into()));
    let shown = fail(folder.path(), &["data", "convert", "set.csv", "clip", "--to", "csv"], 1);
    assert!(shown.contains("exists already"), "{shown}");
    assert!(fail(folder.path(), &["data", "stats", "nothing.csv"], 1).contains("nothing.csv"));
    std::fs::write(folder.path().join("x.bin"), "what is this").expect("a file");
    assert!(fail(folder.path(), &["data", "stats", "x.bin"], 1).contains("--from"));
    assert!(
        fail(folder.path(), &["data", "split", "set.csv", "--out", "s", "--share", "80"], 2)
            .contains("80")
    );
}

/// The demo's 84 pictures with their English captions, `shift` pictures apart.
fn demo(folder: &Path, shift: usize) {
    let table = common::demo_pictures().join("../captions.tsv");
    let text = std::fs::read_to_string(table).expect("the demo's captions");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| row[1] == "en").collect();
    let names: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    copy_pictures(&borrowed, &folder.join("images"));
    let lines: String = names
        .iter()
        .enumerate()
        .map(|(at, name)| format!("{name}\t{}\n", rows[(at + shift) % rows.len()][2]))
        .collect();
    std::fs::write(folder.join("set.tsv"), format!("image\tcaption\n{lines}")).expect("a file");
}

#[test]
fn scrambled_pairs_are_told_at_once() {
    for (shift, scrambled) in [(0, false), (41, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        demo(folder.path(), shift);
        let output = tuwen(folder.path(), &["data", "doctor", "set.tsv", "--json"]);
        let report = json(&String::from_utf8_lossy(&output.stdout));
        let kinds: Vec<&str> = report["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|finding| finding["kind"].as_str())
            .collect();
        assert_eq!(kinds.contains(&"pairing"), scrambled, "{report}");
        assert_eq!(output.status.code() == Some(4), scrambled, "{report}");
        assert_eq!(report["pairing"]["pairs"], report["records"]);
    }
}

#[test]
fn the_doctor_finds_every_kind_of_trouble_and_writes_a_cleaned_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let images = folder.path().join("images");
    std::fs::copy(images.join("night.png"), images.join("night2.jpg")).expect("a copy");
    std::fs::write(images.join("grey.png"), grey()).expect("a file");
    let rows = "image,caption,split\nairplane.png,飞机在天上,train\nbeach.png,海滩,train\nagain.png,海滩,val\n\
        dog_beach.png,dog_beach.png,train\nnight.png,记者<人名>的夜晚,train\nnight2.jpg,锟斤拷,train\n\
        grey.png,一片灰色,train\nbroken.png,?,train\ngone.png,?,train\n";
    std::fs::write(folder.path().join("set.csv"), rows).expect("a file");
    let before = std::fs::read(folder.path().join("set.csv")).expect("a file");
    let args = ["data", "doctor", "set.csv", "--json", "--fix", "clean.jsonl", "--html", "d.html"];
    let output = tuwen(folder.path(), &args);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&String::from_utf8_lossy(&output.stdout));
    let findings = report["findings"].as_array().expect("a list");
    let kinds: Vec<&str> = findings.iter().filter_map(|finding| finding["kind"].as_str()).collect();
    for kind in [
        "bad-record",
        "corrupt-picture",
        "degenerate-picture",
        "leakage",
        "name-as-caption",
        "mojibake",
        "duplicate-picture",
        "duplicate-caption",
        "placeholder",
        "wrong-extension",
    ] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "unnamed-picture").count(), 0);
    let page = std::fs::read_to_string(folder.path().join("d.html")).expect("a page");
    assert!(
        page.contains("data:image/jpeg") && page.contains("锟斤拷") && !page.contains("http"),
        "a page of its own"
    );
    // The original is as it was; the manifest is a set by itself.
    assert_eq!(std::fs::read(folder.path().join("set.csv")).expect("a file"), before);
    let clean = json(&succeed(folder.path(), &["data", "stats", "clean.jsonl", "--json"]));
    assert_eq!((&clean["pictures"], &clean["skipped"]), (&3.into(), &0.into()), "{clean}");
    assert!(fail(folder.path(), &args, 1).contains("exists already"));
}

#[test]
fn pictures_that_no_caption_names_are_told_of_folders_and_archives() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    succeed(folder.path(), &["data", "convert", "images", "tar", "--to", "shards"]);
    std::fs::write(folder.path().join("set.csv"), "image,caption\nbeach,海滩\n").expect("a file");
    for (images, strays) in [("images", 5), ("tar/00000.tar", 5)] {
        let args = ["data", "doctor", "set.csv", "--images", images, "--json", "--no-pairing"];
        let output = tuwen(folder.path(), &args);
        let report = json(&String::from_utf8_lossy(&output.stdout));
        let findings = report["findings"].as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["kind"] == "unnamed-picture");
        assert_eq!(found.map(|found| &found["count"]), Some(&strays.into()), "{images}: {report}");
    }
}

#[test]
fn a_set_grows_by_varied_copies_and_translations() {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    let more = "image,caption\nbeach.png,阳光下的海滩\nnight.png,月亮\n";
    std::fs::write(folder.path().join("more.csv"), more).expect("a file");
    let args = [
        "data",
        "augment",
        "set.csv",
        "big",
        "--images",
        "images",
        "--copies",
        "2",
        "--operations",
        "2",
        "--side",
        "64",
        "--captions",
        "more.csv",
    ];
    let out = succeed(folder.path(), &args);
    // Five readable pictures, each three times; the broken and the missing one are skipped.
    assert!(out.contains("15 pictures") && out.contains("2 skipped"), "{out}");
    let table = std::fs::read_to_string(folder.path().join("big/captions.csv")).expect("a file");
    assert!(table.contains("阳光下的海滩"), "{table}");
    let copy =
        |name: &str| std::fs::read(folder.path().join("big/images").join(name)).expect("a copy");
    assert_ne!(copy("beach-1.jpg"), copy("beach-2.jpg"));
    let again = [&args[..3], &["again"], &args[4..]].concat();
    succeed(folder.path(), &again);
    let same = std::fs::read(folder.path().join("again/images/beach-2.jpg")).expect("a copy");
    assert_eq!(same, copy("beach-2.jpg"), "the seed decides");
}

/// A grey PNG of 64 x 64.
fn grey() -> Vec<u8> {
    let picture = tuwen_image::RgbImage::from_pixel(64, 64, [128; 3].into());
    tuwen_image::encode_jpeg(&picture, 90)
}
