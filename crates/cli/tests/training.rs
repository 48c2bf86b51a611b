//! A tiny run, killed and resumed: the same curve as without a stop.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, fail, succeed};

const NAMES: [&str; 12] = [
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

const MODEL: &str = r#"{"name": "tiny", "embed_dim": 16, "patch": 8, "vocab": 21128, "context": 16,
    "image": {"width": 24, "layers": 2, "heads": 2, "mlp": 48, "norm_eps": 1e-6},
    "text": {"width": 16, "layers": 1, "heads": 2, "mlp": 32, "norm_eps": 1e-6},
    "preprocess": {"size": 32, "geometry": "squash", "filter": "bicubic",
                   "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;

fn config(out: &str, extra: &str) -> String {
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

fn prepare(home: &Path) {
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
fn curve(home: &Path, out: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(home.join(out).join("log.jsonl")).unwrap_or_default();
    let mut lines: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for line in &mut lines {
        line.as_object_mut().expect("an object").remove("images_per_s");
    }
    lines
}

#[test]
fn a_killed_run_resumes_with_the_same_curve() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    std::fs::write(home.join("a.toml"), config("a", "")).expect("a file");
    std::fs::write(home.join("b.toml"), config("b", "")).expect("a file");
    succeed(home, &["train", "a.toml"]);
    let whole = curve(home, "a");
    assert_eq!(whole.len(), 80, "40 epochs of two steps");
    let loss = |line: &serde_json::Value| line["loss"].as_f64().expect("a loss");
    assert!(loss(&whole[79]) < 0.7 * loss(&whole[0]), "it learns: {} to {}", whole[0], whole[79]);

    let mut kills = 0;
    let deadline = Instant::now() + Duration::from_secs(240);
    for stop_at in [9, 30, 55] {
        let mut child = Command::new(TUWEN)
            .args(["train", "b.toml"])
            .current_dir(home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        while curve(home, "b").len() < stop_at && child.try_wait().expect("a state").is_none() {
            assert!(Instant::now() < deadline, "no progress");
            std::thread::sleep(Duration::from_millis(2));
        }
        kills += usize::from(child.try_wait().expect("a state").is_none());
        child.kill().expect("SIGKILL");
        child.wait().expect("it ends");
    }
    assert!(kills > 0, "no run was caught before its end");
    succeed(home, &["train", "b.toml"]);
    assert_eq!(curve(home, "b"), whole, "after {kills} kills");
    assert!(home.join("b/curves.svg").is_file());
    let same = |name: &str| {
        let read = |out: &str| std::fs::read(home.join(out).join(name)).expect("a model");
        assert_eq!(read("a"), read("b"), "{name}");
    };
    same("model.safetensors");
    // The trained model opens like any other.
    succeed(home, &["index", "pictures", "--model", "b"]);
    succeed(home, &["search", "pizza"]);
}

#[test]
fn a_frozen_image_tower_trains_on_cached_features() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let text = config("f", "").replace("image_lr = 3e-3", "image_lr = 0.0");
    std::fs::write(home.join("f.toml"), text.replace("epochs = 40", "epochs = 4")).expect("a file");
    succeed(home, &["train", "f.toml"]);
    assert_eq!(curve(home, "f").len(), 8);
}

#[test]
fn mistakes_in_a_configuration_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let run = |text: String| {
        std::fs::write(home.join("x.toml"), text).expect("a file");
        fail(home, &["train", "x.toml"], 1)
    };
    assert!(run(config("x", "learning_rte = 1.0")).contains("learning_rte"));
    assert!(run(config("x", "").replace("batch = 6", "batch = 0")).contains("batch"));
    let message = run(config("x", "").replace("[[\"zh\"", "[[\"klingon\""));
    assert!(message.contains("klingon"), "{message}");
    std::fs::write(home.join("y.toml"), config("y", "").replace("epochs = 40", "epochs = 1"))
        .expect("a file");
    succeed(home, &["train", "y.toml"]);
    std::fs::write(home.join("y.toml"), config("y", "").replace("epochs = 40", "epochs = 2"))
        .expect("a file");
    assert!(fail(home, &["train", "y.toml"], 1).contains("epochs = 1"), "another configuration");
    assert!(fail(home, &["train", "a.toml", "--device", "gpu"], 1).contains("a.toml"));
}
