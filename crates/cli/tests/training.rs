//! A tiny run, killed and resumed: the same curve as without a stop.

mod common;
mod runs;

use std::process::{Command, Stdio};
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
    let changed = |from: &str, to: &str| run(config("x", "").replace(from, to));
    assert!(changed("heads_lr = 3e-3", "heads_lr = -1.0").contains("`optim.heads_lr` is -1"));
    assert!(changed("heads_lr = 3e-3", "heads_lr = nan").contains("`optim.heads_lr` is NaN"));
    assert!(changed("ema = 0.9", "ema = 1.0").contains("from 0 to 0.999999"));
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
