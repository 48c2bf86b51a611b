//! One vector for a picture and its texts, and queries of a picture and words.

mod common;

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 4] = ["red_car.png", "pizza.png", "sunset.png", "bus.png"];

/// What a file of captions says that no picture shows.
const CAPTIONS: &str =
    "image,caption\nsunset.png,a birthday card for grandmother\nbus.png,the number 12 to town\n";

fn first(hits: &[Value]) -> &str {
    hits[0]["path"].as_str().and_then(|path| path.rsplit('/').next()).expect("a path")
}

#[test]
fn words_find_a_picture_by_what_its_caption_says_and_later_runs_keep_that_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    std::fs::write(home.join("pictures/captions.csv"), CAPTIONS).expect("a file");
    let refused = fail(home, &["search", "a car", "--kind", "fused"], 1);
    assert!(refused.contains("no gallery"), "{refused}");
    index(home, &["pictures", "--captions", "pictures/captions.csv"]);
    let refused = fail(home, &["search", "a car", "--kind", "fused"], 2);
    assert!(refused.contains("tuwen index --fuse weighted:0.5"), "{refused}");
    for wrong in ["mutan", "weighted", "weighted:2"] {
        let refused = fail(home, &["index", "pictures", "--fuse", wrong], 2);
        assert!(refused.contains("weighted:SHARE"), "{refused}");
    }
    index(home, &["pictures", "--captions", "pictures/captions.csv", "--fuse", "weighted:0.4"]);
    let query = "a birthday card for grandmother";
    let hits = search(home, &[query, "--kind", "fused"]);
    assert_eq!(
        (first(&hits), hits.len(), &hits[0]["kind"]),
        ("sunset.png", NAMES.len(), &"image".into())
    );
    // A picture without a text is found by itself, also in one line of words, with a filter.
    assert_eq!(first(&search(home, &["kind:fused a red car"])), "red_car.png");
    let some = search(home, &[query, "--kind", "fused", "--where", "name = pizza OR name = bus"]);
    assert_eq!(some.len(), 2);

    std::fs::remove_file(home.join("pictures/sunset.png")).expect("removed");
    let said = succeed(home, &["index", "pictures"]);
    assert!(!said.is_empty());
    let hits = search(home, &[query, "--kind", "fused"]);
    assert_eq!(hits.len(), NAMES.len() - 1);
    assert!(hits.iter().all(|hit| !hit["path"].as_str().expect("a path").ends_with("sunset.png")));
    // A gallery that is built anew keeps its recipe.
    copy_pictures(&["sunset.png"], &home.join("pictures"));
    let rebuilt = ["index", "pictures", "--captions", "pictures/captions.csv", "--rebuild"];
    let output = tuwen(home, &rebuilt);
    assert!(String::from_utf8_lossy(&output.stderr).contains("weighted:0.4"), "{output:?}");
    assert_eq!(first(&search(home, &[query, "--kind", "fused"])), "sunset.png");
    index(home, &["pictures", "--fuse", "none"]);
    fail(home, &["search", query, "--kind", "fused"], 2);
}

#[test]
fn the_share_goes_from_the_words_to_the_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &["pictures"]);
    let ask = |share: &str| {
        let args = ["a slice of pizza", "--image", "pictures/bus.png", "--image-weight", share];
        search(home, &args)
    };
    assert_eq!((first(&ask("0")), first(&ask("1"))), ("pizza.png", "bus.png"));
    let plain = search(home, &["a slice of pizza", "--image", "pictures/bus.png"]);
    assert_eq!(plain, ask("0.5"));
    let refused =
        fail(home, &["search", "x", "--image", "pictures/bus.png", "--image-weight", "1.5"], 2);
    assert!(refused.contains("from 0 to 1"), "{refused}");
}

#[test]
fn what_measures_them_says_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    std::fs::write(home.join("captions.csv"), CAPTIONS).expect("a file");
    for what in ["fused", "composed"] {
        let args = ["eval", what, "--images", "pictures", "--captions", "captions.csv"];
        let refused = fail(home, &args, 1);
        assert!(refused.contains("too few to tell ways from each other"), "{refused}");
    }
}

