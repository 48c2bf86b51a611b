//! A tiny run, killed and resumed: the same curve as without a stop.

mod common;
mod runs;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, fail, succeed};
use runs::{config, curve, prepare, short, train};

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
fn a_folder_in_which_no_step_was_written_can_be_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let one = |lr: &str| {
        let text = config("r", "").replace("epochs = 40", "epochs = 1");
        std::fs::write(home.join("r.toml"), text.replace("text_lr = 3e-3", lr)).expect("a file");
    };
    // It measures the start, and ends at the first batch.
    let cow = home.join("pictures/cow.png");
    let whole = std::fs::read(&cow).expect("a picture");
    one("text_lr = 3e-3");
    std::fs::write(&cow, &whole[..99]).expect("a picture that cannot be decoded");
    fail(home, &["train", "r.toml"], 1);
    assert!(home.join("r/config.toml").is_file());
    std::fs::write(&cow, &whole).expect("mended");
    one("text_lr = 1e-3");
    let said = succeed(home, &["train", "r.toml"]);
    assert!(said.contains("done: "), "{said}");
    one("text_lr = 2e-3");
    let said = fail(home, &["train", "r.toml"], 1);
    assert!(said.contains("another configuration") && said.contains("0.001"), "{said}");
    // What does not move is no better than it was.
    let text = config("z", "").replace("epochs = 40", "epochs = 1").replace("3e-3", "1e-30");
    std::fs::write(home.join("z.toml"), text).expect("a file");
    let said = succeed(home, &["train", "z.toml"]);
    assert!(said.contains("no step was better than the start"), "{said}");
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
    for part in ["`captions[1]` draws from [\"klingon\"]", "of `train[0]`", "{\"en\", \"zh\"}"] {
        assert!(message.contains(part), "{message}");
    }
    let changed = |from: &str, to: &str| run(config("x", "").replace(from, to));
    for (from, to, said) in [
        ("= 3e-3", "= 0.0", "`heads_lr` are all 0"),
        ("heads_lr = 3e-3", "heads_lr = -1.0", "`optim.heads_lr` is -1"),
        ("heads_lr = 3e-3", "heads_lr = nan", "`optim.heads_lr` is NaN"),
        ("heads_lr = 3e-3", "heads_lr = inf", "`optim.heads_lr` is inf"),
        ("ema = 0.9", "ema = 1.0", "from 0 to 0.999999"),
        ("epochs = 40", "epochs = 4000000000", "`epochs` is 4000000000"),
        ("flip = 0.5", "flip = 2.0", "`augment.flip` is 2: give something from 0 to 1"),
        ("flip = 0.5", "crop_ratio = nan", "`augment.crop_ratio` is NaN"),
        ("flip = 0.5", "rand_augment = { operations = 2, magnitude = -1.0 }", "magnitude` is -1"),
        ("[\"en\", 1.0]", "[\"en\", nan]", "source en` is NaN"),
        ("[\"en\", 1.0]", "[\"en\", -0.5]", "source en` is -0.5"),
        ("[\"en\", 1.0]", "[\"en\", 0.0]", "sum of weights` is 0"),
        ("[[train]]", "[[train]]\nshare = nan", "`train[0].share` is NaN"),
        ("[[train]]", "[[train]]\nshare = 1.5", "`train[0].share` is 1.5"),
        ("[valid]", "[valid]\nshare = 0.5", "`valid.share` is 0.5"),
        ("smoothing = 0.05", "smoothing = nan", "`loss.smoothing` is NaN"),
        ("\"contrastive\"", "\"sigmoid\"", "`loss.smoothing` is 0.05 and `loss.kind` \"sigmoid\""),
        ("smoothing = 0.05", "teacher = \"t\"\nteacher_weight = 0.0", "`loss.teacher_weight` 0"),
        ("smoothing = 0.05", "teacher_weight = 0.7", "there is no `loss.teacher` to weigh"),
        (
            "heads_lr = 3e-3",
            "heads_lr = 3e-3\nfrozen_blocks = 40",
            "`optim.frozen_blocks` is 40, and",
        ),
        (
            "heads_lr = 3e-3",
            "heads_lr = 3e-3\ntext_frozen_blocks = 41",
            "`optim.text_frozen_blocks` is 41, and",
        ),
        (
            "[augment]",
            "[lora]\nrank = 2\nalpha = 1.0\nlr = 1e-3\ntowers = []\n[augment]",
            "`lora.towers` is []",
        ),
        (
            "[augment]",
            "[lora]\nrank = 2\nalpha = 1.0\nlr = 1e-3\ntowers = [\"text\", \"text\"]\n[augment]",
            "`lora.towers` names text twice",
        ),
        ("[augment]", "[lora]\nrank = 2\nalpha = 1.0\nlr = 0.0\n[augment]", "`lora.lr` is 0"),
        (
            "[augment]",
            "[lora]\nrank = 500\nalpha = 1.0\nlr = 1e-3\n[augment]",
            "`lora.rank` is 500, and ",
        ),
    ] {
        let message = changed(from, to);
        assert!(message.contains(said), "{to}: {message}");
    }
    // One line, with the place.
    let message = changed("seed = 3", "seed = = 3");
    assert!(message.contains("line 3, column 8") && !message.contains("\\n"), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(fail(home, &["train", "/dev/zero"], 1).contains("device"));
    assert!(changed("out = \"x\"", "out = \"pictures\"").contains("which no run wrote there"));
    // As Chinese editors save it.
    let (gbk, ..) = encoding_rs::GB18030.encode("# 这是我们的配置文件，一个学校的人用的\n");
    let text = config("x", "").replace("epochs = 40", "epochs = 0");
    std::fs::write(home.join("x.toml"), [&gbk, text.as_bytes()].concat()).expect("a file");
    assert!(fail(home, &["train", "x.toml"], 1).contains("`epochs` is 0"));
    std::fs::write(home.join("none.ids"), "").expect("a file");
    assert!(changed("[valid]", "[valid]\nids = \"none.ids\"").contains("no picture is listed"));
    let captions = std::fs::read_to_string(home.join("c.jsonl")).expect("captions");
    std::fs::write(home.join("one.jsonl"), captions.lines().next().expect("a line"))
        .expect("a file");
    assert!(changed("c.jsonl", "one.jsonl").contains("nothing to be told from"));
    std::fs::write(home.join("y.toml"), config("y", "").replace("epochs = 40", "epochs = 1"))
        .expect("a file");
    succeed(home, &["train", "y.toml"]);
    std::fs::write(home.join("y.toml"), config("y", "").replace("epochs = 40", "epochs = 2"))
        .expect("a file");
    assert!(fail(home, &["train", "y.toml"], 1).contains("epochs = 1"), "another configuration");
    assert!(fail(home, &["train", "a.toml", "--device", "gpu"], 1).contains("a.toml"));
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

/// No file may grow beyond 2 MB, as on a disk that is nearly full; the checkpoint has 5.
#[test]
#[cfg(unix)]
fn a_full_disk_ends_the_run_with_the_last_checkpoint_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[]));
    train(home, "b.toml", short("b", "", &[]));
    std::fs::remove_file(home.join("b/state-00000020.safetensors")).expect("the last one");
    let full = "trap '' XFSZ; ulimit -f 4096; exec \"$TUWEN\" train b.toml";
    let mut command = Command::new("sh");
    command.args(["-c", full]).current_dir(home).env("TUWEN", TUWEN);
    let output = command.output().expect("a shell");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("state-00000020"), "{error}");
    let entries = std::fs::read_dir(home.join("b")).expect("the run").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let states: Vec<String> = names.filter(|name| name.starts_with("state-")).collect();
    assert_eq!(states, ["state-00000016.safetensors"], "the old one, and no half one");
    succeed(home, &["train", "b.toml"]);
    assert_eq!(curve(home, "a"), curve(home, "b"), "with room the run goes on");
}

