//! Image towers from timm's checkpoints beside timm (`scripts/golden/vit.py`).

use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_encode::towers::{ImageTower, Record};
use tuwen_encode::{ModelConfig, TowerConfig, checkpoint};
use tuwen_image::Preprocess;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn wanted(key: &str) -> Vec<f32> {
    let text = std::fs::read_to_string(golden("vit.json")).expect("goldens are committed");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    serde_json::from_value(all[key].clone()).expect("a list of numbers")
}

/// The class token's feature of the same picture as in `vit.py`.
fn feature(size: u32, patch: usize, image: TowerConfig, checkpoint: &Path) -> Vec<f32> {
    let text = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(4, 1, 1, 4) };
    let towers = ModelConfig::new("golden", image, text, Preprocess::squash(size));
    let config = ModelConfig { patch, vocab: 10, context: 4, ..towers };
    let mut arrays = config.random_weights(1);
    arrays.0.extend(checkpoint::timm_vit(checkpoint).expect("a timm ViT").0);
    config.check_weights(&arrays).expect("timm's names and shapes");
    let values = 3 * size * size;
    let pixels: Vec<f32> =
        (0..values).map(|i| ((f64::from(i) * 0.37).sin() * 0.8) as f32).collect();
    let tower = ImageTower::new(&config, &arrays).expect("all weights");
    tower.forward(&pixels, None, Record::No).features
}

fn close(found: &[f32], wanted: &[f32], bound: f32) {
    assert_eq!(found.len(), wanted.len());
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < bound, "differs by {worst}");
}

#[test]
fn a_seeded_vit_equals_timms() {
    let tower = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(24, 3, 2, 48) };
    let found = feature(16, 4, tower, &golden("vit-tiny-seeded.safetensors"));
    close(&found, &wanted("seeded"), 1e-5);
}

/// Uses `TUWEN_SHARED` (default `../shared`).
#[test]
fn the_imagenet_vit_equals_timms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TUWEN_SHARED").map_or(root.join("../shared"), PathBuf::from);
    let checkpoint = shared.join("weights/vit-tiny-imagenet/model.safetensors");
    if !checkpoint.exists() {
        return not_run(&format!("{} is not there (TUWEN_SHARED)", checkpoint.display()));
    }
    let tower = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(192, 12, 3, 768) };
    close(&feature(224, 16, tower, &checkpoint), &wanted("imagenet"), 1e-4);
}

/// Past the test runner, which hides what passing tests print.
fn not_run(why: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("not run: {why}\n").as_bytes());
}
