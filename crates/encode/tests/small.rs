//! What the built-in model is made of: matrices of 8 bits, a bag of words, a smaller vocabulary, and the same
//! numbers as transformers.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{close, json};
use tuwen_encode::Encoder;
use tuwen_encode::arrays::{self, Array, Precision};
use tuwen_encode::checkpoint::{Target, Trimmed, write};
use tuwen_encode::towers::{Record, TextTower};
use tuwen_encode::{Arrays, Checkpoint, CpuEncoder, ModelConfig, Products, TowerConfig, builtin};
use tuwen_image::rng::Rng;
use tuwen_image::{Limits, Preprocess, RgbImage, decode};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tuwen-small")
}

fn rows(vectors: &[f32], dim: usize) -> Vec<Vec<f32>> {
    vectors.chunks_exact(dim).map(<[f32]>::to_vec).collect()
}

/// `scripts/golden/built_in.py`: transformers' BERT and ViT with these weights, HF's tokenizer, Pillow.
#[test]
fn the_built_in_model_gives_what_transformers_gives() {
    let wanted = json("built_in.json");
    let encoder = builtin::open().expect("the built-in model").with_products(Products::F32);
    let texts: Vec<String> = serde_json::from_value(wanted["texts"].clone()).expect("texts");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = encoder.encode_texts(&texts).expect("embeddings");
    close("texts", &rows(&found, encoder.dim()), &wanted["text"], 1e-4);
    let pictures: Vec<String> = serde_json::from_value(wanted["pictures"].clone()).expect("names");
    let fitted: Vec<_> = pictures
        .iter()
        .map(|name| {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png").join(name);
            let bytes = std::fs::read(path).expect("a demo picture");
            encoder.preprocess().fit(&decode(&bytes, Limits::default()).expect("a picture"))
        })
        .collect();
    let found = encoder.encode_images(&fitted).expect("embeddings");
    close("pictures", &rows(&found, encoder.dim()), &wanted["image"], 1e-4);
}

/// Vectors of four texts, of the first alone, and of a picture.
fn vectors(encoder: &CpuEncoder) -> Vec<f32> {
    let picture = RgbImage::from_fn(224, 224, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    let texts = ["a teapot", "一只茶壶", "", "a dog that runs on the grass behind a red ball"];
    let mut vectors = encoder.encode_texts(&texts).expect("vectors");
    vectors.extend(encoder.encode_texts(&texts[..1]).expect("a vector"));
    vectors.extend(encoder.encode_images(std::slice::from_ref(&picture)).expect("a vector"));
    vectors
}

#[test]
fn rows_that_stay_as_they_are_stored_give_the_bits_of_floats() {
    let inside = || builtin::open().expect("a model");
    let outside = || CpuEncoder::open(&folder()).expect("the same");
    let (config, checkpoint) = builtin::checkpoint().expect("a model");
    let arrays = checkpoint.to_arrays(&config).expect("all weights");
    let floats = CpuEncoder::new(config, arrays, b"").expect("all weights");
    let floats = vectors(&floats.with_tokenizer(checkpoint.tokenizer().cloned()));
    for (name, encoder) in [("inside the program", inside()), ("read from a folder", outside())] {
        let found = vectors(&encoder.with_products(Products::F32));
        assert!(found == floats, "{name}: not the bits of floats");
    }
    assert!(vectors(&inside()) == vectors(&outside()), "in bytes");
    assert_eq!(inside().fingerprint(), outside().fingerprint());
}

#[test]
fn products_of_bytes_are_near_those_of_floats_whatever_stands_beside() {
    let bytes = builtin::open().expect("a model");
    let floats = builtin::open().expect("a model").with_products(Products::F32);
    let dim = bytes.dim();
    let (found, wanted) = (vectors(&bytes), vectors(&floats));
    assert!(found[..dim] == found[4 * dim..5 * dim], "alone as in a batch");
    for (row, (found, wanted)) in found.chunks(dim).zip(wanted.chunks(dim)).enumerate() {
        let cosine: f32 = found.iter().zip(wanted).map(|(a, b)| a * b).sum();
        assert!(found != wanted, "vector {row} is one of floats");
        assert!(cosine > 0.995, "vector {row}: {cosine}");
    }
    // A model of floats that is rounded when it is read is the one that a file of 8 bits holds.
    let (config, checkpoint) = builtin::checkpoint().expect("a model");
    let arrays = checkpoint.to_arrays(&config).expect("all weights");
    let rounded = CpuEncoder::new(config, arrays, b"").expect("all weights");
    let rounded = rounded.with_tokenizer(checkpoint.tokenizer().cloned());
    let again = vectors(&rounded.with_products(Products::Int8));
    let worst = again.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 5e-3, "{worst}");
}