/// A run that would take hours, as a process of its own.
fn endless(home: &Path) -> Child {
    let child = Command::new(TUWEN)
        .args(["train", "a.toml"])
        .current_dir(home)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    child.expect("the program starts")
}

/// Waits until the log has more lines than it had.
fn more_lines(home: &Path, child: &mut Child, before: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while curve(home, "a").len() <= before + 3 {
        assert!(child.try_wait().expect("a state").is_none(), "it ended");
        assert!(Instant::now() < deadline, "no progress");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(unix)]
fn one_run_at_a_time_and_a_stop_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    let text = config("a", "").replace("epochs = 40", "epochs = 100000");
    std::fs::write(home.join("a.toml"), text.replace("validate_every = 20", "validate_every = 7"))
        .expect("a file");
    let mut child = endless(home);
    more_lines(home, &mut child, 0);
    for args in [&["train", "a.toml"][..], &["train", "wise", "a.toml", "--points", "2"]] {
        let error = fail(home, args, 1);
        assert!(error.contains("another tuwen is writing"), "{error}");
    }
    // The lock's file is removed: the holder stops before it writes another checkpoint.
    std::fs::remove_file(home.join("a/lock")).expect("a lock");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    for _ in 0..2 {
        let mut child = endless(home);
        more_lines(home, &mut child, curve(home, "a").len());
        let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(interrupted.expect("kill").success());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("stopped; run the same command"), "{said}");
        // A checkpoint of the very last step; a step that was not measured has its line in it.
        let steps = curve(home, "a").last().expect("a line")["step"].as_u64().expect("a step");
        let is_there = |step: u64| home.join(format!("a/state-{step:08}.safetensors")).is_file();
        assert!(
            is_there(steps) || ((steps + 1).is_multiple_of(7) && is_there(steps + 1)),
            "step {steps}"
        );
        assert!(!home.join("a/lock").exists(), "given back");
    }
    let log = curve(home, "a");
    let steps: Vec<u64> = log.iter().filter_map(|line| line["step"].as_u64()).collect();
    assert_eq!(steps, (0..log.len() as u64).collect::<Vec<_>>(), "every step once");
    assert!(
        log.iter()
            .all(|line| line["valid"].is_object()
                == (line["step"].as_u64().expect("a step") % 7 == 0))
    );
}

