//! A step's loss and gradients: in pieces, computed again, with frozen parts, with adapters, in bf16.

use std::collections::BTreeMap;

use tuwen_encode::params::ParamKind;
use tuwen_encode::{Arrays, ModelConfig, NormPlace, Pool, ResNet, TowerConfig, Vision};
use tuwen_gemm::Precision;
use tuwen_image::Preprocess;
use tuwen_image::rng::Rng;
use tuwen_sets::loader::Batch;
use tuwen_text::token::TokenBatch;
use tuwen_train::{Lora, LossConfig, LossKind, StepInput, TeacherLogits, View, gradients};

fn model() -> ModelConfig {
    let tower = |width| TowerConfig { norm_eps: 1e-6, ..TowerConfig::new(width, 2, 2, 32) };
    let towers = ModelConfig::new("test", tower(16), tower(12), Preprocess::squash(16));
    ModelConfig { embed_dim: 8, patch: 4, vocab: 40, context: 8, ..towers }
}

/// SigLIP in small: a probe, no projection of pictures, padding that is attended to.
fn sig_lip() -> ModelConfig {
    let mut model = ModelConfig { vision: Vision::Probe, embed_dim: 16, ..model() };
    (model.pool, model.pad, model.text_proj_bias) = (Pool::Last, Some(1), true);
    model
}

/// CLIP's ResNet in small.
fn resnet() -> ModelConfig {
    let vision = Vision::ResNet(ResNet { stem: 2, blocks: [1; 4] });
    let image = TowerConfig::new(64, 0, 2, 0);
    let preprocess = Preprocess::squash(32);
    ModelConfig { vision, image, patch: 32, preprocess, pool: Pool::Last, causal: true, ..model() }
}

/// XLM-R as open_clip wraps it in small: a text tower that normalises afterwards, a masked token in its texts, a
/// hidden layer in their projection.
fn xlm_roberta() -> ModelConfig {
    let mut model = ModelConfig { text_hidden: 10, masked: Some(1), token_types: 1, ..model() };
    (model.positions, model.text.norm, model.text.first_norm) = (10, NormPlace::Post, true);
    model
}

/// A model with random weights, and a batch for it.
fn case(model: ModelConfig) -> (ModelConfig, Arrays, Batch) {
    let size = model.preprocess.size as usize;
    let mut rng = Rng::new(&[11]);
    let mut arrays = Arrays::default();
    for (name, shape) in model.weight_shapes() {
        let positive = name.ends_with("running_var");
        let value = || if positive { rng.range(0.5, 1.0) } else { rng.range(-0.3, 0.3) };
        arrays.slot(&name, &shape).fill_with(value);
    }
    let rows = 4;
    let texts = |seed: u32| {
        let row = |i: u32| (1..=2 + i).map(|j| 1 + (seed + 7 * i + 3 * j) % 39).collect::<Vec<_>>();
        let mut rows: Vec<Vec<u32>> = (0..rows as u32).map(row).collect();
        if let Some(masked) = model.masked {
            rows.iter_mut().for_each(|row| row.insert(1, masked));
        }
        if let Some(pad) = model.pad {
            rows.iter_mut().for_each(|row| row.resize(model.context, pad));
        }
        TokenBatch::new(&rows)
    };
    let batch = Batch {
        pixels: (0..rows * 3 * size * size).map(|_| rng.range(-1.0, 1.0)).collect(),
        texts: vec![texts(1), texts(5)],
        whole: vec![texts(1), texts(5)],
        text_ids: vec![vec![1, 2, 3, 1], vec![5, 6, 7, 8]],
        names: vec![vec![false; rows]; 2],
        true_names: vec![Default::default(); rows],
        image_ids: vec![0, 1, 2, 3],
        duplicate_groups: vec![0, 1, 2, 3],
    };
    (model, arrays, batch)
}

