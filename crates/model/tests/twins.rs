//! The fast CPU towers against the burn reference: same weights, same input, same output, and the
//! same gradients.

use burn::tensor::{Device, Int, Tensor, TensorData};
use tuwen_data::image::Preprocess;
use tuwen_data::rng::Rng;
use tuwen_encode::towers::{ImageTower, Record, TextTower};
use tuwen_encode::{Activation, Arrays, ModelConfig, NormPlace, Pool, TowerConfig};
use tuwen_model::{DualEncoder, burn, weights};

fn config() -> ModelConfig {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 3, 2, 40) };
    let towers = ModelConfig::new("test", tower(24), tower(20), Preprocess::squash(16));
    ModelConfig { embed_dim: 8, patch: 4, vocab: 50, context: 12, ..towers }
}

/// tuwen-tiny, CLIP, Chinese-CLIP, and SigLIP's GELU in small.
fn families() -> [ModelConfig; 4] {
    let mut clip = config();
    (clip.image.first_norm, clip.patch_bias) = (true, false);
    (clip.image.activation, clip.text.activation) = (Activation::QuickGelu, Activation::QuickGelu);
    (clip.pool, clip.causal) = (Pool::Last, true);
    let mut chinese = ModelConfig { pool: Pool::First, causal: false, ..clip.clone() };
    (chinese.text.norm, chinese.text.first_norm) = (NormPlace::Post, true);
    chinese.text.activation = Activation::Gelu;
    (chinese.token_types, chinese.positions) = (2, 15);
    let mut tanh = config();
    (tanh.image.activation, tanh.text.activation) = (Activation::GeluTanh, Activation::GeluTanh);
    [config(), clip, chinese, tanh]
}

/// Weights large enough that every part of the network matters.
fn model(config: &ModelConfig, device: &Device) -> (DualEncoder, Arrays) {
    let mut rng = Rng::new(&[3]);
    let mut arrays = Arrays::default();
    for (name, shape) in config.weight_shapes() {
        arrays.slot(&name, &shape).fill_with(|| rng.range(-0.4, 0.4));
    }
    let model = DualEncoder::new(config, device);
    (weights::into_module(model, arrays.clone()).expect("the same names"), arrays)
}

fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(&[seed]);
    (0..n).map(|_| rng.range(-1.0, 1.0)).collect()
}

fn close(what: &str, found: &[f32], wanted: &[f32], bound: f32) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < bound, "{what}: differs by {worst}");
}

/// Gradients of the whole model for a loss of `sum(features * weights)`.
fn burn_gradients(model: &DualEncoder, features: Tensor<2>, weight: &[f32]) -> Arrays {
    let dims = features.dims();
    let data = TensorData::new(weight.to_vec(), dims);
    let loss = (features.clone() * Tensor::from_data(data, &features.device())).sum();
    weights::gradients(model, loss.backward())
}

fn same_gradients(fast: &Arrays, slow: &Arrays, prefix: &str) {
    let used = slow.0.iter().filter(|(name, _)| name.starts_with(prefix));
    let mut count = 0;
    for (name, wanted) in used {
        close(name, &fast.get(name).expect("every gradient").data, &wanted.data, 2e-4);
        count += 1;
    }
    assert!(count > 30, "only {count} gradients were compared");
}

#[test]
fn image_towers_agree_with_and_without_dropped_patches() {
    families().iter().for_each(image_towers_agree);
}

fn image_towers_agree(config: &ModelConfig) {
    let device = Device::default().autodiff();
    let (model, arrays) = model(config, &device);
    let pixels = random(3 * 3 * 16 * 16, 5);
    let keep = [vec![0, 7, 3, 15, 9], vec![1, 2, 3, 4, 5], vec![14, 8, 0, 6, 11]];
    for keep in [None, Some(&keep[..])] {
        let input = TensorData::new(pixels.clone(), [3, 3, 16, 16]);
        let kept = keep.map(|keep| {
            let flat: Vec<i32> = keep.iter().flatten().map(|&k| k as i32).collect();
            Tensor::<2, Int>::from_data(TensorData::new(flat, [3, 5]), &device)
        });
        let slow = model.image.forward(Tensor::from_data(input, &device), kept);
        let tower = ImageTower::new(config, &arrays).expect("all weights");
        let pass = tower.forward(&pixels, keep, Record::From(0));
        close("features", &pass.features, &weights::to_vec(slow.clone()), 1e-4);
        let unrecorded = tower.forward(&pixels, keep, Record::No);
        close("features without a way back", &unrecorded.features, &pass.features, 1e-5);
        let weight = random(3 * 24, 7);
        let fast = tower.backward(pass, keep, &weight);
        same_gradients(&fast, &burn_gradients(&model, slow, &weight), "image.");
    }
}

#[test]
fn text_towers_agree_on_texts_of_different_length() {
    families().iter().for_each(text_towers_agree);
}

fn text_towers_agree(config: &ModelConfig) {
    let device = Device::default().autodiff();
    let (model, arrays) = model(config, &device);
    let texts: [&[u32]; 3] = [&[1, 2, 3, 4, 5, 6, 7], &[9, 9], &[49, 1, 20, 33]];
    let mut padded = vec![0i32; 3 * 7];
    for (row, ids) in padded.chunks_exact_mut(7).zip(texts) {
        row.iter_mut().zip(ids).for_each(|(slot, &id)| *slot = id as i32);
    }
    let ids = Tensor::<2, Int>::from_data(TensorData::new(padded, [3, 7]), &device);
    let slow = model.text.forward(ids);
    let tower = TextTower::new(config, &arrays).expect("all weights");
    let pass = tower.forward(&texts, Record::From(0));
    close("features", &pass.features, &weights::to_vec(slow.clone()), 1e-4);
    let unrecorded = tower.forward(&texts, Record::No);
    close("features without a way back", &unrecorded.features, &pass.features, 1e-5);
    let weight = random(3 * 20, 7);
    let fast = tower.backward(pass, &texts, &weight);
    same_gradients(&fast, &burn_gradients(&model, slow, &weight), "text.");
}
