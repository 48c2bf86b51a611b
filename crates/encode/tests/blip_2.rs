//! BLIP-2 for retrieval against transformers (`scripts/golden/blip_2.py`).

mod common;

use common::{close, copied, golden, ids, json, matches, outputs, pixels, refused, rows};
use serde_json::Value;
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::checkpoint::{Target, write};
use tuwen_encode::towers::{
    AnyImageTower, FusionTower, Heads, PassGradients, Record, TextTower, Wanted,
};
use tuwen_encode::{
    Checkpoint, CpuEncoder, Encoder, Fusion, ModelConfig, Pool, Queries, Tokenizer,
};
use tuwen_image::{Geometry, Limits, RgbImage, decode_file};
use tuwen_nn::{Tape, grads};

const BOUND: f32 = 1e-5;
const MODEL: &str = "blip-2";
const COUNT: usize = 5;

fn wanted() -> Value {
    json("blip-2.json")
}

fn numbers(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("numbers")
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The golden's picture as the model takes it.
fn picture(encoder: &CpuEncoder) -> RgbImage {
    let path = golden("../../../cli/tests/golden/model_files/picture.png");
    let picture = decode_file(&path, Limits::default()).expect("a picture");
    encoder.preprocess().fit(&picture)
}

#[test]
fn pictures_and_texts_have_the_vectors_of_transformers() {
    let wanted = wanted();
    for record in [Record::No, Record::All] {
        let found = outputs(&golden(MODEL), 2, &ids(&wanted), record);
        close("image", &found.image, &wanted["image"], BOUND);
        close(&format!("text, {record:?}"), &found.text, &wanted["text"], BOUND);
    }
    let (config, _) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    assert_eq!((config.pool, config.tokenizer, config.context), (Pool::First, Tokenizer::File, 40));
    assert_eq!((config.preprocess.geometry, config.preprocess.size), (Geometry::Squash, 32));
    assert_eq!(
        config.fusion,
        Some(Fusion { from: 0, blocks: 3, first: None, cosine: 1.0, both_ways: false })
    );
    assert_eq!(config.queries, Some(Queries { count: COUNT, every: 2 }));
    assert_eq!((config.image_feature(), config.text_feature(), config.embed_dim), (48, 48, 16));
}

/// Each query's vector, and the best cosine of these with a text's.
#[test]
fn every_query_has_the_vector_and_every_pair_the_contrastive_score_of_transformers() {
    let wanted = wanted();
    let (config, checkpoint) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    let tower = AnyImageTower::new(&config, &checkpoint).expect("the image tower");
    let heads = Heads::new(&config, &checkpoint).expect("both heads");
    let asked = Wanted { queries: true, ..Wanted::default() };
    let pass = tower.forward_with(&pixels(2 * 3 * 32 * 32), None, Record::No, &asked);
    let tokens = pass.tokens.expect("they were wanted");
    assert_eq!(tokens.spans, [0..COUNT, COUNT..2 * COUNT]);
    let vectors = rows(tokens.values, 48, |tape, x| heads.images(tape, x));
    let texts: Vec<Vec<f32>> = outputs(&golden(MODEL), 1, &ids(&wanted), Record::No).text;
    for (at, queries) in vectors.chunks_exact(COUNT).enumerate() {
        close("queries", queries, &wanted["queries"][at], BOUND);
        let best = |text: &Vec<f32>| {
            queries.iter().map(|query| dot(query, text)).fold(f32::NEG_INFINITY, f32::max)
        };
        let found: Vec<f32> = texts.iter().map(best).collect();
        close("contrast", &[found], &Value::Array(vec![wanted["contrast"][at].clone()]), BOUND);
    }
}

#[test]
fn the_matching_head_has_the_logits_of_transformers() {
    let wanted = wanted();
    let found = matches(&golden(MODEL), |_| {}, &ids(&wanted));
    for (picture, found) in found.iter().enumerate() {
        close("match", found, &wanted["match"][picture], BOUND);
    }
}

#[test]
fn texts_have_its_tokens_and_a_picture_its_pixels() {
    let wanted = wanted();
    let encoder = CpuEncoder::open(&golden(MODEL)).expect("a model");
    let texts: Vec<String> = serde_json::from_value(wanted["texts"].clone()).expect("texts");
    let tokens: Vec<Vec<u32>> = serde_json::from_value(wanted["tokens"].clone()).expect("ids");
    for (text, tokens) in texts.iter().zip(&tokens) {
        assert_eq!(&encoder.tokenise(text).expect("tokens").pieces[0], tokens, "{text}");
    }
    // transformers' processor gives the tokenizer a token for which the model has no row.
    let error = encoder.tokenise("a dog <image>").expect_err("a picture's token").to_string();
    assert!(error.contains("token 93") && error.contains("leave it out"), "{error}");
    let mut found = Vec::new();
    encoder.preprocess().normalise_into(&picture(&encoder), &mut found);
    close("pixels", &[found], &Value::Array(vec![wanted["pixels"].clone()]), BOUND);
}

/// Through the encoder: the vectors that a gallery keeps, what late interaction compares, and the sum of both scores by which
/// its authors' program ranks.
#[test]
fn the_encoder_gives_queries_and_the_score_that_ranks() {
    let wanted = wanted();
    let encoder = CpuEncoder::open(&golden(MODEL)).expect("a model");
    let pictures = vec![picture(&encoder), RgbImage::new(32, 32), picture(&encoder)];
    let text = encoder.tokenise(wanted["asked"].as_str().expect("a text")).expect("tokens");
    let other = encoder.tokenise("old men play chess").expect("tokens");
    let found = encoder.image_tokens(&pictures).expect("rows");
    assert_eq!((found.width, found.tokens.values.len()), (48, 3 * COUNT * 48));
    assert_eq!((encoder.patch_rows(), encoder.patch_width()), (COUNT, 48));
    let words = encoder.text_tokens(&[text.clone(), other.clone()]).expect("rows");
    assert_eq!(words.tokens.spans, [0..1, 1..2]);
    let [cosine, contrast] = ["asked_cosine", "asked_contrast"]
        .map(|key| wanted[key].as_f64().expect("a number") as f32);
    assert!((dot(&found.vectors[..16], &words.vectors[..16]) - cosine).abs() < BOUND);
    let seen = encoder.match_rows(&pictures).expect("rows");
    assert_eq!((seen.width, seen.tokens.values.len()), (32, 3 * 17 * 32));
    let seen: Vec<&[f32]> = seen.rows().collect();
    let texts = [other, text];
    let pairs = [(1, 0), (0, 0), (1, 1), (1, 2)];
    let unused = |_| -> f32 { unreachable!("a model with queries has a contrastive score") };
    let scores = encoder.match_scores(&texts, &seen, &pairs, unused).expect("scores");
    let logit = numbers(&wanted["asked_match"])[1];
    assert!((scores[0] - logit - contrast).abs() < BOUND, "{scores:?}");
    assert!((scores[3] - scores[0]).abs() < 1e-6 && (scores[1] - scores[0]).abs() > 1e-3);
    for (pair, score) in pairs.iter().zip(&scores) {
        let alone = encoder.match_scores(&texts, &seen, &[*pair], unused).expect("a score")[0];
        assert!((alone - score).abs() < BOUND, "{pair:?}");
    }
    assert!(encoder.match_scores(&texts, &seen, &[], unused).expect("nothing").is_empty());
}

/// The way back goes through the queries: the gradient of the cosine of a gallery's vector, in the pixels.
#[test]
fn the_gradient_of_a_cosine_is_that_of_transformers() {
    let wanted = wanted();
    let (config, checkpoint) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    let weights = checkpoint.to_arrays(&config).expect("all weights");
    let tower = AnyImageTower::new(&config, &weights).expect("the image tower");
    let heads = Heads::new(&config, &weights).expect("both heads");
    let asked = Wanted { input_gradient: true, ..Wanted::default() };
    let pass = tower.forward_with(&pixels(3 * 32 * 32), None, Record::All, &asked);
    let mut tape = Tape::recording();
    let leaf = tape.leaf(pass.features.clone(), 48, true);
    let unit = heads.images(&mut tape, &leaf);
    let toward = numbers(&wanted["text"][1]);
    let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&unit, toward.clone())], grads).take(&leaf)
    });
    let features = found.pop().flatten().expect("a gradient");
    let of = PassGradients { features: &features, ..Default::default() };
    let found = tower.backward_from(pass, of).1.expect("the pixels' gradient");
    close("gradient", &[found], &Value::Array(vec![wanted["gradient"].clone()]), BOUND);
}

