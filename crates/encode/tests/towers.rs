//! ResNets, SigLIP, flash attention's names and open_clip's layout against cn_clip, OpenAI's module
//! and transformers (`scripts/golden/towers.py`).

mod common;

use common::{close, golden, ids, json, outputs};
use tuwen_encode::Encoder;
use tuwen_encode::towers::Record;
use tuwen_encode::{Checkpoint, CpuEncoder, Tokenizer, Vision};
use tuwen_image::{Filter, Geometry};
use tuwen_text::token::{FileSettings, FileTokenizer};

fn same(name: &str) {
    let all = json("towers.json");
    let wanted = &all[name];
    let ids = ids(if wanted["ids"].is_null() { &all } else { wanted });
    let found = outputs(&golden(name), 2, &ids, Record::No);
    close(&format!("{name}, image"), &found.image, &wanted["image"], 1e-5);
    close(&format!("{name}, text"), &found.text, &wanted["text"], 1e-5);
    close(&format!("{name}, logits"), &found.logits, &wanted["logits"], 1e-4);
}

#[test]
fn logits_of_clip_and_chinese_clip() {
    same("clip");
    same("chinese-clip");
}

#[test]
fn a_resnet_as_cn_clip_saves_it() {
    same("cn_clip-resnet.pt");
    let (config, _) = Checkpoint::open(&golden("cn_clip-resnet.pt")).expect("a checkpoint");
    let Vision::ResNet(net) = config.vision else { panic!("{:?}", config.vision) };
    assert_eq!((net.stem, net.blocks, config.preprocess.size), (4, [2, 1, 1, 1], 64));
}

#[test]
fn a_resnet_in_the_layout_of_open_clip() {
    same("open_clip-resnet");
    let (config, _) = Checkpoint::open(&golden("open_clip-resnet")).expect("a checkpoint");
    assert_eq!(
        (config.name.as_str(), config.preprocess.mean),
        ("open_clip-resnet", [0.5, 0.25, 0.125])
    );
    assert_eq!(config.preprocess.geometry, Geometry::CentreCrop);
}

#[test]
fn weights_under_the_names_of_flash_attention() {
    same("cn_clip-flash.pt");
}

#[test]
fn sig_lip_as_transformers_saves_it() {
    for (name, filter) in [("siglip", Filter::Bicubic), ("siglip2", Filter::Bilinear)] {
        same(name);
        let (config, _) = Checkpoint::open(&golden(name)).expect("a checkpoint");
        assert_eq!((config.tokenizer, config.vision), (Tokenizer::File, Vision::Probe));
        assert_eq!(
            (config.preprocess.filter, config.preprocess.geometry),
            (filter, Geometry::Squash)
        );
    }
}

#[test]
fn texts_become_the_tokens_of_their_own_tokenizer() {
    for name in ["siglip", "siglip2"] {
        let all = json("towers.json");
        let wanted = &all[name];
        let texts: Vec<String> = serde_json::from_value(wanted["texts"].clone()).expect("texts");
        let encoder = CpuEncoder::open(&golden(name)).expect("a model");
        let config = encoder.config();
        let file = golden(name).join("tokenizer.json");
        let settings = FileSettings {
            context: config.context,
            pad: config.pad,
            strip: config.strip,
            cleaning: config.cleaning,
            rows: config.vocab,
            placeholders: 0,
        };
        let tokenizer = FileTokenizer::open(&file, settings).expect("a tokenizer");
        for (text, wanted) in texts.iter().zip(ids(wanted)) {
            assert_eq!(tokenizer.encode(text).expect("ids").0, wanted, "{name}: {text}");
        }
        let words: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = encoder.encode_texts(&words).expect("embeddings");
        let rows: Vec<Vec<f32>> = found.chunks_exact(encoder.dim()).map(<[f32]>::to_vec).collect();
        close(name, &rows, &wanted["text"], 1e-5);
        assert_eq!(encoder.tokenise("a dog").expect("tokens").lost, 0);
        let lost = encoder.tokenise(&"quizzical zebra ".repeat(8)).expect("tokens").lost;
        assert!(lost > 20, "{name}: {lost}");
    }
}

#[test]
fn a_tokenizer_that_is_missing_or_too_large_is_named() {
    let folder = std::env::temp_dir().join(format!("tuwen-siglip-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(golden("siglip").join(file), folder.join(file)).expect("a copy");
    }
    let failure = || {
        let encoder = CpuEncoder::open(&folder).expect("weights that fit");
        encoder.encode_texts(&["a dog"]).expect_err("no tokenizer").to_string()
    };
    assert!(failure().contains("tokenizer.json"), "{}", failure());
    std::fs::write(folder.join("tokenizer.json"), "{}").expect("a file");
    assert!(failure().contains("tokenizer.json"), "{}", failure());
    let other = golden("siglip2").join("tokenizer.json");
    std::fs::copy(other, folder.join("tokenizer.json")).expect("a copy");
    let error = failure();
    assert!(error.contains("another model's"), "{error}");
    std::fs::remove_dir_all(&folder).expect("our own folder");
}
