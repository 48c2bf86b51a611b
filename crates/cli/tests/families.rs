//! Every family of models can be trained, and what comes out is a model of that family.

mod common;
mod runs;

use std::path::Path;

use common::{fail, succeed};
use runs::{MODEL, curve, prepare, short, train};

/// Changes that a model without `[MASK]` and without patches to drop wants.
const PLAIN: [(&str, &str); 2] =
    [("token_mask = 0.1", "token_drop = 0.1"), ("keep_patches = 9", "")];

fn write(home: &Path, name: &str, changes: &[(&str, &str)]) {
    let text = changes.iter().fold(MODEL.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    std::fs::write(home.join(name), text).expect("a file");
}

/// CLIP's byte pairs, and the end of the text as its feature.
const BYTE_PAIRS: (&str, &str) = (
    "\"vocab\": 21128",
    "\"vocab\": 49408, \"tokenizer\": \"clip-bpe\", \"causal\": true, \"pool\": \"last\"",
);

fn it_learns(home: &Path, out: &str) {
    let curve = curve(home, out);
    let losses: Vec<f64> = curve.iter().filter_map(|line| line["loss"].as_f64()).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..4]), mean(&losses[losses.len() - 4..]));
    assert!(last < 0.9 * first, "{out}: {first} to {last}");
    succeed(home, &["embed", "--text", "a bus", "--model", out]);
    succeed(home, &["embed", "--image", "pictures/bus.png", "--model", out]);
}

#[test]
fn clip_learns_with_byte_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    write(home, "model.json", &[BYTE_PAIRS]);
    std::fs::write(home.join("mask.toml"), short("mask", "", &[])).expect("a file");
    let error = fail(home, &["train", "mask.toml"], 1);
    assert!(error.contains("no [MASK]") && error.contains("token_drop"), "{error}");
    let more = [PLAIN[0], ("epochs = 10", "epochs = 30")];
    train(home, "c.toml", short("c", "", &more));
    it_learns(home, "c");
}

#[test]
fn a_resnet_learns_and_keeps_its_statistics() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let image =
        "\"image\": {\"width\": 24, \"layers\": 2, \"heads\": 2, \"mlp\": 48, \"norm_eps\": 1e-6}";
    let convolutions = "\"vision\": {\"res-net\": {\"stem\": 2, \"blocks\": [1, 1, 1, 1]}},\n\
        \"image\": {\"width\": 64, \"layers\": 0, \"heads\": 2, \"mlp\": 0, \"norm_eps\": 1e-5}";
    write(
        home,
        "model.json",
        &[BYTE_PAIRS, (image, convolutions), ("\"patch\": 8", "\"patch\": 32")],
    );
    let patches = short("p", "", &[PLAIN[0]]);
    std::fs::write(home.join("p.toml"), patches).expect("a file");
    assert!(fail(home, &["train", "p.toml"], 1).contains("remove `keep_patches`"));
    let lora = ("[augment]", "[lora]\nrank = 2\nalpha = 2.0\nlr = 1e-3\n[augment]");
    std::fs::write(home.join("l.toml"), short("l", "", &[PLAIN[0], PLAIN[1], lora]))
        .expect("a file");
    assert!(fail(home, &["train", "l.toml"], 1).contains("adapters are for blocks"));

    let more = [PLAIN[0], PLAIN[1], ("epochs = 10", "epochs = 40")];
    train(home, "r.toml", short("r", "", &more));
    it_learns(home, "r");
    let bytes = std::fs::read(home.join("r/model.safetensors")).expect("weights");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensor = |name: &str| tensors.tensor(name).expect("a weight").data().to_vec();
    assert!(tensor("image.layer1.0.bn2.running_mean").iter().all(|&byte| byte == 0));
    assert!(tensor("image.layer1.0.bn2.bias").iter().any(|&byte| byte != 0), "it moved");

    // The upper half alone, which is a quarter of the stages' names.
    let upper = ("layer_decay = 0.9", "layer_decay = 0.9\nfrozen_blocks = 2");
    let start = ("[augment]", "[start]\nmodel = \"r\"\n[augment]");
    train(home, "u.toml", short("u", "recompute = true", &[PLAIN[0], PLAIN[1], upper, start]));
    let before = tensor("image.layer2.0.conv1.weight");
    let bytes = std::fs::read(home.join("u/model.safetensors")).expect("weights");
    let after = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    assert_eq!(after.tensor("image.layer2.0.conv1.weight").expect("a weight").data(), before);
}

#[test]
fn sig_lip_learns_from_a_checkpoint_and_keeps_its_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden/siglip2");
    let start = format!("[start]\nmodel = {golden:?}\n[augment]");
    let changes = [
        PLAIN[0],
        PLAIN[1],
        ("model = \"model.json\"\n", ""),
        ("[augment]", &start),
        ("\"contrastive\"", "\"sigmoid\""),
        ("smoothing = 0.05", "smoothing = 0.0"),
        ("epochs = 10", "epochs = 40"),
    ];
    train(home, "s.toml", short("s", "", &changes));
    assert!(home.join("s/tokenizer.json").is_file());
    it_learns(home, "s");
    succeed(home, &["model", "mix", "s", golden.to_str().expect("a path"), "--out", "soup"]);
    succeed(home, &["embed", "--text", "a bus", "--model", "soup"]);
}

#[test]
fn two_towers_of_different_models_meet_in_the_image_towers_space() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[("epochs = 10", "epochs = 1")]));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden/siglip2");
    let start = format!("[start]\nimage_tower = {golden:?}\ntext_tower = \"a\"\n[augment]");
    let changes = [
        PLAIN[1],
        ("model = \"model.json\"\n", ""),
        ("[augment]", &start),
        ("image_lr = 3e-3", "image_lr = 0.0"),
        ("epochs = 10", "epochs = 40"),
    ];
    train(home, "l.toml", short("l", "", &changes));
    it_learns(home, "l");
    // The image tower stays what it was: a picture has the same vector.
    let vector = |model: &str| {
        let args = ["embed", "--image", "pictures/bus.png", "--model", model];
        let json: serde_json::Value = serde_json::from_str(&succeed(home, &args)).expect("JSON");
        let values = json["embedding"].as_array().expect("a vector").clone();
        values.iter().map(|value| value.as_f64().expect("a number")).collect::<Vec<f64>>()
    };
    let (before, after) = (vector(golden.to_str().expect("a path")), vector("l"));
    let cosine: f64 = before.iter().zip(&after).map(|(a, b)| a * b).sum();
    assert!(cosine > 0.9999, "{cosine}");

    // Two ways at once are none.
    let both = short("b", "", &[("[augment]", &start)]);
    std::fs::write(home.join("b.toml"), both).expect("a file");
    assert!(fail(home, &["train", "b.toml"], 1).contains("give one of"));
    let half = short("h", "", &[("[augment]", "[start]\nimage_tower = \"a\"\n[augment]")]);
    std::fs::write(home.join("h.toml"), half).expect("a file");
    assert!(fail(home, &["train", "h.toml"], 1).contains("give one of"));
}
