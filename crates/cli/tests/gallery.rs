//! `tuwen gallery`: vectors in and out, cells, recall, files that are checked.

mod common;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const DIM: usize = 256;
const ROWS: usize = 6000;

/// Seeded numbers: <https://prng.di.unimi.it/splitmix64.c>.
fn number(at: u64) -> f32 {
    let z = at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

/// Vectors around 50 centres, as other programs write them, and a list of their files.
fn vectors(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let mut bytes: Vec<u8> = [ROWS, DIM].iter().flat_map(|&n| (n as u32).to_le_bytes()).collect();
    for row in 0..ROWS as u64 {
        let value =
            |column: u64| number(row % 50 * 1000 + column) + 0.5 * number((row << 20) + column);
        bytes.extend((0..DIM as u64).flat_map(|column| value(column).to_le_bytes()));
    }
    fs::write(folder.join("images.fbin"), bytes).expect("a file");
    let names: String = (0..ROWS).map(|row| format!("照片/{row}.jpg\n")).collect();
    fs::write(folder.join("images.txt"), names).expect("a file");
}

fn json(home: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&succeed(home, args)).expect("JSON")
}

#[test]
fn vectors_of_others_become_a_gallery_whose_searches_look_into_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    vectors(&home.join("theirs"));
    let said = succeed(home, &["gallery", "import", "theirs"]);
    assert!(said.contains("6000 vectors added, 0 there before"), "{said}");
    let said = succeed(home, &["gallery", "import", "theirs"]);
    assert!(said.contains("0 vectors added, 6000 there before"), "{said}");
    let exact = search(home, &["a dog", "--exact"]);
    assert_eq!(search(home, &["a dog"]), exact);

    let info = json(home, &["gallery", "info", "--json"]);
    assert_eq!(
        (&info["kinds"][0]["items"], &info["kinds"][0]["search"]),
        (&6000.into(), &"codes".into()),
        "{info}"
    );
    let compact = |cells: &str| json(home, &["gallery", "compact", "--cells", cells, "--json"]);
    assert_eq!(compact("auto")[0]["cells"], 0);
    assert_eq!(compact("always")[0]["cells"], ROWS / 256);
    assert_eq!(compact("auto")[0]["made"], false);
    let explained = json(home, &["search", "a dog", "--explain", "--json"]);
    assert_eq!(explained["plan"]["way"], "cells", "{explained}");
    assert_eq!(explained["hits"].as_array().map(Vec::len), Some(10));
    let explained = json(home, &["search", "a dog", "--explain", "--exact", "--json"]);
    assert_eq!(
        (&explained["plan"]["exact"], &explained["hits"]),
        (&true.into(), &Value::from(exact.clone()))
    );
    let people = tuwen(home, &["search", "a dog", "--explain"]);
    let said = String::from_utf8_lossy(&people.stderr);
    assert!(said.contains("search by cells, approximate") && said.contains("words"), "{said}");

    fs::write(home.join("asked.txt"), "a dog\n一只猫\nthe sea\n海滩\na red car\n披萨\n")
        .expect("a file");
    let tuned =
        json(home, &["gallery", "recall", "--queries", "asked.txt", "--target", "0.9", "--json"]);
    let measured = tuned["measured"].as_array().expect("what was measured");
    assert!(measured.iter().any(|one| one["queries"] == "text") && measured.len() >= 2, "{tuned}");
    let stored = json(home, &["gallery", "info", "--json"]);
    assert_eq!(stored["kinds"][0]["cells"]["looked_into"], tuned["looked_into"]);

    // Damage is met, named, and mended.
    assert!(succeed(home, &["gallery", "verify"]).contains("as it was written"));
    let cells = home.join(".tuwen/vectors/image.cells");
    let mut bytes = fs::read(&cells).expect("the file");
    let from = bytes.len() / 4;
    bytes[from..].iter_mut().step_by(60).for_each(|byte| *byte ^= 1);
    fs::write(&cells, bytes).expect("written");
    let wrong = tuwen(home, &["gallery", "verify"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stdout).contains("nothing is lost"), "{wrong:?}");
    let found = tuwen(home, &["search", "a dog", "--json"]);
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&found.stdout).expect("hits"), exact);
    assert!(
        String::from_utf8_lossy(&found.stderr).contains("image.cells: it is damaged"),
        "{found:?}"
    );
    assert_eq!(compact("auto")[0]["made"], true);
    assert!(succeed(home, &["gallery", "verify"]).contains("as it was written"));
    assert_eq!(compact("never")[0]["cells"], 0);
    assert!(!cells.exists());
}

