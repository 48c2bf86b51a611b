//! Pixels to features: ImageNet's convolutional networks, run as `networks` plans them.

use std::ops::Range;

use tuwen_nn::{BatchNorm, Behind, Bend, Convolution, Grid, Tape, Value};

use super::chunks::of_pictures;
use super::{Found, Pass, Record, Wanted, run};
use crate::arrays::Arrays;
use crate::config::Network;
use crate::layers::{Weights, batch_norm, weight_of};
use crate::networks::{After, Layer, Stage, Step, mapped};
use crate::{Error, ModelConfig, Result};

/// An image tower of convolutions.
pub struct NetworkTower<'a> {
    stages: Vec<Stage<Placed<'a>>>,
    size: usize,
}

/// A convolution with its weights.
struct Placed<'a> {
    convolution: Convolution<'a>,
    bend: Bend,
}

impl<'a> NetworkTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, net: Network, weights: impl Weights<'a>) -> Result<Self> {
        let mut place = |layer: Layer| placed(layer, &weights);
        let stage = |Stage { name, steps }| Ok(Stage { name, steps: mapped(steps, &mut place)? });
        let stages = net.plan().into_iter().map(stage).collect::<Result<_>>()?;
        Ok(Self { stages, size: config.preprocess.size as usize })
    }

    /// What was wanted of pictures; hidden states are behind stages (from 0 on), of each channel the mean over the
    /// pixels. Nothing is recomputed in the backward pass.
    ///
    /// # Shapes
    /// `pixels`: B * 3 * R * R.
    pub fn forward_with(&self, pixels: &[f32], record: Record, wanted: &Wanted) -> Pass<'_> {
        let picture = 3 * self.size * self.size;
        let chunks = of_pictures(pixels.len() / picture, record);
        run(chunks, record, wanted, |items: Range<usize>, tape| {
            let pixels = pixels[items.start * picture..items.end * picture].to_vec();
            let pixels = tape.leaf(pixels, picture, wanted.input_gradient);
            let mut x = tape.grid(&pixels, self.size);
            let mut hidden = Vec::new();
            for (at, stage) in self.stages.iter().enumerate() {
                x = through(&stage.steps, tape, x);
                if wanted.hidden.contains(&at) {
                    hidden.push(tape.mean_pixels(&x));
                }
            }
            let spans = (0..items.len()).map(|at| at..at + 1).collect();
            let (features, input) = (x.value, Some(pixels));
            let (tokens, from, readouts) = (None, None, Vec::new());
            Found { input, features, spans, tokens, hidden, from, readouts }
        })
    }

    /// Turns the gradients of what was folded into those of the weights.
    pub(super) fn unfold_gradients(&self, grads: &mut Arrays) {
        let steps = self.stages.iter().flat_map(|stage| &stage.steps);
        steps.flat_map(Step::layers).for_each(|layer| layer.convolution.unfold_gradients(grads));
    }
}

impl Wanted {
    /// Whether a convolutional network of ImageNet has all of this.
    pub(super) fn check_network(&self, net: Network, model: &ModelConfig) -> Result<()> {
        let last = net.plan().len() - 1;
        let inside = self.tokens || self.dense || self.maps || self.readouts || self.attention;
        let what = match self.hidden.iter().find(|&&stage| stage > last) {
            Some(stage) => format!("stage {stage}"),
            None if inside || self.from.is_some() => "tokens, attention or explanations".into(),
            None => return Ok(()),
        };
        let tower = format!("the image tower of {}", model.name);
        let cure = format!("it is one of convolutions: ask for its stages, 0 to {last}");
        Err(Error::NotGiven { tower, what, cure })
    }
}

/// A layer of a plan with its weights under `image.`.
fn placed<'a>(layer: Layer, weights: &dyn Weights<'a>) -> Result<Placed<'a>> {
    let name = format!("image.{}", layer.name);
    let norm = |norm: &str, eps| batch_norm(weights, &format!("image.{norm}"), eps);
    let bias = || weight_of(weights, format!("{name}.bias"));
    let behind = match &layer.behind {
        After::Norm(name, eps) => Behind::Norm(Box::new(norm(name, *eps)?)),
        After::BiasAndNorm(name, eps) => {
            let before = Some(bias()?);
            Behind::Norm(Box::new(BatchNorm { before, ..norm(name, *eps)? }))
        }
        After::Bias => Behind::Bias(bias()?),
    };
    let mut weight = weight_of(weights, format!("{name}.weight"))?;
    // That of a layer on a whole grid is stored as a matrix.
    weight.shape = [&[layer.out, layer.wide][..], &layer.window.kernel].concat();
    let convolution = match layer.each {
        true => Convolution::of_each(weight, behind, layer.window),
        false => Convolution::new(weight, behind, layer.window, weights.precision()),
    };
    Ok(Placed { convolution, bend: layer.bend })
}

/// Pictures on their way through steps.
fn through<'w>(steps: &'w [Step<Placed<'w>>], tape: &mut Tape<'w>, mut x: Grid) -> Grid {
    for step in steps {
        x = forward(step, tape, x);
    }
    x
}

fn forward<'w>(step: &'w Step<Placed<'w>>, tape: &mut Tape<'w>, x: Grid) -> Grid {
    match step {
        Step::Layer(layer) => convolved(layer, tape, &x),
        Step::Largest(window) => tape.max_pool(&x, *window),
        Step::Mean(window) => tape.mean_pool(&x, *window),
        Step::MeanOfAll => Grid { value: tape.mean_pixels(&x), side: 1 },
        Step::Residual { inner, shortcut, bend } => {
            let mut out = through(inner, tape, x.clone());
            let short = match shortcut {
                Some(layer) => convolved(layer, tape, &x).value,
                None => x.value,
            };
            out.value = tape.add(out.value, &short);
            tape.bend(out, *bend)
        }
        Step::Beside(rows) => {
            let mut parts =
                rows.iter().map(|row| through(row, tape, x.clone())).collect::<Vec<_>>();
            let first = parts.remove(0);
            let value = |all: Value, part: &Grid| tape.beside(&all, &part.value);
            Grid { value: parts.iter().fold(first.value, value), side: first.side }
        }
        Step::Gate { down, up } => {
            let mean = Grid { value: tape.mean_pixels(&x), side: 1 };
            let few = convolved(down, tape, &mean);
            let gates = convolved(up, tape, &few);
            tape.gate(&x, &gates.value)
        }
    }
}

fn convolved<'w>(layer: &'w Placed<'w>, tape: &mut Tape<'w>, x: &Grid) -> Grid {
    let y = tape.convolution(x, &layer.convolution);
    tape.bend(y, layer.bend)
}
