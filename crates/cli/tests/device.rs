//! `--device`, in a program that knows graphics cards (the feature `gpu`) and in one that does not.

mod common;

use std::path::Path;

use common::{copy_pictures, fail, index, search, succeed, tuwen};

const NAMES: [&str; 4] = ["red_car.png", "pizza.png", "sunset.png", "dog_grass.png"];

fn gallery(home: &Path, options: &[&str]) {
    copy_pictures(&NAMES, &home.join("pictures"));
    index(home, &[&["pictures"], options].concat());
}

fn scores(home: &Path, options: &[&str]) -> Vec<f64> {
    let hits = search(home, &[&["a red car on the road"], options].concat());
    assert!(hits[0]["path"].as_str().expect("a path").ends_with("red_car.png"), "{options:?}");
    hits.iter().map(|hit| hit["score"].as_f64().expect("a score")).collect()
}

#[test]
fn the_cpu_is_what_a_program_without_cards_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    gallery(home, &["--device", "cpu"]);
    let cpu = scores(home, &["--device", "cpu"]);
    if !cfg!(feature = "gpu") {
        assert_eq!(scores(home, &["--device", "auto"]), cpu);
        assert_eq!(scores(home, &[]), cpu);
        let quiet = tuwen(home, &["search", "x", "--device", "auto"]);
        assert!(quiet.status.success() && quiet.stderr.is_empty(), "nothing to choose from");
        std::fs::write(home.join("captions.csv"), "image,caption\nred_car.png,A red car\n")
            .expect("a file");
        let commands: [&[&str]; 4] = [
            &["index", "pictures"],
            &["embed", "--text", "x"],
            &["search", "x"],
            &["eval", "--images", "pictures", "--captions", "captions.csv"],
        ];
        for command in commands {
            let error = fail(home, &[command, &["--device", "gpu"]].concat(), 2);
            assert!(error.contains("without the feature gpu"), "{command:?}: {error}");
            assert!(error.contains("--features gpu") && error.contains("--device cpu"), "{error}");
        }
    }
    let error = fail(home, &["search", "x", "--device", "tpu"], 2);
    assert!(error.contains("tpu") && error.contains("auto, cpu, gpu"), "{error}");
}

/// On whatever the system has: a card, a program in its place, or nothing.
#[test]
fn a_card_gives_the_vectors_of_the_cpu_or_says_that_there_is_none() {
    if !cfg!(feature = "gpu") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    gallery(home, &["--device", "cpu", "--precision", "f32"]);
    let output = tuwen(home, &["search", "a red car on the road", "--device", "gpu"]);
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("no graphics card was found") {
        println!("NOT RUN: {said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("--device cpu"), "{said}");
        return;
    }
    assert!(output.status.success() && said.contains("it runs in f32 on"), "{said}");
    let (cpu, gpu) = (
        scores(home, &["--device", "cpu", "--precision", "f32"]),
        scores(home, &["--device", "gpu"]),
    );
    assert!(cpu.iter().zip(&gpu).all(|(a, b)| (a - b).abs() < 1e-4), "{cpu:?} {gpu:?}");
    // A gallery that the CPU made goes on on the card, and the other way around.
    copy_pictures(&["ship.png"], &home.join("more"));
    index(home, &["more", "--device", "gpu"]);
    let image = home.join("more/ship.png");
    let image = image.to_str().expect("UTF-8");
    let same = search(home, &["--image", image, "--device", "cpu", "--precision", "f32"]);
    assert!((same[0]["score"].as_f64().expect("a score") - 1.0).abs() < 1e-4, "{:?}", same[0]);
    let error = fail(home, &["search", "x", "--device", "gpu", "--precision", "int8"], 1);
    assert!(error.contains("--precision int8") && error.contains("--device cpu"), "{error}");
    succeed(home, &["embed", "--text", "x", "--image", image, "--device", "gpu"]);
}
