//! Ways to learn less, otherwise or from others, and what shows the result.

mod common;
mod runs;

use common::{fail, succeed};
use runs::{curve, prepare, short, train};

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
        (
            "triplet",
            "avoid_duplicates = true",
            vec![("\"contrastive\"", "\"triplet\""), ("smoothing = 0.05", "")],
        ),
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
    succeed(home, &["train", "p.toml"]);
    assert_eq!(curve(home, "p").len(), 5, "the same command changes nothing");
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
    assert!(fail(home, &["model", "mix", "a", "tuwen-small", "--out", "x"], 1).contains("shape"));
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
        "small-frozen",
        "--out",
        "my.toml",
    ];
    succeed(home, &args);
    assert!(fail(home, &args, 1).contains("exists already"));
    // All presets are configurations.
    for preset in [
        "small",
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

/// Which step was the best is `best_by`'s decision, in the run, its report and `tuwen runs`.
#[test]
fn runs_and_report_agree_on_the_best_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let changes = [("validate_every = 20", "validate_every = 2")];
    train(home, "a.toml", short("a", "best_by = \"image-to-text\"", &changes));
    let log = curve(home, "a");
    let best = log.iter().rev().find(|line| line["best"] == true).expect("a best one");
    let best = best["step"].as_u64().expect("a step");
    let report = std::fs::read_to_string(home.join("a/report.html")).expect("a report");
    assert!(report.contains(&format!("the best model is that of step {best}.")), "{report}");
    let shown = || -> u64 {
        let runs: serde_json::Value =
            serde_json::from_str(&succeed(home, &["runs", "a", "--json"])).expect("JSON");
        runs[0]["best_step"].as_u64().expect("a step")
    };
    assert_eq!(shown(), best);
    // Older logs do not say it: then the recalls do, by the same rule.
    let score = |line: &serde_json::Value, direction: &str| -> f64 {
        let recall = &line["valid"]["en"][direction]["recall"];
        (0..3).map(|at| recall[at].as_f64().expect("a recall")).sum()
    };
    let older: String = log
        .iter()
        .map(|line| {
            let mut line = line.clone();
            line.as_object_mut().expect("an object").remove("best");
            format!("{line}\n")
        })
        .collect();
    std::fs::write(home.join("a/log.jsonl"), older).expect("a file");
    assert_eq!(shown(), best);
    let text = std::fs::read_to_string(home.join("a/config.toml")).expect("a configuration");
    std::fs::write(home.join("a/config.toml"), text.replace("image-to-text", "text-to-image"))
        .expect("a file");
    let measured = log.iter().filter(|line| line["valid"].is_object());
    let first_best = measured.reduce(|best, line| {
        let better = score(line, "text_to_image") > score(best, "text_to_image");
        if better { line } else { best }
    });
    assert_eq!(Some(shown()), first_best.expect("measured")["step"].as_u64());
}

#[test]
fn a_sigmoid_loss_makes_a_model_that_judges_pairs() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let sigmoid = [("\"contrastive\"", "\"sigmoid\""), ("smoothing = 0.05", "")];
    train(home, "s.toml", short("s", "", &sigmoid));
    let config = |run: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(home.join(run).join("config.json")).expect("a model");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(config("s")["sigmoid"], true);
    let bias = |run: &str| -> f32 {
        let bytes = std::fs::read(home.join(run).join("model.safetensors")).expect("weights");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let view = tensors.tensor("heads.logit_bias").expect("a bias");
        let bits = u16::from_le_bytes(view.data().try_into().expect("one half"));
        half::f16::from_bits(bits).to_f32()
    };
    assert!((bias("s") + 10.0).abs() < 2.0 && bias("s") != -10.0, "it learns: {}", bias("s"));
    // The other loss on top of it makes the other kind again.
    let start = [("[augment]", "[start]\nmodel = \"s\"\n[augment]"), ("epochs = 10", "epochs = 1")];
    train(home, "c.toml", short("c", "", &start));
    assert!(config("c").get("sigmoid").is_none());
}

#[test]
fn half_the_bits_learn_as_well_or_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let text = short("h", "precision = \"bf16\"", &[("epochs = 10", "epochs = 40")]);
    std::fs::write(home.join("h.toml"), text).expect("a file");
    let output = common::tuwen(home, &["train", "h.toml"]);
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert!(error.contains("no avx512_bf16: remove `precision`"), "{error}");
        return eprintln!("not run: this processor has no avx512_bf16");
    }
    let curve = curve(home, "h");
    let loss = |at: usize| curve[at]["loss"].as_f64().expect("a loss");
    assert!(loss(80) < 0.7 * loss(1), "{} to {}", loss(1), loss(80));
}

#[test]
fn shares_of_an_ensemble_are_learned_on_other_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[("epochs = 10", "epochs = 1")]));
    let ids = |name: &str, pictures: &[&str]| {
        let ids = pictures.iter().map(|name| name.trim_end_matches(".png"));
        let ids: Vec<&str> = ids.collect();
        std::fs::write(home.join(name), ids.join("\n")).expect("a file");
    };
    ids("scored.ids", &runs::NAMES[..6]);
    ids("other.ids", &runs::NAMES[6..]);
    let captions: String = std::fs::read_to_string(home.join("c.jsonl"))
        .expect("captions")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|line| {
            format!("{}#0\t{}\n", line["image"].as_str().unwrap(), line["en"].as_str().unwrap())
        })
        .collect();
    std::fs::write(home.join("captions.txt"), captions).expect("a file");
    let args = ["eval", "--images", "pictures", "--captions", "captions.txt", "--json", "--ids"];
    let args = [&args[..], &["scored.ids", "--model", "a", "--model", "tuwen-small"]].concat();
    let learned = [&args[..], &["--learn-weights", "other.ids"]].concat();
    let output = common::tuwen(home, &learned);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let shares = said.split("on 6 other pictures: ").nth(1).expect("the shares");
    let share = |name: &str| -> f32 {
        let rest = shares.split(&format!("{name} ")).nth(1).expect("a share");
        rest.split([',', '\n']).next().expect("a number").parse().expect("a number")
    };
    assert!(share("tuwen-small") >= share("a"), "{said}");
    let same = [&args[..], &["--learn-weights", "scored.ids"]].concat();
    assert!(fail(home, &same, 2).contains("give other pictures"));
}
