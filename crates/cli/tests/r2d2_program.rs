//! R2D2 through the program: its vectors, its matching heads, and what is refused by name. The reference's numbers are those of
//! `scripts/golden/r2d2.py`.

mod common;

use std::path::{Path, PathBuf};

use common::{copy_pictures, fail, index, search, succeed, tuwen};
use serde_json::Value;

const NAMES: [&str; 3] = ["red_car.png", "pizza.png", "sunset.png"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden").join(name)
}

fn wanted() -> Value {
    let text = std::fs::read_to_string(golden("r2d2.json")).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

/// A gallery of the golden's picture and three others, by the golden's model.
fn gallery(home: &Path) -> String {
    copy_pictures(&NAMES, &home.join("pictures"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model_files/picture.png");
    std::fs::copy(own, home.join("pictures/picture.png")).expect("a copy");
    let model = golden("r2d2").to_string_lossy().into_owned();
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
fn a_search_has_the_cosine_and_looking_again_the_score_of_its_authors() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let wanted = wanted();
    let asked = wanted["asked"].as_str().expect("a text");
    let number = |key: &str| wanted[key].as_f64().expect("a number");
    let (cosine, probability) = (number("asked_cosine"), number("asked_probability"));
    let close = |found: f64, wanted: f64| {
        assert!((found - wanted).abs() < 2e-5, "{found} instead of {wanted}");
    };
    close(score(&search(home, &[asked, "--model", &model])), cosine);
    let args = ["search", asked, "--model", &model, "--rerank", "itm:4", "--json"];
    let output = tuwen(home, &args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("5 rows of each of 4 reranked"), "{said}");
    let hits: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    close(score(&hits), probability + cosine);
    assert!(hits.iter().all(|hit| hit["reranked"]["by"] == "itm"), "{hits:?}");
    for stages in ["late:4", "both:3", "late:4,itm:2"] {
        let hits = search(home, &[asked, "--model", &model, "--rerank", stages]);
        assert_eq!(hits.len(), 4, "{stages}");
    }
}

#[test]
fn it_is_measured_and_explained_and_says_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let model = gallery(home);
    let captions = "image,caption\nred_car.png,红\npizza.png,两个孩子\npizza.png,猫\nsunset.png,草地上\n\
        picture.png,穿红色外套的女人\n";
    std::fs::write(home.join("captions.csv"), captions).expect("a file");
    let set = ["eval", "--images", "pictures", "--captions", "captions.csv", "--model", &model];
    let report = succeed(home, &[&set[..], &["--json", "--rerank", "itm:4"]].concat());
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let report = report.as_object().and_then(|all| all.values().next()).expect("a report");
    let mut first = 0u32;
    for line in captions.lines().skip(1) {
        let (picture, caption) = line.split_once(',').expect("two columns");
        let hits = search(home, &[caption, "--model", &model, "--rerank", "itm:4", "-k", "1"]);
        first += u32::from(hits[0]["path"].as_str().is_some_and(|path| path.ends_with(picture)));
    }
    let recall = report["text_to_image"]["recall"][0].as_f64().expect("a recall in percent");
    assert!((recall - 20.0 * f64::from(first)).abs() < 1e-3, "{recall} and {first} of 5");

    let explained = |more: &[&str]| {
        let picture = ["explain", "--image", "pictures/picture.png", "--json", "--model", &model];
        let all = [&picture[..], &["--text", "两个孩子"], more].concat();
        serde_json::from_str::<Value>(&succeed(home, &all)).expect("JSON")
    };
    let found = explained(&["--score", "itm", "--cells", "2"]);
    let map = found["map"].as_array().expect("a map");
    assert_eq!((&found["of"], map.len()), (&"itm".into(), 4));
    assert!(map.iter().any(|value| value.as_f64().is_some_and(|v| v.abs() > 1e-6)), "{found}");
    assert_eq!(explained(&["--method", "chefer"])["method"], "chefer");

    let shown = succeed(home, &["model", "info", &model]);
    let said = "2 of 4 blocks look at the picture, 2 more at the text (--rerank itm)";
    assert!(shown.contains(said), "{shown}");
    let said = fail(home, &["caption", "pictures", "--model", &model], 2);
    assert!(said.contains("no decoder"), "{said}");
}