#[test]
fn near_duplicates_are_listed_and_nothing_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let photos = home.join("photos");
    copy_pictures(&["cow.png", "bus.png", "cake.png"], &photos);
    let cow = fs::read(photos.join("cow.png")).expect("a picture");
    let decoded = tuwen_image::decode(&cow, tuwen_image::Limits::default()).expect("a picture");
    let mut cow = decoded.into_rgb();
    cow.get_pixel_mut(0, 0).0 = [1, 2, 3];
    fs::write(photos.join("牛.png"), tuwen_image::encode_png(&cow)).expect("a file");
    index(home, &["photos"]);
    let said = succeed(home, &["gallery", "dedup"]);
    assert!(said.contains("牛.png") && said.contains("cow.png") && !said.contains("bus"), "{said}");
    assert!(said.ends_with("1 group; 3 of 4 pictures would be left with one of each\n"), "{said}");
    let group = json(home, &["gallery", "dedup", "--threshold", "0.97", "--json"]);
    assert_eq!(group["items"].as_array().map(Vec::len), Some(2), "{group}");
    assert!(group["score"].as_f64() > Some(0.97), "{group}");
    assert!(
        group["items"][1]["path"].as_str().is_some_and(|path| path.ends_with(".png")),
        "{group}"
    );
    let some = succeed(home, &["gallery", "dedup", "--where", "name = bus"]);
    assert_eq!(some, "0 groups; 1 of 1 picture would be left with one of each\n");
    let said = fail(home, &["gallery", "dedup", "--threshold", "0.5"], 2);
    assert!(said.contains("a number from 0.8 to 1"), "{said}");
    let said = fail(home, &["gallery", "dedup", "--where", "name ="], 2);
    assert!(said.contains("--where"), "{said}");
    assert_eq!(json(home, &["gallery", "info", "--json"])["kinds"][0]["items"], 4);
    // Vectors that are not as they were written are the likeness of nothing.
    let vectors = fs::read_dir(home.join(".tuwen/vectors")).expect("a folder");
    let vectors = vectors.map(|entry| entry.expect("a file").path());
    let file = vectors.filter(|path| path.extension().is_some_and(|end| end == "vectors"));
    let file = file.last().expect("vectors");
    let mut bytes = fs::read(&file).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle..].iter_mut().step_by(5).for_each(|byte| *byte ^= 0x55);
    fs::write(&file, bytes).expect("written");
    for args in [&["gallery", "dedup"][..], &["gallery", "map", "map.html"]] {
        let said = fail(home, args, 1);
        assert!(said.contains("vectors") || said.contains("too few"), "{said}");
    }
}