#[test]
fn the_usual_loss_is_part_of_the_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[]));
    let bytes = std::fs::read(home.join("a/state-00000020.safetensors")).expect("a checkpoint");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let found = &header.metadata().as_ref().expect("progress")["usual"];
    let log = curve(home, "a");
    let losses = log.iter().filter_map(|line| line["loss"].as_f64()).map(|loss| loss as f32);
    let usual = losses.reduce(|usual, loss| usual + 0.05 * (loss - usual)).expect("losses");
    assert!((found.parse::<f32>().expect("a number") - usual).abs() < 1e-4, "{found}, {usual}");
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    prepare(home);
    train(home, "a.toml", short("a", "", &[("epochs = 10", "epochs = 1")]));
    let path = home.join("a/model.safetensors");
    let mut bytes = std::fs::read(&path).expect("weights");
    let last = bytes.len() - 2;
    bytes[last..].copy_from_slice(&half_nan());
    std::fs::write(&path, bytes).expect("a file");
    for start in ["model = \"a\"", "weights = \"a/model.safetensors\""] {
        let start = format!("[start]\n{start}\n[augment]");
        let text = short("b", "", &[("[augment]", &start)]);
        std::fs::write(home.join("b.toml"), text).expect("a file");
        let error = fail(home, &["train", "b.toml"], 1);
        assert!(error.contains("weight `text.token_embed.weight`"), "{error}");
        assert!(!home.join("b").exists(), "nothing begins");
    }
}

/// IEEE half.
fn half_nan() -> [u8; 2] {
    0x7e00u16.to_le_bytes()
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