#[test]
fn our_own_layout_keeps_the_queries_and_no_other_has_a_place_for_them() {
    let wanted = wanted();
    let (config, checkpoint) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    let target = |target| write(&config, &&checkpoint, target, Precision::F32, folder.path());
    let error = target(Target::Hf).expect_err("no place").to_string();
    assert!(error.contains("matching head") && error.contains("--layout"), "{error}");
    target(Target::Tuwen).expect("written");
    let (read, _) = Checkpoint::open(folder.path()).expect("our own");
    assert_eq!(read.queries, config.queries);
    let found = matches(folder.path(), |_| {}, &ids(&wanted));
    close("converted", &found[0], &wanted["match"][0], BOUND);
    let found = outputs(folder.path(), 2, &ids(&wanted), Record::No);
    close("converted", &found.image, &wanted["image"], BOUND);
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = copied(MODEL);
    let said = |file: &str, from: &str, to: &str, words: &[&str]| {
        let error = refused(folder.path(), file, from, to);
        assert!(words.iter().all(|word| error.contains(word)), "{from}: {error}");
    };
    let config = "config.json";
    said(config, "\"num_query_tokens\": 5", "\"num_query_tokens\": 6", &["query_tokens", "5", "6"]);
    said(config, "\"num_query_tokens\": 5", "\"num_query_tokens\": 0", &["queries", "count 0"]);
    let every = "\"cross_attention_frequency\": 2";
    said(config, every, "\"cross_attention_frequency\": 1", &["layer.1.crossattention"]);
    said(config, every, "\"cross_attention_frequency\": 3", &["layer.2.crossattention"]);
    said(config, every, "\"cross_attention_frequency\": 0", &["queries", "every 0"]);
    said(
        config,
        "\"use_qformer_text_input\": true",
        "\"use_qformer_text_input\": false",
        &["qformer_config.use_qformer_text_input", "no MLP for texts"],
    );
    said(config, "\"qkv_bias\": true", "\"qkv_bias\": false", &["vision_config.qkv_bias"]);
    said(config, "\"vocab_size\": 93", "\"vocab_size\": 90", &["90", "93"]);
    said(config, "\"image_text_hidden_size\": 16", "\"image_text_hidden_size\": 17", &["16", "17"]);
    said(
        config,
        "\"num_query_tokens\"",
        "\"query_dropping\": 1, \"num_query_tokens\"",
        &["query_dropping"],
    );
    let own = "processor_config.json";
    said(own, "\"height\": 32", "\"height\": 48", &["image_processor.size", "48"]);

    // One shard is cut, is another's or is not there.
    let shard = folder.path().join("model-00002-of-00005.safetensors");
    let whole = std::fs::read(&shard).expect("weights");
    for cut in [0, 7, 500, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&shard, &whole[..cut]).expect("a file");
        let error = Checkpoint::open(folder.path()).expect_err("it is cut").to_string();
        assert!(error.contains("model-00002-of-00005.safetensors"), "{error}");
    }
    std::fs::copy(folder.path().join("model-00001-of-00005.safetensors"), &shard).expect("a copy");
    let error = Checkpoint::open(folder.path()).expect_err("weights are missing").to_string();
    assert!(error.contains("missing"), "{error}");
    std::fs::remove_file(&shard).expect("our own copy");
    let error = Checkpoint::open(folder.path()).expect_err("no shard").to_string();
    assert!(error.contains("model-00002-of-00005.safetensors"), "{error}");
    std::fs::write(&shard, &whole).expect("a file");
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("our own copy");
    let error = Checkpoint::open(folder.path()).expect_err("no tokenizer").to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

