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