/// Sixteen pictures with two captions each, and a configuration that trains a small fuser of them.
fn fuser(home: &std::path::Path, role: &str) -> String {
    let names: Vec<String> = std::fs::read_dir(common::demo_pictures())
        .expect("demo pictures")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.retain(|name| !NAMES.contains(name));
    names.truncate(16);
    copy_pictures(&names, &home.join("learn"));
    let caption = |name: &&str| {
        let thing = name.trim_end_matches(".png").replace('_', " ");
        format!("{name}#0\ta picture that shows {thing}\n{name}#1\there you see {thing}\n")
    };
    let captions: String = names.iter().map(caption).collect();
    std::fs::write(home.join("learn.txt"), captions).expect("a file");
    let config = format!(
        "out = \"{role}.safetensors\"\ncache = \"cache\"\nname = \"toy\"\nmodel = \"tuwen-small\"\nseed = 1\n\
         role = \"{role}\"\nnetwork = {{ kind = \"gated\", hidden = 8 }}\n\
         sources = [{{ name = \"en\", share = 1.0 }}]\nnoise = 0.5\n{}\
         [optim]\nbatch = 8\nsteps = 20\nwarmup = 2\nlr = 1e-3\nweight_decay = 0.05\n\
         [[train]]\nformat = \"flickr\"\nimages = \"learn\"\n\
         captions = [{{ file = \"learn.txt\", source = \"en\" }}]\n",
        if role == "items" { "pieces = 0.3\ndrop_text = 0.2\n" } else { "" }
    );
    let name = format!("{role}.toml");
    std::fs::write(home.join(&name), config).expect("a file");
    name
}

#[test]
fn a_learned_fuser_makes_a_gallerys_vectors_and_stays_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let said = succeed(home, &["fuse", "train", &fuser(home, "items")]);
    assert!(said.contains("step 20 of 20") && said.contains("items.safetensors"), "{said}");
    let again = succeed(home, &["fuse", "train", "items.toml"]);
    assert!(!again.contains("vectors of") && again.contains("step 20"), "{again}");
    copy_pictures(&NAMES, &home.join("pictures"));
    std::fs::write(home.join("pictures/captions.csv"), CAPTIONS).expect("a file");
    let captions = ["index", "pictures", "--captions", "pictures/captions.csv"];
    let learned = [&captions[..], &["--fuse", "learned:items.safetensors"]].concat();
    succeed(home, &learned);
    let query = ["a birthday card for grandmother", "--kind", "fused"];
    let hits = search(home, &query);
    assert_eq!((first(&hits), hits.len()), ("sunset.png", NAMES.len()));
    // The gallery has its own copy, also when it is built anew.
    std::fs::remove_file(home.join("items.safetensors")).expect("removed");
    copy_pictures(&["apples.png"], &home.join("pictures"));
    succeed(home, &["index", "pictures"]);
    assert_eq!(search(home, &query).len(), NAMES.len() + 1);
    succeed(home, &[&captions[..], &["--rebuild"]].concat());
    assert_eq!(first(&search(home, &query)), "sunset.png");
    let kept = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(home.join(".tuwen")).expect("a gallery");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.to_string_lossy().contains("fuser-")).collect()
    };
    let [file] = &kept()[..] else { panic!("one fuser") };
    assert!(succeed(home, &["gallery", "verify"]).contains("as it was written"));
    let bytes = std::fs::read(file).expect("a file");
    // Another fuser under its name, none, and one of another model.
    let mut other = bytes.clone();
    *other.last_mut().expect("a byte") ^= 1;
    std::fs::write(file, &other).expect("a file");
    let wrong = tuwen(home, &["gallery", "verify", "--json"]);
    let wrong: serde_json::Value = serde_json::from_slice(&wrong.stdout).expect("JSON");
    assert!(wrong[0]["what"].as_str().is_some_and(|what| what.contains("and this is")), "{wrong}");
    copy_pictures(&["cow.png"], &home.join("pictures"));
    let refused = fail(home, &["index", "pictures"], 1);
    assert!(refused.contains("and this is `toy-") && refused.contains("--fuse none"), "{refused}");
    std::fs::remove_file(file).expect("removed");
    let refused = fail(home, &["index", "pictures"], 1);
    assert!(refused.contains("whose file is gone"), "{refused}");
    let model = bytes.windows(12).position(|part| part == b"tuwen-small-").expect("a model");
    let mut other = bytes.clone();
    other[model + 12] = if other[model + 12] == b'0' { b'1' } else { b'0' };
    std::fs::write(home.join("other.safetensors"), &other).expect("a file");
    let refused = fail(home, &["index", "pictures", "--fuse", "learned:other.safetensors"], 1);
    assert!(refused.contains("was trained on vectors of `tuwen-small-"), "{refused}");
    std::fs::write(home.join("items.safetensors"), &bytes).expect("a file");
    succeed(home, &learned);
    let asked = ["search", "x", "--image", "pictures/bus.png", "--combiner", "items.safetensors"];
    let refused = fail(home, &asked, 1);
    assert!(refused.contains("was trained for items"), "{refused}");
    succeed(home, &["index", "pictures", "--fuse", "average"]);
    assert_eq!(kept().len(), 0);
}

