//! What went wrong once on somebody's files, and must not again.

mod common;

use std::os::unix::fs::symlink;
use std::path::Path;

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 3] = ["ship.png", "beach.png", "pizza.png"];

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), text).expect("a file");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn one_picture_under_several_spellings_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("images"));
    let rows = "ship.png,one\n./ship.png,two\nimages/ship.png,three\nbeach.png,four\n";
    write(home, "c.csv", format!("image,caption\n{rows}.\\beach.png,five\n"));
    let stats = json(&succeed(home, &["data", "stats", "c.csv", "--json"]));
    assert_eq!((&stats["pictures"], &stats["captions"]), (&2.into(), &5.into()), "{stats}");
    write(home, "ids", "ship\n");
    let eval = ["eval", "--images", "images", "--captions", "c.csv", "--ids", "ids", "--json"];
    let report = json(&succeed(home, &eval));
    assert_eq!(report["c"]["text_to_image"]["queries"], 3, "{report}");
}

#[test]
fn vectors_keep_a_sets_ids_and_its_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("images"));
    let line = |image: &str, text: &str, id: u32| {
        format!("{{\"image\": \"{image}\", \"caption\": \"{text}\", \"text_id\": {id}}}\n")
    };
    let lines =
        [line("ship.png", "blue", 70), line("beach.png", "blue", 70), line("pizza.png", "food", 9)];
    write(home, "c.jsonl", lines.concat());
    succeed(home, &["data", "embed", "c.jsonl", "out", "--to", "chinese-clip"]);
    let texts = std::fs::read_to_string(home.join("out/txt_feat.jsonl")).expect("vectors");
    let ids: Vec<Value> = texts.lines().map(|line| json(line)["text_id"].clone()).collect();
    assert_eq!(ids, [70, 9], "a text of two pictures is one");
    // A row for each caption, as clip-retrieval has them: equal rows are one picture.
    let five = |name: &str| (0..5).map(|n| format!("{name},{n} of it\n")).collect::<String>();
    write(home, "c.csv", format!("image,caption\n{}{}", five("ship.png"), five("pizza.png")));
    succeed(home, &["data", "embed", "c.csv", "cr", "--to", "clip-retrieval"]);
    let files = ["--image-features", "cr/img_emb", "--text-features", "cr/text_emb"];
    let scored = json(&succeed(home, &[&["score", "--json"][..], &files].concat()));
    let direct = ["eval", "--images", "images", "--captions", "c.csv", "--json"];
    let direct = json(&succeed(home, &direct));
    let of = |report: &Value| {
        let report = report.as_object().expect("an object").values().next().expect("a set").clone();
        (report["text_to_image"]["recall"].clone(), report["text_to_image"]["gallery"].clone())
    };
    assert_eq!(of(&scored), of(&direct));
}

#[test]
fn a_sets_folder_is_not_left_by_links_and_archives_lose_no_member() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("set"));
    copy_pictures(&["cow.png"], &home.join("elsewhere"));
    for (name, target) in
        [("disk", "/"), ("up", ".."), ("outside", "../elsewhere"), ("p", "/proc/self")]
    {
        symlink(target, home.join("set").join(name)).expect("a link");
    }
    let stats = json(&succeed(home, &["data", "stats", "set", "--names", "--json"]));
    assert_eq!(stats["pictures"], 3, "{stats}");
    let png = std::fs::read(demo_pictures().join("ship.png")).expect("a picture");
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in [("x/a.png", &png[..]), ("x/a.txt", b"a ship")] {
        let mut header = tar::Header::new_gnu();
        // The library writes no such name itself.
        let field = &mut header.as_gnu_mut().expect("made as such").name;
        let hostile = name.replace("x/", "../");
        field[..hostile.len()].copy_from_slice(hostile.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, bytes).expect("into memory");
    }
    write(home, "t.tar", builder.into_inner().expect("into memory"));
    let stats = json(&succeed(home, &["data", "stats", "t.tar", "--json"]));
    assert_eq!((&stats["pictures"], &stats["captions"]), (&1.into(), &1.into()), "{stats}");
}

#[test]
fn force_gives_up_no_picture_and_no_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("photos"));
    index(home, &["photos"]);
    for html in ["photos/ship.png", ".tuwen/gallery.sqlite"] {
        let before = std::fs::read(home.join(html)).expect("a file");
        let error = fail(home, &["search", "a ship", "--html", html, "--force"], 1);
        assert!(error.contains("another name"), "{error}");
        assert_eq!(std::fs::read(home.join(html)).expect("a file"), before);
    }
    assert_eq!(search(home, &["a ship"]).len(), 3);
}

#[test]
fn a_rebuild_that_cannot_see_a_folder_leaves_the_old_gallery() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES[..2], &home.join("a"));
    copy_pictures(&NAMES[2..], &home.join("b"));
    index(home, &["a", "b"]);
    std::fs::rename(home.join("b"), home.join("away")).expect("a folder");
    std::fs::create_dir(home.join("b")).expect("an empty mount point");
    let error = fail(home, &["index", "a", "b", "--rebuild"], 1);
    assert!(error.contains("1 picture of") && error.contains("--force"), "{error}");
    assert_eq!(search(home, &["food"]).len(), 3);
    succeed(home, &["index", "a", "b", "--rebuild", "--force"]);
    assert_eq!(search(home, &["food"]).len(), 2);
}

#[test]
fn one_moved_picture_is_no_proof_that_a_disk_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("photos"));
    index(home, &["photos"]);
    std::fs::rename(home.join("photos"), home.join("away")).expect("a folder");
    std::fs::create_dir(home.join("photos")).expect("an empty mount point");
    std::fs::copy(home.join("away/ship.png"), home.join("photos/copy.png")).expect("a picture");
    let error = fail(home, &["index", "photos"], 1);
    assert!(error.contains("2 pictures of") && error.contains("--force"), "{error}");
    assert_eq!(search(home, &["food"]).len(), 3);
}

#[test]
fn labels_and_splits_are_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("set/test/0"));
    let args = ["classify", "set/test/0", "--label", "", "--label", "dog"];
    assert!(fail(home, &args, 2).contains("empty"));
    let output = tuwen(home, &["classify", "--data", "set", "--split", "../..", "--label", "dog"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("`../..`"), "{error}");
}
