//! Running the real program on real files in a folder of its own.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod http;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Arrays, ModelConfig};
use tuwen_image::rng::Rng;

/// The program under test.
pub const TUWEN: &str = env!("CARGO_BIN_EXE_tuwen");

/// The demo's drawn pictures.
pub fn demo_pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png")
}

/// Runs the program in `folder`.
pub fn tuwen(folder: &Path, args: &[&str]) -> Output {
    Command::new(TUWEN).args(args).current_dir(folder).output().expect("the program starts")
}

/// Runs it and expects success; returns what it printed.
pub fn succeed(folder: &Path, args: &[&str]) -> String {
    let output = tuwen(folder, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?} failed: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs it and expects that exit code; returns the error message.
pub fn fail(folder: &Path, args: &[&str], code: i32) -> String {
    let output = tuwen(folder, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
    error
}

/// Copies some of the demo's pictures.
pub fn copy_pictures(names: &[&str], to: &Path) {
    std::fs::create_dir_all(to).expect("a writable folder");
    for name in names {
        std::fs::copy(demo_pictures().join(name), to.join(name)).expect("a demo picture");
    }
}

/// A small model folder of our own layout over Chinese-CLIP's tokens, of any weights.
pub fn word_piece_model(folder: &Path) -> PathBuf {
    let text = r#"{"name": "words", "embed_dim": 16, "patch": 8, "vocab": 21128, "context": 16,
        "fold_width": true,
        "image": {"width": 24, "layers": 2, "heads": 2, "mlp": 48, "norm_eps": 1e-6},
        "text": {"width": 16, "layers": 1, "heads": 2, "mlp": 32, "norm_eps": 1e-6},
        "preprocess": {"size": 32, "geometry": "squash", "filter": "bicubic",
                       "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
    let config = ModelConfig::parse(text, folder).expect("an architecture");
    let (mut arrays, mut rng) = (Arrays::default(), Rng::new(&[3]));
    for (name, shape) in config.weight_shapes() {
        arrays.slot(&name, &shape).fill_with(|| rng.range(-0.3, 0.3));
    }
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("config.json"), text).expect("a file");
    let file = folder.join("model.safetensors");
    arrays::write(&arrays, Precision::F16, &Default::default(), &file).expect("a file");
    folder.to_path_buf()
}

/// The built-in model's folder.
pub fn built_in_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tuwen-small")
}

/// Copies a model folder of our own layout.
pub fn copy_model(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).expect("a copy");
        }
    }
}

/// The summary of `tuwen index --json`.
pub fn index(folder: &Path, args: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["index", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&succeed(folder, &all)).expect("JSON")
}

/// The hits of `tuwen search --json`.
pub fn search(folder: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    let all: Vec<&str> = ["search", "--json"].iter().chain(args).copied().collect();
    serde_json::from_str(&succeed(folder, &all)).expect("JSON")
}
