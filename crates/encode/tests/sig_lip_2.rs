//! SigLIP 2 of any aspect ratio beside transformers (`scripts/golden/siglip_2_naflex.py`).

mod common;

use common::{close, golden, json};
use serde_json::Value;
use tuwen_encode::{Checkpoint, CpuEncoder, Encoder};
use tuwen_image::{Budget, Geometry, Grid, Picture, RgbImage};

const NAME: &str = "siglip-2-naflex";

/// The pictures of the script.
fn noise(width: u32, height: u32) -> RgbImage {
    let count = u64::from(width) * u64::from(height) * 3;
    let bytes = (0..count).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    RgbImage::from_raw(width, height, bytes).expect("three bytes a pixel")
}

#[test]
fn sig_lip_2_of_any_shape_as_transformers_saves_it() {
    let (config, _) = Checkpoint::open(&golden(NAME)).expect("a checkpoint");
    let grid = Grid { patch: 4, budget: Budget::Fixed(60) };
    assert_eq!(config.preprocess.geometry, Geometry::Grid(grid));
    assert!(config.long.is_none() && !config.dense && config.is_sigmoid());

    let encoder = CpuEncoder::open(&golden(NAME)).expect("a model");
    let all = json("siglip_2_naflex.json");
    let mut fitted = Vec::new();
    let pictures = all["pictures"].as_array().expect("pictures");
    for picture in pictures {
        let pair = |key: &str| [0, 1].map(|at| picture[key][at].as_u64().expect("a number") as u32);
        let ([width, height], [rows, columns]) = (pair("size"), pair("grid"));
        let picture = encoder.preprocess().fit(&Picture::Rgb(noise(width, height)));
        assert_eq!(picture.dimensions(), (columns * 4, rows * 4), "{width}x{height}");
        fitted.push(picture);
    }
    let rows = |values: Vec<f32>| -> Vec<Vec<f32>> {
        values.chunks_exact(encoder.dim()).map(<[f32]>::to_vec).collect()
    };
    let images = rows(encoder.encode_images(&fitted).expect("vectors"));
    let wanted = pictures.iter().map(|picture| picture["vector"].clone()).collect();
    close("pictures", &images, &Value::Array(wanted), 1e-5);

    let texts: Vec<String> = serde_json::from_value(all["texts"].clone()).expect("texts");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let ids = |text: &&str| encoder.tokenise(text).expect("tokens").pieces.remove(0);
    assert_eq!(serde_json::json!(texts.iter().map(ids).collect::<Vec<_>>()), all["ids"]);
    let texts = rows(encoder.encode_texts(&texts).expect("vectors"));
    close("texts", &texts, &all["vectors"], 1e-5);
    let (scale, bias) = encoder.logits().expect("a scale");
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let logits = |image: &Vec<f32>| -> Vec<f32> {
        texts.iter().map(|text| scale * dot(image, text) + bias).collect()
    };
    close("logits", &images.iter().map(logits).collect::<Vec<_>>(), &all["logits"], 1e-4);
}
