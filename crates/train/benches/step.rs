//! A training step's forward, loss and backward of several families on random input, both towers:
//! `cargo bench --workspace --bench step`. PyTorch's beside it: `scripts/bench/step.py`.

use std::path::Path;
use std::time::Instant;

use tuwen_encode::{Arrays, ModelConfig};
use tuwen_gemm::Precision;
use tuwen_image::rng::Rng;
use tuwen_sets::loader::Batch;
use tuwen_text::token::TokenBatch;
use tuwen_train::{LossConfig, StepInput, View, gradients};

/// Architectures, pictures in a batch, tokens of a text.
const CASES: [(&str, usize, usize); 5] = [
    ("tuwen-tiny", 32, 20),
    ("chinese-clip-vit-base-patch16", 8, 20),
    ("clip-vit-base-patch32", 16, 20),
    ("chinese-clip-rn50", 8, 20),
    ("siglip-base-patch16-224", 8, 64),
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/models");
    for (name, rows, tokens) in CASES {
        let model = ModelConfig::load(&folder.join(format!("{name}.json"))).expect("committed");
        let mut rng = Rng::new(&[1]);
        let mut weights = Arrays::default();
        for (name, shape) in model.weight_shapes() {
            let around = if name.ends_with("running_var") { 1.0 } else { 0.0 };
            let value = || around + rng.range(-0.03, 0.03);
            weights.slot(&name, &shape).fill_with(value);
        }
        let batch = batch(&model, rows, tokens, &mut rng);
        let loss: LossConfig = toml::from_str("kind = \"contrastive\"").expect("a loss");
        for precision in [Precision::F32, Precision::Bf16] {
            if !precision.is_here() {
                continue;
            }
            let view = View::plain(&weights).with_precision(precision);
            time(&format!("{name} in {precision:?}"), rows, || {
                let input = StepInput::new(&batch);
                drop(gradients(&model, &view, &loss, &input).expect("a step"));
            });
        }
    }
}

fn batch(model: &ModelConfig, rows: usize, tokens: usize, rng: &mut Rng) -> Batch {
    let size = model.preprocess.size as usize;
    let text = |_| (0..tokens).map(|_| 1 + rng.below(model.vocab - 1) as u32).collect();
    let texts: Vec<Vec<u32>> = (0..rows).map(text).collect();
    Batch {
        pixels: (0..rows * 3 * size * size).map(|_| rng.range(-1.0, 1.0)).collect(),
        texts: vec![TokenBatch::new(&texts)],
        whole: vec![TokenBatch::new(&texts)],
        names: vec![vec![false; rows]],
        true_names: vec![Default::default(); rows],
        text_ids: vec![(0..rows as u64).collect()],
        image_ids: (0..rows as u64).collect(),
        duplicate_groups: (0..rows as u64).collect(),
    }
}

/// Median of three runs after one to warm up.
fn time(what: &str, items: usize, mut run: impl FnMut()) {
    run();
    let mut seconds: Vec<f64> = (0..3)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{what}: {:.2} s, {:.1} pairs/s", seconds[1], items as f64 / seconds[1]);
}
