//! `tuwen features`: rows of texts and pictures that `tuwen space` learns from, and what is refused.

mod common;

use std::fs;
use std::path::Path;

use common::{copy_pictures, demo_pictures, fail, succeed};
use serde_json::Value;

/// The demo's first pictures with their captions, and their names in the captions' order.
fn set(home: &Path, count: usize) -> Vec<String> {
    let list = fs::read_to_string(demo_pictures().join("../captions.tsv")).expect("captions");
    let (mut names, mut lines): (Vec<String>, _) = (Vec::new(), String::from("image,caption\n"));
    for line in list.lines() {
        let [name, _, caption] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        if !names.iter().any(|known| known == name) {
            if names.len() == count {
                break;
            }
            names.push(name.to_owned());
        }
        lines += &format!("{name},\"{caption}\"\n");
    }
    copy_pictures(&names.iter().map(String::as_str).collect::<Vec<_>>(), &home.join("photos"));
    fs::write(home.join("captions.csv"), lines).expect("written");
    names
}

/// Rows and columns of a .npy file.
fn shape(path: &Path) -> (usize, usize) {
    let bytes = fs::read(path).expect("a file");
    let head = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    let (_, rest) = head.split_once("'shape': (").expect("a shape");
    let (shape, _) = rest.split_once(')').expect("a shape");
    let sizes: Vec<usize> = shape.split(", ").map(|size| size.parse().expect("a size")).collect();
    (sizes[0], sizes[1])
}

#[test]
fn texts_are_fitted_once_and_applied_to_others() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let names = set(home, 24);
    for (kind, more) in [
        ("bow", vec![]),
        ("tfidf", vec![]),
        ("bm25", vec!["--k1", "1.5"]),
        ("lda", vec!["--topics", "5"]),
        ("word2vec", vec!["--width", "12"]),
        ("sif", vec!["--width", "12", "--words", "words.vec"]),
    ] {
        let mut args =
            vec!["features", "text", "--kind", kind, "captions.csv", "--output", "a.npy"];
        args.extend(["--save", "m", "--by", "image", "--names", "names.txt", "--json", "--force"]);
        args.extend(&more);
        let found: Value = serde_json::from_str(&succeed(home, &args)).expect("JSON");
        assert_eq!(found["rows"], names.len(), "{kind}");
        let (rows, width) = shape(&home.join("a.npy"));
        assert_eq!((rows, width as u64), (names.len(), found["width"].as_u64().expect("a width")));
        succeed(
            home,
            &[
                "features",
                "text",
                "--model",
                "m",
                "captions.csv",
                "--output",
                "b.npy",
                "--by",
                "image",
                "--force",
            ],
        );
        assert_eq!(
            fs::read(home.join("a.npy")).expect("a"),
            fs::read(home.join("b.npy")).expect("b"),
            "{kind}"
        );
    }
    let listed = fs::read_to_string(home.join("names.txt")).expect("names");
    assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    // Its own vectors, read again.
    succeed(
        home,
        &[
            "features",
            "text",
            "--kind",
            "word2vec",
            "--vectors",
            "words.vec",
            "captions.csv",
            "--output",
            "c.npy",
        ],
    );
    assert_eq!(shape(&home.join("c.npy")).1, 12);
}

#[test]
fn pictures_and_texts_share_their_rows_and_a_space() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let names = set(home, 24);
    succeed(
        home,
        &[
            "features",
            "text",
            "--kind",
            "tfidf",
            "captions.csv",
            "--output",
            "t.npy",
            "--by",
            "image",
            "--names",
            "names.txt",
            "--max-words",
            "8",
        ],
    );
    for (kind, more) in [
        ("colour-hsv", vec![]),
        ("colour-lab", vec![]),
        ("lbp", vec![]),
        ("hog", vec![]),
        ("gist", vec![]),
        ("vlad", vec!["--words", "2"]),
        ("fisher", vec!["--words", "2"]),
        ("sift-words", vec!["--words", "8", "--save", "words.model"]),
    ] {
        let mut args = vec!["features", "image", "--kind", kind, "photos", "--list", "names.txt"];
        args.extend(["--output", "i.npy", "--names", "again.txt", "--force"]);
        args.extend(&more);
        succeed(home, &args);
        assert_eq!(shape(&home.join("i.npy")).0, names.len(), "{kind}");
        assert_eq!(
            fs::read(home.join("again.txt")).expect("a"),
            fs::read(home.join("names.txt")).expect("b")
        );
    }
    succeed(home, &["features", "image", "--model", "words.model", "photos", "--output", "j.npy"]);
    assert_eq!(shape(&home.join("j.npy")), (names.len(), 8));
    let labels: String = (0..names.len()).map(|at| format!("{}\n", at % 2 + 1)).collect();
    fs::write(home.join("labels.txt"), labels).expect("written");
    let part = "images.file = \"i.npy\"\ntexts.file = \"t.npy\"\nlabels.file = \"labels.txt\"\n";
    let text = format!(
        "name = \"drawn\"\n[train]\n{part}[test]\n{part}[protocol]\nseeds = 1\nsplits = 0\n\
         [[methods]]\nname = \"CCA\"\nlearn.cca = {{ components = 4, ridge = 0.1 }}\n"
    );
    fs::write(home.join("space.toml"), text).expect("written");
    assert!(succeed(home, &["space", "bench", "space.toml"]).contains("CCA"));
}

