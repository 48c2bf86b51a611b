//! The burn model against timm and PyTorch (`scripts/golden`).

use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_encode::{Arrays, ModelConfig, TowerConfig};
use tuwen_image::Preprocess;
use tuwen_model::burn::tensor::{Device, Tensor, TensorData};
use tuwen_model::{DualEncoder, load_imagenet_vit, loss, weights};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read_json(name: &str) -> Value {
    let text = std::fs::read_to_string(golden(name)).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn close(what: &str, found: &[f32], wanted: &[f32], bound: f32) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < bound, "{what}: differs by {worst}");
}

/// The same picture as `vit.py`.
fn picture(size: usize) -> Vec<f32> {
    (0..3 * size * size).map(|i| ((i as f64 * 0.37).sin() * 0.8) as f32).collect()
}

fn config(size: u32, patch: usize, image: TowerConfig) -> ModelConfig {
    let text = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(4, 1, 1, 4) };
    let towers = ModelConfig::new("golden", image, text, Preprocess::squash(size));
    ModelConfig { patch, vocab: 10, context: 4, ..towers }
}

/// The class token's feature, in burn and in the fast twin.
fn features(config: &ModelConfig, checkpoint: &Path) -> (Vec<f32>, Vec<f32>) {
    let device = Device::default();
    let mut arrays: Arrays = weights::from_module(&DualEncoder::new(config, &device));
    arrays.0.extend(load_imagenet_vit(checkpoint).expect("a timm ViT").0);
    config.check_weights(&arrays).expect("timm's names and shapes");
    let size = config.preprocess.size as usize;
    let fast = tuwen_encode::towers::ImageTower::new(config, &arrays).expect("all weights");
    let fast = fast.forward(&picture(size), None, tuwen_encode::towers::Record::No).features;
    let model = weights::into_module(DualEncoder::new(config, &device), arrays).expect("the same");
    let pixels = TensorData::new(picture(size), [1, 3, size, size]);
    let slow = model.image.forward(Tensor::from_data(pixels, &device), None);
    (weights::to_vec(slow), fast)
}

#[test]
fn a_seeded_vit_equals_timms() {
    let tower = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(24, 3, 2, 48) };
    let config = config(16, 4, tower);
    let (slow, fast) = features(&config, &golden("vit-tiny-seeded.safetensors"));
    let wanted = floats(&read_json("vit.json")["seeded"]);
    close("burn", &slow, &wanted, 1e-5);
    close("fast twin", &fast, &wanted, 1e-5);
}

/// Uses `TUWEN_SHARED` (default `../shared`).
#[test]
fn the_imagenet_vit_equals_timms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("TUWEN_SHARED").map_or(root.join("../shared"), PathBuf::from);
    let checkpoint = shared.join("weights/vit-tiny-imagenet/model.safetensors");
    if !checkpoint.exists() {
        not_run(&format!("{} is not there (TUWEN_SHARED)", checkpoint.display()));
        return;
    }
    let tower = TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(192, 12, 3, 768) };
    let (slow, fast) = features(&config(224, 16, tower), &checkpoint);
    let wanted = floats(&read_json("vit.json")["imagenet"]);
    close("burn", &slow, &wanted, 1e-4);
    close("fast twin", &fast, &wanted, 1e-4);
}

#[test]
fn losses_and_gradients_equal_pytorchs() {
    let case = read_json("losses.json");
    let device = Device::default().autodiff();
    let dim = case["dim"].as_u64().expect("a number") as usize;
    let pairs: Vec<(u64, u64)> = serde_json::from_value(case["pairs"].clone()).expect("pairs");
    let leaf = |key: &str| {
        let data = TensorData::new(floats(&case[key]), [pairs.len(), dim]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let scalar = |key: &str| {
        let value = case[key].as_f64().expect("a number") as f32;
        Tensor::<1>::from_floats([value], &device).require_grad()
    };
    for name in ["contrastive", "smoothed", "sigmoid"] {
        let (a, b, scale, bias) = (leaf("a"), leaf("b"), scalar("log_scale"), scalar("bias"));
        let related = |a: &(u64, u64), b: &(u64, u64)| Some(a.0 == b.0 || a.1 == b.1);
        let all = pairs.iter().flat_map(|a| pairs.iter().map(move |b| related(a, b)));
        let shape = [pairs.len(), pairs.len()];
        let positives = loss::Targets::new(&all.collect::<Vec<_>>(), shape, &device);
        let args = (a.clone(), b.clone(), scale.clone());
        let value = match name {
            "contrastive" => loss::contrastive(args.0, args.1, args.2, positives, 0.0),
            "smoothed" => loss::contrastive(args.0, args.1, args.2, positives, 0.1),
            _ => loss::sigmoid(args.0, args.1, args.2, bias.clone(), positives),
        };
        let grads = value.backward();
        let wanted = &case[name];
        let loss = wanted["loss"].as_f64().expect("a number") as f32;
        close(name, &[value.into_scalar()], &[loss], 1e-5);
        let gradient = |t: &Tensor<2>| weights::to_vec(t.grad(&grads).expect("a gradient"));
        close(&format!("{name}: a"), &gradient(&a), &floats(&wanted["a"]), 1e-5);
        close(&format!("{name}: b"), &gradient(&b), &floats(&wanted["b"]), 1e-5);
        let scale = weights::to_vec(scale.grad(&grads).expect("a gradient"));
        close(&format!("{name}: scale"), &scale, &floats(&wanted["scale"]), 1e-5);
        if name == "sigmoid" {
            let bias = weights::to_vec(bias.grad(&grads).expect("a gradient"));
            close("sigmoid: bias", &bias, &floats(&wanted["bias"]), 1e-5);
        }
    }
}

/// Past the test runner, which hides what passing tests print.
fn not_run(why: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("not run: {why}\n").as_bytes());
}