#[test]
fn halves_of_floats_are_near_them_where_the_processor_gains_by_it() {
    let halves = builtin::open().expect("a model").with_products(Products::Bf16);
    let floats = builtin::open().expect("a model").with_products(Products::F32);
    let dim = halves.dim();
    let (found, wanted) = (vectors(&halves), vectors(&floats));
    assert_eq!(halves.fingerprint(), floats.fingerprint());
    if let [.., said] = halves.notes() {
        assert!(said.contains("bf16") && said.ends_with("f32 is taken"), "{said}");
        assert!(found == wanted, "f32 where it says so");
        return;
    }
    for (row, (found, wanted)) in found.chunks(dim).zip(wanted.chunks(dim)).enumerate() {
        let cosine: f32 = found.iter().zip(wanted).map(|(a, b)| a * b).sum();
        assert!(found != wanted && cosine > 0.999, "vector {row}: {cosine}");
    }
}

#[test]
fn eight_bits_are_within_half_a_step_of_each_row() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("x.safetensors");
    let mut rng = Rng::new(&[5]);
    let mut data: Vec<f32> =
        (0..5 * 64).map(|at| rng.range(-1.0, 1.0) * 0.1f32.powi(at / 64)).collect();
    data[64..128].fill(0.0);
    let bias = Array { shape: vec![3], data: vec![1.234_567, 0.0, -9.0] };
    let matrix = Array { shape: vec![5, 64], data };
    let whole = Arrays([("bias".into(), bias.clone()), ("w".into(), matrix.clone())].into());
    arrays::write(&whole, Precision::Int8, &BTreeMap::new(), &file).expect("a file");
    assert!(std::fs::metadata(&file).expect("a file").len() < 5 * 64 + 5 * 4 + 400);
    let found = arrays::read(&file).expect("it is read");
    assert_eq!(found.0.len(), 2, "scales are no weights");
    assert_eq!(found.get("bias").expect("a weight"), &bias);
    let read = &found.get("w").expect("a weight").data;
    for (wanted, found) in matrix.data.chunks(64).zip(read.chunks(64)) {
        let largest = wanted.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let worst = wanted.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= largest / 254.0 + 1e-7, "{worst} of {largest}");
    }
    // Twice is the same as once.
    let again = place.path().join("y.safetensors");
    arrays::write(&found, Precision::Int8, &BTreeMap::new(), &again).expect("a file");
    assert_eq!(arrays::read(&again).expect("it is read"), found);
}

#[test]
fn scales_that_do_not_fit_are_named() {
    let place = tempfile::tempdir().expect("a folder");
    let whole = |header: &str, bytes: usize| {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.resize(file.len() + bytes, 1);
        let path = place.path().join("x.safetensors");
        std::fs::write(&path, file).expect("a file");
        arrays::read(&path).expect_err("it does not fit").to_string()
    };
    let matrix = r#""w":{"dtype":"I8","shape":[2,4],"data_offsets":[0,8]}"#;
    let alone = whole(&format!("{{{matrix}}}"), 8);
    assert!(alone.contains('w') && alone.contains("I8"), "{alone}");
    let scale = r#""w.scale":{"dtype":"F32","shape":[3],"data_offsets":[8,20]}"#;
    let short = whole(&format!("{{{matrix},{scale}}}"), 20);
    assert!(short.contains("w.scale") && short.contains("[3]"), "{short}");
    let scale = r#""w.scale":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}"#;
    let header = format!("{{{matrix},{scale}}}");
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend([1; 8]);
    file.extend([0.5f32, -0.5].iter().flat_map(|scale| scale.to_le_bytes()));
    let path = place.path().join("y.safetensors");
    std::fs::write(&path, file).expect("a file");
    let negative = arrays::read(&path).expect_err("it is damaged").to_string();
    assert!(negative.contains("w.scale") && negative.contains("negative"), "{negative}");
}

