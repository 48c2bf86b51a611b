//! The towers over a batch, piece by piece, and back.
//!
//! GradCache (Gao et al. 2021, <https://arxiv.org/abs/2101.06983>): with several pieces the first pass keeps the
//! features alone, and a second one computes the activations again, piece by piece, once the features' gradients
//! are known.

use std::ops::Range;

use tuwen_encode::params::Part;
use tuwen_encode::towers::{AnyImageTower, BagOfWords, Pass, Record, TextTower};
use tuwen_encode::{Arrays, ModelConfig};
use tuwen_text::token::TokenBatch;

use super::StepInput;
use crate::Result;
use crate::partition::View;

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

/// The image tower over a batch.
pub(super) struct Images<'a> {
    /// None where its features are known.
    tower: Option<AnyImageTower<'a>>,
    input: &'a StepInput<'a>,
    model: &'a ModelConfig,
    pieces: Vec<Range<usize>>,
    /// Whether any of its weights does.
    learns: bool,
}

impl<'a> Images<'a> {
    pub(super) fn new(
        model: &'a ModelConfig,
        view: &'a View<'_>,
        input: &'a StepInput<'_>,
    ) -> Result<Self> {
        let tower = || AnyImageTower::new(model, view);
        let tower = input.features.is_none().then(tower).transpose()?;
        let pieces = pieces(input.batch.image_ids.len(), input.chunk);
        Ok(Self { tower, input, model, pieces, learns: view.any_learns(model, Part::Image) })
    }

    pub(super) fn features(&self, passes: &[Pass<'_>]) -> Vec<f32> {
        self.input.features.clone().unwrap_or_else(|| joined(passes))
    }

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
    pub(super) fn forward(&self) -> Vec<Pass<'_>> {
        let Some(tower) = &self.tower else { return Vec::new() };
        let whole = self.pieces.len() == 1;
        let record = record(self.learns, whole, self.input.recompute);
        self.pieces.iter().map(|piece| self.piece(tower, piece, record)).collect()
    }

    pub(super) fn backward(&self, passes: Vec<Pass<'_>>, dfeatures: &[f32], grads: &mut Arrays) {
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
pub(super) struct Texts<'a> {
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
    pub(super) fn new(
        model: &ModelConfig,
        view: &'a View<'_>,
        input: &'a StepInput<'_>,
    ) -> Result<Self> {
        let examples = input.examples.iter().flat_map(|examples| &examples.batch.texts);
        let rows: Vec<&[u32]> =
            input.batch.texts.iter().chain(examples).flat_map(rows_of).collect();
        let pieces = pieces(rows.len(), input.chunk * input.batch.texts.len());
        let width = model.text_feature();
        let tower = || TextTower::new(model, view);
        let tower = input.deep.is_none().then(tower).transpose()?;
        let (words, learns) = (BagOfWords::find(model, &view)?, view.any_learns(model, Part::Text));
        Ok(Self { tower, words, input, rows, pieces, width, learns })
    }

    /// None where the tower's features are known.
    pub(super) fn forward(&self) -> Vec<Pass<'_>> {
        let Some(tower) = &self.tower else { return Vec::new() };
        let whole = self.pieces.len() == 1;
        let record = record(self.learns, whole, self.input.recompute);
        self.pieces.iter().map(|p| tower.forward(&self.rows[p.clone()], record)).collect()
    }

    pub(super) fn features(&self, passes: &[Pass<'_>]) -> Vec<f32> {
        match (&self.input.deep, &self.words) {
            (None, _) => joined(passes),
            (Some(deep), Some(words)) => words.beside(deep, &self.rows),
            (Some(deep), None) => deep.clone(),
        }
    }

    pub(super) fn backward(&self, passes: Vec<Pass<'_>>, dfeatures: &[f32], grads: &mut Arrays) {
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

fn rows_of(batch: &TokenBatch) -> impl Iterator<Item = &[u32]> {
    batch.ids.chunks_exact(batch.len)
}