#[test]
fn a_combiner_joins_words_and_a_picture_and_a_configuration_says_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let config = fuser(home, "queries");
    let said = succeed(home, &["fuse", "train", &config]);
    assert!(said.contains("questions") && said.contains("step 20 of 20"), "{said}");
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &["pictures"]);
    let ask = |more: &[&str]| {
        let args = ["a slice of pizza", "--image", "pictures/bus.png"];
        let combiner = ["--combiner", "queries.safetensors"];
        search(home, &[&args[..], &combiner, more].concat())
    };
    let [words, picture] = ["0", "1"].map(|share| ask(&["--image-weight", share]));
    assert_eq!((first(&words), first(&picture)), ("pizza.png", "bus.png"));
    assert_eq!(ask(&[]), ask(&["--image-weight", "0.5"]));
    let plain = search(home, &["a slice of pizza", "--image", "pictures/bus.png"]);
    assert_ne!(ask(&[])[0]["score"], plain[0]["score"]);
    assert_ne!(ask(&["--not", "a red car"])[0]["score"], ask(&[])[0]["score"]);
    // Words alone are asked as ever.
    let alone = ["a slice of pizza", "--combiner", "queries.safetensors"];
    assert_eq!(search(home, &alone), search(home, &["a slice of pizza"]));
    let refused = fail(home, &["index", "pictures", "--fuse", "learned:queries.safetensors"], 1);
    assert!(refused.contains("was trained for queries"), "{refused}");
    let refused = fail(home, &["search", "x", "--combiner", "queries.toml"], 1);
    assert!(refused.contains("queries.toml"), "{refused}");

    let serve = ["serve", "--listen", "127.0.0.1:0", "--combiner"];
    let refused = fail(home, &[&serve[..], &["queries.toml"]].concat(), 1);
    assert!(refused.contains("queries.toml"), "{refused}");
    let printed = succeed(home, &[&serve[..], &["queries.safetensors", "--print-config"]].concat());
    assert!(
        printed.contains("combiner = \"/") && printed.contains("queries.safetensors"),
        "{printed}"
    );

    let good = std::fs::read_to_string(home.join(&config)).expect("a file");
    // Its own file is written anew, nobody else's is.
    std::fs::write(home.join("mine.txt"), "mine").expect("a file");
    for out in ["mine.txt", "pictures/bus.png", &config] {
        let text = good.replace("queries.safetensors", out);
        assert_ne!(text, good);
        std::fs::write(home.join("other.toml"), text).expect("a file");
        let before = std::fs::read(home.join(out)).expect("a file");
        let said = fail(home, &["fuse", "train", "other.toml"], 1);
        assert!(said.contains(out.rsplit('/').next().expect("a name")), "{said}");
        assert_eq!(std::fs::read(home.join(out)).expect("a file"), before, "{out}");
    }
    succeed(home, &["fuse", "train", &config]);
    for (from, to, says) in [
        ("noise = 0.5", "noise = -1.0", "`noise` is -1"),
        ("noise = 0.5", "pieces = 0.5", "`pieces` is of items"),
        ("hidden = 8", "hidden = 0", "at least 1"),
        ("hidden = 8", "width = 8", "width"),
        ("\"en\", share = 1.0", "\"zh\", share = 1.0", "no captions have the source `zh`"),
        ("batch = 8", "batch = 1", "`optim` has batches of 1"),
    ] {
        std::fs::write(home.join("bad.toml"), good.replacen(from, to, 1)).expect("a file");
        let refused = fail(home, &["fuse", "train", "bad.toml"], 1);
        assert!(refused.contains(says), "{says}: {refused}");
    }
    let captions = std::fs::read_to_string(home.join("learn.txt")).expect("a file");
    let few: String =
        captions.lines().filter(|line| line.contains("#1")).take(9).collect::<Vec<_>>().join("\n");
    std::fs::write(home.join("learn.txt"), few).expect("a file");
    let refused = fail(home, &["fuse", "train", &config], 1);
    assert!(refused.contains("questions, of 100 that are needed"), "{refused}");
}
