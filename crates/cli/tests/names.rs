//! Names of things: as labels, as captions, and out of a classifier.

mod common;
mod runs;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, fail, succeed};
use runs::{curve, prepare, short};
use serde_json::{Value, json};
use tuwen_encode::Arrays;
use tuwen_encode::arrays::{self, Array, Precision};
use tuwen_image::rng::Rng;
use tuwen_index::{Gallery, ModelId};

#[test]
fn pictures_are_called_by_the_names_of_a_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["pizza.png", "sunglasses.png"], &home.join("photos"));
    let args = ["classify", "photos", "--names", "caltech101", "--json", "--top", "3"];
    let lines = succeed(home, &args);
    let found: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let first = found[0]["labels"][0]["label"].as_str().expect("a label");
    assert_eq!(first, "pizza 比萨饼");
    for (set, said) in [("grocer", "caltech101"), ("", "imagenet")] {
        let error = fail(home, &["classify", "photos", "--names", set], 2);
        assert!(error.contains(said) && error.contains("--names"), "{error}");
    }
    // A set's folders are called by its labels.
    copy_pictures(&["pizza.png"], &home.join("set/pizza"));
    copy_pictures(&["butterfly.png"], &home.join("set/butterfly"));
    let args = ["classify", "--data", "set", "--names", "caltech101", "--json"];
    let measured: Value = serde_json::from_str(&succeed(home, &args)).expect("JSON");
    assert_eq!((&measured["pictures"], &measured["top5"]), (&json!(2), &json!(100.0)));
    copy_pictures(&["pizza.png"], &home.join("set/pizzza"));
    let error = fail(home, &["classify", "--data", "set", "--names", "caltech101"], 1);
    assert!(error.contains("pizzza"), "{error}");
}

/// Pictures with labels of the clip art's set.
const LABELS: [(&str, &str); 6] = [
    ("bus.png", "bus"),
    ("cake.png", "cake"),
    ("cow.png", "cow"),
    ("fish.png", "fish"),
    ("pizza.png", "pizza"),
    ("train.png", "train"),
];

/// A ViT of the small model's sizes with a classifier of the 39 colours of clothes.
fn classifier(path: &Path) {
    let mut rng = Rng::new(&[7]);
    let mut all = Arrays::default();
    let mut add = |name: &str, shape: &[usize]| {
        all.slot(name, shape).fill_with(|| rng.range(-0.2, 0.2));
    };
    for block in 0..2 {
        let sizes: [(&str, &[usize]); 6] = [
            ("norm1", &[24]),
            ("attn.qkv", &[72, 24]),
            ("attn.proj", &[24, 24]),
            ("norm2", &[24]),
            ("mlp.fc1", &[48, 24]),
            ("mlp.fc2", &[24, 48]),
        ];
        for (part, shape) in sizes {
            add(&format!("blocks.{block}.{part}.weight"), shape);
            add(&format!("blocks.{block}.{part}.bias"), &shape[..1]);
        }
    }
    add("norm.weight", &[24]);
    add("norm.bias", &[24]);
    add("cls_token", &[1, 1, 24]);
    add("pos_embed", &[1, 17, 24]);
    add("patch_embed.proj.weight", &[24, 3, 8, 8]);
    add("patch_embed.proj.bias", &[24]);
    add("head.weight", &[39, 24]);
    add("head.bias", &[39]);
    arrays::write(&all, Precision::F32, &Default::default(), path).expect("a file");
}

/// Captions and names together, a frozen text tower with a bag of words beside it, a classifier.
fn configuration(out: &str) -> String {
    let labelled = r#"format = "jsonl"
images = "pictures"
captions = [{ file = "l.jsonl", source = "name", caption_field = "label", names = "clipart" }]
"#;
    let classes = "sentences = 0.5\n[classes]\nmodel = \"vit.safetensors\"\nnames = \"fashion-color\"\n\
        keep = 0.3\nexamples = 10\n[start]\nimage = \"vit.safetensors\"";
    let changes = [
        ("text_lr = 3e-3", "text_lr = 0.0"),
        ("embed_lr = 3e-3", "embed_lr = 0.0\nwords_lr = 3e-3"),
        ("[[\"en\", 1.0]]", "[[\"en\", 1.0], [\"name-en\", 1.0]]"),
        ("[[\"zh\", 1.0]]", "[[\"zh\", 1.0], [\"name-zh\", 1.0], [\"name-zh-kind\", 0.5]]"),
        ("token_mask = 0.1", "token_drop = 0.1"),
    ];
    let text = short(out, classes, &changes);
    format!("{text}\n[[train]]\n{labelled}\n[[named]]\n{labelled}")
}

