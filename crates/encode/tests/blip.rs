//! BLIP for retrieval against transformers (`scripts/golden/blip.py`).

mod common;

use common::{close, copied, golden, ids, json, matches, outputs, pixels, refused};
use serde_json::Value;
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Target, write};
use tuwen_encode::towers::Record;
use tuwen_encode::{Captioner, Checkpoint, CpuEncoder, Encoder, Fusion, Pool, Tokenizer};
use tuwen_image::{Geometry, Limits, decode_file};

const BOUND: f32 = 1e-5;

fn wanted() -> Value {
    json("blip.json")["retrieval"].clone()
}

#[test]
fn both_towers_have_the_vectors_of_transformers() {
    let wanted = wanted();
    for record in [Record::No, Record::All] {
        let found = outputs(&golden("blip"), 2, &ids(&wanted), record);
        close("image", &found.image, &wanted["image"], BOUND);
        close(&format!("text, {record:?}"), &found.text, &wanted["text"], BOUND);
    }
    let (config, _) = Checkpoint::open(&golden("blip")).expect("a checkpoint");
    assert_eq!((config.pool, config.tokenizer, config.context), (Pool::First, Tokenizer::File, 40));
    assert_eq!((config.preprocess.geometry, config.preprocess.size), (Geometry::Squash, 32));
    let fusion = Fusion { from: 0, blocks: 2, first: None, cosine: 1.0, both_ways: false };
    assert_eq!(config.fusion, Some(fusion));
    let encoder = CpuEncoder::open(&golden("blip")).expect("a model");
    let (scale, bias) = encoder.logits().expect("a scale");
    assert!((scale - 1.0 / 0.07).abs() < 1e-3 && bias == 0.0, "{scale}, {bias}");
}

#[test]
fn the_matching_head_has_the_logits_of_transformers() {
    let wanted = wanted();
    let found = matches(&golden("blip"), |_| {}, &ids(&wanted));
    for (picture, found) in found.iter().enumerate() {
        close("as it is", found, &wanted["match"][picture], BOUND);
    }
    // BLIP's own evaluation puts [ENC] in the first place.
    let first = wanted["enc"].as_u64().expect("an id") as u32;
    let found = matches(&golden("blip"), |fusion| fusion.first = Some(first), &ids(&wanted));
    for (picture, found) in found.iter().enumerate() {
        close("with [ENC]", found, &wanted["match_enc"][picture], BOUND);
    }
}

#[test]
fn texts_have_its_tokens_and_a_picture_its_pixels() {
    let wanted = wanted();
    let encoder = CpuEncoder::open(&golden("blip")).expect("a model");
    let texts: Vec<String> = serde_json::from_value(wanted["texts"].clone()).expect("texts");
    let tokens: Vec<Vec<u32>> = serde_json::from_value(wanted["tokens"].clone()).expect("ids");
    for (text, tokens) in texts.iter().zip(&tokens) {
        assert_eq!(&encoder.tokenise(text).expect("tokens").pieces[0], tokens, "{text}");
    }
    let path = golden("../../../cli/tests/golden/model_files/picture.png");
    let picture = decode_file(&path, Limits::default()).expect("a picture");
    let mut found = Vec::new();
    encoder.preprocess().normalise_into(&encoder.preprocess().fit(&picture), &mut found);
    close("pixels", &[found], &Value::Array(vec![wanted["pixels"].clone()]), BOUND);
}

/// Pairs alone, in any order and among others have the same logits, through the encoder.
#[test]
fn a_pair_is_the_same_alone_and_among_others() {
    let encoder = CpuEncoder::open(&golden("blip")).expect("a model");
    let texts = ["a dog", "two children play football outside", "", "a woman in a red coat"];
    let texts: Vec<_> = texts.iter().map(|text| encoder.tokenise(text).expect("tokens")).collect();
    let values: Vec<f32> = (0..3 * 17 * 32).map(|at| (at as f32 * 0.7).sin()).collect();
    let pictures: Vec<&[f32]> = values.chunks_exact(17 * 32).collect();
    let pairs = [(0, 0), (1, 0), (2, 0), (3, 1), (0, 1), (1, 2), (1, 0), (3, 2), (2, 2)];
    let found = encoder.match_logits(&texts, &pictures, &pairs).expect("logits");
    for (pair, found) in pairs.iter().zip(&found) {
        let alone = encoder.match_logits(&texts, &pictures, &[*pair]).expect("logits")[0];
        assert!(alone.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-5), "{pair:?}");
    }
    assert!((found[0][1] - found[4][1]).abs() > 1e-3, "another picture, another logit");
    assert_eq!(
        encoder.match_logits(&texts, &pictures, &[]).expect("nothing"),
        Vec::<[f32; 2]>::new()
    );
}

