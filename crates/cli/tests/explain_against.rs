//! Why this and not that, through the program: other texts and pictures, whoever looks again, classes, hits, and the words
//! of captions.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const DOG: &str = "A dog stands on the beach by the sea.";

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&["dog_beach.png", "cat_sofa.png", "sailboat.png"], folder.path());
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn explained(folder: &Path, args: &[&str]) -> Value {
    json(&succeed(folder, &[&["explain", "--image", "dog_beach.png", "--json"], args].concat()))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn late_interaction_is_explained_by_hiding_and_other_ways_are_refused() {
    let folder = home();
    let late = |more: &[&str]| {
        let args = ["--text", DOG, "--score", "late", "--cells", "3"];
        explained(folder.path(), &[&args, more].concat())
    };
    let found = late(&[]);
    assert_eq!((&found["of"], &found["method"]), (&"late".into(), &"occlusion".into()));
    assert_eq!(numbers(&found["map"]).len(), 9);
    assert_eq!(found["words"].as_array().expect("words").len(), 9);
    assert_eq!(found["calls"][0], 10);
    let against = late(&["--against", "a red car"]);
    let difference = against["score"].as_f64().expect("a score");
    assert!(difference > 0.0 && difference < found["score"].as_f64().expect("a score"));
    let refused = |more: &[&str], wanted: &str| {
        let args = ["explain", "--image", "dog_beach.png", "--text", DOG];
        let said = fail(folder.path(), &[&args, more].concat(), 2);
        assert!(said.contains(wanted), "{more:?}: {said}");
    };
    refused(&["--score", "late", "--method", "chefer"], "occlusion, lime, shap, owen");
    refused(&["--score", "late", "--method", "fixlip"], "inner products");
    refused(&["--score", "itm"], "no matching head");
    refused(&["--score", "late", "--rival", "cat_sofa.png"], "--rival");
    refused(&["--heads", "heads"], "--score late");
    refused(&["--score", "late", "--method", "lime", "--samples", "1000000"], "1000000");
    refused(&["--against", "a cat", "--method", "rollout"], "same for every text");
}

/// A tiny BLIP of random weights: its own matching head, and the words that its decoder says.
#[test]
fn a_matching_head_and_a_decoder_of_others_are_explained() {
    let folder = home();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden");
    let model = golden.join("blip").to_string_lossy().into_owned();
    let args = ["--text", "a dog", "--score", "itm", "--cells", "2", "--model", &model];
    let found = explained(folder.path(), &args);
    assert_eq!((&found["of"], numbers(&found["map"]).len()), (&"itm".into(), 4));
    let model = golden.join("blip-captions").to_string_lossy().into_owned();
    let found = explained(folder.path(), &["--caption", "en", "--cells", "2", "--model", &model]);
    let words = found["words"].as_array().expect("words");
    assert!(!words.is_empty(), "{found}");
    assert_eq!(numbers(&found["pairs"]).len(), words.len() * 4);
    let args = ["explain", "--image", "dog_beach.png", "--caption", "zh", "--model", &model];
    assert!(fail(folder.path(), &args, 2).contains("zh"));
}

#[test]
fn the_words_of_a_caption_have_their_parts() {
    let folder = home();
    for language in ["en", "zh"] {
        let args = ["--caption", language, "--cells", "4", "--out", "said.html", "--force"];
        let found = explained(folder.path(), &args);
        let words = found["words"].as_array().expect("words");
        assert!(words.len() >= 3, "{found}");
        let text = found["text"].as_str().expect("a text");
        for word in words {
            let part = |key: &str| word[key].as_u64().expect("a place") as usize;
            assert_eq!(text[part("start")..part("end")], *word["text"].as_str().expect("a word"));
        }
        let (map, pairs) = (numbers(&found["map"]), numbers(&found["pairs"]));
        assert_eq!((map.len(), pairs.len()), (16, words.len() * 16));
        // The map of all words is the sum of theirs.
        let sum: f64 = (0..words.len()).map(|word| pairs[word * 16]).sum();
        assert!((sum - map[0]).abs() < 1e-4, "{sum} {}", map[0]);
        let page = std::fs::read_to_string(folder.path().join("said.html")).expect("a page");
        assert!(page.contains("id=\"w0\"") && page.contains("<table>"));
    }
    let on = |more: &[&str], code| {
        let args = ["explain", "--image", "dog_beach.png"];
        fail(folder.path(), &[&args, more].concat(), code)
    };
    assert!(on(&[], 2).contains("--text"));
    assert!(on(&["--caption", "en", "--text", "a dog"], 2).contains("--text"));
    assert!(on(&["--caption", "en", "--method", "chefer"], 2).contains("occlusion, lime"));
    assert!(on(&["--caption", "xx"], 2).contains("xx"));
}

#[test]
fn rivals_and_other_texts_are_named_in_every_kind_of_file() {
    let folder = home();
    let more = ["--text", DOG, "--against", "A grey cat.", "--rival", "cat_sofa.png"];
    let found = explained(folder.path(), &more);
    assert_eq!(found["against"], "A grey cat., cat_sofa.png");
    let map = numbers(&found["map"]);
    let ends = map.iter().fold((0.0f64, 0.0f64), |(a, b), &v| (a.min(v), b.max(v)));
    assert!(ends.0 < 0.0 && ends.1 > 0.0, "both sides of zero: {ends:?}");
    let height = |png: &[u8]| u32::from_be_bytes(png[20..24].try_into().expect("four"));
    for name in ["why.svg", "why.html", "why.png", "plain.png"] {
        let mut args = vec!["explain", "--image", "dog_beach.png"];
        args.extend(if name == "plain.png" { &more[..2] } else { &more[..] });
        args.extend(["--out", name]);
        succeed(folder.path(), &args);
        let bytes = std::fs::read(folder.path().join(name)).expect(name);
        if let Ok(text) = str::from_utf8(&bytes) {
            assert!(text.contains("A grey cat.") && text.contains("cat_sofa.png"), "{name}");
            let zero = if name == "why.svg" { "<line" } else { "title=\"0\"" };
            assert!(text.contains(zero), "{name}: no mark of zero");
        }
    }
    let png = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    let (with, without) = (height(&png("why.png")), height(&png("plain.png")));
    assert!(with > without, "the other text has room: {with} {without}");
}

#[test]
fn a_class_has_a_page_for_each_picture() {
    let folder = home();
    std::fs::create_dir(folder.path().join("more")).expect("a folder");
    copy_pictures(&["dog_beach.png"], &folder.path().join("more"));
    let args = [
        "classify",
        "dog_beach.png",
        "cat_sofa.png",
        "more",
        "--label",
        "dog",
        "--label",
        "cat",
        "--explain",
        "why",
        "--json",
    ];
    let found = succeed(folder.path(), &args);
    assert_eq!(found.lines().count(), 3);
    for name in ["dog_beach.png.html", "cat_sofa.png.html", "dog_beach.png-2.html"] {
        let page = std::fs::read_to_string(folder.path().join("why").join(name)).expect(name);
        let title = if name.starts_with("cat") { "cat – dog" } else { "dog – cat" };
        assert!(page.contains(title), "{name}");
    }
    // Written again where they are ours; by a method that hides parts too, and by none that knows no class.
    let again = [&args[..], &["--method", "occlusion"]].concat();
    succeed(folder.path(), &again);
    let said = fail(folder.path(), &[&args[..], &["--method", "rollout"]].concat(), 2);
    assert!(said.contains("rollout"), "{said}");
    let said = fail(
        folder.path(),
        &["classify", "dog_beach.png", "--label", "dog", "--method", "owen"],
        2,
    );
    assert!(said.contains("--explain"), "{said}");
}

#[test]
fn hits_say_which_words_set_them_apart() {
    let folder = home();
    let home = folder.path();
    index(home, &["."]);
    let hits = search(home, &["a dog on the beach", "--why"]);
    assert_eq!(hits.len(), 3);
    let weight = |hit: &Value, word: &str| {
        let words = hit["why"].as_array().expect("words");
        assert_eq!(words.len(), 5, "{hit}");
        let found = words.iter().find(|w| w["text"] == word).expect("the word");
        found["weight"].as_f64().expect("a number")
    };
    let dog = &hits[0];
    assert!(dog["path"].as_str().is_some_and(|path| path.contains("dog_beach")), "{dog}");
    assert!(weight(dog, "dog") > 0.02, "{dog}");
    assert!(hits[1..].iter().all(|hit| weight(hit, "dog") < weight(dog, "dog")));
    // What one has beyond the others sums to nothing over all.
    let sum: f64 = hits.iter().map(|hit| weight(hit, "beach")).sum();
    assert!(sum.abs() < 1e-5, "{sum}");
    assert!(search(home, &["a dog"])[0]["why"].is_null());
    let shown = succeed(home, &["search", "a dog on the beach", "--why", "-k", "2"]);
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert!(shown.contains("dog +0."), "{shown}");
    let said = fail(home, &["search", "--image", "cat_sofa.png", "--why"], 2);
    assert!(said.contains("words"), "{said}");
    let said = fail(home, &["search", "a dog", "--why", "--html", "why.html"], 2);
    assert!(said.contains("--why") && said.contains("--html"), "{said}");
    let said = tuwen(home, &["search", "a dog", "--why", "--paths"]);
    assert_eq!(said.status.code(), Some(2));
}
