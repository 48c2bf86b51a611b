//! From a set in any format to a configuration that works, wherever it lies and wherever it is run from.

mod common;
mod runs;

use std::path::Path;

use common::{fail, succeed};
use runs::{NAMES, config, curve, prepare, short};

/// `tuwen train init` with lists of ids for a set of eight and four pictures.
fn init(home: &Path, set: &str, more: &[&str]) -> String {
    let out = format!("{}.toml", more.last().expect("a name"));
    let ids = ["--train-ids", "train.ids", "--valid-ids", "val.ids", "--preset", "small-frozen"];
    let args = [&["train", "init", set][..], &ids, &more[..more.len() - 1], &["--out", &out]];
    succeed(home, &args.concat());
    out
}

fn ids(home: &Path, names: &[&str]) {
    std::fs::write(home.join("train.ids"), names[..8].join("\n")).expect("a file");
    std::fs::write(home.join("val.ids"), names[8..].join("\n")).expect("a file");
}

#[test]
fn every_format_begins_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    // With and without the extension.
    let stems: Vec<&str> = NAMES.iter().map(|name| name.trim_end_matches(".png")).collect();
    let mixed: Vec<&str> = NAMES
        .iter()
        .zip(stems)
        .enumerate()
        .map(|(at, (a, b))| if at % 2 == 0 { *a } else { b })
        .collect();
    ids(home, &mixed);
    let set = ["data", "convert", "c.jsonl", "--images", "pictures", "--caption-field", "zh"];
    for (format, inner) in [
        ("csv", "captions.csv"),
        ("flickr", "captions.txt"),
        ("taidi", "ImageWordData.csv"),
        ("folder", ""),
        ("coco", "annotations.json"),
        ("chinese-clip", ""),
        ("chinese-clip-lmdb", ""),
        ("shards", ""),
        ("parquet", ""),
    ] {
        let to = format!("set-{format}");
        succeed(home, &[&set[..], &[&to, "--to", format]].concat());
        let out = init(home, Path::new(&to).join(inner).to_str().expect("UTF-8"), &[format]);
        let said = succeed(home, &["train", &out, "--check"]);
        assert!(said.contains("nothing looks wrong"), "{format}: {said}");
        assert!(said.contains("4 pictures, 4 captions"), "{format}: {said}");
    }
    // LAVIS's array, and the file of JSON lines that all came from.
    let lines = std::fs::read_to_string(home.join("c.jsonl")).expect("captions");
    let array = lines.replace("\"zh\"", "\"caption\"").replace('\n', ",");
    std::fs::write(home.join("lavis.json"), format!("[{array}]")).expect("a file");
    let out = init(home, "lavis.json", &["--images", "pictures", "lavis"]);
    succeed(home, &["train", &out, "--check"]);
    let out = init(home, "c.jsonl", &["--images", "pictures", "--caption-field", "en", "jsonl"]);
    succeed(home, &["train", &out, "--check"]);
    let wrong = ["train", "init", "set-folder", "--images", "pictures", "--out", "x.toml"];
    assert!(fail(home, &wrong, 2).contains("--images"), "nothing is ignored");
}

/// MUGE's way: a text with several pictures, a split that is called `valid`, base64 in a table.
#[test]
fn a_text_of_several_pictures_is_learned_from_and_measured() {
    use base64::Engine;
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let picture = |(at, name): (usize, &&str)| {
        let bytes = std::fs::read(home.join("pictures").join(name)).expect("a picture");
        format!("{}\t{}\n", 100 + at, base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    let pictures: String = NAMES.iter().enumerate().map(picture).collect();
    std::fs::create_dir(home.join("muge")).expect("a folder");
    std::fs::write(home.join("muge/valid_imgs.tsv"), pictures).expect("a file");
    let texts: String = ["一", "二", "三", "四"]
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let first = 100 + 3 * at;
            let images = [first, first + 1, first + 2];
            serde_json::json!({"text_id": 8000 + at, "text": text, "image_ids": images}).to_string()
                + "\n"
        })
        .collect();
    std::fs::write(home.join("muge/valid_texts.jsonl"), texts).expect("a file");
    let numbers: Vec<String> = (100..112).map(|id| id.to_string()).collect();
    ids(home, &numbers.iter().map(String::as_str).collect::<Vec<_>>());
    let out = init(home, "muge", &["muge"]);
    let said = succeed(home, &["train", &out, "--check"]);
    assert!(said.contains("valid") && said.contains("4 pictures, 4 captions"), "{said}");
    std::fs::write(home.join("val.ids"), "108\n109\n7\n8\n").expect("a file");
    let error = fail(home, &["train", &out, "--check"], 1);
    assert!(error.contains("val.ids, line 3") && error.contains("`7`"), "{error}");
    std::fs::write(home.join("val.ids"), "108\n109\n100\n").expect("a file");
    let output = common::tuwen(home, &["train", &out, "--check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of the 3 pictures of `valid` are learned from"), "{said}");
    let error = fail(home, &["train", "init", "muge", "--out", "x.toml"], 1);
    assert!(error.contains("valid") && error.contains("tuwen data split"), "{error}");
}