#[test]
fn our_own_layout_keeps_the_matching_head_and_no_other_has_a_place_for_it() {
    let wanted = wanted();
    let (config, checkpoint) = Checkpoint::open(&golden("blip")).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    let target = |target| write(&config, &&checkpoint, target, Precision::F32, folder.path());
    let error = target(Target::Hf).expect_err("no place").to_string();
    assert!(error.contains("matching head") && error.contains("--layout"), "{error}");
    target(Target::Tuwen).expect("written");
    let found = matches(folder.path(), |_| {}, &ids(&wanted));
    close("converted", &found[0], &wanted["match"][0], BOUND);
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = copied("blip");
    let said = |file: &str, from: &str, to: &str, words: &[&str]| {
        let error = refused(folder.path(), file, from, to);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let config = "config.json";
    said(config, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", &["layers.2"]);
    said(
        config,
        "\"is_decoder\": true",
        "\"is_decoder\": false",
        &["is_decoder", "attention to pictures"],
    );
    said(config, "\"image_text_hidden_size\": 16", "\"image_text_hidden_size\": 17", &["16", "17"]);
    said(config, "\"hidden_size\": 48", "\"hidden_size\": 51", &["48", "51"]);
    // A tokenizer that puts nothing around a text.
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut tokens: Value = serde_json::from_str(&text).expect("JSON");
    tokens["post_processor"] = Value::Null;
    std::fs::write(&path, tokens.to_string()).expect("a file");
    let encoder = CpuEncoder::open(folder.path()).expect("it is read when it is needed");
    let error = encoder.tokenise("a dog").expect_err("no [CLS]").to_string();
    assert!(
        ["tokenizer.json", "`[CLS]`", "`[SEP]`"].iter().all(|word| error.contains(word)),
        "{error}"
    );
    std::fs::write(&path, text).expect("a file");

    let weights = folder.path().join("model.safetensors");
    let whole = std::fs::read(&weights).expect("weights");
    for cut in [0, 7, 500, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&weights, &whole[..cut]).expect("a file");
        let error = Checkpoint::open(folder.path()).expect_err("it is cut").to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }
    std::fs::write(&weights, &whole).expect("a file");
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("our own copy");
    let error = Checkpoint::open(folder.path()).expect_err("no tokenizer").to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

#[test]
fn a_model_of_captions_and_one_of_another_family_are_named() {
    let error = Checkpoint::open(&golden("blip-captions")).expect_err("no search").to_string();
    assert!(error.contains("captions") && error.contains("tuwen caption"), "{error}");
    let folder = copied("blip");
    std::fs::copy(golden("clip/model.safetensors"), folder.path().join("model.safetensors"))
        .expect("a copy");
    let error = Checkpoint::open(folder.path()).expect_err("CLIP's weights").to_string();
    assert!(error.contains("blip"), "{error}");
}

#[test]
fn a_captioning_model_has_the_logits_of_transformers_a_token_at_a_time() {
    let wanted = json("blip.json")["captions"].clone();
    let captioner = Captioner::open(&golden("blip-captions")).expect("files").expect("captions");
    let begun: Vec<u32> = serde_json::from_value(wanted["begun"].clone()).expect("ids");
    assert_eq!(u64::from(captioner.begin()), wanted["begin"].as_u64().expect("an id"));
    assert_eq!(u64::from(captioner.end()), wanted["end"].as_u64().expect("an id"));
    let pixels: Vec<f32> = pixels(6 * 3 * 32 * 32).iter().map(|value| value * 1.5).collect();
    for (at, picture) in pixels.chunks_exact(3 * 32 * 32).enumerate() {
        let shown = captioner.look_at(picture);
        // Two captions side by side, of which the second ends up as a copy of the first.
        let mut sentences = captioner.start(2, begun.len());
        let mut found = Vec::new();
        for (place, &token) in begun.iter().enumerate() {
            let other = if place == 1 { begun[3] } else { token };
            let logits = captioner.say(&shown, &mut sentences, &[token, other]);
            if place == 1 {
                sentences.reorder(&[0, 0]);
            }
            let (one, two) = logits.split_at(logits.len() / 2);
            let differ = one.iter().zip(two).any(|(a, b)| (a - b).abs() > 1e-4);
            assert_eq!(differ, place == 1, "place {place}");
            found.push(one.to_vec());
        }
        close(&format!("picture {at}"), &found, &wanted["logits"][at], BOUND);
    }
}

#[test]
fn what_a_captioning_model_lacks_is_named() {
    let none = |name: &str| Captioner::open(&golden(name)).expect("another model").is_none();
    assert!(none("blip") && none("clip"), "other models are none");
    let folder = copied("blip-captions");
    let said = |file: &str, from: &str, to: &str, words: &[&str]| {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replace(from, to)).expect("a file");
        let error = Captioner::open(folder.path()).err().expect("it does not fit").to_string();
        std::fs::write(&path, text).expect("a file");
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    said("config.json", "\"sep_token_id\": 3", "\"sep_token_id\": 4", &["token 3", "token 4"]);
    said(
        "config.json",
        "\"bos_token_id\": 92",
        "\"bos_token_id\": 9200",
        &["bos_token_id", "9200"],
    );
    said("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", &["layers.2"]);
    said(
        "config.json",
        "\"tie_word_embeddings\": true",
        "\"tie_word_embeddings\": false",
        &["tie_word"],
    );
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut tokens: Value = serde_json::from_str(&text).expect("JSON");
    tokens["post_processor"] = Value::Null;
    std::fs::write(&path, tokens.to_string()).expect("a file");
    let error = Captioner::open(folder.path()).err().expect("no [SEP]").to_string();
    assert!(error.contains("`[SEP]`"), "{error}");
    let weights = folder.path().join("model.safetensors");
    let whole = std::fs::read(&weights).expect("weights");
    std::fs::write(&weights, &whole[..whole.len() / 2]).expect("a file");
    let error = Captioner::open(folder.path()).err().expect("it is cut").to_string();
    assert!(error.contains("model.safetensors") && error.contains("cut short"), "{error}");
}

#[test]
fn the_files_of_blips_and_albefs_authors() {
    let all = json("blip.json")["authors"].clone();
    let ids = ids(&all);
    for (name, from, cosine) in [("blip", 0, 1.0), ("albef", 1, 0.0)] {
        let (folder, wanted) = (golden(&format!("{name}-own")), &all[name]);
        let found = outputs(&folder, 2, &ids, Record::No);
        close(&format!("{name}, image"), &found.image, &wanted["image"], BOUND);
        close(&format!("{name}, text"), &found.text, &wanted["text"], BOUND);
        let found = matches(&folder, |_| {}, &ids);
        for (picture, found) in found.iter().enumerate() {
            close(&format!("{name}, match"), found, &wanted["match"][picture], BOUND);
        }
        let encoder = CpuEncoder::open(&folder).expect("a model");
        let fusion = encoder.fusion().expect("a matching head");
        assert_eq!((fusion.from, fusion.blocks, fusion.cosine), (from, 2, cosine));
        assert_eq!(encoder.logits().expect("a temperature"), (1.0f32 / 0.05, 0.0));
        // The file itself, which has a tokenizer beside it, is the same model.
        let file = folder.join(format!("{name}-own.pth"));
        assert!(CpuEncoder::open(&file).expect("a file").encode_texts(&["a dog"]).is_ok());
        let alone = tempfile::tempdir().expect("a folder");
        let copy = alone.path().join("model.pth");
        std::fs::copy(&file, &copy).expect("a copy");
        let error = CpuEncoder::open(&copy).err().expect("no tokenizer").to_string();
        assert!(error.contains("tokenizer.json") && error.contains("bert-base-uncased"), "{error}");
        let bytes = std::fs::read(&copy).expect("a copy");
        std::fs::write(&copy, &bytes[..bytes.len() / 2]).expect("a file");
        let error = CpuEncoder::open(&copy).err().expect("it is cut").to_string();
        assert!(error.contains("model.pth"), "{error}");
    }
}
