//! ImageNet's networks as models: features of any layer, galleries that are searched by pictures, and words refused.

mod common;

use std::fs;
use std::path::Path;

use common::{copy_pictures, fail, succeed};

/// A folder with a tiny ResNet of torchvision's and some pictures.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../encode/tests/golden/resnet-tiny.pth");
    fs::copy(golden, home.path().join("resnet-tiny.pth")).expect("a network");
    copy_pictures(&["red_car.png", "dog_ball.png", "cat_sofa.png"], &home.path().join("photos"));
    home
}

/// Columns of a .npy file.
fn width(file: &Path) -> usize {
    let bytes = fs::read(file).expect("a file");
    let head = String::from_utf8_lossy(&bytes[..128]).into_owned();
    let shape = head.split("'shape': (").nth(1).and_then(|rest| rest.split(')').next());
    let columns = shape.and_then(|shape| shape.split(',').nth(1)).expect("two axes");
    columns.trim().parse().expect("a number")
}

#[test]
fn any_layer_of_a_network_is_a_feature() {
    let home = home();
    let home = home.path();
    let args = |layer: &'static str| {
        let from = ["features", "image", "--kind", "tower", "--tower", "resnet-tiny.pth", "photos"];
        [&from[..], &["--layer", layer, "--output", "x.npy", "--force"]].concat()
    };
    for (layer, wide) in [("embedding", 32), ("feature", 32), ("layer2", 8), ("1", 4), ("pool", 32)]
    {
        succeed(home, &args(layer));
        assert_eq!(width(&home.join("x.npy")), wide, "{layer}");
    }
    let said = fail(home, &args("layer7"), 2);
    assert!(said.contains("layer7") && said.contains("stem, layer1, layer2"), "{said}");
    // Blocks of the built-in tower.
    let built_in = ["features", "image", "--kind", "tower", "photos", "--output", "b.npy"];
    succeed(home, &[&built_in[..], &["--layer", "6"]].concat());
    assert_eq!(width(&home.join("b.npy")), 192);
    let said = fail(home, &[&built_in[..], &["--layer", "13", "--force"]].concat(), 2);
    assert!(said.contains("0 (the embedding) to 12"), "{said}");
}

#[test]
fn a_gallery_of_a_network_is_searched_by_pictures_and_words_are_refused() {
    let home = home();
    let home = home.path();
    succeed(home, &["index", "photos", "--gallery", "g", "--model", "resnet-tiny.pth"]);
    let found = succeed(home, &["search", "--gallery", "g", "--image", "photos/dog_ball.png"]);
    let first = found.lines().find(|line| line.contains(".png")).expect("a hit");
    assert!(first.contains("dog_ball.png"), "{found}");
    let said = fail(home, &["search", "--gallery", "g", "a dog"], 1);
    assert!(said.contains("no text tower") && said.contains("features image"), "{said}");
    let said =
        fail(home, &["classify", "photos", "--model", "resnet-tiny.pth", "--label", "dog"], 1);
    assert!(said.contains("no text tower"), "{said}");
    let about = succeed(home, &["model", "info", "resnet-tiny.pth"]);
    assert!(about.contains("ResNet of ImageNet, width 32") && about.contains("none"), "{about}");
}