#[test]
fn keypoints_are_rows_with_their_places() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home, 2);
    for (kind, width) in [("sift", 128), ("orb", 32)] {
        succeed(
            home,
            &[
                "features",
                "image",
                "--kind",
                kind,
                "photos",
                "--output",
                "k.npy",
                "--keypoints",
                "k.tsv",
                "--force",
            ],
        );
        let (rows, columns) = shape(&home.join("k.npy"));
        let table = fs::read_to_string(home.join("k.tsv")).expect("a table");
        assert_eq!((table.lines().count() - 1, columns), (rows, width));
        assert!(rows > 10, "{kind}: {rows}");
    }
}

#[test]
fn the_ladder_is_one_table() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home, 24);
    let part = "format = \"csv\"\nimages = \"photos\"\ncaptions = [{ file = \"captions.csv\", source = \"all\" }]\n";
    let rung = |name: &str, image: &str, text: &str, learn: &str| {
        format!("[[rungs]]\nname = \"{name}\"\nimage = {image}\ntext = {text}\n{learn}\n")
    };
    let cca = "learn.cca = { components = 8, ridge = 0.1 }";
    let rungs = [
        rung("colours", "{ kind = \"colour-lab\" }", "{ kind = \"tfidf\" }", cca),
        rung("both", "[{ kind = \"colour-lab\" }, { kind = \"lbp\" }]", "{ kind = \"bow\" }", cca),
        rung("towers", "{ kind = \"tower\" }", "{ kind = \"tower\" }", ""),
    ];
    fs::write(
        home.join("l.toml"),
        format!("name = \"drawn\"\n[train]\n{part}[valid]\n{part}{}", rungs.concat()),
    )
    .expect("written");
    let found: Value = serde_json::from_str(&succeed(
        home,
        &["features", "ladder", "l.toml", "--json", "--markdown", "l.md"],
    ))
    .expect("JSON");
    let rungs = found["rungs"].as_array().expect("rungs");
    assert_eq!(rungs.len(), 3);
    assert_eq!(rungs[1]["widths"][0], 256 + 54);
    // What was learned from is measured here; and the towers know drawn things.
    for rung in rungs {
        assert!(rung["mean_recall"].as_f64().expect("a number") > 40.0, "{rung}");
    }
    assert_eq!(fs::read_to_string(home.join("l.md")).expect("a table").lines().count(), 5);
    let one = succeed(home, &["features", "ladder", "l.toml", "--rung", "colours"]);
    assert!(one.contains("colours") && !one.contains("towers"));
    assert!(
        fail(home, &["features", "ladder", "l.toml", "--rung", "x"], 2)
            .contains("colours; both; towers")
    );
    let typo = fs::read_to_string(home.join("l.toml"))
        .expect("text")
        .replace("rungs]]\nname", "rungs]]\nnane");
    fs::write(home.join("l.toml"), typo).expect("written");
    assert!(fail(home, &["features", "ladder", "l.toml"], 1).contains("nane"));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    set(home, 3);
    let image = |more: &[&str], code: i32| {
        let mut args = vec!["features", "image", "--output", "x.npy"];
        args.extend(more);
        fail(home, &args, code)
    };
    assert!(image(&["--kind", "surf", "photos"], 2).contains("patented"));
    assert!(
        image(&["--kind", "hog", "photos", "--keypoints", "k.tsv"], 2)
            .contains("sift and orb alone")
    );
    assert!(image(&["--kind", "sift", "photos", "--save", "m"], 2).contains("nothing is learned"));
    assert!(image(&["--kind", "vlad", "photos", "--words", "60000"], 1).contains("60000 words of"));
    assert!(image(&["--kind", "vlad", "photos", "--step", "0"], 2).contains("step is 0"));
    assert!(image(&["--model", "captions.csv", "photos"], 1).contains("captions.csv"));
    fs::write(home.join("list"), "nothing.png\n").expect("written");
    assert!(
        image(&["--kind", "hog", "photos", "--list", "list"], 1).contains("no picture nothing.png")
    );
    // A picture that is none is named, and the others have their rows.
    fs::write(home.join("photos/zz.png"), b"\x89PNG\r\n\x1a\n cut").expect("written");
    let why = image(&["--kind", "lbp", "photos"], 1);
    assert!(why.contains("zz.png"), "{why}");
    assert_eq!(shape(&home.join("x.npy")).0, 3);
    let text = |more: &[&str], code: i32| {
        let mut args = vec!["features", "text", "captions.csv", "--output", "y.npy"];
        args.extend(more);
        fail(home, &args, code)
    };
    assert!(text(&["--kind", "bow", "--min-texts", "1000"], 1).contains("--min-texts"));
    assert!(text(&["--kind", "tower", "--save", "m"], 2).contains("learns nothing"));
    assert!(
        text(&["--kind", "bow", "--words", "w", "--min-texts", "1"], 2).contains("no word vectors")
    );
    let why = text(&["--kind", "word2vec", "--vectors", "list"], 1);
    assert!(why.contains("list"), "{why}");
    fs::write(home.join("own"), "A7\n").expect("written");
    assert!(text(&["--kind", "bow", "--dictionary", "own"], 1).contains("line 1: `A7`"));
    fs::write(home.join("empty.txt"), "\n\n").expect("written");
    assert!(
        fail(home, &["features", "text", "--kind", "bow", "empty.txt", "--output", "z.npy"], 1)
            .contains("no text")
    );
}
