//! A batch to a loss and gradients.
//!
//! On the CPU (`cpu`) the towers run in `tuwen-encode` and only projections and loss in burn: the towers'
//! features enter burn as leaves, and their gradients go back into the towers. On another `device`
//! everything runs in burn. Both minimise the same `objective`; a test holds them to the same gradients.

mod cpu;
mod device;
mod objective;

use tuwen_encode::{Arrays, ModelConfig};
use tuwen_model::burn::tensor::Device;
use tuwen_sets::loader::Batch;

use crate::Result;
use crate::config::LossConfig;
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
    /// Features of a frozen text tower, (texts, W), of all groups behind each other and then of those of
    /// `examples`, instead of its forward pass.
    pub deep: Option<Vec<f32>>,
    /// Where each tower begins to learn; none where it does not.
    pub learns: Learns,
    /// Pictures whose activations are in memory at once; 0 for all.
    pub chunk: usize,
    /// Whether of these only the blocks' inputs are kept.
    pub recompute: bool,
    /// What a teacher makes of the batch.
    pub teacher: Option<Taught>,
    /// Features that stand for pictures, with texts of their own.
    pub examples: Option<Examples>,
    /// A classifier's knowledge that the image tower keeps.
    pub classes: Option<Classes<'a>>,
}

impl<'a> StepInput<'a> {
    /// A batch as it is, whole towers learning.
    pub fn new(batch: &'a Batch) -> Self {
        Self {
            batch,
            keep: None,
            features: None,
            deep: None,
            learns: Learns { image: Some(0), text: Some(0) },
            chunk: 0,
            recompute: false,
            teacher: None,
            examples: None,
            classes: None,
        }
    }
}

/// A second batch without pictures, of features as the image tower would give them.
#[derive(Debug)]
pub struct Examples {
    /// Texts and what is true of them; no pixels.
    pub batch: Batch,
    /// (M, W), M rows of the batch.
    pub features: Vec<f32>,
    /// Weight of their loss beside that of the pictures.
    pub weight: f64,
}

/// A linear classifier on the image tower's feature, and what it says of the pictures of a batch.
#[derive(Debug)]
pub struct Classes<'a> {
    /// (C, W).
    pub matrix: &'a [f32],
    /// (C).
    pub bias: &'a [f32],
    /// (B, C), each row a distribution: the targets.
    pub targets: Vec<f32>,
    /// Weight of their loss beside that of the pictures.
    pub weight: f64,
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
        Engine::Cpu => cpu::gradients(model, view, config, input),
        Engine::Burn(device) => device::gradients(device, model, view, config, input),
    }
}