#[test]
fn nothing_is_imported_of_files_that_do_not_fit_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let rows = home.join("rows");
    fs::create_dir(&rows).expect("a folder");
    let mut bytes: Vec<u8> = [3, DIM].iter().flat_map(|&n| (n as u32).to_le_bytes()).collect();
    bytes.extend((0..3 * DIM).flat_map(|at| number(at as u64).to_le_bytes()));
    fs::write(rows.join("images.fbin"), bytes).expect("a file");
    for (names, says) in [
        ("a.jpg\n\nb.jpg\n", "line 2"),
        ("a.jpg\nb.jpg\na.jpg\n", "line 3: `a.jpg` is there twice"),
        ("a.jpg\nb.jpg\nc.jpg\nd.jpg\n", "more lines"),
        ("a.jpg\n", "fewer lines"),
    ] {
        fs::write(rows.join("images.txt"), names).expect("a file");
        let said = fail(home, &["gallery", "import", "rows"], 1);
        assert!(said.contains(says), "{said}");
        assert!(!home.join(".tuwen").exists(), "nothing is made");
    }
    fs::write(rows.join("images.txt"), "a.jpg\nb.jpg\nc.jpg\n").expect("a file");
    let said = fail(home, &["gallery", "import", "rows", "--gallery", "rows"], 2);
    assert!(said.contains("is no gallery"), "{said}");
    succeed(home, &["gallery", "import", "rows"]);
    let mut bytes = fs::read(rows.join("images.fbin")).expect("a file");
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&0.25f32.to_le_bytes());
    fs::write(rows.join("images.fbin"), bytes).expect("a file");
    let said = tuwen(home, &["gallery", "import", "rows"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("1 of those that were there before"));
    let said = fail(home, &["gallery", "import", "rows", "--model", "nope"], 1);
    assert!(said.contains("nope"), "{said}");
}

#[test]
fn a_gallery_is_drawn_with_topics_and_captions_in_doubt() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let names: Vec<String> = fs::read_dir(common::demo_pictures())
        .expect("the demo")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    copy_pictures(&names.iter().map(String::as_str).collect::<Vec<_>>(), &home.join("photos"));
    index(home, &["photos"]);
    // Without captions names of things say what topics are.
    let drawn = json(home, &["gallery", "map", "map.html", "--json"]);
    let pictures = drawn["pictures"].as_array().expect("pictures");
    assert_eq!(pictures.len(), names.len());
    let topics = drawn["topics"].as_array().expect("topics");
    let sum: u64 = topics.iter().map(|topic| topic["pictures"].as_u64().expect("a count")).sum();
    assert_eq!((sum as usize, topics.len()), (names.len(), 5), "{drawn}");
    let name = topics[0]["names"][0].as_str().expect("a name");
    assert!(name.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{name}");
    assert_eq!((&drawn["gap"], &drawn["doubted"]), (&Value::Null, &serde_json::json!([])));
    let place = |at: usize| [&pictures[at]["x"], &pictures[at]["y"]];
    assert_ne!(place(0), place(1));
    let page = fs::read_to_string(home.join("map.html")).expect("a page");
    assert!(page.contains("data:image/jpeg;base64,") && !page.contains("src=\"http"));

    // One caption is of another picture.
    let captions = "image,caption\npizza.png,two cows on a green field\ncow.png,a cow on a meadow\n\
        red_car.png,a red car\n";
    fs::write(home.join("captions.csv"), captions).expect("a file");
    index(home, &["photos", "--captions", "captions.csv"]);
    let drawn = json(home, &["gallery", "map", "map.html", "--json", "--topics", "3"]);
    let doubted = drawn["doubted"].to_string();
    assert!(doubted.contains("two cows") && !doubted.contains("a red car"), "{doubted}");
    assert!(drawn["gap"].as_f64().is_some_and(|gap| gap > 0.1), "{drawn}");
    assert_eq!(drawn["topics"].as_array().map(Vec::len), Some(3));
    fs::write(home.join("mine.html"), "mine").expect("a file");
    let said = fail(home, &["gallery", "map", "map.png"], 2);
    assert!(said.contains("map.png") && said.contains(".html"), "{said}");
    let said = fail(home, &["gallery", "map", "mine.html"], 1);
    assert!(said.contains("mine.html"), "{said}");
}

