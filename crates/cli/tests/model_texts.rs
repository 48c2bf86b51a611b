//! What a model makes of texts stays what a gallery was made with; weights that are no numbers are an error.

mod common;
mod others_models;

use std::path::Path;

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use others_models::{build, case, embed, parts, set, write_parts};
use serde_json::json;

/// A folder of the built-in model whose weights have one bad value each.
#[test]
fn weights_with_a_nan_are_an_error_everywhere() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png", "bus.png"], &home.path().join("photos"));
    let photo = demo_pictures().join("bus.png");
    let photo = photo.to_str().expect("UTF-8");
    for bad in [f32::NAN, f32::INFINITY] {
        build(&case("transformers", "plain"), &home.path().join("m"));
        let path = home.path().join("m/model.safetensors");
        for name in ["visual_projection.weight", "text_projection.weight"] {
            poison(&path, name, bad);
        }
        // An earlier one is of the model before it was damaged.
        let _ = std::fs::remove_dir_all(home.path().join(".tuwen"));
        let photo_args = ["embed", "--model", "m", "--image", photo];
        let label_args = ["classify", "--model", "m", "--label", "a", "--label", "b", "photos"];
        for args in [&photo_args[..], &label_args, &["index", "--model", "m", "photos"]] {
            let error = fail(home.path(), args, 1);
            let named = error.contains("projection.weight") && error.contains("NaN");
            assert!(named && error.contains("fetch"), "{args:?}: {error}");
        }
    }
    // Finite weights can overflow; then the first vector says so.
    build(&case("transformers", "plain"), &home.path().join("m"));
    poison(&home.path().join("m/model.safetensors"), "visual_projection.weight", 65504.0);
    let (header, _) = parts(&home.path().join("m/model.safetensors"));
    assert!(header.contains_key("vision_model.post_layernorm.weight"));
    let f32s = ["model", "convert", "m", "wide", "--layout", "hf", "--precision", "f32"];
    succeed(home.path(), &f32s);
    poison(&home.path().join("wide/model.safetensors"), "visual_projection.weight", f32::MAX);
    poison(&home.path().join("wide/model.safetensors"), "vision_model.post_layernorm.bias", 1e30);
    let error = fail(home.path(), &["embed", "--model", "wide", "--image", photo], 1);
    assert!(error.contains("picture 1 of 1") && error.contains("not finite"), "{error}");
}

/// Makes the first value of a tensor `bad`.
fn poison(path: &Path, name: &str, bad: f32) {
    let (header, mut data) = parts(path);
    let start = header[name]["data_offsets"][0].as_u64().expect("an offset") as usize;
    match header[name]["dtype"].as_str() {
        Some("F16") => {
            let half: u16 = if bad.is_nan() {
                0x7e00
            } else if bad.is_infinite() {
                0x7c00
            } else {
                0x7bff
            };
            data[start..start + 2].copy_from_slice(&half.to_le_bytes());
        }
        _ => data[start..start + 4].copy_from_slice(&bad.to_le_bytes()),
    }
    write_parts(path, &header, &data);
}

#[test]
fn a_gallery_remembers_how_long_texts_were_read() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png"], &home.path().join("photos"));
    index(home.path(), &["photos", "--long-text", "window"]);
    let error = fail(home.path(), &["search", "a beach"], 1);
    assert!(error.contains("--long-text window"), "{error}");
    succeed(home.path(), &["search", "a beach", "--long-text", "window"]);
    let error = fail(home.path(), &["index", "photos"], 1);
    assert!(error.contains("--long-text window"), "{error}");
    index(home.path(), &["photos", "--rebuild"]);
    succeed(home.path(), &["search", "a beach"]);
    let error = fail(home.path(), &["search", "a beach", "--long-text", "window"], 1);
    assert!(error.contains("--long-text cut"), "{error}");
}

/// Before this program folded full-width letters, the built-in model's configuration did not say so.
#[test]
fn a_gallery_of_an_older_program_stays_open_and_as_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png", "bus.png"], &home.path().join("photos"));
    let copy = common::word_piece_model(&home.path().join("copy"));
    set(&copy, "config.json", &["fold_width"], json!(false));
    index(home.path(), &["photos", "--model", "copy"]);
    let before = search(home.path(), &["ｂｕｓ"]);
    set(&copy, "config.json", &["fold_width"], json!(true));
    assert_eq!(search(home.path(), &["ｂｕｓ"]), before);
    assert_eq!(index(home.path(), &["photos", "--model", "copy"])["unchanged"], 2);
    // A new one reads them as letters.
    index(home.path(), &["photos", "--model", "copy", "--rebuild"]);
    assert_eq!(search(home.path(), &["ｂｕｓ"]), search(home.path(), &["bus"]));
    assert_ne!(search(home.path(), &["ｂｕｓ"]), before);
}

#[test]
fn full_width_letters_are_letters_and_unknown_words_are_said() {
    let home = tempfile::tempdir().expect("a folder");
    let text = |text: &str| embed(home.path(), &["--text", text]).remove(0);
    assert_eq!(text("ＤＯＧ１２"), text("dog12"));
    copy_pictures(&["beach.png"], &home.path().join("photos"));
    index(home.path(), &["photos"]);
    let said = |query: &str| {
        let output = tuwen(home.path(), &["search", query]);
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for query in ["שלום", "ሰላም", "שלום ሰላም"] {
        let said = said(query);
        assert!(said.contains("no word") && said.contains("arbitrary"), "{query}: {said}");
    }
    assert!(said("a dog שלום").contains("of"), "a part is unknown");
    assert_eq!(said("a beach"), "");
}
