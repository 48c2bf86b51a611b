//! Looking again at what was found: by the model's own tokens, stored or not, and by whoever answers at an address.

mod common;

use common::http::{Request, server};
use common::{copy_pictures, fail, index, search, succeed, tuwen, word_piece_model};
use serde_json::{Value, json};

const NAMES: [&str; 4] = ["red_car.png", "pizza.png", "sunset.png", "dog_grass.png"];

/// A gallery of four pictures by a small model of random weights, in `home`.
fn gallery(home: &std::path::Path, more: &[&str]) -> Value {
    word_piece_model(&home.join("model"));
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &[&["pictures", "--model", "model"], more].concat())
}

fn names(hits: &[Value]) -> Vec<String> {
    hits.iter().map(|hit| hit["path"].as_str().expect("a path").to_owned()).collect()
}

#[test]
fn stored_tokens_and_those_computed_now_give_the_same_order_and_hits_say_that_they_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    gallery(home, &[]);
    let plain = search(home, &["一只狗", "--model", "model"]);
    assert!(plain.iter().all(|hit| hit["reranked"].is_null()));
    let args = ["search", "一只狗", "--model", "model", "--rerank", "late:3", "--json"];
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("3 of 3 reranked photos"), "{said}");
    let computed: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(computed.len(), 4);
    for (at, hit) in computed.iter().enumerate() {
        let before = plain.iter().position(|old| old["id"] == hit["id"]).expect("the same items");
        match &hit["reranked"] {
            // The fourth was not looked at and stays where it was.
            Value::Null => assert_eq!((at, before), (3, 3)),
            moved => {
                assert_eq!((&moved["by"], &moved["from"]), (&json!("late"), &json!(before + 1)));
                assert_eq!(moved["score_before"], plain[before]["score"]);
            }
        }
    }
    assert!(computed[0]["score"].as_f64() >= computed[1]["score"].as_f64());

    let output = tuwen(home, &["index", "pictures", "--model", "model", "--tokens"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("MB per 1,000 photos (17 patches of 16 bytes each)"), "{said}");
    assert!(said.contains("4 pictures have them, 4 computed now"), "{said}");
    let again = tuwen(home, &args);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("computed for this search"));
    let stored: Vec<Value> = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(stored, computed);
    let again = tuwen(home, &["index", "pictures", "--model", "model", "--tokens"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("4 pictures have them, 0 computed now"), "{said}");

    // People see who moved what.
    let shown = succeed(home, &["search", "一只狗", "--model", "model", "--rerank", "late:4"]);
    assert_eq!(shown.lines().filter(|line| line.contains("(late: ")).count(), 4, "{shown}");
    // More than there are is all of them; fewer hits than are looked at are the best of these.
    let all = search(home, &["一只狗", "--model", "model", "--rerank", "late:4"]);
    let best = search(home, &["一只狗", "--model", "model", "--rerank", "late:4", "-k", "1"]);
    assert_eq!((names(&best), best.len()), (names(&all[..1]), 1));
    let many = search(home, &["一只狗", "--model", "model", "--rerank", "late:9999"]);
    assert_eq!(names(&many), names(&all));
}

#[test]
fn a_picture_that_is_gone_or_damaged_tokens_are_said_and_stop_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    gallery(home, &["--tokens"]);
    let args = ["search", "红色的汽车", "--model", "model", "--rerank", "late:4", "--json"];
    let good = tuwen(home, &args).stdout;
    let tokens: Vec<_> = std::fs::read_dir(home.join(".tuwen/vectors"))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "tokens"))
        .collect();
    let whole = std::fs::read(&tokens[0]).expect("the tokens");
    let mut damaged = whole.clone();
    let last = damaged.len() - 5;
    damaged[last] ^= 0xff;
    std::fs::write(&tokens[0], &damaged).expect("written");
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("tokens of 1 of 4 reranked photos were computed"), "{said}");
    assert_eq!(output.stdout, good);
    // Now the damaged picture's file is gone, too.
    std::fs::remove_dir_all(home.join("pictures")).expect("removed");
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 of 4 photos could not be looked at again"), "{said}");
    let hits: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(
        hits[3]["reranked"].is_null() && hits[..3].iter().all(|hit| hit["reranked"].is_object())
    );
}

