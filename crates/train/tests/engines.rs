//! The fast CPU step against the same step in burn: one loss, one gradient.

use tuwen_data::image::Preprocess;
use tuwen_data::loader::Batch;
use tuwen_data::rng::Rng;
use tuwen_data::token::TokenBatch;
use tuwen_encode::{Arrays, ModelConfig, TowerConfig};
use tuwen_model::burn::tensor::Device;
use tuwen_train::{Engine, LossConfig, LossKind, StepInput, gradients};

fn model() -> ModelConfig {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 2, 2, 32) };
    let towers = ModelConfig::new("test", tower(16), tower(12), Preprocess::squash(16));
    ModelConfig { embed_dim: 8, patch: 4, vocab: 40, context: 8, ..towers }
}

#[test]
fn cpu_and_burn_give_the_same_loss_and_gradients() {
    let model = model();
    let mut rng = Rng::new(&[11]);
    let mut arrays = Arrays::default();
    for (name, shape) in model.weight_shapes() {
        arrays.slot(&name, &shape).fill_with(|| rng.range(-0.3, 0.3));
    }
    let rows = 4;
    let texts = |seed: u32| {
        let row = |i: u32| (1..=2 + i).map(|j| 1 + (seed + 7 * i + 3 * j) % 39).collect::<Vec<_>>();
        TokenBatch::new(&(0..rows as u32).map(row).collect::<Vec<_>>())
    };
    let batch = Batch {
        pixels: (0..rows * 3 * 16 * 16).map(|_| rng.range(-1.0, 1.0)).collect(),
        texts: vec![texts(1), texts(5)],
        text_ids: vec![vec![1, 2, 3, 1], vec![5, 6, 7, 8]],
        image_ids: vec![0, 1, 2, 3],
    };
    let keep = Some(vec![vec![0, 5, 9], vec![3, 1, 2], vec![15, 14, 0], vec![8, 4, 6]]);
    for kind in [LossKind::Contrastive, LossKind::Sigmoid] {
        let config = LossConfig { kind, smoothing: 0.1, between_texts: 0.3 };
        let input = StepInput { batch: &batch, keep: keep.clone(), features: None, first_block: 0 };
        let step = |engine| gradients(&engine, &model, &arrays, &config, &input).expect("a step");
        let (fast_loss, fast) = step(Engine::Cpu);
        let (slow_loss, slow) = step(Engine::Burn(Device::default()));
        assert!((fast_loss - slow_loss).abs() < 1e-4, "{fast_loss} is not {slow_loss}");
        assert!(slow.0.len() > 50, "only {} gradients", slow.0.len());
        for (name, wanted) in &slow.0 {
            let found = &fast.get(name).expect("every gradient").data;
            let pairs = found.iter().zip(&wanted.data);
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{kind:?}, {name}: differs by {worst}");
        }
    }
}
