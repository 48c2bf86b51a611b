//! The fast CPU step against the same step in burn: one loss, one gradient.

use tuwen_data::image::Preprocess;
use tuwen_data::loader::Batch;
use tuwen_data::rng::Rng;
use tuwen_data::token::TokenBatch;
use tuwen_encode::{Arrays, ModelConfig, TowerConfig};
use tuwen_model::burn::tensor::Device;
use tuwen_train::{Engine, Learns, LossConfig, LossKind, StepInput, Taught, View, gradients};

fn model() -> ModelConfig {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 2, 2, 32) };
    let towers = ModelConfig::new("test", tower(16), tower(12), Preprocess::squash(16));
    ModelConfig { embed_dim: 8, patch: 4, vocab: 40, context: 8, ..towers }
}

/// A model with random weights, and a batch for it.
fn case() -> (ModelConfig, Arrays, Batch) {
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
        same: vec![0, 1, 2, 3],
    };
    (model, arrays, batch)
}

fn input(batch: &Batch) -> StepInput<'_> {
    let keep = Some(vec![vec![0, 5, 9], vec![3, 1, 2], vec![15, 14, 0], vec![8, 4, 6]]);
    let learns = Learns { image: Some(0), text: Some(0) };
    StepInput { batch, keep, features: None, learns, chunk: 0, recompute: false, teacher: None }
}

fn loss(kind: LossKind) -> LossConfig {
    let text = r#"kind = "contrastive"
smoothing = 0.1
between_texts = 0.3"#;
    LossConfig { kind, ..toml::from_str(text).expect("a loss") }
}

fn assert_close(found: &Arrays, wanted: &Arrays, most: f32, what: &str) {
    assert_eq!(
        found.0.keys().collect::<Vec<_>>(),
        wanted.0.keys().collect::<Vec<_>>(),
        "{what}: the same weights"
    );
    for (name, wanted) in &wanted.0 {
        let found = &found.get(name).expect("the same names").data;
        let pairs = found.iter().zip(&wanted.data);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < most, "{what}, {name}: differs by {worst}");
    }
}

#[test]
fn cpu_and_burn_give_the_same_loss_and_gradients() {
    let (model, arrays, batch) = case();
    let view = View::plain(&arrays);
    let logits = vec![(0..16).map(|i| (i * 7 % 5) as f32).collect::<Vec<f32>>(); 2];
    let taught = Taught { logits };
    for kind in [LossKind::Contrastive, LossKind::Sigmoid, LossKind::Triplet] {
        for teacher in [None, Some(taught.clone())] {
            let input = StepInput { teacher, ..input(&batch) };
            let step =
                |engine| gradients(&engine, &model, &view, &loss(kind), &input).expect("a step");
            let (fast_loss, fast) = step(Engine::Cpu);
            let (slow_loss, slow) = step(Engine::Burn(Device::default()));
            assert!((fast_loss - slow_loss).abs() < 1e-4, "{fast_loss} is not {slow_loss}");
            assert!(slow.0.len() > 45, "only {} gradients", slow.0.len());
            let mut fast = fast;
            fast.0.retain(|name, _| slow.0.contains_key(name));
            assert_close(&fast, &slow, 1e-4, &format!("{kind:?}"));
        }
    }
}

#[test]
fn in_chunks_and_computed_again_the_gradient_is_that_of_the_whole() {
    let (model, arrays, batch) = case();
    let view = View::plain(&arrays);
    for kind in [LossKind::Contrastive, LossKind::Sigmoid, LossKind::Triplet] {
        let step = |(chunk, recompute)| {
            let input = StepInput { chunk, recompute, ..input(&batch) };
            gradients(&Engine::Cpu, &model, &view, &loss(kind), &input).expect("a step")
        };
        let (whole_loss, whole) = step((0, false));
        for how in [(1, false), (2, false), (3, false), (0, true), (2, true)] {
            let (loss, grads) = step(how);
            assert!((loss - whole_loss).abs() < 1e-5, "{loss} is not {whole_loss}");
            assert_close(&grads, &whole, 1e-5, &format!("{kind:?}, {how:?}"));
        }
    }
}
