//! A batch to a loss and gradients.
//!
//! On the CPU the towers run in `tuwen-encode` and only projections and loss in burn: the towers'
//! features enter burn as leaves, and their gradients go back into the towers. On another device
//! everything runs in burn. A test holds the two to the same gradients.

use std::ops::Range;

use tuwen_data::loader::Batch;
use tuwen_data::token::TokenBatch;
use tuwen_encode::towers::{AnyImageTower, Pass, Record, TextTower};
use tuwen_encode::{Array, Arrays, ModelConfig, Weights};
use tuwen_model::burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use tuwen_model::{DualEncoder, Heads, loss, weights};

use crate::Result;
use crate::config::{LossConfig, LossKind};
use crate::learner::View;

/// What computes the towers.
#[derive(Clone, Debug)]
pub enum Engine {
    /// The fast CPU twin.
    Cpu,
    /// burn, on any device.
    Burn(Device),
}

/// One batch with everything random already decided.
pub struct StepInput<'a> {
    /// Pictures and texts.
    pub batch: &'a Batch,
    /// For each picture the patches to keep.
    pub keep: Option<Vec<Vec<usize>>>,
    /// Features of a frozen image tower, (B, W), instead of pixels.
    pub features: Option<Vec<f32>>,
    /// Where each tower begins to learn; none where it does not.
    pub learns: Learns,
    /// Pictures whose activations are in memory at once; 0 for all.
    pub chunk: usize,
    /// Whether of these only the blocks' inputs are kept.
    pub recompute: bool,
    /// What a teacher makes of the batch.
    pub teacher: Option<Taught>,
}

/// The first block of each tower that learns, 0 with the embedding; none where no block does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learns {
    /// Of the image tower.
    pub image: Option<usize>,
    /// Of the text tower.
    pub text: Option<usize>,
}

/// A teacher's logits of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    /// For each group of texts (B, B), pictures by texts, scaled.
    pub logits: Vec<Vec<f32>>,
}

/// The loss and the gradients by name.
///
/// # Errors
/// A weight is missing.
pub fn gradients(
    engine: &Engine,
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    match engine {
        Engine::Cpu => on_cpu(model, view, config, input),
        Engine::Burn(device) => on_device(device, model, view, config, input),
    }
}

fn on_cpu(
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    // Not the default one, which is a GPU in a program built for it.
    let device = Device::flex().autodiff();
    let images = Images { tower: AnyImageTower::new(model, view)?, input, model };
    let texts = TextTower::new(model, view)?;
    let pictures = input.batch.image_ids.len();
    let pieces = pieces(pictures, input.chunk);
    // All groups behind each other: fewer, fuller chunks.
    let rows: Vec<&[u32]> = input.batch.texts.iter().flat_map(rows_of).collect();
    let text_pieces = self::pieces(rows.len(), input.chunk * input.batch.texts.len());

    // With several pieces the activations are forgotten, and computed again when the features'
    // gradients are known.
    let whole = pieces.len() == 1;
    let full = |block: usize| match input.recompute {
        true => Record::Inputs(block),
        false => Record::From(block),
    };
    let record = |learns: Option<usize>| match learns {
        Some(block) if whole => full(block),
        _ => Record::No,
    };
    let mut image_passes = Vec::new();
    if input.features.is_none() {
        let pass = |piece: &Range<usize>| images.forward(piece, record(input.learns.image));
        image_passes = pieces.iter().map(pass).collect();
    }
    let mut text_passes: Vec<Pass> = text_pieces
        .iter()
        .map(|piece| texts.forward(&rows[piece.clone()], record(input.learns.text)))
        .collect();

    let joined = |passes: &[Pass]| passes.iter().flat_map(|p| &p.features).copied().collect();
    let image_features = input.features.clone().unwrap_or_else(|| joined(&image_passes));
    let text_features: Vec<f32> = joined(&text_passes);
    let leaf = |features: &[f32], width: usize| {
        let data = TensorData::new(features.to_vec(), [features.len() / width, width]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let image_leaf = leaf(&image_features, model.image.width);
    let width = model.text.width;
    let text_leaves: Vec<Tensor<2>> =
        text_features.chunks_exact(pictures * width).map(|part| leaf(part, width)).collect();
    let heads = heads_from(model, view, &device)?;
    let total = total_loss(&heads, image_leaf.clone(), &text_leaves, input, config);
    let mut burned = total.backward();

    let mut grads = Arrays::default();
    if let Some(block) = input.learns.image.filter(|_| input.features.is_none()) {
        let dimages = take(&image_leaf, &mut burned);
        for (piece, pass) in pieces.iter().zip(image_passes) {
            let pass = if whole { pass } else { images.forward(piece, full(block)) };
            grads.accumulate(images.backward(piece, pass, &dimages));
        }
    }
    if let Some(block) = input.learns.text {
        let dtexts: Vec<f32> =
            text_leaves.iter().flat_map(|leaf| take(leaf, &mut burned)).collect();
        for (piece, pass) in text_pieces.iter().zip(text_passes.drain(..)) {
            let rows = &rows[piece.clone()];
            let pass = if whole { pass } else { texts.forward(rows, full(block)) };
            let dtexts = &dtexts[piece.start * width..piece.end * width];
            grads.accumulate(texts.backward(pass, rows, dtexts));
        }
    }
    for (name, array) in weights::gradients(&heads, burned).0 {
        grads.0.insert(format!("heads.{name}"), array);
    }
    Ok((total.into_scalar(), grads))
}

/// The image tower on parts of a batch.
struct Images<'a> {
    tower: AnyImageTower<'a>,
    input: &'a StepInput<'a>,
    model: &'a ModelConfig,
}

impl Images<'_> {
    fn keep(&self, piece: &Range<usize>) -> Option<&[Vec<usize>]> {
        self.input.keep.as_deref().map(|keep| &keep[piece.clone()])
    }

    fn forward(&self, piece: &Range<usize>, record: Record) -> Pass {
        let size = 3 * (self.model.preprocess.size as usize).pow(2);
        let pixels = &self.input.batch.pixels[piece.start * size..piece.end * size];
        self.tower.forward(pixels, self.keep(piece), record)
    }

    fn backward(&self, piece: &Range<usize>, pass: Pass, dimages: &[f32]) -> Arrays {
        let width = self.model.image.width;
        let dimages = &dimages[piece.start * width..piece.end * width];
        self.tower.backward(pass, self.keep(piece), dimages)
    }
}