#[test]
fn a_smaller_vocabulary_keeps_the_tokens_of_given_texts() {
    let place = tempfile::tempdir().expect("a folder");
    let (config, checkpoint) = Checkpoint::open(&folder()).expect("a model");
    let tokenizer = checkpoint.tokenizer().expect("its own").clone();
    let texts = ["a photo of a teapot", "草地上奔跑的狗", "screwdriver"];
    let source = &checkpoint;
    let cut = |wanted| Trimmed::new(&config, &source, &tokenizer, texts.iter().copied(), wanted);
    let few = cut(100).err().expect("too few").to_string();
    assert!(few.contains("100") && few.contains("must stay"), "{few}");
    let trimmed = cut(config.vocab - 2000).expect("a smaller one");
    let path = place.path().join("small");
    write(trimmed.config(), &trimmed, Target::Tuwen, Precision::F32, &path).expect("a folder");
    std::fs::write(path.join("tokenizer.json"), trimmed.tokenizer()).expect("a file");
    let open = |path| CpuEncoder::open(path).expect("a model").with_products(Products::F32);
    let (before, after) = (open(&folder()), open(&path));
    assert_eq!(after.config().vocab, config.vocab - 2000);
    let vectors = |encoder: &CpuEncoder| encoder.encode_texts(&texts).expect("vectors");
    let pairs = vectors(&before).into_iter().zip(vectors(&after));
    assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-5);
    // What is spelt otherwise now is still no unknown word.
    assert_eq!(after.unknown_tokens("毋庸置疑的奇珍异宝").expect("tokens").0, 0);
    let chinese = TowerConfig::new(16, 1, 2, 32);
    let plain = ModelConfig::new("x", chinese.clone(), chinese, Preprocess::squash(16));
    assert!(Trimmed::new(&plain, &source, &tokenizer, [].into_iter(), 9).is_err());
}

/// The gradients of tokens before and behind a prefix and of the bag of words, by differences.
#[test]
fn words_and_prefix_have_the_gradients_of_the_features() {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 1, 2, 16) };
    let towers = ModelConfig::new("x", tower(8), tower(8), Preprocess::squash(16));
    let config = ModelConfig {
        vocab: 12,
        context: 8,
        positions: 9,
        words: 3,
        prefix: vec![9, 10],
        ..towers
    };
    let mut rng = Rng::new(&[2]);
    let mut weights = Arrays::default();
    for (name, shape) in config.weight_shapes() {
        weights.slot(&name, &shape).fill_with(|| rng.range(-0.5, 0.5));
    }
    let texts: [&[u32]; 3] = [&[1, 4, 5, 2], &[1, 4, 2, 0], &[1, 2]];
    let wanted: Vec<f32> = (0..3 * 11).map(|_| rng.range(-1.0, 1.0)).collect();
    let value = |weights: &Arrays| -> f32 {
        let tower = TextTower::new(&config, weights).expect("all weights");
        let features = tower.forward(&texts, Record::No).features;
        assert_eq!(features.len(), 3 * config.text_feature());
        features.iter().zip(&wanted).map(|(a, b)| a * b).sum()
    };
    let tower = TextTower::new(&config, &weights).expect("all weights");
    let grads = tower.backward(tower.forward(&texts, Record::All), &texts, &wanted);
    // A word, a word of two texts, the ends, the prefix, and one that nobody has.
    for (name, width) in [("text.words.weight", 3), ("text.token_embed.weight", 8)] {
        for id in [5, 4, 1, 2, 9, 7] {
            let at = id * width + 1;
            let mut moved = weights.clone();
            let nudge = |moved: &mut Arrays, by: f32| {
                moved.0.get_mut(name).expect("a weight").data[at] += by;
                value(moved)
            };
            let slope = (nudge(&mut moved, 1e-2) - nudge(&mut moved, -2e-2)) / 2e-2;
            let found = grads.get(name).expect("a gradient").data[at];
            assert!(
                (slope - found).abs() < 2e-2 * (1.0 + slope.abs()),
                "{name} {id}: {slope}, {found}"
            );
        }
    }
    let words = grads.get("text.words.weight").expect("a gradient");
    assert!([1, 2, 9].iter().all(|id| words.data[id * 3..][..3] == [0.0; 3]), "these are no words");
}

