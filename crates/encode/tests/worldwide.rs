//! Models of many languages beside open_clip and transformers (`scripts/golden/{xlm_roberta,metaclip_2}.py`).

mod common;

use std::path::{Path, PathBuf};

use common::{close, golden, ids, json, outputs};
use serde_json::Value;
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Target, write};
use tuwen_encode::towers::Record;
use tuwen_encode::{Checkpoint, CpuEncoder, Encoder, Pool, Tokenizer};
use tuwen_image::Geometry;

fn same(all: &Value, name: &str) {
    let wanted = &all[name];
    for record in [Record::No, Record::All] {
        let found = outputs(&golden(name), 2, &ids(wanted), record);
        close(&format!("{name}, image"), &found.image, &wanted["image"], 1e-5);
        close(&format!("{name}, text, {record:?}"), &found.text, &wanted["text"], 1e-5);
        close(&format!("{name}, logits"), &found.logits, &wanted["logits"], 1e-4);
    }
}

fn texts(all: &Value) -> Vec<String> {
    serde_json::from_value(all["texts"].clone()).expect("texts")
}

/// A text's ids as the encoder gives them, filled with `pad` as the reference's.
fn padded(encoder: &CpuEncoder, text: &str, pad: u32, len: usize) -> Vec<u32> {
    let mut ids = encoder.tokenise(text).expect("tokens").pieces.remove(0);
    ids.resize(len, pad);
    ids
}

/// All `texts` have the reference's tokens and, through the encoder, its vectors.
fn same_words(texts: &[String], wanted: &Value, name: &str, pad: u32) {
    let encoder = CpuEncoder::open(&golden(name)).expect("a model");
    let tokens: Vec<Vec<u32>> = serde_json::from_value(wanted["tokens"].clone()).expect("ids");
    assert_eq!((texts.len(), tokens.len()), (200, 200));
    for (text, tokens) in texts.iter().zip(&tokens) {
        assert_eq!(&padded(&encoder, text, pad, tokens.len()), tokens, "{name}: {text}");
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = encoder.encode_texts(&texts).expect("embeddings");
    let rows: Vec<Vec<f32>> = found.chunks_exact(encoder.dim()).map(<[f32]>::to_vec).collect();
    close(name, &rows, &wanted["all"], 1e-5);
}

/// A copy of a golden folder that may be changed.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(golden(name)).expect("a golden folder") {
        let path: PathBuf = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name")))
            .expect("a copy");
    }
    folder
}

/// What opening the folder says once `from` is `to` in one of its files.
fn refused(folder: &Path, file: &str, from: &str, to: &str) -> String {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).expect("a file");
    let error = Checkpoint::open(folder).expect_err("it does not fit").to_string();
    std::fs::write(&path, text).expect("a file");
    error
}

#[test]
fn xlm_roberta_in_the_layout_of_open_clip() {
    let all = json("xlm_roberta.json");
    same(&all, "xlm-roberta");
    same(&all, "xlm-roberta-linear");
    let (config, _) = Checkpoint::open(&golden("xlm-roberta")).expect("a checkpoint");
    assert_eq!((config.text.heads, config.text_hidden, config.token_types), (2, 72, 1));
    assert_eq!((config.pool, config.masked, config.first_position()), (Pool::Mean, Some(1), 2));
    assert_eq!((config.tokenizer, config.causal), (Tokenizer::File, false));
}

#[test]
fn two_hundred_texts_have_the_tokens_and_vectors_of_xlm_roberta() {
    let all = json("xlm_roberta.json");
    same_words(&texts(&all), &all, "xlm-roberta", 1);
}

