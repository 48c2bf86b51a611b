//! R2D2 against its authors' code (`scripts/golden/r2d2.py`).

mod common;

use common::{all_matches, close, copied, golden, ids, json, matches, outputs};
use serde_json::Value;
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::checkpoint::{Target, write};
use tuwen_encode::towers::Record;
use tuwen_encode::{
    Activation, Array, Arrays, Checkpoint, CpuEncoder, Encoder, Fusion, ModelConfig, Pool,
    Tokenizer,
};
use tuwen_image::{Geometry, Limits, RgbImage, decode_file};

const BOUND: f32 = 1e-5;
const MODEL: &str = "r2d2";

fn wanted() -> Value {
    json("r2d2.json")
}

fn picture(encoder: &CpuEncoder) -> RgbImage {
    let path = golden("../../../cli/tests/golden/model_files/picture.png");
    let picture = decode_file(&path, Limits::default()).expect("a picture");
    encoder.preprocess().fit(&picture)
}

#[test]
fn both_towers_have_the_vectors_of_its_authors() {
    let wanted = wanted();
    for record in [Record::No, Record::All] {
        let found = outputs(&golden(MODEL), 2, &ids(&wanted), record);
        close("image", &found.image, &wanted["image"], BOUND);
        close(&format!("text, {record:?}"), &found.text, &wanted["text"], BOUND);
    }
    let (config, _) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    assert_eq!((config.image.layers, config.image.heads, config.image.width), (2, 2, 128));
    assert_eq!(config.image.activation, Activation::QuickGelu);
    assert!(config.image.first_norm && !config.image.last_norm && !config.patch_bias);
    assert_eq!((config.pool, config.context, config.token_types), (Pool::First, 64, 2));
    assert_eq!((config.preprocess.geometry, config.preprocess.size), (Geometry::Squash, 32));
    let fusion = Fusion { from: 2, blocks: 4, first: None, cosine: 1.0, both_ways: true };
    assert_eq!(config.fusion, Some(fusion));
    let encoder = CpuEncoder::open(&golden(MODEL)).expect("a model");
    assert_eq!(encoder.logits().expect("a temperature"), (16.0, 0.0));
}

#[test]
fn texts_look_at_pictures_and_pictures_at_texts() {
    let wanted = wanted();
    let found = all_matches(&golden(MODEL), |_| {}, &ids(&wanted));
    for (picture, found) in found.iter().enumerate() {
        let text: Vec<Vec<f32>> = found.iter().map(|pair| pair.text.to_vec()).collect();
        close("text", &text, &wanted["match"][picture], BOUND);
        let back = |pair: &tuwen_encode::towers::Match| pair.picture.expect("both ways").to_vec();
        let back: Vec<Vec<f32>> = found.iter().map(back).collect();
        close("picture", &back, &wanted["match_picture"][picture], BOUND);
    }
}

/// From words and a picture's file: the tokens, the pixels, and the score of its evaluation, the mean of both probabilities
/// plus the cosine.
#[test]
fn words_and_a_picture_have_the_score_of_its_authors() {
    let wanted = wanted();
    let encoder = CpuEncoder::open(&golden(MODEL)).expect("a model");
    let texts: Vec<String> = serde_json::from_value(wanted["texts"].clone()).expect("texts");
    for (text, ids) in texts.iter().zip(ids(&wanted)) {
        let found = encoder.tokenise(text).expect("tokens").pieces[0].clone();
        let end = ids.iter().rposition(|&id| id != 0).map_or(0, |last| last + 1);
        assert_eq!(found, ids[..end], "{text}");
    }
    let shown = picture(&encoder);
    let mut pixels = Vec::new();
    encoder.preprocess().normalise_into(&shown, &mut pixels);
    close("pixels", &[pixels], &Value::Array(vec![wanted["pixels"].clone()]), BOUND);

    let pictures = [RgbImage::new(32, 32), shown];
    let seen = encoder.match_rows(&pictures).expect("rows");
    let rows: Vec<&[f32]> = seen.rows().collect();
    let asked = encoder.tokenise(wanted["asked"].as_str().expect("a text")).expect("tokens");
    let other = encoder.tokenise(&texts[0]).expect("tokens");
    let texts = [other, asked.clone()];
    let vector = encoder.encode_texts(&[&asked.text]).expect("a vector");
    let cosine = |(_, at): (usize, usize)| -> f32 {
        vector.iter().zip(&seen.vectors[at * 16..]).map(|(a, b)| a * b).sum()
    };
    let [own, probability] = ["asked_cosine", "asked_probability"]
        .map(|key| wanted[key].as_f64().expect("a number") as f32);
    assert!((cosine((1, 1)) - own).abs() < BOUND);
    // More pairs than go through the blocks together.
    let pairs = [(1, 1), (0, 1), (1, 0), (1, 1), (0, 0), (1, 1)];
    let scores = encoder.match_scores(&texts, &rows, &pairs, cosine).expect("scores");
    for at in [0, 3, 5] {
        assert!((scores[at] - probability - own).abs() < BOUND, "{scores:?}");
    }
    let other = scores[1] - own - probability;
    assert!(other.abs() > 1e-4, "another text, another score: {other}");
}