#[test]
fn what_is_exported_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["red_car.png", "pizza.png", "sunset.png"], &home.join("旅行"));
    fs::write(
        home.join("captions.csv"),
        "image,caption\nred_car.png,A red car\npizza.png,番茄披萨\n",
    )
    .expect("a file");
    index(home, &["旅行", "--captions", "captions.csv"]);
    for to in ["npy", "fbin"] {
        succeed(home, &["gallery", "export", to, "--to", to]);
        succeed(home, &["gallery", "import", to, "--gallery", &format!("from-{to}")]);
        for kind in ["image", "text"] {
            let hits = |gallery: &str| -> Vec<(Value, Value, Value)> {
                let hits = search(home, &["a car", "--kind", kind, "--gallery", gallery]);
                hits.into_iter()
                    .map(|hit| (hit["path"].clone(), hit["score"].clone(), hit["text"].clone()))
                    .collect()
            };
            assert_eq!(hits(&format!("from-{to}")), hits(".tuwen"), "{to} {kind}");
        }
    }
    assert!(fail(home, &["gallery", "export", "npy"], 1).contains("npy"));
}

#[test]
fn a_name_that_is_no_text_survives_a_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    fs::create_dir(home.join("photos")).expect("a folder");
    let name = std::ffi::OsStr::from_bytes(b"photos/caf\xe9.png");
    fs::copy(demo_pictures().join("pizza.png"), home.join(name)).expect("a copy");
    fs::write(home.join("photos/texts.csv"), "image,caption\nred_car.png,a red car\n")
        .expect("a file");
    copy_pictures(&["red_car.png"], &home.join("photos"));
    index(home, &["photos", "--captions", "photos/texts.csv"]);
    succeed(home, &["gallery", "export", "copy"]);
    let lines = fs::read_to_string(home.join("copy/images.jsonl")).expect("a file");
    assert_eq!(lines.matches("path_bytes").count(), 1, "{lines}");
    succeed(home, &["gallery", "import", "copy", "--gallery", "again"]);
    let found = |gallery: &str| search(home, &["a pizza", "-k", "1", "--gallery", gallery]);
    assert_eq!(found("again")[0]["path_bytes"], found(".tuwen")[0]["path_bytes"]);
    assert!(found("again")[0]["path_bytes"].is_string());
    let wrong = lines.replace("path_bytes\":\"", "path_bytes\":\"+f");
    fs::write(home.join("copy/images.jsonl"), wrong).expect("a file");
    let said = fail(home, &["gallery", "import", "copy", "--gallery", "other"], 1);
    assert!(said.contains("two hexadecimal digits"), "{said}");
}

#[test]
fn files_that_do_not_fit_are_named_and_no_gallery_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    fs::create_dir(home.join("theirs")).expect("a folder");
    assert!(fail(home, &["gallery", "import", "theirs"], 2).contains("images.npy"));
    let fbin = |rows: u32, dim: u32, values: usize| {
        let mut bytes: Vec<u8> = [rows, dim].iter().flat_map(|n| n.to_le_bytes()).collect();
        (0..values).for_each(|at| bytes.extend((at as f32 + 1.0).to_le_bytes()));
        fs::write(home.join("theirs/images.fbin"), bytes).expect("a file");
    };
    fbin(2, 512, 1024);
    let said = fail(home, &["gallery", "import", "theirs"], 2);
    assert!(said.contains("512") && said.contains("256") && said.contains("--model"), "{said}");
    fbin(u32::MAX, u32::MAX, 10);
    assert!(fail(home, &["gallery", "import", "theirs"], 1).contains("images.fbin"));
    fbin(2, 256, 512);
    assert!(fail(home, &["gallery", "import", "theirs"], 2).contains("images.jsonl"));
    fs::write(home.join("theirs/images.txt"), "a.jpg\n").expect("a file");
    assert!(fail(home, &["gallery", "import", "theirs"], 1).contains("fewer lines"));
    fs::write(home.join("theirs/images.txt"), "a.jpg\nb.jpg\nc.jpg\n").expect("a file");
    assert!(fail(home, &["gallery", "import", "theirs"], 1).contains("more lines"));
    assert!(fail(home, &["gallery", "info", "--gallery", "nowhere"], 1).contains("no gallery"));
}