#[test]
fn names_and_a_classifier_are_learned_and_a_killed_run_goes_on_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let model =
        runs::MODEL.replace("\"context\"", "\"words\": 8, \"text_proj_bias\": true, \"context\"");
    std::fs::write(home.join("model.json"), model).expect("a file");
    let line = |(image, label): &(&str, &str)| json!({"image": image, "label": label}).to_string();
    let lines: Vec<String> = LABELS.iter().map(line).collect();
    std::fs::write(home.join("l.jsonl"), lines.join("\n")).expect("a file");
    classifier(&home.join("vit.safetensors"));
    std::fs::write(home.join("a.toml"), configuration("a")).expect("a file");
    std::fs::write(home.join("b.toml"), configuration("b")).expect("a file");
    let out = succeed(home, &["train", "a.toml"]);
    assert!(out.contains("name-zh: R@1/5/10"), "names are measured: {out}");
    let whole = curve(home, "a");
    assert_eq!(whole.len(), 31, "10 epochs of three batches from 18 pictures");
    let loss = |at: usize| whole[at]["loss"].as_f64().expect("a loss");
    assert!(loss(30) < 0.9 * loss(1), "it learns: {} to {}", loss(1), loss(30));
    assert!(home.join("a/classes.safetensors").is_file());

    let mut child = Command::new(TUWEN);
    let child = child.args(["train", "b.toml"]).current_dir(home);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(120);
    while curve(home, "b").len() < 8 && child.try_wait().expect("a state").is_none() {
        assert!(Instant::now() < deadline, "no progress");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    // Features that other pictures or another classifier left in the folder are not taken for these.
    let foreign = Array { shape: vec![18, 24], data: vec![0.5; 18 * 24] };
    let foreign = Arrays([("features".to_owned(), foreign)].into());
    let kept = home.join("b/classes.safetensors");
    arrays::write(&foreign, Precision::F32, &Default::default(), &kept).expect("a file");
    succeed(home, &["train", "b.toml"]);
    assert_eq!(curve(home, "b"), whole);
    // The model opens, moves to 8 bits, and finds nearly the same.
    succeed(home, &["model", "convert", "a", "small", "--precision", "int8"]);
    let vector = |model: &str| -> Vec<f64> {
        let out = succeed(home, &["embed", "--model", model, "--text", "a cow"]);
        let value: Value = serde_json::from_str(&out).expect("JSON");
        serde_json::from_value(value["embedding"].clone()).expect("numbers")
    };
    let (a, b) = (vector("a"), vector("small"));
    assert!(a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() > 0.999);
    let error = fail(home, &["model", "convert", "a", "x.pt", "--precision", "int8"], 1);
    assert!(error.contains("our") || error.contains("tuwen's own"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    classifier(&home.join("vit.safetensors"));
    std::fs::write(home.join("l.jsonl"), "{\"image\": \"bus.png\", \"label\": \"no such\"}\n")
        .expect("a file");
    let failed = |from: &str, to: &str| {
        let text = configuration("x");
        assert!(text.contains(from), "{from}");
        std::fs::write(home.join("x.toml"), text.replace(from, to)).expect("a file");
        fail(home, &["train", "x.toml"], 1)
    };
    let label = failed("epochs", "epochs");
    assert!(label.contains("l.jsonl") && label.contains("no such"), "{label}");
    let set = failed("names = \"clipart\"", "names = \"clip\"");
    assert!(set.contains("clip") && set.contains("imagenet"), "{set}");
    std::fs::write(home.join("l.jsonl"), "{\"image\": \"bus.png\", \"label\": \"bus\"}\n")
        .expect("a file");
    let classes = failed("names = \"fashion-color\"", "names = \"imagenet\"");
    assert!(classes.contains("39") && classes.contains("1000"), "{classes}");
    let unnamed = failed(
        "captions = [{ file = \"l.jsonl\", source = \"name\", caption_field = \"label\", names = \"clipart\" }]",
        "captions = [{ file = \"l.jsonl\", source = \"name-en\", caption_field = \"label\" }, { file = \"l.jsonl\", source = \"name-zh\", caption_field = \"label\" }]",
    );
    assert!(unnamed.contains("`names`"), "{unnamed}");
    for (texts, said) in [
        ("[{ sources = [[\"de\", 1.0]] }]", "`de`"),
        ("[{ sources = [[\"zh-kind\", 1.0]] }]", "begin with"),
        ("[{ sources = [[\"en\", 0.0]] }]", "above 0"),
        ("[]", "begin with"),
    ] {
        let error = failed("keep = 0.3", &format!("keep = 0.3\ntexts = {texts}"));
        assert!(error.contains(said), "{texts}: {error}");
    }
    let keep = failed("keep = 0.3", "keep = -1.0");
    assert!(keep.contains("classes.keep"), "{keep}");
    let words = failed("model = \"vit.safetensors\"\nnames", "model = \"c.jsonl\"\nnames");
    assert!(words.contains("c.jsonl"), "{words}");
}

#[test]
fn a_gallery_of_the_model_before_says_the_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["bus.png"], &home.join("photos"));
    let (name, fingerprint) = ("tuwen-tiny".to_owned(), "tuwen-tiny-0123456789abcdef".to_owned());
    let id = ModelId { name, fingerprint, dim: 256 };
    let gallery = Gallery::rebuild(&home.join(".tuwen"), &id).expect("a gallery");
    gallery.finish().expect("it is there");
    for args in [&["search", "a bus"][..], &["index", "photos", "--model", "tuwen-tiny"]] {
        let error = fail(home, args, 1);
        for part in ["tuwen-small", "--rebuild", "--model FOLDER"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    assert!(fail(home, &["index", "photos"], 1).contains("--rebuild"));
    succeed(home, &["index", "photos", "--rebuild"]);
    succeed(home, &["search", "a bus"]);
}

#[test]
fn labels_of_one_name_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["cow.png"], &home.join("photos"));
    let args = ["classify", "photos", "--names", "caltech101", "--json", "--top", "200"];
    let output = common::tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("two labels are called `human face 人脸`: they are one"), "{said}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(printed.matches("human face").count(), 1, "{printed}");
}
