//! `--help`: its examples do what they say. That all of them are at least understood is tested beside the
//! arguments themselves, in `main.rs`.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{TUWEN, copy_pictures, demo_pictures, succeed};

/// Parts of examples that are not run: they need sets of others, a model that is fetched, somebody's own model or run, the
/// time of a training, a server, or nobody who ends them.
const NOT_RUN: [&str; 29] = [
    "caltech101.tar",
    "tuwen data scenes",
    "tuwen eval explain --scenes",
    "chinese-clip-vit-base-patch16",
    "clip_cn_vit-b-16.pt",
    "my-model",
    "tuwen train my.toml",
    "tuwen train sweep",
    "tuwen train wise",
    "tuwen runs",
    "tuwen heads train",
    "runs/tuwen-small-heads",
    "tuwen fuse train",
    "runs/tuwen-small-items",
    "runs/tuwen-small-queries",
    "tuwen captions train",
    "runs/tuwen-small-captions",
    "tuwen model mix",
    "tuwen score",
    "tuwen space",
    "tuwen features ladder",
    "glove.6B.100d.txt",
    "tuwen mcp",
    "--chat",
    "localhost:11434",
    "qdrant://",
    "shirt.jpg",
    "tuwen serve",
    "tuwen taidi",
];

/// Names of the subcommands in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    names.collect()
}

/// Examples of a command and all below it, in their order; continued lines are one.
fn examples(path: &[String], found: &mut Vec<String>) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = succeed(Path::new("."), &args);
    let joined = help.split("\\\n").enumerate().fold(String::new(), |joined, (number, part)| {
        joined + if number > 0 { part.trim_start() } else { part }
    });
    for line in joined.lines() {
        if let Some(example) = line.strip_prefix("  ").filter(|line| line.starts_with("tuwen ")) {
            // Behind a wide gap stands what the example does.
            let example = example.split("  ").next().expect("a first part").to_owned();
            if !found.contains(&example) {
                found.push(example);
            }
        }
    }
    for name in subcommands(&help) {
        examples(&[path, &[name]].concat(), found);
    }
}

/// The files that the examples speak of.
fn files(home: &Path) {
    let names: Vec<String> = fs::read_dir(demo_pictures())
        .expect("demo pictures")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).take(12).collect();
    for folder in ["Pictures", "photos", "附件1/ImageData", "images"] {
        copy_pictures(&names, &home.join(folder));
    }
    for (name, picture) in [("dog.jpg", "dog_beach.png"), ("cat.jpg", "cat_sofa.png")] {
        fs::copy(demo_pictures().join(picture), home.join(name)).expect("a copy");
    }
    // One of torchvision's networks, with few channels.
    let network =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden/resnet-tiny.pth");
    fs::copy(network, home.join("resnet50-0676ba61.pth")).expect("a copy");
    let rows = |header: &str, separator: &str, head: bool| -> String {
        let lines = names.iter().map(|name| format!("{name}{separator}a caption of {name}\n"));
        let lines: String = lines.collect();
        if head { format!("{header}\n{lines}") } else { lines }
    };
    fs::write(home.join("附件1/ImageWordData.csv"), rows("image_id,caption", ",", true))
        .expect("a file");
    fs::write(home.join("photos/captions.csv"), rows("image,caption", ",", true)).expect("a file");
    fs::write(home.join("captions.csv"), rows("image,caption", ",", true)).expect("a file");
    // Two of each picture: `eval fused` takes one for its text, and `eval composed` asks with what differs.
    let second = names.iter().map(|name| {
        let thing = name.trim_end_matches(".png").replace('_', " ");
        format!("{name}#1\there you can see {thing}\n")
    });
    let tokens = rows("", "#0\t", false) + &second.collect::<String>();
    for name in ["captions.en.txt", "captions.zh-native.txt"] {
        fs::write(home.join(name), &tokens).expect("a file");
    }
    let results = names.iter().map(|name| {
        let id = name.trim_end_matches(".png");
        format!("{{\"image_id\": \"{id}\", \"caption\": \"a caption of {id}\"}}")
    });
    let results = format!("[{}]", results.collect::<Vec<_>>().join(","));
    fs::write(home.join("predictions.json"), results).expect("a file");
    let ids: String =
        names.iter().map(|name| format!("{}\n", name.trim_end_matches(".png"))).collect();
    fs::write(home.join("val.ids"), ids).expect("a file");
    fs::write(home.join("queries.txt"), "a cat\n一只狗\n").expect("a file");
    fs::write(home.join("labels.txt"), "cat\ndog\ncar\n").expect("a file");
    let tar = ["-cf", "../flickr8k-val.tar", "--", "."];
    let packed = Command::new("tar").args(tar).current_dir(home.join("images")).status();
    assert!(packed.expect("tar starts").success());
    fs::create_dir_all(home.join(".local/share/bash-completion/completions")).expect("a folder");
}

#[test]
fn every_example_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    files(home);
    let mut all = Vec::new();
    examples(&[], &mut all);
    assert!(all.len() > 30, "{all:?}");
    let (left_out, run): (Vec<&String>, Vec<&String>) =
        all.iter().partition(|example| NOT_RUN.iter().any(|part| example.contains(part)));
    for part in NOT_RUN {
        assert!(left_out.iter().any(|example| example.contains(part)), "no example has {part}");
    }
    for example in run {
        let script = format!("tuwen() {{ \"{TUWEN}\" \"$@\"; }}; {example}");
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(home)
            .env("HOME", home)
            .output()
            .expect("bash starts");
        let error = String::from_utf8_lossy(&output.stderr);
        // 3 and 4 are the doctor's findings.
        let code = output.status.code();
        let right = code == Some(0) || (example.contains("doctor") && matches!(code, Some(3 | 4)));
        assert!(right, "{example}: {code:?} {error}");
    }
}

#[test]
fn the_version_has_a_name() {
    for flag in ["--version", "-V"] {
        let version = succeed(Path::new("."), &[flag]);
        assert_eq!(version, format!("tuwen {}\n", env!("CARGO_PKG_VERSION")));
    }
}
