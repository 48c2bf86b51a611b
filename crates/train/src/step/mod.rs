//! One training step up to the gradients: from a batch to the loss and the gradients of the weights that learn.
//!
//! `passes` takes the batch through the towers, `objective` is the loss of their features; its gradients start the
//! towers' backward passes.

mod objective;
mod passes;

use tuwen_encode::towers::Heads;
use tuwen_encode::{Arrays, ModelConfig};
use tuwen_nn::{Tape, grads};
use tuwen_sets::loader::Batch;

use crate::Result;
use crate::config::LossConfig;
use crate::partition::View;
use objective::{Logits, Objective};
use passes::{Images, Texts};

/// One batch, with all random choices made: the step itself is deterministic.
pub struct StepInput<'a> {
    /// Pictures and texts.
    pub batch: &'a Batch,
    /// For each picture the patches that the tower sees (FLIP); none for all.
    pub keep: Option<Vec<Vec<usize>>>,
    /// Features of a frozen image tower, (B, W), instead of pixels.
    pub features: Option<Vec<f32>>,
    /// Features of a frozen text tower, (texts, W), instead of its forward pass: of all groups, one behind
    /// the other, and then of the groups of `examples`.
    pub deep: Option<Vec<f32>>,
    /// Pictures whose activations are in memory at once (GradCache); 0 for all.
    pub chunk: usize,
    /// Whether the forward pass keeps only the blocks' inputs and the backward pass recomputes the rest.
    pub recompute: bool,
    /// A teacher's logits to imitate.
    pub teacher: Option<TeacherLogits>,
    /// Synthetic image features, with texts of their own.
    pub examples: Option<Examples>,
    /// A classifier to distil from.
    pub classes: Option<Classes<'a>>,
}

impl<'a> StepInput<'a> {
    /// A batch alone, with all weights trainable.
    pub fn new(batch: &'a Batch) -> Self {
        Self {
            batch,
            keep: None,
            features: None,
            deep: None,
            chunk: 0,
            recompute: false,
            teacher: None,
            examples: None,
            classes: None,
        }
    }
}

/// A second batch with synthetic image features in the place of pictures.
#[derive(Debug)]
pub struct Examples {
    /// The texts, and which of them are true of which feature; no pixels.
    pub batch: Batch,
    /// One for each row of the batch, (M, W).
    pub features: Vec<f32>,
    /// Weight of their loss beside that of the pictures.
    pub weight: f64,
}

/// A linear classifier on the image tower's feature, and soft targets for the pictures of a batch.
#[derive(Debug)]
pub struct Classes<'a> {
    /// Its weights, (C, W).
    pub matrix: &'a [f32],
    /// Its bias, (C).
    pub bias: &'a [f32],
    /// Class probabilities of each picture, (B, C).
    pub targets: Vec<f32>,
    /// Weight of their loss beside that of the pictures.
    pub weight: f64,
}

/// A teacher's logits of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherLogits {
    /// Places in the batch of the K pictures that the teacher is heard about, ascending.
    pub known: Vec<usize>,
    /// For each group of texts (K, K), those pictures by their texts, with the teacher's logit scale.
    pub logits: Vec<Vec<f32>>,
}

/// The loss and the gradients by name.
///
/// ```
/// use tuwen_encode::{Arrays, ModelConfig, TowerConfig};
/// use tuwen_image::Preprocess;
/// use tuwen_sets::loader::Batch;
/// use tuwen_text::token::TokenBatch;
/// use tuwen_train::{LossConfig, StepInput, View, gradients};
///
/// let tower = || TowerConfig::new(8, 1, 2, 16);
/// let towers = ModelConfig::new("tiny", tower(), tower(), Preprocess::squash(16));
/// let model = ModelConfig { vocab: 30, context: 8, ..towers };
/// let mut weights = Arrays::default();
/// for (name, shape) in model.weight_shapes() {
///     weights.slot(&name, &shape).iter_mut().zip(1..).for_each(|(w, i)| *w = (i as f32).sin() / 4.0);
/// }
/// let texts = vec![TokenBatch::new(&[vec![1, 5, 2], vec![1, 9, 2]])];
/// let batch = Batch {
///     pixels: (0..2 * 3 * 16 * 16).map(|i| (i as f32 * 0.7).sin()).collect(),
///     whole: texts.clone(),
///     texts,
///     text_ids: vec![vec![0, 1]],
///     names: vec![vec![false; 2]],
///     true_names: vec![Default::default(); 2],
///     image_ids: vec![0, 1],
///     duplicate_groups: vec![0, 1],
/// };
/// let view = View::plain(&weights);
/// let input = StepInput::new(&batch);
/// let loss: LossConfig = toml::from_str("kind = \"contrastive\"")?;
/// let (loss, grads) = gradients(&model, &view, &loss, &input)?;
/// assert!(loss > 0.0);
/// assert_eq!(grads.0["image.patch_embed.weight"].shape, weights.0["image.patch_embed.weight"].shape);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A weight is missing.
pub fn gradients(
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    let (images, texts) = (Images::new(model, view, input)?, Texts::new(model, view, input)?);
    let (image_passes, text_passes) = (images.forward(), texts.forward());
    let heads = Heads::new(model, view)?;
    let objective = Objective::new(input, config);
    let mut tape = Tape::recording();
    let mut image_rows = images.features(&image_passes);
    let pictures = image_rows.len();
    image_rows.extend(input.examples.iter().flat_map(|examples| &examples.features));
    let image_leaf = tape.leaf(image_rows, model.image.width, true);
    let text_leaf = tape.leaf(texts.features(&text_passes), model.text_feature(), true);
    let logits = Logits::new(&mut tape, &heads);
    let total = objective.total(&mut tape, &heads, &logits, &image_leaf, &text_leaf);
    let loss = total[0];
    let (mut grads, mut rest) = grads::collect(vec![tape], |tape, grads| {
        let mut leaves = tape.backward(vec![(&total, vec![1.0])], grads);
        logits.backward(&heads, &mut leaves, grads);
        [&image_leaf, &text_leaf]
            .map(|leaf| leaves.take(leaf).unwrap_or_else(|| vec![0.0; leaf.len()]))
    });
    let [dimages, dtexts] = rest.pop().expect("of the one tape");
    images.backward(image_passes, &dimages[..pictures], &mut grads);
    texts.backward(text_passes, &dtexts, &mut grads);
    Ok((loss, grads))
}
