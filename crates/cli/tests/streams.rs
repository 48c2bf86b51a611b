//! Signals, standard output and the terminal; numbers out of range, and nothing where something was wanted.

mod captioned;
mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use captioned::{names, set};
use common::{TUWEN, fail, index, succeed, tuwen};

/// Starts a command that takes long, and waits until it writes.
fn start(home: &Path, script: &str, until: &Path) -> Child {
    let child = Command::new("bash")
        .args(["-c", script, TUWEN])
        .current_dir(home)
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash starts");
    let began = Instant::now();
    while !until.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(done.expect("kill starts").success());
}

/// Its end, which must come within two seconds: one for us, one for a busy machine.
fn end(child: Child) -> Output {
    let began = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    output
}

/// Minutes of work: a thousand copies of each picture.
const LONG: &str = "exec \"$0\" data augment set.csv big --copies 1000 --side 1024 --operations 9";

#[test]
fn signals_end_a_command_at_once_and_nothing_half_written_stays() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    for name in ["-INT", "-TERM", "-HUP"] {
        let child = start(home, LONG, &home.join("big.part/captions.csv"));
        signal(&child, name);
        let output = end(child);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{name}: {error}");
        assert_eq!(names(home), ["images", "set.csv"], "{name}");
    }
    // Under nohup the terminal may go.
    let child = start(home, &format!("trap '' HUP; {LONG}"), &home.join("big.part/captions.csv"));
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(home.join("big.part").exists(), "it goes on");
    signal(&child, "-INT");
    assert_eq!(end(child).status.code(), Some(130));
    // What kill -9 leaves is cleared away by the next.
    let child = start(home, LONG, &home.join("big.part/captions.csv"));
    signal(&child, "-KILL");
    assert_eq!(end(child).status.signal(), Some(9));
    succeed(home, &["data", "augment", "set.csv", "big", "--copies", "1", "--side", "32"]);
    assert_eq!(names(home), ["big", "images", "set.csv"]);
}

#[test]
fn standard_output_may_be_full_closed_or_gone() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    index(home, &["images"]);
    for args in [
        "--help",
        "--version",
        "data split --help",
        "completions zsh",
        "search cow",
        "search cow --json",
        "embed --text cow",
        "data stats set.csv",
        "data sample set.csv",
        "data doctor set.csv --no-pairing",
        "data convert set.csv OUT --to csv",
        "data split set.csv --share 0.5 --out OUT",
        "eval --images images --captions set.csv",
        "classify images --label cow --label plane",
        "model list",
        "model info",
    ] {
        for (number, (end, code)) in
            [(">/dev/full", 1), (">&-", 0), ("| true; exit ${PIPESTATUS[0]}", 0), ("2>&-", 0)]
                .into_iter()
                .enumerate()
        {
            let args = args.replace("OUT", &format!("out{number}-{}", args.len()));
            let output = Command::new("bash")
                .args(["-c", &format!("\"$0\" {args} {end}"), TUWEN])
                .current_dir(home)
                .output()
                .expect("bash starts");
            let error = String::from_utf8_lossy(&output.stderr);
            let found = output.status.code();
            // The doctor's own codes are as good as 0.
            let right = found == Some(code) || (code == 0 && matches!(found, Some(3 | 4)));
            assert!(right && !error.contains("panicked"), "{args} {end}: {found:?} {error}");
        }
    }
}

#[test]
fn names_and_captions_do_not_command_the_terminal() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    let name = "a\u{1b}]0;title\u{7}.png";
    fs::copy(home.join("images/cow.png"), home.join("images").join(name)).expect("a copy");
    fs::write(home.join("images/b\u{1b}[2J.png"), "no picture").expect("a file");
    let rows = format!("image,caption\n{name},\u{1b}[31mred\nb\u{1b}[2J.png,x\nc\u{1b}[2J.png,x\n");
    fs::write(home.join("e.csv"), rows).expect("a file");
    for args in [
        &["data", "sample", "e.csv"][..],
        &["data", "doctor", "e.csv", "--no-pairing"],
        &["data", "convert", "e.csv", "out", "--to", "csv"],
        &["data", "split", "e.csv", "--out", "\u{1b}[2J"],
        &["classify", "images", "--label", "\u{1b}[2J", "--label", "b"],
        &["data", "\u{1b}[2J"],
        &["data", "stats", "\u{1b}[2J.csv"],
        &["data", "sample", "e.csv", "-n", "\u{1b}[2J"],
    ] {
        let output = tuwen(home, args);
        for stream in [output.stdout, output.stderr] {
            assert!(!stream.contains(&0x1b), "{args:?}: {}", String::from_utf8_lossy(&stream));
        }
    }
}

