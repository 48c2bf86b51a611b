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
    assert_eq!(whole.len(), 81, "the start, and 40 epochs of two steps");
    let loss = |line: &serde_json::Value| line["loss"].as_f64().expect("a loss");
    assert!(loss(&whole[80]) < 0.7 * loss(&whole[1]), "it learns: {} to {}", whole[1], whole[80]);

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
    let report = std::fs::read_to_string(home.join("b/report.html")).expect("a report");
    assert!(report.contains("Before and after") && report.contains("the validation set: en"));
    let events = std::fs::read(home.join("b/events.out.tfevents.0.tuwen")).expect("events");
    assert!(events.windows(10).any(|window| window == b"train/loss"));
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
    assert_eq!(curve(home, "f").len(), 9);
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
    let message = run(config("x", "avoid_duplicate = true"));
    assert!(message.contains("nearest: `avoid_duplicates`"), "{message}");
    let message = run(config("x", "").replace("batch = 6", "batch = 60"));
    assert!(message.contains("a batch of 60 from 12 pictures"), "{message}");
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

/// A short run's configuration, with changes.
fn short(out: &str, extra: &str, changes: &[(&str, &str)]) -> String {
    let text = config(out, extra).replace("epochs = 40", "epochs = 10");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

fn train(home: &Path, name: &str, text: String) -> String {
    std::fs::write(home.join(name), text).expect("a file");
    succeed(home, &["train", name])
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[]));
    train(home, "b.toml", short("b", "", &[]));
    let newest = home.join("b/state-00000020.safetensors");
    let mut bytes = std::fs::read(&newest).expect("a checkpoint");
    assert!(home.join("b/state-00000016.safetensors").is_file(), "two are kept");
    assert!(!home.join("b/state-00000012.safetensors").is_file(), "two are kept");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&newest, bytes).expect("a file");
    let out = succeed(home, &["train", "b.toml"]);
    assert!(out.contains("damaged"), "{out}");
    assert_eq!(curve(home, "a"), curve(home, "b"), "the same from step 16 on");
}

#[test]
fn changed_data_are_refused_unless_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[]));
    let captions = std::fs::read_to_string(home.join("c.jsonl")).expect("captions");
    std::fs::write(home.join("c.jsonl"), captions.replacen("\"en\":\"", "\"en\":\"now ", 1))
        .expect("a file");
    let error = fail(home, &["train", "a.toml"], 1);
    assert!(error.contains("other data") && error.contains("--changed-data"), "{error}");
    succeed(home, &["train", "a.toml", "--changed-data"]);
}

#[test]
fn adapters_learn_and_the_exported_model_has_them_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[("epochs = 10", "epochs = 1")]));
    let lora = "[start]\nmodel = \"a\"\n[lora]\nrank = 4\nalpha = 8.0\nlr = 1e-2\n[augment]";
    let changes = [
        ("[augment]", lora),
        ("model = \"model.json\"\n", ""),
        ("heads_lr = 3e-3", "heads_lr = 0.0"),
    ];
    let out = train(home, "l.toml", short("l", "", &changes));
    assert!(out.contains("million values learn"), "{out}");
    let read = |out: &str, name: &str| {
        let bytes = std::fs::read(home.join(out).join(name)).expect("weights");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let all = tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec()));
        all.collect::<std::collections::BTreeMap<_, _>>()
    };
    let adapters = read("l", "adapters.safetensors");
    // Two image blocks and one text block, four matrices each, two adapters for each.
    assert_eq!(adapters.len(), 3 * 4 * 2, "{:?}", adapters.keys());
    let (before, after) = (read("a", "model.safetensors"), read("l", "model.safetensors"));
    let changed: Vec<&String> = after.keys().filter(|&name| before[name] != after[name]).collect();
    assert!(!changed.is_empty(), "something was learned");
    let of_blocks = |name: &&String| name.contains(".blocks.") && name.ends_with(".weight");
    assert!(changed.iter().all(of_blocks), "nothing else moved: {changed:?}");
    let losses: Vec<f64> =
        curve(home, "l").iter().filter_map(|line| line["loss"].as_f64()).collect();
    let half = |part: &[f64]| part.iter().sum::<f64>();
    assert!(half(&losses[10..]) < half(&losses[..10]), "{losses:?}");
}

#[test]
fn every_way_to_learn_less_or_otherwise_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[]));
    let last =
        |out: &str| curve(home, out).pop().expect("a line")["loss"].as_f64().expect("a loss");
    let whole = curve(home, "a");
    // In chunks the curve is the same but for the last digits.
    train(home, "c.toml", short("c", "chunk = 2", &[]));
    for (one, other) in curve(home, "c").iter().zip(&whole).skip(1) {
        let (one, other) = (one["loss"].as_f64().expect("a loss"), other["loss"].as_f64());
        assert!((one - other.expect("a loss")).abs() < 2e-3, "{one} and {other:?}");
    }
    let start = "[start]\nmodel = \"a\"\n[augment]";
    let variants = [
        (
            "heads",
            "",
            vec![
                ("image_lr = 3e-3", "image_lr = 0.0"),
                ("text_lr = 3e-3", "text_lr = 0.0"),
                ("embed_lr = 3e-3", "embed_lr = 0.0"),
            ],
        ),
        ("last", "", vec![("layer_decay = 0.9", "layer_decay = 0.9\nfrozen_blocks = 1")]),
        ("triplet", "avoid_duplicates = true", vec![("\"contrastive\"", "\"triplet\"")]),
        ("fixed", "token_drop = 0.2", vec![("smoothing = 0.05", "fixed_scale = true")]),
        ("taught", "", vec![("[augment]", start), ("smoothing = 0.05", "teacher = \"a\"")]),
    ];
    for (name, extra, changes) in variants {
        train(home, &format!("{name}.toml"), short(name, extra, &changes));
        assert!(last(name).is_finite(), "{name}");
    }
    // A patient run ends when it is no longer better; here at once, for nothing moves.
    let still = [
        ("heads_lr = 3e-3", "heads_lr = 1e-12"),
        ("image_lr = 3e-3", "image_lr = 0.0"),
        ("text_lr = 3e-3", "text_lr = 0.0"),
        ("embed_lr = 3e-3", "embed_lr = 0.0"),
        ("validate_every = 20", "validate_every = 2"),
    ];
    let out = train(home, "p.toml", short("p", "patience = 2", &still));
    assert!(out.contains("stopped early"), "{out}");
    assert_eq!(curve(home, "p").len(), 5);
}

