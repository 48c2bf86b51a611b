//! Stores on the command line: `gallery copy`, `search --store`, `index --store`. What needs a server runs where
//! `TUWEN_TEST_QDRANT` names one (`127.0.0.1:6334`) and the program has the client, and says where it does not.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

/// How many of the demo's pictures.
const PICTURES: usize = 5;

fn photos(home: &Path) {
    let names: Vec<String> = std::fs::read_dir(common::demo_pictures())
        .expect("the demo's pictures")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let mut names: Vec<&str> =
        names.iter().map(String::as_str).filter(|n| n.ends_with("png")).collect();
    names.sort_unstable();
    copy_pictures(&names[..PICTURES], &home.join("photos"));
    let line = format!("image,caption,tags\n{},a drawn thing,\"kept, 好\"\n", names[0]);
    std::fs::write(home.join("captions.csv"), line).expect("a file");
    index(home, &["photos", "--captions", "captions.csv"]);
}

fn json(home: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&succeed(home, args)).expect("JSON")
}

#[test]
fn a_gallery_is_copied_into_a_folder_and_found_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    photos(home);
    let copied = json(home, &["gallery", "copy", ".tuwen", "copy", "--json"]);
    assert_eq!((&copied["items"], &copied["sent"]), (&6.into(), &6.into()), "{copied}");
    assert_eq!(search(home, &["a dog", "--gallery", "copy"]), search(home, &["a dog"]));
    let filter = ["--where", "tag = 好"];
    let listed = search(home, &[&filter[..], &["--gallery", "copy"]].concat());
    assert_eq!(listed, search(home, &filter));
    let again = json(home, &["gallery", "copy", ".tuwen", "copy", "--json"]);
    assert_eq!((&again["sent"], &again["checksum"]), (&0.into(), &copied["checksum"]));
    succeed(home, &["gallery", "verify", "--gallery", "copy"]);
    // What was added to a copy is not overwritten.
    std::fs::write(home.join("more.txt"), "one more\n").expect("a file");
    succeed(home, &["index", "--captions", "more.txt", "--gallery", "copy"]);
    let refused = fail(home, &["gallery", "copy", ".tuwen", "copy"], 1);
    assert!(refused.contains("has 7 items already") && refused.contains("--force"), "{refused}");
    let itself = fail(home, &["gallery", "copy", ".tuwen", ".tuwen"], 1);
    assert!(!itself.is_empty(), "{itself}");
}

#[test]
fn addresses_that_are_none_are_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    for (args, what) in [
        (vec!["gallery", "copy", ".tuwen", "qdrant://localhost"], "no collection"),
        (vec!["gallery", "copy", "http://localhost/x", "y"], "neither a folder nor an address"),
        (vec!["search", "a dog", "--store", "photos"], "folders are named by --gallery"),
        (vec!["index", ".", "--store", "qdrant://key@localhost/x"], "TUWEN_QDRANT_API_KEY"),
    ] {
        let error = fail(home, &args, 2);
        assert!(error.contains(what), "{error}");
    }
    photos(home);
    let shards = fail(home, &["gallery", "copy", ".tuwen", "b", "--shards", "2"], 2);
    assert!(shards.contains("for a collection of Qdrant"), "{shards}");
}

#[test]
fn a_program_without_the_client_says_what_to_build() {
    if cfg!(feature = "qdrant") {
        eprintln!("NOT RUN: this build has Qdrant's client");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    photos(home);
    let address = "qdrant://localhost:6334/photos";
    for args in [
        vec!["gallery", "copy", ".tuwen", address],
        vec!["gallery", "copy", address, "b"],
        vec!["search", "a dog", "--store", address],
        vec!["index", "photos", "--store", address],
    ] {
        let error = fail(home, &args, 1);
        assert!(error.contains(address) && error.contains("--features qdrant"), "{error}");
    }
}

#[test]
fn a_collection_is_filled_searched_and_copied_back() {
    let server = std::env::var("TUWEN_TEST_QDRANT").unwrap_or_default();
    if server.trim().is_empty() || !cfg!(feature = "qdrant") {
        eprintln!("NOT RUN of Qdrant: it needs TUWEN_TEST_QDRANT and --features tuwen-cli/qdrant");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    photos(home);
    let name = folder.path().file_name().expect("a name").to_string_lossy().replace('.', "");
    let address = format!("qdrant://{}/{name}", server.trim());
    let copied = json(home, &["gallery", "copy", ".tuwen", &address, "--json"]);
    assert_eq!((&copied["items"], &copied["sent"]), (&6.into(), &6.into()), "{copied}");
    let picture = std::fs::read_dir(home.join("photos")).expect("pictures").next();
    let picture = picture.expect("one").expect("an entry").path();
    let picture = picture.to_str().expect("UTF-8");
    for args in [
        vec!["a dog"],
        vec!["--image", picture, "-k", "2"],
        vec!["a dog", "--kind", "text"],
        vec!["a dog", "--where", "tag = 好 AND width > 10"],
        vec!["--where", "folder CONTAINS photo"],
        vec!["a thing", "--not", "a house"],
    ] {
        let mut stored = args.clone();
        stored.extend(["--store", &address]);
        assert_eq!(rounded(&search(home, &stored)), rounded(&search(home, &args)), "{args:?}");
    }
    for (args, what) in [
        (vec!["a dog", "--exact-words"], "--exact-words"),
        (vec!["a dog", "--fuse", "ranks"], "--fuse"),
        (vec!["a dog", "--rerank", "late"], "--rerank"),
        (vec!["a dog", "--image", picture], "words and a picture"),
        (vec!["a dog", "--kind", "fused"], "--kind fused"),
    ] {
        let stored = [&["search"], &args[..], &["--store", &address]].concat();
        let output = tuwen(home, &stored);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(what), "{args:?}: {error}");
    }
    std::fs::remove_file(picture).expect("removed");
    succeed(home, &["index", "photos", "--store", &address]);
    let back = json(home, &["gallery", "copy", &address, "back", "--json"]);
    assert_eq!(back["items"], 5, "{back}");
    assert_eq!(search(home, &["a dog", "--gallery", "back"]), search(home, &["a dog"]));
}

/// Hits whose scores are compared to five digits: sums go another way in another program.
fn rounded(hits: &[Value]) -> Vec<Value> {
    let mut hits = hits.to_vec();
    for hit in &mut hits {
        if let Some(score) = hit["score"].as_f64() {
            hit["score"] = ((score * 1e5).round() / 1e5).into();
        }
    }
    hits
}
