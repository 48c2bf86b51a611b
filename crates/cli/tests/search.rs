//! The four directions, on pictures the model has never seen.

mod common;

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};

const CAPTIONS: &str = "image,caption\n\
    red_car.png,A red car drives on the road.\n\
    pizza.png,一个有番茄和奶酪的披萨。\n\
    sunset.png,The sun sets over the sea.\n\
    dog_grass.png,\"A brown dog, running on the grass.\"\n";
const NAMES: [&str; 4] = ["red_car.png", "pizza.png", "sunset.png", "dog_grass.png"];

#[test]
fn all_four_directions_find_what_belongs_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    std::fs::write(home.join("captions.csv"), CAPTIONS).expect("a file");
    let summary = index(home, &["pictures", "--captions", "captions.csv"]);
    assert_eq!((&summary["added"], &summary["texts"]), (&4.into(), &4.into()), "{summary}");

    let image = home.join("pictures/red_car.png");
    let image = image.to_str().expect("UTF-8");
    let best = |args: &[&str], key: &str| -> String {
        let hits = search(home, args);
        assert_eq!(hits.len(), 4, "every item is ranked");
        hits[0][key].as_str().expect("a string").to_owned()
    };
    assert!(best(&["a red car on the road"], "path").ends_with("red_car.png"), "text to image");
    assert!(best(&["一辆红色的汽车"], "path").ends_with("red_car.png"), "Chinese text to image");
    assert!(best(&["--image", image, "--kind", "text"], "text").contains("car"), "image to text");
    let same = search(home, &["--image", image]);
    assert!(same[0]["path"].as_str().expect("a path").ends_with("red_car.png"), "image to image");
    assert!((same[0]["score"].as_f64().expect("a score") - 1.0).abs() < 1e-3, "itself, exactly");
    let text = best(&["A red car drives on the road.", "--kind", "text"], "text");
    assert_eq!(text, "A red car drives on the road.", "text to text");
    let both = search(home, &["on the road", "--image", image, "-k", "1"]);
    assert!(both[0]["path"].as_str().expect("a path").ends_with("red_car.png"), "both");

    succeed(home, &["search", "红色的汽车", "--html", "hits.html"]);
    let page = std::fs::read_to_string(home.join("hits.html")).expect("the page");
    assert!(page.contains("红色的汽车") && page.matches("data:image/jpeg").count() == 4);
}

#[test]
fn the_demo_runs_and_beats_chance_by_far() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = succeed(folder.path(), &["demo"]);
    assert!(folder.path().join("tuwen-demo/demo.html").is_file());
    for language in ["en", "zh"] {
        let line =
            out.lines().find(|l| l.contains(&format!("captions, {language}"))).expect("a line");
        let r5: f64 = line
            .split("R@5 ")
            .nth(1)
            .and_then(|t| t.split(' ').next())
            .expect("R@5")
            .parse()
            .expect("a number");
        assert!(r5 > 60.0, "chance is 5: {line}");
    }
    // Both of a picture's things, before the others that have one of them.
    let args = ["a dog on the grass", "--gallery", "tuwen-demo/gallery", "-k", "2"];
    let hits = search(folder.path(), &args);
    // Two drawings show that: they come before all others.
    for name in ["dog_grass.png", "dog_ball.png"] {
        let is =
            |hit: &serde_json::Value| hit["path"].as_str().is_some_and(|path| path.ends_with(name));
        assert!(hits.iter().any(is), "{name}: {hits:?}");
    }
}

#[test]
fn bad_queries_are_usage_errors_and_long_ones_are_cut_with_a_note() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    assert!(fail(home, &["search"], 2).contains("--image"));
    assert!(fail(home, &["search", "   "], 2).contains("empty"));
    assert!(fail(home, &["search", "\u{200b} \u{feff}"], 2).contains("empty"));
    fail(home, &["search", "--nonsense"], 2);
    assert!(fail(home, &["search", "a dog"], 1).contains("tuwen index"), "no gallery yet");
    copy_pictures(&["cat_sofa.png"], &home.join("pictures"));
    index(home, &["pictures"]);
    let long = "狗".repeat(100_000);
    let output = tuwen(home, &["search", &long[..120_000]]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("tokens are ignored"));
    assert!(fail(home, &["search", "--image", "no.jpg"], 1).contains("no.jpg"));
}

#[test]
fn embeddings_are_unit_vectors_and_the_same_alone_and_in_a_gallery() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = demo_pictures().join("pizza.png");
    let out = succeed(
        folder.path(),
        &["embed", "--text", "一只狗", "--image", picture.to_str().expect("UTF-8")],
    );
    let mut lengths = 0;
    for line in out.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let vector: Vec<f64> = serde_json::from_value(value["embedding"].clone()).expect("numbers");
        let length: f64 = vector.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-4);
        lengths += 1;
    }
    assert_eq!(lengths, 2);
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = std::process::Command::new(common::TUWEN)
        .args(["completions", "bash"])
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .output()
        .expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{error}");
}

#[test]
fn texts_beyond_the_context_are_counted_or_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "一只狗在绿色的草地上奔跑，一个孩子看着它。".repeat(6);
    std::fs::write(folder.path().join("t.txt"), format!("{long}\n短句\n")).expect("a file");
    let output = tuwen(folder.path(), &["index", "--captions", "t.txt"]);
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && note.contains("1 text is longer"), "{note}");
    let query = tuwen(folder.path(), &["search", &long, "--kind", "text"]);
    assert!(String::from_utf8_lossy(&query.stderr).contains("tokens are ignored"));
    let all = ["index", "--captions", "t.txt", "--rebuild", "--long-text", "window"];
    let output = tuwen(folder.path(), &all);
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("longer"));
    // Other vectors than the gallery's: refused, not compared.
    let other = fail(folder.path(), &["search", &long, "--kind", "text"], 1);
    assert!(other.contains("--long-text window"), "{other}");
    let query = tuwen(folder.path(), &["search", &long, "--kind", "text", "--long-text", "window"]);
    assert!(query.status.success() && query.stderr.is_empty());
}

#[test]
fn a_gallery_takes_products_of_any_precision_from_its_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &["pictures"]);
    let scores = |precision: &str| -> Vec<f64> {
        let hits = search(home, &["a red car on the road", "--precision", precision]);
        assert!(hits[0]["path"].as_str().expect("a path").ends_with("red_car.png"), "{precision}");
        hits.iter().map(|hit| hit["score"].as_f64().expect("a score")).collect()
    };
    let (auto, whole, bytes) = (scores("auto"), scores("f32"), scores("int8"));
    assert_eq!(auto, bytes, "the built-in model is stored in 8 bits");
    assert_ne!(auto, whole, "f32 multiplies something else");
    assert!(auto.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 0.02), "{auto:?} {whole:?}");
    let error = fail(home, &["search", "x", "--precision", "int4"], 2);
    assert!(error.contains("int4") && error.contains("int8"), "{error}");
}
