//! `tuwen caption` and `tuwen index --caption`: what a machine says of drawn pictures, files beside pictures, captions that
//! are told from people's, and what is refused.

mod common;

use std::path::Path;

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen, word_piece_model};
use serde_json::Value;

const NAMES: [&str; 3] = ["dog_grass.png", "red_car.png", "pizza.png"];

fn lines(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn texts(line: &Value, language: &str) -> Vec<String> {
    let all = line["captions"].as_array().expect("captions").iter();
    let own = all.filter(|made| made["language"] == language);
    own.map(|made| made["text"].as_str().expect("words").to_owned()).collect()
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c))
}

#[test]
fn pictures_are_described_in_both_languages_and_the_same_way_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    let printed = succeed(home, &["caption", "pictures", "--json"]);
    let all = lines(&printed);
    assert_eq!(all.len(), 3);
    for line in &all {
        let (english, chinese) = (texts(line, "en"), texts(line, "zh"));
        assert_eq!((english.len(), chinese.len()), (1, 1), "{line}");
        assert!(english[0].is_ascii() && english[0].split(' ').count() >= 2, "{english:?}");
        assert!(is_chinese(&chinese[0]), "{chinese:?}");
        assert!(line["captions"][0]["log_prob"].as_f64().expect("a number") < 0.0);
    }
    assert_eq!(succeed(home, &["caption", "pictures", "--json"]), printed);
    // For people: the file, then a line for each language.
    let shown = succeed(home, &["caption", "pictures/pizza.png", "--lang", "zh"]);
    let shown: Vec<&str> = shown.lines().collect();
    assert_eq!(shown[0], "pictures/pizza.png");
    assert!(shown.len() == 2 && shown[1].trim_start().starts_with("zh  "), "{shown:?}");
}

#[test]
fn candidates_are_ranked_and_draws_follow_their_seed() {
    let pictures = demo_pictures();
    let dog = pictures.join("dog_grass.png");
    let dog = dog.to_str().expect("a plain path");
    let here = Path::new(".");
    let asked = |more: &[&str]| {
        let args = [&["caption", dog, "--lang", "en", "--json"], more].concat();
        lines(&succeed(here, &args)).remove(0)
    };
    let ranked = asked(&["--candidates", "4", "--beam", "6", "--length", "0"]);
    let probable: Vec<f64> = ranked["captions"]
        .as_array()
        .expect("captions")
        .iter()
        .map(|made| made["log_prob"].as_f64().expect("a number"))
        .collect();
    assert!(probable.len() == 4 && probable.is_sorted_by(|a, b| a >= b), "{ranked}");
    let reranked = asked(&["--candidates", "4", "--beam", "6", "--rerank"]);
    let cosines = reranked["captions"].as_array().expect("captions").iter();
    assert!(cosines.map(|made| &made["cosine"]).all(Value::is_number), "{reranked}");

    let draw = |seed: &str| asked(&["--sample", "5", "--candidates", "5", "--seed", seed]);
    assert_eq!(draw("1"), draw("1"));
    assert_ne!(texts(&draw("1"), "en"), texts(&draw("2"), "en"));
    let short = asked(&["--min-words", "3", "--max-words", "4"]);
    assert!((3..=4).contains(&texts(&short, "en")[0].split(' ').count()), "{short}");
}

#[test]
fn files_beside_pictures_are_written_once_and_never_over_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, home);
    std::fs::write(home.join("pizza.txt"), "what I wrote myself").expect("written");
    let output = tuwen(home, &["caption", ".", "--sidecar"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("pizza.txt: it is there"), "{said}");
    let read = |name: &str| std::fs::read_to_string(home.join(name)).expect("a text");
    assert_eq!(read("pizza.txt"), "what I wrote myself");
    let own = read("dog_grass.txt");
    assert!(own.lines().count() == 2 && is_chinese(&own), "{own}");
    let output = tuwen(home, &["caption", "dog_grass.png", "--sidecar", "--lang", "en"]);
    assert!(output.status.success());
    assert_eq!(read("dog_grass.txt"), own);
}

