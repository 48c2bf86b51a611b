//! The fast CPU towers against the burn reference: same weights, same input, same output, and the
//! same gradients.

use burn::tensor::{Device, Int, Tensor, TensorData};
use tuwen_encode::towers::{AnyImageTower, Record, TextTower};
use tuwen_encode::{Activation, Arrays, ModelConfig, NormPlace, Pool, ResNet, TowerConfig, Vision};
use tuwen_image::Preprocess;
use tuwen_image::rng::Rng;
use tuwen_model::{DualEncoder, burn, weights};

fn config() -> ModelConfig {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 3, 2, 40) };
    let towers = ModelConfig::new("test", tower(24), tower(20), Preprocess::squash(16));
    ModelConfig { embed_dim: 8, patch: 4, vocab: 50, context: 12, ..towers }
}

/// tuwen-tiny, CLIP, Chinese-CLIP, SigLIP and CLIP's ResNet in small.
fn families() -> [ModelConfig; 5] {
    let mut clip = config();
    (clip.image.first_norm, clip.patch_bias) = (true, false);
    (clip.image.activation, clip.text.activation) = (Activation::QuickGelu, Activation::QuickGelu);
    (clip.pool, clip.causal) = (Pool::Last, true);
    let mut chinese = ModelConfig { pool: Pool::First, causal: false, ..clip.clone() };
    (chinese.text.norm, chinese.text.first_norm) = (NormPlace::Post, true);
    chinese.text.activation = Activation::Gelu;
    (chinese.token_types, chinese.positions) = (2, 15);
    let mut sig = config();
    (sig.image.activation, sig.text.activation) = (Activation::GeluTanh, Activation::GeluTanh);
    (sig.vision, sig.embed_dim, sig.pool, sig.pad) = (Vision::Probe, 24, Pool::Last, Some(1));
    sig.text_proj_bias = true;
    let mut resnet = clip.clone();
    resnet.vision = Vision::ResNet(ResNet { stem: 4, blocks: [1, 2, 1, 1] });
    (resnet.image, resnet.patch) = (TowerConfig::new(128, 0, 4, 0), 32);
    resnet.preprocess = Preprocess::squash(96);
    [config(), clip, chinese, sig, resnet]
}

/// Weights large enough that every part of the network matters.
fn model(config: &ModelConfig, device: &Device) -> (DualEncoder, Arrays) {
    let mut rng = Rng::new(&[3]);
    let mut arrays = Arrays::default();
    for (name, shape) in config.weight_shapes() {
        let positive = name.ends_with("running_var");
        let value = || if positive { rng.range(0.5, 2.0) } else { rng.range(-0.4, 0.4) };
        arrays.slot(&name, &shape).fill_with(value);
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
    let learned = |name: &&String| name.starts_with(prefix) && !name.contains("running_");
    let used: Vec<&String> = slow.0.keys().filter(learned).collect();
    assert_eq!(fast.0.keys().collect::<Vec<_>>(), used);
    for (name, wanted) in slow.0.iter().filter(|(name, _)| learned(name)) {
        // In large networks the gradients are large.
        let largest = wanted.data.iter().fold(1.0, |a: f32, b| a.max(b.abs()));
        close(name, &fast.get(name).expect("every gradient").data, &wanted.data, 2e-4 * largest);
    }
    assert!(used.len() > 30, "only {} gradients were compared", used.len());
}

#[test]
fn image_towers_agree_with_and_without_dropped_patches() {
    families().iter().for_each(image_towers_agree);
}

fn image_towers_agree(config: &ModelConfig) {
    let device = Device::default().autodiff();
    let (model, arrays) = model(config, &device);
    let size = config.preprocess.size as usize;
    let pixels = random(3 * 3 * size * size, 5);
    let keep = [vec![0, 7, 3, 15, 9], vec![1, 2, 3, 4, 5], vec![14, 8, 0, 6, 11]];
    let keeps = [None, Some(&keep[..])];
    let patches = !matches!(config.vision, Vision::ResNet(_));
    for keep in keeps.into_iter().take(if patches { 2 } else { 1 }) {
        let input = TensorData::new(pixels.clone(), [3, 3, size, size]);
        let kept = keep.map(|keep| {
            let flat: Vec<i32> = keep.iter().flatten().map(|&k| k as i32).collect();
            Tensor::<2, Int>::from_data(TensorData::new(flat, [3, 5]), &device)
        });
        let slow = model.image.forward(Tensor::from_data(input, &device), kept);
        let tower = AnyImageTower::new(config, &arrays).expect("all weights");
        let pass = tower.forward(&pixels, keep, Record::All);
        let features = pass.features.clone();
        close("features", &features, &weights::to_vec(slow.clone()), 1e-3);
        let unrecorded = tower.forward(&pixels, keep, Record::No);
        close("features without a backward pass", &unrecorded.features, &features, 1e-5);
        let weight = random(3 * config.image.width, 7);
        let fast = tower.backward(pass, &weight);
        same_gradients(&fast, &burn_gradients(&model, slow, &weight), "image.");
        let again = tower.backward(tower.forward(&pixels, keep, Record::Inputs), &weight);
        assert_eq!(again.0.len(), fast.0.len());
        for (name, array) in &again.0 {
            close(&format!("computed again, {name}"), &array.data, &fast.0[name].data, 1e-5);
        }
    }
}

#[test]
fn text_towers_agree_on_texts_of_different_length() {
    families().iter().for_each(text_towers_agree);
}

fn text_towers_agree(config: &ModelConfig) {
    let device = Device::default().autodiff();
    let (model, arrays) = model(config, &device);
    // 0 inside a text is a token as any other. Where a model has its own padding, all are as long.
    let (even, ragged): ([&[u32]; 3], [&[u32]; 3]) = (
        [&[1, 2, 3, 4, 5, 6, 7], &[9, 9, 1, 1, 1, 1, 1], &[49, 3, 20, 0, 0, 0, 0]],
        [&[1, 2, 3, 4, 5, 6, 7], &[9, 9], &[49, 0, 20, 33]],
    );
    let texts = if config.pad.is_some() { even } else { ragged };
    let mut padded = vec![0i32; 3 * 7];
    for (row, ids) in padded.chunks_exact_mut(7).zip(texts) {
        row.iter_mut().zip(ids).for_each(|(slot, &id)| *slot = id as i32);
    }
    let ids = Tensor::<2, Int>::from_data(TensorData::new(padded, [3, 7]), &device);
    let slow = model.text.forward(ids);
    let tower = TextTower::new(config, &arrays).expect("all weights");
    let pass = tower.forward(&texts, Record::All);
    close("features", &pass.features, &weights::to_vec(slow.clone()), 1e-4);
    let unrecorded = tower.forward(&texts, Record::No);
    close("features without a backward pass", &unrecorded.features, &pass.features, 1e-5);
    let weight = random(3 * 20, 7);
    let fast = tower.backward(pass, &texts, &weight);
    same_gradients(&fast, &burn_gradients(&model, slow, &weight), "text.");
}
