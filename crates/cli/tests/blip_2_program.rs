//! BLIP-2 through the program: its vectors, its queries, its own matching head, and what is refused by name. The reference's
//! numbers are those of `scripts/golden/blip_2.py`.

mod common;

use std::path::{Path, PathBuf};

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 3] = ["red_car.png", "pizza.png", "sunset.png"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden").join(name)
}

fn wanted() -> Value {
    let text = std::fs::read_to_string(golden("blip-2.json")).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

fn pictures(home: &Path) -> String {
    copy_pictures(&NAMES, &home.join("pictures"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model_files/picture.png");
    std::fs::copy(own, home.join("pictures/picture.png")).expect("a copy");
    golden("blip-2").to_string_lossy().into_owned()
}

/// A gallery of the golden's picture and three others, by the golden's model.
fn gallery(home: &Path) -> String {
    let model = pictures(home);
    index(home, &["pictures", "--model", &model]);
    model
}

fn score(hits: &[Value]) -> f64 {
    let own =
        |hit: &&Value| hit["path"].as_str().is_some_and(|path| path.ends_with("/picture.png"));
    let hit = hits.iter().find(own).expect("the golden's picture");
    hit["score"].as_f64().expect("a score")
}

#[test]
fn a_search_has_the_cosines_and_looking_again_the_scores_of_transformers() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let wanted = wanted();
    let asked = wanted["asked"].as_str().expect("a text");
    let number = |key: &str| wanted[key].as_f64().expect("a number");
    let (cosine, contrast) = (number("asked_cosine"), number("asked_contrast"));
    let logit = wanted["asked_match"][1].as_f64().expect("a number");
    let close = |found: f64, wanted: f64, bound: f64| {
        assert!((found - wanted).abs() < bound, "{found} instead of {wanted}");
    };
    close(score(&search(home, &[asked, "--model", &model])), cosine, 2e-5);
    // The best of the picture's queries, which are stored in 8 bits.
    let late = search(home, &[asked, "--model", &model, "--rerank", "late:4"]);
    close(score(&late), contrast, 5e-3);
    assert!((contrast - cosine).abs() > 2e-2, "the best query is not the mean of all");

    let args = ["search", asked, "--model", &model, "--rerank", "itm:4", "--json"];
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("17 rows of each of 4 reranked"), "{said}");
    let hits: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    // Its authors' program adds the contrastive score to the logit of a match.
    close(score(&hits), logit + contrast, 2e-5);
    assert!(hits.iter().all(|hit| hit["reranked"]["by"] == "itm"), "{hits:?}");
    assert!(hits.is_sorted_by(|a, b| a["score"].as_f64() >= b["score"].as_f64()));
    for stages in ["both:3", "late:4,itm:2"] {
        let hits = search(home, &[asked, "--model", &model, "--rerank", stages]);
        assert_eq!(hits.len(), 4, "{stages}");
    }
    std::fs::remove_file(home.join("pictures/pizza.png")).expect("removed");
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 of 4 photos could not be looked at again"), "{said}");
}

/// The queries of each picture are its tokens, 5 of 16 bytes each, and stay with the gallery.
#[test]
fn a_gallery_keeps_the_queries_of_its_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = pictures(home);
    let output = tuwen(home, &["index", "pictures", "--tokens", "--model", &model]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("5 patches of 16 bytes"), "{said}");
    let asked = wanted()["asked"].as_str().expect("a text").to_owned();
    let args = |rerank: &str| search(home, &[&asked, "--model", &model, "--rerank", rerank]);
    let before = args("late:4");
    // They are read, not computed from the pictures, which the matching head needs.
    for name in NAMES {
        std::fs::remove_file(home.join("pictures").join(name)).expect("removed");
    }
    assert_eq!(before, args("late:4"));
    let again = ["search", &asked, "--model", &model, "--rerank", "itm:4"];
    let said = String::from_utf8_lossy(&tuwen(home, &again).stderr).into_owned();
    assert!(said.contains("3 of 4 photos could not be looked at again"), "{said}");
}