#[test]
fn numbers_have_ranges() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    for (command, values) in [
        ("data augment set.csv new --side", &["0", "1000000", "-5", "x"][..]),
        ("data augment set.csv new --copies", &["4294967296", "-1", "1.5"]),
        ("data augment set.csv new --crop", &["nan", "0", "-0.5", "1.01", "inf"]),
        ("data augment set.csv new --flip", &["2", "nan", "-1"]),
        ("data augment set.csv new --colour", &["2", "nan", "inf"]),
        ("data augment set.csv new --magnitude", &["11", "nan", "-1"]),
        ("data augment set.csv new --operations", &["-1", "99999999999"]),
        ("data split set.csv --out new --share", &["0", "1", "80", "nan", "-0.1"]),
        ("data stats set.csv --context", &["0", "-1"]),
        ("data doctor set.csv --context", &["0"]),
        ("data sample set.csv -n", &["0", "-3", "18446744073709551616"]),
        ("data translate set.csv new --url u --model m --batch", &["0", "501"]),
        ("eval --images images --captions set.csv --k", &["0", "-1", "5,0"]),
        ("eval --images images --captions set.csv --weight", &["nan", "-1", "0", "inf"]),
        ("score --compare a b --k", &["0"]),
        ("search cow -k", &["0", "-1", "4294967295"]),
        ("classify images --label a --label b --top", &["0"]),
        ("model mix a b --out new --weight", &["nan", "-1", "inf"]),
        ("model convert tuwen-small new --image-size", &["0", "4294967296"]),
        ("train sweep t.toml --factor", &["nan", "-1", "0"]),
        ("train sweep t.toml --epochs", &["0"]),
        ("train wise t.toml --points", &["1"]),
        ("taidi predict . --weight", &["nan", "-1"]),
        ("taidi train . --batch", &["0"]),
    ] {
        for value in values {
            let args: Vec<&str> = command.split(' ').chain([*value]).collect();
            let error = fail(home, &args, 2);
            let wrong = value.rsplit(',').next().expect("a value");
            assert!(error.contains(wrong), "{command} {value}: {error}");
        }
    }
    assert_eq!(names(home), ["images", "set.csv"]);
}

#[test]
fn nothing_is_no_success() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home);
    fs::write(home.join("empty.csv"), "image,caption\n").expect("a file");
    fs::create_dir(home.join("none")).expect("a folder");
    for input in ["empty.csv", "none"] {
        for args in [
            &["data", "stats", input][..],
            &["data", "sample", input],
            &["data", "doctor", input],
            &["data", "convert", input, "new", "--to", "csv"],
            &["data", "augment", input, "new"],
            &["data", "embed", input, "new", "--to", "fbin"],
            &["data", "split", input, "--out", "new"],
        ] {
            assert!(fail(home, args, 1).contains(input), "{args:?}");
        }
    }
    let split = ["data", "split", "set.csv", "--out", "new"];
    let error = fail(home, &[&split[..], &["--stratify", "nosuch"]].concat(), 1);
    assert!(error.contains("nosuch") && error.contains("kind"), "{error}");
    let error = fail(home, &[&split[..], &["--share", "0.99"]].concat(), 1);
    assert!(error.contains("0.99 of 4 pictures") && error.contains("val.ids"), "{error}");
    assert_eq!(names(home), ["empty.csv", "images", "none", "set.csv"]);
    let out = succeed(home, &["data", "sample", "set.csv", "-n", "1"]);
    assert!(!out.is_empty());
    fs::write(home.join("one.csv"), "image,caption\ncow.png,a cow\n").expect("a file");
    let out = succeed(home, &["data", "convert", "one.csv", "one", "--to", "csv"]);
    assert!(out.contains("one: 1 picture, 1 caption, 0 skipped"), "{out}");
}
