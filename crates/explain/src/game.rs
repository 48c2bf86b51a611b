//! The game that perturbing methods play: parts of a picture and words of a text are shown or hidden, and what
//! counts is the cosine. Both sides are embedded on their own, so that p pictures and q texts give p x q scores.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_image::RgbImage;

use crate::hide::{Fill, Words, mixed};
use crate::{Regions, Result, Watch};

/// Pictures that are made and embedded at once.
pub(crate) const TOGETHER: usize = 64;

/// Which players are there: one value for each.
pub type Mask = Vec<bool>;

/// A picture whose regions can be hidden.
pub struct PictureGame<'e> {
    encoder: &'e CpuEncoder,
    picture: &'e RgbImage,
    hidden: RgbImage,
    /// The players.
    pub regions: Regions,
    calls: AtomicUsize,
    watch: Watch,
}

impl<'e> PictureGame<'e> {
    /// A fitted picture, R x R.
    pub fn new(
        encoder: &'e CpuEncoder,
        picture: &'e RgbImage,
        regions: Regions,
        fill: Fill,
    ) -> Self {
        let hidden = fill.hidden(picture, &regions);
        let (calls, watch) = (AtomicUsize::new(0), Watch::default());
        Self { encoder, picture, hidden, regions, calls, watch }
    }

    /// Looked on by somebody.
    pub fn watched(self, watch: &Watch) -> Self {
        Self { watch: watch.clone(), ..self }
    }

    /// How many pictures went through the tower so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Unit vectors, (masks, D).
    ///
    /// # Errors
    /// The model's, and whoever looks on wants no more.
    pub fn vectors(&self, masks: &[Mask]) -> Result<Vec<f32>> {
        let of = self.regions.of();
        let show = |mask: &Mask| mixed(self.picture, &self.hidden, |p| mask[of[p] as usize]);
        self.embed(masks, show)
    }

    /// The same of pictures of which each pixel is shown or not.
    ///
    /// # Errors
    /// The model's, and whoever looks on wants no more.
    pub fn vectors_of_pixels(&self, masks: &[Mask]) -> Result<Vec<f32>> {
        self.embed(masks, |mask| mixed(self.picture, &self.hidden, |pixel| mask[pixel]))
    }

    fn embed(&self, masks: &[Mask], show: impl Fn(&Mask) -> RgbImage + Sync) -> Result<Vec<f32>> {
        let mut vectors = Vec::with_capacity(masks.len() * self.encoder.dim());
        for some in masks.chunks(TOGETHER) {
            self.watch.next(some.len())?;
            let pictures: Vec<RgbImage> = some.par_iter().map(&show).collect();
            vectors.extend(self.encoder.encode_images(&pictures)?);
        }
        self.calls.fetch_add(masks.len(), Ordering::Relaxed);
        Ok(vectors)
    }

    /// Cosines with a unit vector.
    ///
    /// # Errors
    /// The model's, and whoever looks on wants no more.
    pub fn scores(&self, masks: &[Mask], toward: &[f32]) -> Result<Vec<f32>> {
        Ok(dots(&self.vectors(masks)?, toward))
    }
}

/// A text whose words can be left out.
pub struct TextGame<'e> {
    encoder: &'e CpuEncoder,
    /// The players.
    pub words: &'e Words,
    calls: AtomicUsize,
    watch: Watch,
}

impl<'e> TextGame<'e> {
    /// A text with words.
    pub fn new(encoder: &'e CpuEncoder, words: &'e Words) -> Self {
        Self { encoder, words, calls: AtomicUsize::new(0), watch: Watch::default() }
    }

    /// Looked on by somebody.
    pub fn watched(self, watch: &Watch) -> Self {
        Self { watch: watch.clone(), ..self }
    }

    /// How many texts went through the tower so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Unit vectors, (masks, D).
    ///
    /// # Errors
    /// The model's, and whoever looks on wants no more.
    pub fn vectors(&self, masks: &[Mask]) -> Result<Vec<f32>> {
        let texts: Vec<String> = masks.iter().map(|mask| self.words.with(|at| mask[at])).collect();
        let mut vectors = Vec::with_capacity(masks.len() * self.encoder.dim());
        for some in texts.chunks(TOGETHER) {
            self.watch.next(some.len())?;
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            vectors.extend(self.encoder.encode_texts(&some)?);
        }
        self.calls.fetch_add(masks.len(), Ordering::Relaxed);
        Ok(vectors)
    }

    /// Cosines with a unit vector.
    ///
    /// # Errors
    /// The model's, and whoever looks on wants no more.
    pub fn scores(&self, masks: &[Mask], toward: &[f32]) -> Result<Vec<f32>> {
        Ok(dots(&self.vectors(masks)?, toward))
    }
}

/// Inner products of rows with a vector.
pub fn dots(rows: &[f32], vector: &[f32]) -> Vec<f32> {
    let dot = |row: &[f32]| row.iter().zip(vector).map(|(a, b)| a * b).sum();
    rows.chunks_exact(vector.len().max(1)).map(dot).collect()
}