#[test]
fn a_check_tells_what_a_run_needs_and_takes_no_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    std::fs::copy(home.join("pictures/bus.png"), home.join("pictures/fish.png")).expect("a copy");
    std::fs::write(home.join("a.toml"), short("a", "", &[])).expect("a file");
    let output = common::tuwen(home, &["train", "a.toml", "--check"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("1 pictures look like another one"), "{out}");
    assert!(out.contains("batch is 6"), "{out}");
    assert!(out.contains("20 (10 epochs of 2)"), "{out}");
    assert!(!home.join("a").exists());
}

#[test]
fn between_start_and_end_averages_runs_and_a_sweep() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[("epochs = 10", "epochs = 1")]));
    let start = [("[augment]", "[start]\nmodel = \"a\"\n[augment]")];
    let other = "[other]\nformat = \"jsonl\"\nimages = \"pictures\"\n\
        captions = [{ file = \"c.jsonl\", source = \"zh\", caption_field = \"zh\" }]\n";
    train(home, "b.toml", short("b", "", &start) + other);
    let report = std::fs::read_to_string(home.join("b/report.html")).expect("a report");
    assert!(report.contains("the other set: zh"), "before and after, of both sets");
    let points: serde_json::Value = serde_json::from_str(&succeed(
        home,
        &["train", "wise", "b.toml", "--points", "3", "--json"],
    ))
    .expect("JSON");
    let points = points.as_array().expect("a list");
    assert_eq!(points.len(), 3);
    // The start is what the log measured first, the end what the run ended with.
    let log = curve(home, "b");
    let recall = |report: &serde_json::Value| report["en"]["text_to_image"]["recall"].clone();
    assert_eq!(recall(&points[0]["reports"]["valid"]), recall(&log[0]["valid"]));
    assert!(points.iter().all(|point| point["other"].is_number()));
    assert!(home.join("b/wise.svg").is_file());
    succeed(home, &["embed", "--text", "x", "--model", "b/wise"]);

    succeed(home, &["model", "mix", "a", "b", "--out", "soup"]);
    succeed(home, &["embed", "--text", "x", "--model", "soup"]);
    assert!(fail(home, &["model", "mix", "a", "tuwen-tiny", "--out", "x"], 1).contains("shape"));
    assert!(
        fail(home, &["model", "mix", "a", "b", "--weight", "1", "--out", "x"], 2)
            .contains("1 --weight")
    );

    let out = succeed(
        home,
        &["train", "sweep", "b.toml", "--factor", "0.1", "--factor", "2", "--epochs", "1"],
    );
    assert!(out.contains("x0.1") && out.contains("x2"), "{out}");
    let runs: serde_json::Value =
        serde_json::from_str(&succeed(home, &["runs", "a", "b", "b-sweep/x2", "--json"]))
            .expect("JSON");
    assert_eq!(runs.as_array().map(Vec::len), Some(3));
    assert!(runs[1]["interval"][0][0].is_array(), "{runs}");
    assert!(fail(home, &["runs", "pictures"], 1).contains("no run's folder"));
}

#[test]
fn a_preset_becomes_a_run_of_ones_own_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    succeed(
        home,
        &[
            "data",
            "split",
            "c.jsonl",
            "--images",
            "pictures",
            "--caption-field",
            "zh",
            "--out",
            "split",
        ],
    );
    let rows: String = std::fs::read_to_string(home.join("c.jsonl"))
        .expect("captions")
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            format!(
                "{}\t{}\n",
                value["image"].as_str().expect("a name"),
                value["zh"].as_str().expect("words")
            )
        })
        .collect();
    std::fs::write(home.join("set.tsv"), format!("image\tcaption\n{rows}")).expect("a file");
    let args = [
        "train",
        "init",
        "set.tsv",
        "--images",
        "pictures",
        "--train-ids",
        "split/train.ids",
        "--valid-ids",
        "split/val.ids",
        "--preset",
        "tiny-frozen",
        "--out",
        "my.toml",
    ];
    succeed(home, &args);
    assert!(fail(home, &args, 1).contains("exists already"));
    // All presets are configurations.
    for preset in [
        "tiny",
        "chinese-clip-b16",
        "chinese-clip-b16-lora",
        "chinese-clip-b16-frozen",
        "chinese-clip-l14-lora",
        "chinese-clip-h14-frozen",
    ] {
        let name = format!("{preset}.toml");
        succeed(home, &[&args[..9], &["--preset", preset, "--out", &name]].concat());
    }
    let mut table: toml::Table =
        std::fs::read_to_string(home.join("my.toml")).expect("a file").parse().expect("TOML");
    table.insert("batch".into(), 4.into());
    table.insert("epochs".into(), 2.into());
    std::fs::write(home.join("my.toml"), table.to_string()).expect("a file");
    succeed(home, &["train", "my.toml"]);
    succeed(home, &["embed", "--text", "披萨", "--model", "run"]);
}
