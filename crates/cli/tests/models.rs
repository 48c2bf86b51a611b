//! `tuwen model`: fetched by name, listed, described, converted, used.

mod common;
#[path = "../../hub/tests/common/mod.rs"]
#[allow(dead_code, reason = "the hub's own tests use the rest")]
mod hub;

use std::path::Path;
use std::process::{Command, Output};

use common::{TUWEN, built_in_folder, copy_pictures, fail, succeed, word_piece_model};
use hub::{Faults, Hub};

/// The program with a hub and a cache of its own.
fn with_hub(folder: &Path, endpoint: &str, args: &[&str]) -> Output {
    Command::new(TUWEN)
        .args(args)
        .current_dir(folder)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", folder.join("hf"))
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn a_model_is_fetched_by_its_repository_and_used_by_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = word_piece_model(&folder.path().join("model"));
    let read = |name: &str| std::fs::read(model.join(name)).expect("a file");
    let files =
        [("config.json", read("config.json")), ("model.safetensors", read("model.safetensors"))];
    let server = Hub::start("team/tiny-clip", &files, Faults { cuts: 1, ..Faults::default() });
    let run = |args: &[&str]| with_hub(folder.path(), &server.endpoint, args);

    copy_pictures(&["beach.png"], &folder.path().join("photos"));
    let missing = run(&["index", "--model", "team/tiny-clip", "photos"]);
    assert_eq!(missing.status.code(), Some(1));
    for part in ["tuwen model fetch team/tiny-clip", "model.safetensors", "snapshots/main"] {
        assert!(text(&missing).contains(part), "{part}: {}", text(&missing));
    }
    let fetched = run(&["model", "fetch", "team/tiny-clip"]);
    assert!(fetched.status.success(), "{}", text(&fetched));
    let indexed = run(&["index", "--model", "team/tiny-clip", "photos"]);
    assert!(text(&indexed).contains("1 added"), "{}", text(&indexed));
    // The gallery remembers the name, and finds the model by it.
    let found = run(&["search", "a beach"]);
    assert!(text(&found).contains("beach.png"), "{}", text(&found));
    let info = run(&["model", "info", "team/tiny-clip"]);
    assert!(
        text(&info).contains("team/tiny-clip") && text(&info).contains("0.4 million"),
        "{}",
        text(&info)
    );
}

#[test]
fn a_known_model_that_is_not_here_is_described_and_its_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| with_hub(folder.path(), "http://127.0.0.1:9", args);
    let info = text(&run(&["model", "info", "chinese-clip-vit-huge-patch14"]));
    assert!(info.contains("957.6 million") && info.contains("tuwen model fetch"), "{info}");
    let list = text(&run(&["model", "list"]));
    assert!(list.contains("clip-rn50x64") && list.contains("OFA-Sys/chinese-clip-rn50"), "{list}");
    let json = run(&["model", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(28));
    assert_eq!(json[0]["here"], false);
    let eval = run(&["search", "x", "--model", "chinese-clip-rn50"]);
    assert_eq!(eval.status.code(), Some(1));
    let unknown = run(&["index", "--model", "chinese-clop", "."]);
    assert!(text(&unknown).contains("chinese-clop") && text(&unknown).contains("tuwen model list"));
}

#[test]
fn a_conversion_gives_the_same_embeddings_and_overwrites_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = built_in_folder();
    let small = small.to_str().expect("UTF-8");
    succeed(folder.path(), &["model", "convert", small, "copy", "--precision", "int8"]);
    let embed =
        |model: &str| succeed(folder.path(), &["embed", "--model", model, "--text", "a dog"]);
    assert_eq!(embed("copy"), embed("tuwen-small"));
    assert!(
        fail(folder.path(), &["model", "convert", small, "copy"], 1).contains("exists already")
    );
    let refused = fail(folder.path(), &["model", "convert", small, "copy.pt"], 1);
    assert!(refused.contains("tuwen's own architecture"), "{refused}");
    let size = fail(folder.path(), &["model", "convert", small, "other", "--image-size", "250"], 2);
    assert!(size.contains("250") && size.contains("16"), "{size}");
    assert!(!folder.path().join("copy.pt").exists() && !folder.path().join("other").exists());
}