#[test]
fn made_captions_are_found_and_told_from_peoples() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    std::fs::write(home.join("said.csv"), "image,caption\nred_car.png,my old car\n")
        .expect("written");
    let run = |more: &[&str]| {
        let args = [&["index", "pictures", "--captions", "said.csv", "--caption"], more].concat();
        let output = tuwen(home, &args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(run(&[]).contains("2 pictures described now, 0 before, 1 described by people"));
    assert!(run(&[]).contains("0 pictures described now, 2 before, 1 described by people"));
    let texts = |filter: &str| -> Vec<String> {
        let hits = search(home, &["--kind", "text", "-k", "100", "--where", filter]);
        hits.iter().map(|hit| hit["text"].as_str().expect("words").to_owned()).collect()
    };
    let made = texts("HAS made_by");
    assert!(made.len() == 4 && made.iter().any(|text| is_chinese(text)), "{made:?}");
    assert_eq!(texts("NOT HAS made_by"), ["my old car"]);
    // A word of a caption finds the picture's caption.
    let word = made.iter().find(|text| text.is_ascii()).expect("English").clone();
    let hits = search(home, &["--kind", "text", "--exact-words", &word]);
    assert!(hits.iter().any(|hit| hit["text"] == Value::String(word.clone())));
    // Of each hit it is told who said it, and of which picture.
    for (filter, is_made) in [("HAS made_by", true), ("NOT HAS made_by", false)] {
        let hits = search(home, &["--kind", "text", "-k", "100", "--where", filter]);
        assert!(hits.iter().all(|hit| hit["made_by"].is_string() == is_made), "{hits:?}");
        assert!(hits.iter().all(|hit| hit["owner"].as_i64().is_some()), "{hits:?}");
    }
    // Where a person has spoken meanwhile, the machine is silent.
    std::fs::write(
        home.join("said.csv"),
        "image,caption\nred_car.png,my old car\npizza.png,dinner\n",
    )
    .expect("written");
    assert!(run(&[]).contains("0 pictures described now, 1 before, 2 described by people"));
    assert_eq!(texts("HAS made_by").len(), 2);
    // A new gallery brings them along.
    assert!(
        run(&["--rebuild"]).contains("0 pictures described now, 1 before, 2 described by people")
    );
}

#[test]
fn bad_pictures_are_skipped_and_what_cannot_be_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["pizza.png"], &home.join("pictures"));
    let draw = |name: &str, width, height| {
        let picture = tuwen_image::RgbImage::from_pixel(width, height, [255, 255, 255].into());
        let bytes = tuwen_image::encode_png(&picture);
        std::fs::write(home.join("pictures").join(name), bytes).expect("written");
    };
    draw("dot.png", 1, 1);
    draw("blank.png", 2000, 30);
    let whole = std::fs::read(home.join("pictures/pizza.png")).expect("a picture");
    std::fs::write(home.join("pictures/cut.png"), &whole[..whole.len() / 3]).expect("written");
    let output = tuwen(home, &["caption", "pictures", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("cut.png"), "{said}");
    assert_eq!(lines(&String::from_utf8(output.stdout).expect("UTF-8")).len(), 3);
    assert!(fail(home, &["caption", "pictures/cut.png"], 1).contains("cut.png"));
    assert!(fail(home, &["caption", "nowhere.png"], 1).contains("nowhere.png"));

    let refused = |more: &[&str], says: &str| {
        let said = fail(home, &[&["caption", "pictures/pizza.png"], more].concat(), 2);
        assert!(said.contains(says), "{more:?}: {said}");
    };
    refused(&["--lang", "fr"], "does not speak `fr`: it speaks en, zh");
    refused(&["--beam", "1000000"], "1 to 64");
    refused(&["--candidates", "0"], "candidates");
    refused(&["--candidates", "1000000"], "1 to 64");
    refused(&["--max-words", "1000"], "this decoder says 1 to");
    refused(&["--sample", "3", "--temperature", "0"], "temperature");
    refused(&["--sample", "3", "--beam", "3"], "cannot be used with");

    word_piece_model(&home.join("model"));
    refused(&["--model", "model"], "there is no decoder of captions for the model `model`");
    let said = fail(home, &["caption", "pictures/pizza.png", "--decoder", "pictures"], 1);
    assert!(said.contains("decoder.json") && said.contains("tuwen captions train"), "{said}");
    // The built-in decoder beside another model.
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tuwen-small-captions");
    let own = own.to_str().expect("a plain path");
    let args = ["caption", "pictures/pizza.png", "--model", "model", "--decoder", own];
    let said = fail(home, &args, 1);
    assert!(said.contains("take the decoder of that model"), "{said}");
    index(home, &["pictures"]);
}