fn input<'b>(model: &ModelConfig, batch: &'b Batch) -> StepInput<'b> {
    let keep = vec![vec![0, 5, 9], vec![3, 1, 2], vec![15, 14, 0], vec![8, 4, 6]];
    let keep = (model.patches() > 1).then_some(keep);
    StepInput { keep, ..StepInput::new(batch) }
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
        let found = &found.0.get(name).expect("the same names").data;
        let pairs = found.iter().zip(&wanted.data);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < most, "{what}, {name}: differs by {worst}");
    }
}

/// Along a random direction the loss rises as its gradient says, for each weight by itself.
fn slopes_agree(what: &str, weights: &Arrays, step: &dyn Fn(&Arrays) -> (f32, Arrays)) {
    const STEP: f32 = 4e-3;
    let (here, grads) = step(weights);
    let (mut rng, mut edges) = (Rng::new(&[17]), 0);
    for (name, grad) in &grads.0 {
        let signs: Vec<f32> = grad.data.iter().map(|_| rng.range(-1.0, 1.0).signum()).collect();
        let moved = |by: f32| {
            let mut weights = weights.clone();
            let values = &mut weights.0.get_mut(name).expect("a weight").data;
            values.iter_mut().zip(&signs).for_each(|(value, sign)| *value += sign * by);
            step(&weights).0
        };
        // Fourth order, so that a large step is exact enough and a small one's rounding does not matter.
        let near = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let far = (moved(2.0 * STEP) - moved(-2.0 * STEP)) / (4.0 * STEP);
        let slope = (4.0 * near - far) / 3.0;
        // Where steps disagree there is an edge (a hinge, or another hardest negative), between them or right here.
        let (right, left) = ((moved(STEP) - here) / STEP, (here - moved(-STEP)) / STEP);
        let edge = |a: f32, b: f32| (a - b).abs() > 2e-3 + 0.05 * near.abs();
        if edge(near, far) || edge(right, left) {
            edges += 1;
            continue;
        }
        let wanted = grad.data.iter().zip(&signs).map(|(g, s)| g * s).sum::<f32>();
        let bound = 2e-3 + 0.02 * wanted.abs();
        assert!((slope - wanted).abs() < bound, "{what}, {name}: {slope} is not {wanted}");
    }
    assert!(edges * 3 < grads.0.len(), "{what}: {edges} edges among {}", grads.0.len());
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for model in [model(), xlm_roberta(), sig_lip(), resnet()] {
        let (model, arrays, batch) = case(model);
        let logits = vec![vec![0.0, 3.0, 1.0, 4.0, 2.0, 0.5, 1.0, 0.0, 2.0]; 2];
        let taught = TeacherLogits { known: vec![0, 1, 3], logits };
        for kind in [LossKind::Contrastive, LossKind::Sigmoid, LossKind::Triplet] {
            let input = StepInput { teacher: Some(taught.clone()), ..input(&model, &batch) };
            // A batch normalisation rectifies behind it: there the loss has edges, and this one more than others.
            if kind == LossKind::Triplet && model.has_convolutions() {
                continue;
            }
            slopes_agree(&format!("{kind:?}"), &arrays, &|weights| {
                gradients(&model, &View::plain(weights), &loss(kind), &input).expect("a step")
            });
        }
    }
}

#[test]
fn adapters_have_the_slopes_of_the_loss_and_merge_into_the_same_model() {
    let (model, arrays, batch) = case(model());
    let lora: Lora = toml::from_str("rank = 2\nalpha = 3.0\nlr = 1.0").expect("adapters");
    let mut rng = Rng::new(&[23]);
    let mut trainable = Arrays::default();
    for param in model.params().iter().filter(|p| matches!(p.kind, ParamKind::Matrix(_))) {
        let (out, wide) = (param.shape[0], param.shape[1]);
        for (end, shape) in [("/lora_a", [2, wide]), ("/lora_b", [out, 2])] {
            let name = format!("{}{end}", param.name);
            trainable.slot(&name, &shape).fill_with(|| rng.range(-0.3, 0.3));
        }
    }
    let (input, loss) = (input(&model, &batch), loss(LossKind::Contrastive));
    fn view<'a>(trainable: &'a Arrays, base: &'a Arrays, lora: &'a Lora) -> View<'a> {
        View::partly(trainable, base).with_lora(lora)
    }
    let step = |trainable: &Arrays| {
        gradients(&model, &view(trainable, &arrays, &lora), &loss, &input).expect("a step")
    };
    let (beside, grads) = step(&trainable);
    assert!(grads.0.keys().eq(trainable.0.keys()), "adapters learn, and nothing else");
    slopes_agree("adapters", &trainable, &step);
    let merged = view(&trainable, &arrays, &lora).to_arrays(&model).expect("the whole model");
    let (whole, _) = gradients(&model, &View::plain(&merged), &loss, &input).expect("a step");
    assert!((beside - whole).abs() < 1e-5, "{beside} is not {whole}");
}