#[test]
fn an_evaluation_says_what_the_search_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let captions = "image,caption\nred_car.png,a red car\npizza.png,a cup of coffee\npizza.png,three books\n\
        sunset.png,sea gulls at sunset\npicture.png,a woman in a red coat\n";
    std::fs::write(home.join("captions.csv"), captions).expect("a file");
    let report = |more: &[&str]| {
        let set = ["eval", "--images", "pictures", "--captions", "captions.csv"];
        let all = [&set[..], &["--model", &model, "--json"], more].concat();
        let json: Value = serde_json::from_str(&succeed(home, &all)).expect("JSON");
        json.as_object().and_then(|all| all.values().next()).expect("a report").clone()
    };
    for stages in ["itm:4", "late:4", "late:4,itm:2"] {
        let mut first = 0u32;
        for line in captions.lines().skip(1) {
            let (picture, caption) = line.split_once(',').expect("two columns");
            let hits = search(home, &[caption, "--model", &model, "--rerank", stages, "-k", "1"]);
            first +=
                u32::from(hits[0]["path"].as_str().is_some_and(|path| path.ends_with(picture)));
        }
        let found = report(&["--rerank", stages]);
        let recall = found["text_to_image"]["recall"][0].as_f64().expect("a recall in percent");
        assert!(
            (recall - 20.0 * f64::from(first)).abs() < 1e-3,
            "{stages}: {recall}, {first} of 5"
        );
    }
    assert_ne!(report(&[]), report(&["--rerank", "itm:4"]), "the order is another");
}

#[test]
fn scores_are_explained_by_hiding_and_what_reads_patches_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = pictures(home);
    let plain =
        ["explain", "--image", "pictures/picture.png", "--text", "a dog", "--model", &model];
    let explained = |more: &[&str]| {
        let all = [&plain[..], &["--json"], more].concat();
        serde_json::from_str::<Value>(&succeed(home, &all)).expect("JSON")
    };
    for score in ["itm", "late"] {
        let found = explained(&["--score", score, "--cells", "2"]);
        let map = found["map"].as_array().expect("a map");
        assert_eq!((&found["of"], map.len()), (&score.into(), 4));
        assert!(map.iter().any(|value| value.as_f64().is_some_and(|v| v.abs() > 1e-4)), "{found}");
    }
    // Gradients go back through the queries, and are taken where nobody says how.
    assert_eq!(explained(&[])["method"], "gradcam");
    for method in ["gradient", "occlusion"] {
        assert_eq!(explained(&["--method", method])["method"], method);
    }
    for method in ["chefer", "rollout", "legrad", "grad-eclip", "patches", "surgery"] {
        let error = fail(home, &[&plain[..], &["--method", method]].concat(), 2);
        assert!(error.contains("Q-Former") && error.contains("gradcam"), "{method}: {error}");
    }
}

#[test]
fn what_it_cannot_do_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = pictures(home);
    let shown = succeed(home, &["model", "info", &model]);
    assert!(shown.contains("queries      5 for each picture"), "{shown}");
    assert!(shown.contains("2 of 3 blocks look at the picture (--rerank itm)"), "{shown}");
    let said = fail(home, &["caption", "pictures", "--model", &model], 2);
    assert!(said.contains("for retrieval") && said.contains("cannot caption"), "{said}");
    let lines = NAMES.map(|name| format!("{name},a thing of {name}\n"));
    std::fs::write(home.join("captions.csv"), format!("image,caption\n{}", lines.concat()))
        .expect("a file");
    let set = ["captions.csv", "--images", "pictures"];
    succeed(home, &[&["data", "split"], &set[..], &["--out", "split"]].concat());
    let ids = ["--train-ids", "split/train.ids", "--valid-ids", "split/val.ids"];
    let begun = ["--model", &model, "--out", "train.toml"];
    succeed(home, &[&["train", "init"], &set[..], &ids, &begun].concat());
    let said = fail(home, &["train", "train.toml"], 1);
    assert!(said.contains("BLIP-2") && said.contains("heads train"), "{said}");
}
