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