#[test]
fn our_own_layout_keeps_both_ways_and_no_other_has_a_place_for_them() {
    let wanted = wanted();
    let (config, checkpoint) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    let target = |target| write(&config, &&checkpoint, target, Precision::F32, folder.path());
    let error = target(Target::Hf).expect_err("no place").to_string();
    assert!(error.contains("matching head") && error.contains("--layout"), "{error}");
    target(Target::Tuwen).expect("written");
    let (read, _) = Checkpoint::open(folder.path()).expect("our own");
    assert_eq!((read.fusion, &read.image), (config.fusion, &config.image));
    let found = matches(folder.path(), |_| {}, &ids(&wanted));
    close("converted", &found[0], &wanted["match"][0], BOUND);
    let found = outputs(folder.path(), 2, &ids(&wanted), Record::No);
    close("converted", &found.image, &wanted["image"], BOUND);
}

/// Without a tokenizer beside it, its words are Chinese-CLIP's, and its table has their number of rows.
#[test]
fn the_vocabulary_is_the_one_inside_unless_a_tokenizer_lies_beside() {
    let folder = copied(MODEL);
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("our own copy");
    let (config, _) = Checkpoint::open(folder.path()).expect("a checkpoint");
    assert_eq!(config.tokenizer, Tokenizer::WordPiece);
    let error = CpuEncoder::open(folder.path()).err().expect("53 rows").to_string();
    assert!(error.contains("21128"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = copied(MODEL);
    let file = folder.path().join("r2d2.pth");
    let whole = std::fs::read(&file).expect("weights");
    for cut in [0, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..cut]).expect("a file");
        let error = Checkpoint::open(folder.path()).expect_err("it is cut").to_string();
        assert!(error.contains("r2d2.pth"), "{error}");
    }
    std::fs::remove_file(&file).expect("our own copy");

    // As a PRD2 has them: towers, and nothing that looks at both.
    let part = |name: &str, shape: &[usize]| {
        (name.to_owned(), Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] })
    };
    let mut few = Arrays(
        [
            part("visual_encoder.embeddings.class_embedding", &[8]),
            part("text_encoder.embeddings.word_embeddings.weight", &[9, 8]),
            part("text_encoder.encoder.layer.0.output.dense.weight", &[8, 8]),
        ]
        .into(),
    );
    let file = folder.path().join("model.safetensors");
    let said = |few: &Arrays| {
        arrays::write(few, Precision::F32, &Default::default(), &file).expect("written");
        Checkpoint::open(&file).expect_err("not whole").to_string()
    };
    let error = said(&few);
    assert!(error.contains("PRD2") && error.contains("0 and 0 blocks"), "{error}");
    few.0.extend([
        part("text_joint_layer.encoder.layer.0.output.dense.weight", &[8, 8]),
        part("itm_head_i.weight", &[2, 8]),
    ]);
    assert!(said(&few).contains("1 and 0 blocks"));
    few.0.remove("text_encoder.embeddings.word_embeddings.weight");
    assert!(said(&few).contains("without `text_encoder`"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let (good, _) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    let mut config = good.clone();
    config.fusion.as_mut().expect("a head").from = 0;
    config.text.layers = 4;
    let json = serde_json::to_string(&config).expect("JSON");
    let error =
        ModelConfig::parse(&json, "x.json".as_ref()).expect_err("it begins within").to_string();
    assert!(error.contains("both_ways") && error.contains("x.json"), "{error}");
    let json = serde_json::to_string(&good).expect("JSON");
    assert_eq!(ModelConfig::parse(&json, "x.json".as_ref()).expect("as it was"), good);
    assert!(json.contains("\"last_norm\":false") && json.contains("\"both_ways\":true"));
}
