//! A tiny model and a tiny set to train it on.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;

use crate::common::{copy_pictures, succeed};

pub const NAMES: [&str; 12] = [
    "apples.png",
    "bananas.png",
    "bedroom.png",
    "bird_branch.png",
    "bus.png",
    "cake.png",
    "cow.png",
    "desert.png",
    "fish.png",
    "pizza.png",
    "sunset.png",
    "train.png",
];

pub const MODEL: &str = r#"{"name": "tiny", "embed_dim": 16, "patch": 8, "vocab": 21128, "context": 16,
    "image": {"width": 24, "layers": 2, "heads": 2, "mlp": 48, "norm_eps": 1e-6},
    "text": {"width": 16, "layers": 1, "heads": 2, "mlp": 32, "norm_eps": 1e-6},
    "preprocess": {"size": 32, "geometry": "squash", "filter": "bicubic",
                   "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;

pub fn config(out: &str, extra: &str) -> String {
    format!(
        r#"out = "{out}"
model = "model.json"
seed = 3
epochs = 40
batch = 6
context = 16
token_mask = 0.1
keep_patches = 9
validate_every = 20
checkpoint_every = 4
captions = [{{ sources = [["en", 1.0]] }}, {{ sources = [["zh", 1.0]] }}]
{extra}
[augment]
crop_scale = 0.7
flip = 0.5
colour = 0.1
[loss]
kind = "contrastive"
smoothing = 0.05
between_texts = 0.2
[optim]
image_lr = 3e-3
layer_decay = 0.9
text_lr = 3e-3
embed_lr = 3e-3
heads_lr = 3e-3
weight_decay = 0.05
betas = [0.9, 0.98]
warmup = 5
clip = 1.0
ema = 0.9
[[train]]
format = "jsonl"
images = "pictures"
captions = [{{ file = "c.jsonl", source = "en", caption_field = "en" }},
            {{ file = "c.jsonl", source = "zh", caption_field = "zh" }}]
[valid]
format = "jsonl"
images = "pictures"
captions = [{{ file = "c.jsonl", source = "en", caption_field = "en" }}]
"#
    )
}

pub fn prepare(home: &Path) {
    copy_pictures(&NAMES, &home.join("pictures"));
    let captions = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/captions.tsv"),
    );
    let captions = captions.expect("the demo's captions");
    let text = |name: &str, language: &str| {
        let start = format!("{name}\t{language}\t");
        captions.lines().find_map(|l| l.strip_prefix(&start)).expect("a caption").to_owned()
    };
    let line = |name: &&str| {
        serde_json::json!({"image": name, "en": text(name, "en"), "zh": text(name, "zh")})
            .to_string()
    };
    let lines: Vec<String> = NAMES.iter().map(line).collect();
    std::fs::write(home.join("c.jsonl"), lines.join("\n")).expect("a file");
    std::fs::write(home.join("model.json"), MODEL).expect("a file");
}

/// Step and everything but the time of each line.
pub fn curve(home: &Path, out: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(home.join(out).join("log.jsonl")).unwrap_or_default();
    let mut lines: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for line in &mut lines {
        line.as_object_mut().expect("an object").remove("images_per_s");
    }
    lines
}

/// A short run's configuration, with changes.
pub fn short(out: &str, extra: &str, changes: &[(&str, &str)]) -> String {
    let text = config(out, extra).replace("epochs = 40", "epochs = 10");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

pub fn train(home: &Path, name: &str, text: String) -> String {
    std::fs::write(home.join(name), text).expect("a file");
    succeed(home, &["train", name])
}
