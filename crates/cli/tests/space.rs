//! `tuwen space` on a small set that is made here: three classes, images of 8 values and texts of 4.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use common::{TUWEN, fail, succeed};
use serde_json::Value;

/// Numbers from 0 to 1 that are the same everywhere.
fn noise(at: usize) -> f64 {
    let x = (at as f64 * 12.9898).sin() * 43_758.547;
    x - x.floor()
}

/// Lines of features: a class's middle and noise.
fn features(count: usize, width: usize, from: usize) -> String {
    let mut out = String::new();
    for row in 0..count {
        let value = |k: usize| {
            ((row % 3 * 5 + k * 3) as f64 * 1.7).sin() + 1.6 * (noise(from + row * width + k) - 0.5)
        };
        let cells: Vec<String> = (0..width).map(|k| format!("{:.4}", value(k))).collect();
        let _ = writeln!(out, "{}", cells.join(","));
    }
    out
}

const NAMES: [&str; 3] = ["cat", "dog", "bird"];

fn set(folder: &Path) {
    for (part, count, from) in [("train", 120, 0), ("test", 45, 50_000)] {
        let write = |name: &str, text: String| {
            std::fs::write(folder.join(format!("{part}.{name}")), text).expect("a file");
        };
        write("images.csv", features(count, 8, from));
        write("texts.csv", features(count, 4, from + 10_000));
        write("list", (0..count).map(|at| format!("{at}\t{}\n", NAMES[at % 3])).collect());
    }
    let part = |part: &str| {
        format!(
            "[{part}]\nimages.file = \"{part}.images.csv\"\ntexts.file = \"{part}.texts.csv\"\n\
             labels = {{ file = \"{part}.list\", column = 2 }}\n"
        )
    };
    let config = format!(
        "name = \"animals\"\ncompare = [[\"random\", \"MASLN\"]]\n{}{}{METHODS}",
        part("train"),
        part("test")
    );
    std::fs::write(folder.join("space.toml"), config).expect("a file");
}

const METHODS: &str = r#"
[classes]
names = ["cat", "dog", "bird"]
meanings = "one-hot"
[protocol]
seeds = 2
splits = 2
map = ["all", "acmr"]
[[methods]]
name = "random"
learn = "random"
[[methods]]
name = "CCA"
learn.cca = { components = 3, ridge = 1e-3 }
[[methods]]
name = "CCA, bits"
learn.cca = { components = 3, ridge = 1e-3 }
hash = { how = "itq", bits = 2 }
standard_only = true
[[methods]]
name = "SM"
learn.sm = { decay = 0.01 }
[[methods]]
name = "MASLN"
[methods.learn.masln]
schedule = { epochs = 6, batch = 16, rates = { lr = 3e-3 } }
hidden = 16
code = 8
corr = 0.1
rec = 0.1
adv = 0.1
dis = 1.0
"#;

/// A folder with the set.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    set(folder.path());
    folder
}

#[test]
fn one_table_whatever_the_number_of_threads() {
    let folder = made();
    let table = |threads: &str| -> Value {
        let args = ["space", "bench", "space.toml", "--json", "--threads", threads];
        serde_json::from_str(&succeed(folder.path(), &args)).expect("JSON")
    };
    let one = table("1");
    assert_eq!(one, table("3"));
    let map = |method: &str, measure: &str| {
        let rows = one["report"]["rows"].as_array().expect("rows");
        let row = rows.iter().find(|row| {
            row["method"] == method && row["measure"] == measure && row["convention"] == "all"
        });
        row.map(|row| row["map"][2]["mean"].as_f64().expect("a number"))
    };
    let random = map("random", "standard").expect("a row");
    assert!((0.3..0.45).contains(&random), "{random}");
    for method in ["CCA", "SM", "MASLN"] {
        assert!(map(method, "standard").expect("a row") > random + 0.2, "{method}");
    }
    assert!(map("CCA, bits", "standard").expect("a row") > random + 0.1);
    assert_eq!(map("CCA, bits", "unseen"), None, "left out of the splits");
    // Of three classes one is seen, of which everything is true.
    assert_eq!(map("MASLN", "seen"), Some(1.0));
    assert!(map("MASLN", "unseen").expect("a row") < 1.0);
    let better = &one["report"]["better"][0];
    assert!(better["measure"] == "standard" && better["paired"]["better"] == 2, "{better}");
    succeed(
        folder.path(),
        &["space", "bench", "space.toml", "--markdown", "table.md", "--on", "valid"],
    );
    let text = std::fs::read_to_string(folder.path().join("table.md")).expect("a table");
    assert!(
        text.contains("| random |") && text.contains("**animals, standard** (mAP `all`, 2 runs)"),
        "{text}"
    );
    let again = ["space", "bench", "space.toml", "--markdown", "table.md", "--method", "CCA"];
    assert!(fail(folder.path(), &again, 1).contains("--force"));
}

