//! A step on the CPU: towers of `tuwen-encode`, projections and loss in burn.

use std::ops::Range;

use tuwen_encode::towers::{AnyImageTower, BagOfWords, Pass, Record, TextTower};
use tuwen_encode::{Array, Arrays, ModelConfig, Weights};
use tuwen_model::burn::tensor::{Device, Gradients, Tensor, TensorData};
use tuwen_model::{Heads, weights};
use tuwen_sets::loader::Batch;
use tuwen_text::token::TokenBatch;

use super::StepInput;
use super::objective::{Features, total};
use crate::Result;
use crate::config::LossConfig;
use crate::partition::View;

/// See [`super::gradients`].
pub(super) fn gradients(
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    // Not burn's default device, which is a GPU in a program that is built for one.
    let device = Device::flex().autodiff();
    let tower = || AnyImageTower::new(model, view);
    let tower = input.features.is_none().then(tower).transpose()?;
    let pieces = pieces(input.batch.image_ids.len(), input.chunk);
    let images = Images { tower, input, model, pieces, learns: view.any_learns("image.") };
    let texts = Texts::new(model, view, input)?;

    // GradCache: with several pieces the first pass keeps the features alone, and a second one recomputes
    // the activations, piece by piece, once the features' gradients are known.
    let image_passes = images.forward();
    let text_passes = texts.forward();
    let image_features = match &input.features {
        Some(features) => features.clone(),
        None => joined(&image_passes),
    };
    let text_features = texts.features(&text_passes);
    let leaf = |features: &[f32], width: usize| {
        let data = TensorData::new(features.to_vec(), [features.len() / width, width]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let image_leaf = leaf(&image_features, model.image.width);
    let text_leaf = leaf(&text_features, model.text_feature());
    let heads = heads_from(model, view, &device)?;
    let parts = parts(input, &image_leaf, &text_leaf);
    let total = total(&heads, &parts, input, config);
    let mut burned = total.backward();

    let mut grads = Arrays::default();
    images.backward(image_passes, &take(&image_leaf, &mut burned), &mut grads);
    texts.backward(text_passes, &take(&text_leaf, &mut burned), &mut grads);
    for (name, array) in weights::gradients(&heads, burned).0 {
        grads.0.insert(format!("heads.{name}"), array);
    }
    Ok((total.into_scalar(), grads))
}

/// The features of the pictures with their texts, and of the examples with theirs.
fn parts<'a>(input: &'a StepInput<'_>, images: &Tensor<2>, texts: &Tensor<2>) -> Vec<Features<'a>> {
    let mut at = 0;
    let mut groups = |batch: &Batch| -> Vec<Tensor<2>> {
        let [_, width] = texts.dims();
        let part = |batch: &TokenBatch| {
            at += batch.rows;
            texts.clone().slice([at - batch.rows..at, 0..width])
        };
        batch.texts.iter().map(part).collect()
    };
    let (batch, own) = (input.batch, groups(input.batch));
    let mut parts = vec![Features { images: images.clone(), texts: own, batch, weight: 1.0 }];
    if let Some(examples) = &input.examples {
        let rows = examples.batch.image_ids.len();
        let shape = [rows, examples.features.len() / rows.max(1)];
        let data = TensorData::new(examples.features.clone(), shape);
        let images = Tensor::from_data(data, &images.device());
        let (batch, texts) = (&examples.batch, groups(&examples.batch));
        parts.push(Features { images, texts, batch, weight: examples.weight });
    }
    parts
}

/// Which activations a forward pass keeps; none when the backward pass of a `whole` batch is not next.
fn record(learns: bool, whole: bool, recompute: bool) -> Record {
    match learns && whole {
        true if recompute => Record::Inputs,
        true => Record::All,
        false => Record::No,
    }
}

fn joined(passes: &[Pass<'_>]) -> Vec<f32> {
    passes.iter().flat_map(|pass| &pass.features).copied().collect()
}

/// The image tower over a batch, piece by piece.
struct Images<'a> {
    /// None where its features are known.
    tower: Option<AnyImageTower<'a>>,
    input: &'a StepInput<'a>,
    model: &'a ModelConfig,
    pieces: Vec<Range<usize>>,
    /// Whether any of its weights does.
    learns: bool,
}

impl Images<'_> {
    fn keep(&self, piece: &Range<usize>) -> Option<&[Vec<usize>]> {
        self.input.keep.as_deref().map(|keep| &keep[piece.clone()])
    }

    fn piece<'t>(
        &self,
        tower: &'t AnyImageTower<'_>,
        piece: &Range<usize>,
        record: Record,
    ) -> Pass<'t> {
        let size = 3 * (self.model.preprocess.size as usize).pow(2);
        let pixels = &self.input.batch.pixels[piece.start * size..piece.end * size];
        tower.forward(pixels, self.keep(piece), record)
    }

    /// None where the tower's features are known.
    fn forward(&self) -> Vec<Pass<'_>> {
        let Some(tower) = &self.tower else { return Vec::new() };
        let whole = self.pieces.len() == 1;
        let record = record(self.learns, whole, self.input.recompute);
        self.pieces.iter().map(|piece| self.piece(tower, piece, record)).collect()
    }

    fn backward(&self, passes: Vec<Pass<'_>>, dfeatures: &[f32], grads: &mut Arrays) {
        let Some(tower) = self.tower.as_ref().filter(|_| self.learns) else { return };
        let (width, whole) = (self.model.image.width, self.pieces.len() == 1);
        let full = record(self.learns, true, self.input.recompute);
        for (piece, pass) in self.pieces.iter().zip(passes) {
            let pass = if whole { pass } else { self.piece(tower, piece, full) };
            let dfeatures = &dfeatures[piece.start * width..piece.end * width];
            grads.accumulate(tower.backward(pass, dfeatures));
        }
    }
}