/// Neighbouring parts of at most `size` of `all`; one part when `size` is 0.
fn pieces(all: usize, size: usize) -> Vec<Range<usize>> {
    let size = if size == 0 { all } else { size };
    (0..all).step_by(size.max(1)).map(|start| start..(start + size).min(all)).collect()
}

fn on_device(
    device: &Device,
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    let device = device.clone().autodiff();
    let arrays = view.to_arrays(model)?;
    let dual = weights::into_module(DualEncoder::new(model, &device), arrays)?;
    let rows = input.batch.image_ids.len();
    let images = match &input.features {
        Some(features) => {
            let data = TensorData::new(features.clone(), [rows, model.image.width]);
            Tensor::from_data(data, &device)
        }
        None => {
            let size = model.preprocess.size as usize;
            let data = TensorData::new(input.batch.pixels.clone(), [rows, 3, size, size]);
            let keep = input.keep.as_ref().map(|keep| {
                let flat: Vec<i32> = keep.iter().flatten().map(|&k| k as i32).collect();
                let shape = [rows, flat.len() / rows];
                Tensor::<2, Int>::from_data(TensorData::new(flat, shape), &device)
            });
            dual.image.forward(Tensor::from_data(data, &device), keep)
        }
    };
    let texts: Vec<Tensor<2>> = input
        .batch
        .texts
        .iter()
        .map(|texts| dual.text.forward(ids_tensor(texts, &device)))
        .collect();
    let total = total_loss(&dual.heads, images, &texts, input, config);
    let grads = weights::gradients(&dual, total.backward());
    Ok((total.into_scalar(), grads))
}

/// Pictures against each group of texts, and neighbouring groups of texts against each other.
fn total_loss(
    heads: &Heads,
    image_features: Tensor<2>,
    text_features: &[Tensor<2>],
    input: &StepInput<'_>,
    config: &LossConfig,
) -> Tensor<1> {
    let (device, batch) = (image_features.device(), input.batch);
    let images = heads.project_images(image_features);
    let texts: Vec<Tensor<2>> =
        text_features.iter().map(|features| heads.project_texts(features.clone())).collect();
    let pairs = |group: usize| -> Vec<(u64, u64)> {
        batch.same.iter().copied().zip(batch.text_ids[group].iter().copied()).collect()
    };
    let one = |a: Tensor<2>, b: Tensor<2>, rows: &[(u64, u64)], columns: &[(u64, u64)]| {
        let positives = loss::positives(rows, columns, &device);
        let scale = heads.logit_scale.val();
        match config.kind {
            LossKind::Contrastive => loss::contrastive(a, b, scale, positives, config.smoothing),
            LossKind::Sigmoid => loss::sigmoid(a, b, scale, heads.logit_bias.val(), positives),
            LossKind::Triplet => loss::triplet(a, b, positives, config.margin),
        }
    };
    let mut total = Tensor::zeros([1], &device);
    for (group, text) in texts.iter().enumerate() {
        let pairs = pairs(group);
        let mut part = one(images.clone(), text.clone(), &pairs, &pairs);
        if let Some(taught) = &input.teacher {
            let rows = batch.image_ids.len();
            let data = TensorData::new(taught.logits[group].clone(), [rows, rows]);
            let scale = heads.logit_scale.val().exp().unsqueeze::<2>();
            let logits = images.clone().matmul(text.clone().transpose()) * scale;
            let mimic = loss::mimic(logits, Tensor::from_data(data, &device));
            part = part * (1.0 - config.teacher_weight) + mimic * config.teacher_weight;
        }
        total = total + part / texts.len() as f64;
    }
    if config.between_texts > 0.0 && texts.len() > 1 {
        for (group, pair) in texts.windows(2).enumerate() {
            let part = one(pair[0].clone(), pair[1].clone(), &pairs(group), &pairs(group + 1));
            total = total + part * (config.between_texts / (texts.len() - 1) as f64);
        }
    }
    total
}

fn heads_from(model: &ModelConfig, view: &View<'_>, device: &Device) -> Result<Heads> {
    let named = model.weight_shapes().into_iter().filter_map(|(name, shape)| {
        let short = name.strip_prefix("heads.")?.to_owned();
        Some(view.find(&name).map(|(_, data)| (short, Array { shape, data: data.into_owned() })))
    });
    let arrays = named.collect::<tuwen_encode::Result<_>>()?;
    Ok(weights::into_module(Heads::new(model, device), Arrays(arrays))?)
}

/// A leaf's gradient; zeros where a margin is kept everywhere and nothing depends on it.
fn take(leaf: &Tensor<2>, gradients: &mut Gradients) -> Vec<f32> {
    match leaf.grad_remove(gradients) {
        Some(gradient) => weights::to_vec(gradient),
        None => vec![0.0; leaf.dims().iter().product()],
    }
}

fn rows_of(batch: &TokenBatch) -> impl Iterator<Item = &[u32]> {
    batch.ids.chunks_exact(batch.len)
}

fn ids_tensor(batch: &TokenBatch, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = batch.ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.len]), device)
}