#[test]
fn what_contradicts_an_xlm_roberta_is_named() {
    const FILE: &str = "open_clip_config.json";
    let folder = copied("xlm-roberta");
    let refused = |from: &str, to: &str| refused(folder.path(), FILE, from, to);
    let error = refused("\"mean_pooler\"", "\"cls_pooler\"");
    assert!(error.contains("hf_pooler_type") && error.contains("mean_pooler"), "{error}");
    let error = refused("\"hf_pooler_type\"", "\"hf_proj_type\": \"linear\", \"hf_pooler_type\"");
    assert!(error.contains("text.proj.weight") && error.contains("mlp"), "{error}");
    let error = refused("\"hf_pooler_type\"", "\"proj\": \"none\", \"hf_pooler_type\"");
    assert!(error.contains("text_cfg.proj") && error.contains("none"), "{error}");
    let error =
        refused("\"hf_pooler_type\"", "\"pooler_type\": \"cls_pooler\", \"hf_pooler_type\"");
    assert!(error.contains("hf_pooler_type") && error.contains("cls_pooler"), "{error}");
    let error = refused(
        "\"hf_model_name\": \"xlm-roberta-base\"",
        "\"hf_model_name\": \"google/mt5-base\"",
    );
    assert!(error.contains("mt5-base") && error.contains("xlm-roberta-large"), "{error}");
    let error = refused("\"hf_model_name\": \"xlm-roberta-base\", ", "");
    assert!(error.contains("hf_model_name"), "{error}");
    let error = refused("\"hf_tokenizer_name\": \"xlm-roberta-base\", ", "");
    assert!(error.contains("hf_tokenizer_name"), "{error}");
    let error = refused("\"context_length\": 20", "\"context_length\": 27");
    assert!(error.contains("27") && error.contains("26"), "{error}");
}

#[test]
fn meta_clip_2_as_transformers_saves_it() {
    let all = json("metaclip_2.json");
    for (name, end) in [("metaclip-2", 2), ("metaclip-2-mt5", 1)] {
        same(&all, name);
        let (config, _) = Checkpoint::open(&golden(name)).expect("a checkpoint");
        assert_eq!((config.end, config.pool, config.causal), (Some(end), Pool::Last, true));
        assert_eq!((config.tokenizer, config.context), (Tokenizer::File, 20));
        assert_eq!(config.preprocess.geometry, Geometry::CentreCrop);
    }
}

/// Among the texts are such that hold `</s>` themselves: the feature is at the first one.
#[test]
fn two_hundred_texts_have_the_tokens_and_vectors_of_meta_clip_2() {
    let all = json("metaclip_2.json");
    for (name, pad) in [("metaclip-2", 1), ("metaclip-2-mt5", 0)] {
        same_words(&texts(&all), &all[name], name, pad);
    }
}