#[test]
fn a_space_is_learned_measured_and_used() {
    let folder = made();
    let train = ["space", "train", "space.toml", "--method", "MASLN", "--out", "masln.space"];
    let told = succeed(folder.path(), &train);
    assert!(told.contains("on the validation part"), "{told}");
    let once = std::fs::read(folder.path().join("masln.space")).expect("a file");
    // What tuwen wrote it may write again; what somebody else did is kept.
    succeed(folder.path(), &train);
    std::fs::write(folder.path().join("other.space"), "my notes").expect("a file");
    let other = [&train[..6], &["other.space"]].concat();
    assert!(fail(folder.path(), &other, 1).contains("--force"));
    assert_eq!(
        once,
        std::fs::read(folder.path().join("masln.space")).expect("a file"),
        "the same bits"
    );
    let eval = ["space", "eval", "masln.space", "space.toml", "--json"];
    let found: Value = serde_json::from_str(&succeed(folder.path(), &eval)).expect("JSON");
    assert!(found["image_to_text"]["map"]["all"].as_f64().expect("a number") > 0.55, "{found}");
    assert_eq!(found["text_to_image"]["precision"].as_array().map(Vec::len), Some(10));
    assert!(found["image_to_text"]["by_class"]["dog"].is_number());
    succeed(folder.path(), &["space", "eval", "masln.space", "space.toml"]);
    let project =
        ["space", "project", "masln.space", "--images", "test.images.csv", "--out", "codes.npy"];
    assert!(succeed(folder.path(), &project).contains("45 codes of 8 values"));
    let wrong = ["space", "project", "masln.space", "--texts", "test.images.csv", "--out", "x.npy"];
    assert!(fail(folder.path(), &wrong, 2).contains("have 8 values; the space was learned from 4"));
    let mut damaged = once.clone();
    let end = damaged.len();
    damaged[end - 40..end - 20].fill(0xff);
    std::fs::write(folder.path().join("damaged.space"), &damaged).expect("a file");
    let eval = ["space", "eval", "damaged.space", "space.toml"];
    assert!(fail(folder.path(), &eval, 1).contains("learn the space again"));
    let plot =
        ["space", "plot", "space.toml", "--method", "MASLN", "--method", "CCA", "--out", "plots"];
    succeed(folder.path(), &plot);
    for name in ["masln.svg", "cca.svg", "loss.svg", "valid.svg"] {
        let svg = std::fs::read_to_string(folder.path().join("plots").join(name)).expect(name);
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{name}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_said_with_its_row() {
    let folder = made();
    let path = |name: &str| folder.path().join(name);
    let whole = |name: &str| std::fs::read_to_string(path(name)).expect("a file");
    let bench = ["space", "bench", "space.toml", "--method", "CCA"];
    let with = |name: &str, text: &str| {
        let before = whole(name);
        std::fs::write(path(name), text).expect("a file");
        let told = fail(folder.path(), &bench, 1);
        std::fs::write(path(name), before).expect("a file");
        told
    };
    let images = whole("train.images.csv");
    let short: String = images.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(
        with("train.images.csv", &short)
            .contains("119 rows of images, 120 of texts and 120 labels")
    );
    let nan = images.replacen(images.split(',').next().expect("a cell"), "nan", 1);
    assert!(with("train.images.csv", &nan).contains("row 1, column 1: NaN is not finite"));
    let constant: String = images
        .lines()
        .map(|line| format!("1{}\n", &line[line.find(',').expect("cells")..]))
        .collect();
    assert!(with("train.images.csv", &constant).contains("column 1 is constant"));
    let ragged = images.replacen('\n', ",5\n", 1);
    assert!(with("train.images.csv", &ragged).contains("line 2: 8 fields; 9 are wanted"));
    assert!(
        with("train.list", &whole("train.list").replacen("cat", "cow", 1))
            .contains("row 1: label cow")
    );
    assert!(
        with("train.list", &whole("train.list").replace("bird", "cat"))
            .contains("class bird has no member")
    );
    assert!(with("train.images.csv", "").contains("no number inside"));
    let config = whole("space.toml");
    assert!(with("space.toml", &config.replace("hidden = 16", "hiden = 16")).contains("hiden"));
    assert!(
        with("space.toml", &config.replace("train.images.csv", "train.images.mat"))
            .contains("train.images.mat")
    );
    assert!(
        fail(folder.path(), &["space", "bench", "space.toml", "--method", "X"], 1)
            .contains("there are random, CCA")
    );
}

#[test]
fn bits_find_what_floats_find() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = [
        "space",
        "hash",
        "--drawn",
        "4000",
        "--queries",
        "60",
        "--bits",
        "64,256",
        "--how",
        "itq,balanced",
    ];
    let run = Command::new(TUWEN)
        .args(args)
        .args(["--rescored", "0.01,1", "--json"])
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(rows.len(), 2 * 2 * 2 * 2);
    for row in &rows {
        let recall = row["recall_at_10"].as_f64().expect("a number");
        assert!(row["rescored"] != 1.0 || recall == 1.0, "all vectors are looked at: {row}");
        // Codes that estimate have a length of four bytes each.
        let more = if row["how"] == "balanced" { 4 } else { 0 };
        assert_eq!(
            row["bytes"].as_u64(),
            row["bits"].as_u64().map(|bits| 4000 * (bits / 8 + more))
        );
    }
    let of = |how: &str, bits: u64| {
        let wanted = |row: &&Value| {
            row["bits"] == bits
                && row["how"] == how
                && row["asked"] == "text"
                && row["rescored"] == 0.01
        };
        rows.iter().find(wanted).and_then(|row| row["recall_at_10"].as_f64()).expect("a row")
    };
    assert!(of("balanced", 256) > of("balanced", 64) && of("balanced", 256) > 0.75);
    assert!(of("balanced", 256) > of("itq", 256) + 0.1, "{}", of("itq", 256));
    let raw = ["space", "hash", "--drawn", "600", "--bits", "64", "--how", "raw"];
    assert!(fail(folder.path(), &raw, 2).contains("--bits 512"));
    let much = ["space", "hash", "--drawn", "4000", "--bits", "1024", "--how", "itq"];
    assert!(fail(folder.path(), &much, 1).contains("1024 bits of 512 values"));
}