/// Weights of other models of the same `model_type`, and of another.
#[test]
fn other_models_are_named() {
    let folder = copied(MODEL);
    let index = "model.safetensors.index.json";
    let path = folder.path().join(index);
    let replaced = |name: &str| {
        std::fs::remove_file(&path).expect("our own copy");
        let other = golden(name).join("model.safetensors");
        std::fs::copy(other, folder.path().join("model.safetensors")).expect("a copy");
        let error = Checkpoint::open(folder.path()).expect_err("other weights").to_string();
        std::fs::copy(golden(MODEL).join(index), &path).expect("a copy");
        error
    };
    let error = replaced("blip-captions");
    assert!(
        error.contains("do not belong together") && error.contains("blip2-itm-vit-g"),
        "{error}"
    );
    std::fs::remove_file(folder.path().join("model.safetensors")).expect("our own copy");

    let (config, checkpoint) = Checkpoint::open(folder.path()).expect("a model");
    let mut arrays = checkpoint.to_arrays(&config).expect("weights");
    arrays.slot("language_model.lm_head.weight", &[1]);
    arrays.0.retain(|name, _| name.starts_with("language_model"));
    std::fs::remove_file(&path).expect("our own copy");
    let file = folder.path().join("model.safetensors");
    arrays::write(&arrays, Precision::F32, &Default::default(), &file).expect("written");
    let error = Checkpoint::open(folder.path()).expect_err("a language model").to_string();
    assert!(error.contains("writes") && error.contains("Blip2ForImageTextRetrieval"), "{error}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let (good, checkpoint) = Checkpoint::open(&golden(MODEL)).expect("a checkpoint");
    type Change = fn(&mut ModelConfig);
    let cases: [(&str, Change); 5] = [
        ("`fusion` is from 0", |config| config.fusion = None),
        ("`fusion` is from 0", |config| config.fusion.as_mut().expect("a head").first = Some(1)),
        ("count 0", |config| config.queries.as_mut().expect("queries").count = 0),
        ("every 9", |config| config.queries.as_mut().expect("queries").every = 9),
        ("image_pool", |config| config.image_pool = tuwen_encode::ImagePool::NormThenMean),
    ];
    for (said, change) in cases {
        let mut config = good.clone();
        change(&mut config);
        let json = serde_json::to_string(&config).expect("JSON");
        let error = ModelConfig::parse(&json, "x.json".as_ref()).expect_err(said).to_string();
        assert!(error.contains(said) && error.contains("x.json"), "{error}");
    }
    // A tower without queries says so where they are asked for.
    let (plain, _) = Checkpoint::open(&golden("blip")).expect("a checkpoint");
    let asked = Wanted { queries: true, ..Wanted::default() };
    let error =
        asked.check(&plain, tuwen_encode::params::Part::Image).expect_err("none").to_string();
    assert!(error.contains("query") && error.contains("BLIP-2"), "{error}");
    let head = FusionTower::find(&good, &checkpoint).expect("weights").expect("a head");
    let text = TextTower::new(&good, &checkpoint).expect("the text tower");
    assert!(head.try_logits(&text, &[], &[], &[]).expect("nothing").is_empty());
}