#[test]
fn a_text_tower_comes_out_of_a_berts_folder() {
    let place = tempfile::tempdir().expect("a folder");
    let golden = common::golden("chinese-clip");
    let (config, checkpoint) = Checkpoint::open(&golden).expect("a checkpoint");
    let whole = checkpoint.to_arrays(&config).expect("all weights");
    let theirs = arrays::read(&golden.join("model.safetensors")).expect("transformers' names");
    let bert = |start: &str| {
        let own = theirs.0.iter().filter_map(|(name, array)| {
            Some((format!("{start}{}", name.strip_prefix("text_model.")?), array.clone()))
        });
        let file = place.path().join("model.safetensors");
        arrays::write(&Arrays(own.collect()), Precision::F32, &BTreeMap::new(), &file)
            .expect("a file");
        tuwen_encode::checkpoint::bert(place.path(), &config)
    };
    for start in ["", "bert."] {
        let found = bert(start).expect("a tower");
        assert!(found.0.len() > 10 && found.0.keys().all(|name| name.starts_with("text.")));
        assert!(found.0.iter().all(|(name, array)| array == &whole.0[name]));
    }
    // Of a deeper one the first layers, of a shallower one an error.
    let mut shallow = config.clone();
    shallow.text.layers -= 1;
    let found = tuwen_encode::checkpoint::bert(place.path(), &shallow).expect("the first layers");
    assert!(found.0.len() < bert("").expect("all").0.len());
    let mut deep = config.clone();
    deep.text.layers += 1;
    let missing = tuwen_encode::checkpoint::bert(place.path(), &deep).expect_err("too deep");
    assert!(missing.to_string().contains("encoder.layer."), "{missing}");
}

#[test]
fn a_prefix_has_its_place_among_the_positions() {
    let text = std::fs::read_to_string(folder().join("config.json")).expect("a configuration");
    let path = Path::new("config.json");
    ModelConfig::parse(&text, path).expect("the built-in model's");
    for (from, to, said) in [
        ("\"context\": 52", "\"context\": 511", "`prefix`"),
        ("\"words\": 64", "\"words\": 64, \"pool\": \"first\"", "mean"),
    ] {
        assert!(text.contains(from), "{from}");
        let text = text.replace("\"pool\": \"mean\",", "").replace(from, to);
        let error = ModelConfig::parse(&text, path).expect_err("it does not fit").to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_file_that_is_longer_or_shorter_than_its_header_says_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let mut weights = Arrays::default();
    weights.slot("a", &[4]).fill(1.0);
    arrays::write(&weights, arrays::Precision::F32, &Default::default(), &path).expect("written");
    let whole = std::fs::read(&path).expect("a file");
    for (bytes, said) in [
        (whole[..whole.len() - 1].to_vec(), "it is cut short"),
        ([&whole[..], b"more"].concat(), "something follows its tensors"),
    ] {
        std::fs::write(&path, &bytes).expect("a file");
        let error = arrays::read(&path).expect_err(said).to_string();
        let lengths = format!("tells of {} bytes and it has {}", whole.len(), bytes.len());
        assert!(error.contains(said) && error.contains(&lengths), "{error}");
    }
}