#[test]
fn in_chunks_and_computed_again_the_gradient_is_that_of_the_whole() {
    [model(), sig_lip(), resnet(), xlm_roberta()].into_iter().for_each(chunks_agree);
}

fn chunks_agree(model: ModelConfig) {
    let (model, arrays, batch) = case(model);
    let view = View::plain(&arrays);
    for kind in [LossKind::Contrastive, LossKind::Sigmoid, LossKind::Triplet] {
        let step = |(chunk, recompute)| {
            let input = StepInput { chunk, recompute, ..input(&model, &batch) };
            gradients(&model, &view, &loss(kind), &input).expect("a step")
        };
        let (whole_loss, whole) = step((0, false));
        for how in [(1, false), (2, false), (3, false), (0, true), (2, true)] {
            let (loss, grads) = step(how);
            assert!((loss - whole_loss).abs() < 1e-5, "{loss} is not {whole_loss}");
            assert_close(&grads, &whole, 1e-5, &format!("{kind:?}, {how:?}"));
        }
    }
}

#[test]
fn what_learns_has_the_same_gradient_when_the_blocks_below_are_frozen() {
    let (model, arrays, batch) = case(model());
    let learns = |name: &str| name.contains("blocks.1.") || name.starts_with("heads.");
    let (upper, lower): (BTreeMap<_, _>, BTreeMap<_, _>) =
        arrays.0.clone().into_iter().partition(|(name, _)| learns(name));
    let (upper, lower) = (Arrays(upper), Arrays(lower));
    let step = |view: &View<'_>| {
        let (input, loss) = (input(&model, &batch), loss(LossKind::Contrastive));
        gradients(&model, view, &loss, &input).expect("a step").1
    };
    let mut whole = step(&View::plain(&arrays));
    let above = step(&View::partly(&upper, &lower));
    assert!(above.0.keys().all(|name| learns(name)), "what is frozen has none");
    whole.0.retain(|name, _| learns(name));
    assert!(
        ["image.blocks.1.", "text.blocks.1."]
            .iter()
            .all(|part| above.0.keys().any(|name| name.starts_with(part)))
    );
    assert_close(&above, &whole, 1e-6, "from block 1 on");
}

#[test]
fn with_bf16_the_gradient_points_where_it_did() {
    if !Precision::Bf16.is_here() {
        return eprintln!("not run: this processor has no avx512_bf16");
    }
    for model in [model(), sig_lip(), resnet()] {
        let (model, arrays, batch) = case(model);
        let step = |precision| {
            let view = View::plain(&arrays).with_precision(precision);
            let (input, loss) = (input(&model, &batch), loss(LossKind::Contrastive));
            gradients(&model, &view, &loss, &input).expect("a step")
        };
        let (loss, exact) = step(Precision::F32);
        let (rounded_loss, rounded) = step(Precision::Bf16);
        assert!(loss != rounded_loss && (loss - rounded_loss).abs() < 0.02 * loss.abs());
        let values = |grads: &Arrays| -> Vec<f32> {
            grads.0.values().flat_map(|array| array.data.clone()).collect()
        };
        let (a, b) = (values(&exact), values(&rounded));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        assert!(cosine > 0.995, "cosine {cosine}");
    }
}