#[test]
fn a_set_that_says_its_splits_needs_no_lists() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let captions = std::fs::read_to_string(home.join("c.jsonl")).expect("captions");
    let line = |(at, line): (usize, &str)| {
        let mut value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["split"] = ["train", "restval", "val", "test"][at % 4].into();
        value["caption"] = value["zh"].take();
        value.to_string()
    };
    let lines: Vec<String> = captions.lines().enumerate().map(line).collect();
    std::fs::write(home.join("own.jsonl"), lines.join("\n")).expect("a file");
    let args = ["train", "init", "own.jsonl", "--images", "pictures", "--preset", "small-frozen"];
    let said = succeed(home, &args);
    assert!(said.contains("train and restval, measures on val"), "{said}");
    assert!(said.contains("batch is 6"), "said, because the preset has another: {said}");
    let said = succeed(home, &["train", "train.toml", "--check"]);
    assert!(said.contains("3 pictures, 3 captions"), "{said}");
    let error = fail(home, &[&args[..], &["--train-ids", "x", "--out", "y.toml"]].concat(), 2);
    assert!(error.contains("--valid-ids"), "{error}");
}

#[test]
fn paths_are_those_of_the_configurations_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let project = home.join("project");
    std::fs::create_dir(&project).expect("a folder");
    let text = short("run", "", &[("epochs = 10", "epochs = 1")]);
    let text = text
        .replace("\"model.json\"", "\"../model.json\"")
        .replace("\"pictures\"", "\"../pictures\"")
        .replace("\"c.jsonl\"", "\"../c.jsonl\"");
    std::fs::write(project.join("a.toml"), text).expect("a file");
    succeed(home, &["train", "project/a.toml"]);
    let whole = curve(&project, "run");
    assert_eq!(whole.len(), 3);
    // From elsewhere, by the configuration that the run keeps, and after a move it is the same run.
    succeed(&project, &["train", "a.toml"]);
    succeed(&project.join("run"), &["train", "config.toml"]);
    std::fs::rename(&project, home.join("moved")).expect("a folder to move");
    succeed(home, &["train", "moved/a.toml"]);
    assert_eq!(curve(&home.join("moved"), "run"), whole);
    // Runs that were begun when paths were those of the working directory go on, too.
    let kept = home.join("moved/run/config.toml");
    let now = std::fs::read_to_string(&kept).expect("a configuration");
    let before = now.replace("out = \".\"", "out = \"moved/run\"").replace("\"../../", "\"");
    assert!(before.contains("images = \"pictures\""), "{before}");
    std::fs::write(&kept, before).expect("a file");
    succeed(home, &["train", "moved/a.toml"]);
    assert_eq!(std::fs::read_to_string(&kept).expect("a configuration"), now, "written anew");
    // And whose configuration means the working directory is told.
    std::fs::write(home.join("moved/b.toml"), config("b", "")).expect("a file");
    let error = fail(home, &["train", "moved/b.toml"], 1);
    assert!(error.contains("the configuration's own folder"), "{error}");
    assert!(!home.join("moved/b").exists() && !home.join("b").exists());
}

#[test]
fn what_init_writes_elsewhere_means_the_same_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    ids(home, &NAMES);
    std::fs::create_dir_all(home.join("deep/er")).expect("folders");
    let more = ["--images", "pictures", "--caption-field", "zh", "--run", "runs/one", "deep/er/my"];
    let out = init(home, "c.jsonl", &more);
    let text = std::fs::read_to_string(home.join(&out)).expect("a configuration");
    for path in ["../../runs/one", "../../pictures", "../../c.jsonl", "../../val.ids"] {
        assert!(text.contains(path), "{path}: {text}");
    }
    let text = text.replace("epochs = 20", "epochs = 1");
    std::fs::write(home.join(&out), text).expect("a file");
    succeed(&home.join("deep"), &["train", "er/my.toml"]);
    succeed(home, &["embed", "--text", "披萨", "--model", "runs/one"]);
}