/// The text tower over all texts of a batch, piece by piece. The groups lie one behind the other, so that the
/// tower's chunks are full.
struct Texts<'a> {
    /// None where its features are known.
    tower: Option<TextTower<'a>>,
    words: Option<BagOfWords<'a>>,
    input: &'a StepInput<'a>,
    rows: Vec<&'a [u32]>,
    pieces: Vec<Range<usize>>,
    width: usize,
    /// Whether any of the tower's weights does.
    learns: bool,
}

impl<'a> Texts<'a> {
    fn new(model: &ModelConfig, view: &'a View<'_>, input: &'a StepInput<'_>) -> Result<Self> {
        let examples = input.examples.iter().flat_map(|examples| &examples.batch.texts);
        let rows: Vec<&[u32]> =
            input.batch.texts.iter().chain(examples).flat_map(rows_of).collect();
        let pieces = pieces(rows.len(), input.chunk * input.batch.texts.len());
        let width = model.text_feature();
        let tower = || TextTower::new(model, view);
        let tower = input.deep.is_none().then(tower).transpose()?;
        let (words, learns) = (BagOfWords::find(model, &view)?, view.any_learns("text."));
        Ok(Self { tower, words, input, rows, pieces, width, learns })
    }

    /// None where the tower's features are known.
    fn forward(&self) -> Vec<Pass<'_>> {
        let Some(tower) = &self.tower else { return Vec::new() };
        let whole = self.pieces.len() == 1;
        let record = record(self.learns, whole, self.input.recompute);
        self.pieces.iter().map(|p| tower.forward(&self.rows[p.clone()], record)).collect()
    }

    fn features(&self, passes: &[Pass<'_>]) -> Vec<f32> {
        match (&self.input.deep, &self.words) {
            (None, _) => joined(passes),
            (Some(deep), Some(words)) => words.beside(deep, &self.rows),
            (Some(deep), None) => deep.clone(),
        }
    }

    fn backward(&self, passes: Vec<Pass<'_>>, dfeatures: &[f32], grads: &mut Arrays) {
        let Some(tower) = self.tower.as_ref().filter(|_| self.learns) else {
            let words = self.words.iter();
            return words.for_each(|words| grads.accumulate(words.backward(&self.rows, dfeatures)));
        };
        let whole = self.pieces.len() == 1;
        let full = record(self.learns, true, self.input.recompute);
        for (piece, pass) in self.pieces.iter().zip(passes) {
            let rows = &self.rows[piece.clone()];
            let pass = if whole { pass } else { tower.forward(rows, full) };
            let dfeatures = &dfeatures[piece.start * self.width..piece.end * self.width];
            grads.accumulate(tower.backward(pass, rows, dfeatures));
        }
    }
}

/// Neighbouring pieces of at most `size` of `all`; one piece when `size` is 0.
fn pieces(all: usize, size: usize) -> Vec<Range<usize>> {
    let size = if size == 0 { all } else { size };
    (0..all).step_by(size.max(1)).map(|start| start..(start + size).min(all)).collect()
}

fn heads_from(model: &ModelConfig, view: &View<'_>, device: &Device) -> Result<Heads> {
    let named = model.weight_shapes().into_iter().filter_map(|(name, shape)| {
        let short = name.strip_prefix("heads.")?.to_owned();
        Some(view.find(&name).map(|(_, data)| (short, Array { shape, data: data.into_owned() })))
    });
    let arrays = named.collect::<tuwen_encode::Result<_>>()?;
    Ok(weights::into_module(Heads::new(model, device), Arrays(arrays))?)
}

/// A leaf's gradient; zeros where the loss does not depend on it, as when the triplet loss keeps its margin
/// everywhere.
fn take(leaf: &Tensor<2>, gradients: &mut Gradients) -> Vec<f32> {
    match leaf.grad_remove(gradients) {
        Some(gradient) => weights::to_vec(gradient),
        None => vec![0.0; leaf.dims().iter().product()],
    }
}

fn rows_of(batch: &TokenBatch) -> impl Iterator<Item = &[u32]> {
    batch.ids.chunks_exact(batch.len)
}
