//! Pictures against the references' own answers (`scripts/golden`).

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tuwen_image::{Filter, Geometry, Limits, Picture, Preprocess, ToRgb, decode, resize};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read_json(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(golden(name)).expect("goldens are committed");
    serde_json::from_str(&text).expect("a list")
}

/// The same noise as `resize.py`.
fn noise(width: u32, height: u32) -> RgbImage {
    let count = u64::from(width) * u64::from(height) * 3;
    let bytes = (0..count).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    RgbImage::from_raw(width, height, bytes).expect("three bytes a pixel")
}

#[test]
fn resize_equals_pillow_bit_for_bit() {
    let cases = read_json("resize.json");
    assert!(cases.len() >= 240, "40 size pairs, six filters");
    for case in cases {
        let pair = |key: &str| [0, 1].map(|i| case[key][i].as_u64().expect("a size") as u32);
        let ([w, h], [tw, th]) = (pair("from"), pair("to"));
        let filter: Filter = serde_json::from_value(case["filter"].clone()).expect("a filter");
        let out = resize(&noise(w, h), tw, th, filter);
        let what = format!("{w}x{h} to {tw}x{th}, {filter:?}");
        let first: Vec<u64> = out.as_raw().iter().take(6).map(|&byte| u64::from(byte)).collect();
        let wanted: Vec<u64> =
            case["first"].as_array().expect("bytes").iter().filter_map(Value::as_u64).collect();
        assert_eq!(first, wanted, "{what}: the first bytes differ");
        assert_eq!(u64::from(crc32fast::hash(out.as_raw())), case["crc32"], "{what}");
    }
}

/// CLIP's and Chinese-CLIP's.
#[allow(clippy::excessive_precision, reason = "as published")]
fn clip(geometry: Geometry) -> Preprocess {
    Preprocess {
        geometry,
        to_rgb: ToRgb::Last,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_58, 0.275_777_11],
        ..Preprocess::squash(8)
    }
}

#[test]
fn each_familys_pixels_are_its_own_programs() {
    let cases = read_json("preprocess.json");
    assert_eq!(cases.len(), 18);
    for case in cases {
        let [w, h] = [0, 1].map(|i| case["from"][i].as_u64().expect("a size") as u32);
        let preprocess = match case["family"].as_str().expect("a family") {
            "clip" => clip(Geometry::CentreCrop),
            "chinese-clip" => clip(Geometry::Squash),
            _ => Preprocess::squash(8),
        };
        let fitted = preprocess.fit(&Picture::Rgb(noise(w, h)));
        let mut found = Vec::new();
        preprocess.normalise_into(&fitted, &mut found);
        let wanted: Vec<f32> = serde_json::from_value(case["pixels"].clone()).expect("pixels");
        assert_eq!(found.len(), wanted.len());
        let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-6, "{}, {w}x{h}: differs by {worst}", case["family"]);
    }
}

#[test]
fn resized_in_its_own_colours_a_picture_is_pillows() {
    let cases = read_json("modes.json");
    assert!(cases.len() >= 80);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let bytes = std::fs::read(golden("pictures").join(name)).expect("goldens are committed");
        let picture = decode(&bytes, Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let bicubic = case["filter"] == "bicubic";
        let preprocess = Preprocess {
            filter: if bicubic { Filter::Bicubic } else { Filter::Bilinear },
            to_rgb: ToRgb::Last,
            ..Preprocess::squash(case["to"].as_u64().expect("a size") as u32)
        };
        let out = preprocess.fit(&picture);
        let first: Vec<u64> = out.as_raw().iter().take(12).map(|&byte| u64::from(byte)).collect();
        let wanted: Vec<u64> =
            case["first"].as_array().expect("bytes").iter().filter_map(Value::as_u64).collect();
        assert_eq!(first, wanted, "{name}, {case}");
        assert_eq!(u64::from(crc32fast::hash(out.as_raw())), case["crc32"], "{name}, {case}");
    }
}

#[test]
fn every_mode_and_format_shows_pillows_colours() {
    let cases = read_json("pictures/corners.json");
    assert!(cases.len() >= 19);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let bytes = std::fs::read(golden("pictures").join(name)).expect("goldens are committed");
        let picture = decode(&bytes, Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let picture = picture.into_rgb();
        let (w, h) = picture.dimensions();
        assert_eq!(
            (u64::from(w), u64::from(h)),
            (case["size"][0].as_u64().expect("width"), case["size"][1].as_u64().expect("height"),),
            "{name}"
        );
        let points = [(3, 3), (w - 4, 3), (3, h - 4), (w - 4, h - 4)];
        for (index, (x, y)) in points.into_iter().enumerate() {
            let &Rgb(found) = picture.get_pixel(x, y);
            for (channel, &value) in found.iter().enumerate() {
                let wanted = case["corners"][index][channel].as_i64().expect("a byte");
                // Lossy decoders may round differently.
                assert!((i64::from(value) - wanted).abs() <= 4, "{name} at {x},{y}: {found:?}");
            }
        }
    }
}

#[test]
fn bad_pictures_are_named_errors() {
    let jpeg = std::fs::read(golden("pictures/rgb.jpg")).expect("goldens are committed");
    let png = std::fs::read(golden("pictures/rgb.png")).expect("goldens are committed");
    let message = |bytes: &[u8]| decode(bytes, Limits::default()).expect_err("bad").to_string();
    assert!(message(b"").contains("empty"));
    assert!(message(b"just some words, no picture").contains("unknown format"));
    assert!(message(&jpeg[..jpeg.len() / 2]).contains("truncated"));
    for len in 0..png.len() - 16 {
        decode(&png[..len], Limits::default()).expect_err("a truncated PNG");
    }
    let tight = Limits { pixels: 100, ..Limits::default() };
    let bomb = decode(&png, tight).expect_err("beyond the limit").to_string();
    assert!(bomb.contains("24x16") && bomb.contains("100"), "{bomb}");
}

#[test]
fn a_header_that_claims_gigabytes_is_refused_before_decoding() {
    let mut bytes = std::fs::read(golden("pictures/rgb.bmp")).expect("goldens are committed");
    bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    let message = decode(&bytes, Limits::default()).expect_err("a bomb").to_string();
    assert!(message.contains("60000x60000"), "{message}");
}
