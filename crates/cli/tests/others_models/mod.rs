//! Model folders of other programs, built from the goldens of `scripts/golden/model_files.py`.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::succeed;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model_files").join(name)
}

/// The cases of `scripts/golden/model_files.py`.
pub fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(golden("cases.json")).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

pub fn case(library: &str, name: &str) -> Value {
    let found = cases().into_iter().find(|c| c["library"] == library && c["name"] == name);
    found.expect("a case of that name")
}

/// Writes the folder of a case.
pub fn build(case: &Value, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for (name, json) in case["files"].as_object().expect("files") {
        std::fs::write(to.join(name), json.to_string()).expect("a file");
    }
    let library = case["library"].as_str().expect("a name");
    let weights =
        if library == "open_clip" { "open_clip_model.safetensors" } else { "model.safetensors" };
    std::fs::copy(golden(&format!("{library}.safetensors")), to.join(weights)).expect("a copy");
    let kind = case["tokenizer"].as_str().expect("low or high");
    std::fs::copy(golden(&format!("tokenizer-{kind}.json")), to.join("tokenizer.json"))
        .expect("a copy");
}

pub fn vector(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The vectors that `tuwen embed` prints, picture first.
pub fn embed(home: &Path, args: &[&str]) -> Vec<Vec<f64>> {
    let all: Vec<&str> = ["embed"].iter().chain(args).copied().collect();
    let lines = succeed(home, &all);
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let (images, texts): (Vec<Value>, Vec<Value>) =
        lines.lines().map(line).partition(|line| line["text"].is_null());
    images.iter().chain(&texts).map(|line| vector(&line["embedding"])).collect()
}

/// Changes one value of a file of a folder.
pub fn set(folder: &Path, file: &str, pointer: &[&str], value: Value) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let place = pointer.iter().fold(&mut json, |json, key| &mut json[*key]);
    *place = value;
    std::fs::write(&path, json.to_string()).expect("a file");
}

/// The header and the bytes of a safetensors file.
pub fn parts(path: &Path) -> (serde_json::Map<String, Value>, Vec<u8>) {
    let bytes = std::fs::read(path).expect("weights");
    let size = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + size]).expect("a header");
    (header, bytes[8 + size..].to_vec())
}

pub fn write_parts(path: &Path, header: &serde_json::Map<String, Value>, data: &[u8]) {
    let header = serde_json::to_vec(header).expect("JSON");
    let size = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&size[..], &header, data].concat()).expect("a file");
}