#[test]
fn what_cannot_be_looked_at_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    gallery(home, &[]);
    let refused = |args: &[&str], code: i32, wanted: &str| {
        let all = [&["search", "--model", "model"], args].concat();
        let error = fail(home, &all, code);
        assert!(error.contains(wanted), "{args:?}: {error}");
    };
    refused(&["狗", "--rerank", "best:10"], 2, "there is no `best`");
    refused(&["狗", "--rerank", "late:0"], 2, "1 to 10000");
    refused(&["狗", "--rerank", "itm:4"], 2, "no matching head");
    refused(&["狗", "--rerank", "late", "--kind", "text"], 2, "texts are not reranked");
    let picture = home.join("pictures/pizza.png");
    let picture = picture.to_str().expect("UTF-8");
    refused(&["--image", picture, "--rerank", "late"], 2, "no words in the query");
    refused(&["狗", "--rerank", "late", "--heads", "pictures"], 1, "heads.json");
    // Heads of another model.
    let heads = home.join("heads");
    std::fs::create_dir(&heads).expect("a folder");
    let config = json!({
        "name": "toy", "model": "another-model", "patches": 17, "patch_width": 24, "word_width": 16,
        "dim": 4, "late": { "pooling": "mean" },
    });
    std::fs::write(heads.join("heads.json"), config.to_string()).expect("a file");
    refused(&["狗", "--rerank", "late", "--heads", "heads"], 1, "heads.safetensors");
    let config = tuwen_matching::HeadsConfig::parse(&config.to_string()).expect("heads");
    let weights = tuwen_matching::first_values(&config, || 0.5);
    let file = heads.join("heads.safetensors");
    let precision = tuwen_encode::arrays::Precision::F32;
    tuwen_encode::arrays::write(&weights, precision, &Default::default(), &file).expect("a file");
    refused(&["狗", "--rerank", "late", "--heads", "heads"], 1, "another-model");
}

/// Answers rerank requests: a document's score is its length; `/backwards` names a document that is not there.
fn answer(Request { path, body, .. }: &Request) -> (u16, String) {
    let documents = body["documents"].as_array().expect("documents");
    assert!(body["query"].is_string() && body["top_n"] == documents.len());
    let one = |(index, document): (usize, &Value)| {
        let index = if *path == "/backwards" { index + 100 } else { index };
        json!({ "index": index, "relevance_score": document.as_str().expect("text").len() })
    };
    let results: Vec<Value> = documents.iter().enumerate().map(one).rev().collect();
    match &**path {
        "/broken" => (500, "out of order".to_owned()),
        "/words" => (200, "no JSON".to_owned()),
        _ => (200, json!({ "id": "x", "results": results }).to_string()),
    }
}

#[test]
fn a_server_that_speaks_coheres_json_reranks_by_captions() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let captions = "image,caption\nred_car.png,a car\npizza.png,a pizza with tomatoes and cheese\n\
        sunset.png,the sun sets over the sea\n";
    std::fs::write(home.join("captions.csv"), captions).expect("a file");
    gallery(home, &["--captions", "captions.csv"]);
    let url = server(answer);
    let rerank = format!("{url}/rerank:4");
    let hits = search(home, &["food", "--model", "model", "--rerank", &rerank]);
    let found: Vec<String> = names(&hits);
    for (found, wanted) in found.iter().zip(["pizza", "sunset", "red_car", "dog_grass"]) {
        assert!(found.ends_with(&format!("{wanted}.png")), "{found:?}");
    }
    assert_eq!(hits[0]["score"], json!(32.0));
    // What has no caption could not be judged.
    assert!(hits[3]["reranked"].is_null());
    let broken = |path: &str, wanted: &str| {
        let rerank = format!("{url}/{path}");
        let error = fail(home, &["search", "food", "--model", "model", "--rerank", &rerank], 1);
        assert!(error.contains(&url) && error.contains(wanted), "{error}");
    };
    broken("broken", "500 `out of order`");
    broken("words", "relevance_score");
    broken("backwards", "names the document 10");
    let nobody = "http://127.0.0.1:1/rerank";
    let error = fail(home, &["search", "food", "--model", "model", "--rerank", nobody], 1);
    assert!(error.contains(nobody), "{error}");
}