#[test]
fn what_contradicts_a_meta_clip_2_is_named() {
    let folder = copied("metaclip-2");
    let refused = |file: &str, from: &str, to: &str| refused(folder.path(), file, from, to);
    let error = refused("config.json", "\"vocab_size\": 143", "\"vocab_size\": 144");
    assert!(error.contains("143") && error.contains("144"), "{error}");
    let error = refused("config.json", "\"eos_token_id\": 2", "\"eos_token_id\": [2]");
    assert!(error.contains("eos_token_id"), "{error}");
    let error = refused("config.json", "\"metaclip_2\"", "\"metaclip_2_text_model\"");
    assert!(error.contains("metaclip_2_text_model") && error.contains("one tower"), "{error}");
    let config = std::fs::read_to_string(folder.path().join("config.json")).expect("a file");
    let other = config.replace("\"eos_token_id\": 2", "\"eos_token_id\": 5");
    std::fs::write(folder.path().join("config.json"), other).expect("a file");
    let encoder = CpuEncoder::open(folder.path()).expect("weights that fit");
    let error = encoder.encode_texts(&["a dog"]).expect_err("another end").to_string();
    assert!(error.contains("token 2") && error.contains("token 5"), "{error}");
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("a file");
    let error = Checkpoint::open(folder.path()).expect_err("no tokenizer").to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

/// transformers' CLIP takes a 2 for the highest id of a text, so that the class has to be the right one.
#[test]
fn meta_clip_2_is_written_as_what_it_is() {
    let (config, checkpoint) = Checkpoint::open(&golden("metaclip-2")).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metaclip-2");
    write(&config, &&checkpoint, Target::Hf, Precision::F32, &path).expect("a model");
    std::fs::copy(golden("metaclip-2").join("tokenizer.json"), path.join("tokenizer.json"))
        .expect("a copy");
    let (again, _) = Checkpoint::open(&path).expect("what was written");
    assert_eq!(again, config);
    let text = std::fs::read_to_string(path.join("config.json")).expect("a file");
    assert!(text.contains("\"MetaClip2Model\""), "{text}");
}

/// No other layout has a place for it.
#[test]
fn xlm_roberta_is_not_written_as_something_else() {
    let (config, checkpoint) = Checkpoint::open(&golden("xlm-roberta")).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    for (target, name) in [(Target::Hf, "folder"), (Target::Torch, "file.pt")] {
        let path = folder.path().join(name);
        let error = write(&config, &&checkpoint, target, Precision::F32, &path);
        let error = error.expect_err("no place for it").to_string();
        assert!(error.contains("open_clip") && !path.exists(), "{error}");
    }
}

#[test]
fn a_tokenizer_of_another_model_is_named() {
    let folder = copied("xlm-roberta");
    for (other, says) in [("siglip", "ends a text"), ("siglip2", "another model's")] {
        std::fs::copy(golden(other).join("tokenizer.json"), folder.path().join("tokenizer.json"))
            .expect("a copy");
        let encoder = CpuEncoder::open(folder.path()).expect("weights that fit");
        let error = encoder.encode_texts(&["a dog"]).expect_err("another tokenizer").to_string();
        assert!(error.contains(says), "{other}: {error}");
    }
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("a file");
    let error = Checkpoint::open(folder.path()).expect_err("no tokenizer").to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

/// Rows of the table of tokens are read when a text has them: a damaged one is an error of the texts that need it.
#[test]
fn a_row_that_cannot_be_read_is_named_when_a_text_needs_it() {
    let folder = copied("xlm-roberta");
    let path = folder.path().join("open_clip_model.safetensors");
    let bytes = std::fs::read(&path).expect("weights");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let json: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("JSON");
    let table = &json["text.transformer.embeddings.word_embeddings.weight"]["data_offsets"][0];
    let encoder = CpuEncoder::open(folder.path()).expect("a model");
    encoder.load().expect("both towers");
    let before = encoder.encode_texts(&["a dog", "狗"]).expect("embeddings");
    let ids = encoder.tokenise("狗").expect("tokens").pieces.remove(0);
    let row = ids[ids.len() - 2] as usize;
    let at = 8 + header + table.as_u64().expect("a place") as usize + row * 128 * 2;

    // Into the same file: another one in its place would change nothing.
    let write = |bytes: &[u8], at: usize| {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
        file.seek(SeekFrom::Start(at as u64)).expect("a place");
        file.write_all(bytes).expect("bytes");
    };
    write(&f16_nan(), at);
    encoder.encode_texts(&["a dog"]).expect("a text without that row");
    let error = encoder.encode_texts(&["狗"]).expect_err("a NaN").to_string();
    assert!(error.contains(&format!("row {row}")) && error.contains("NaN"), "{error}");
    write(&bytes[at..at + 2], at);
    assert_eq!(encoder.encode_texts(&["a dog", "狗"]).expect("embeddings"), before);
    std::fs::OpenOptions::new().write(true).open(&path).expect("the file").set_len(9).expect("cut");
    let error = encoder.encode_texts(&["狗"]).expect_err("a file cut short").to_string();
    assert!(error.contains("open_clip_model.safetensors") && error.contains("row"), "{error}");
}

fn f16_nan() -> [u8; 2] {
    0x7e00u16.to_le_bytes()
}
