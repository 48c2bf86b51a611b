//! Common spaces by small networks: what each minimises stands in its file and reads like its article; here is the one
//! loop that all of them share. The epoch is chosen on a part of the training pairs, never on the test part.

mod acmr;
mod adam;
mod contrast;
mod dcca;
mod dcmh;
mod dscmr;
pub mod losses;
mod masln;
mod net;

pub use acmr::Acmr;
pub use adam::Rates;
pub use contrast::Contrast;
pub use dcca::DeepCca;
pub use dcmh::Dcmh;
pub use dscmr::Dscmr;
pub use masln::Masln;
pub use net::Bend;

use adam::Adam;
use net::Layers;
use serde::{Deserialize, Serialize};
use tuwen_eval::labelled::{Convention, Labelled, average_precisions, mean};
use tuwen_image::rng::Rng;
use tuwen_nn::{Arrays, Tape, Value, grads};

use crate::chain::{Chain, Space, Step};
use crate::error::{Error, Result};
use crate::set::{Features, Pairs};

/// Epochs and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Times that every pair is seen.
    pub epochs: usize,
    /// Pairs of a step.
    pub batch: usize,
    /// Rates.
    pub rates: Rates,
    /// The rate goes down to 0 along half a cosine.
    #[serde(default)]
    pub cosine: bool,
    /// Once the epoch is chosen, learn again as long from all pairs, those of the validation part among them: what
    /// closed forms, which choose nothing, learn from as well.
    #[serde(default)]
    pub refit: bool,
}

/// What is known beside features.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// To learn from.
    pub train: &'a Pairs,
    /// To choose the epoch on; where it is empty, the last one is taken.
    pub valid: &'a Pairs,
    /// A row for each class of the set, also for those without pairs here: what their names mean.
    pub classes: &'a Features,
    /// For everything random.
    pub seed: u64,
    /// Whether to end; then nothing is given.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// What one epoch gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Mean loss of its steps.
    pub loss: f64,
    /// mAP of the validation part, the mean of both directions; 0 without such a part.
    pub valid: f64,
}

/// Pairs of a step.
pub(crate) struct Batch<'a> {
    pub(crate) images: Features,
    pub(crate) texts: Features,
    pub(crate) labels: Vec<usize>,
    /// See [`Given::classes`].
    pub(crate) classes: &'a Features,
    /// Of each class whether the training part has it.
    pub(crate) seen: &'a [bool],
    /// The share of the training that is done.
    pub(crate) progress: f32,
}

impl Batch<'_> {
    /// Both modalities as leaves.
    fn leaves(&self, tape: &mut Tape<'_>) -> [Value; 2] {
        [&self.images, &self.texts].map(|side| tape.leaf(side.values.clone(), side.width, false))
    }

    /// For each pair the row of its class.
    fn class_rows(&self) -> Features {
        self.classes.pick(&self.labels)
    }

    /// Each pair's class among `classes`, as a distribution; those that nobody learns from do not count (below 0).
    fn truth(&self, classes: usize) -> Vec<f32> {
        let row = self.seen.iter().map(|&seen| if seen { 0.0 } else { -1.0 });
        let mut out: Vec<f32> = row.cycle().take(self.labels.len() * classes).collect();
        self.labels.iter().enumerate().for_each(|(at, label)| out[at * classes + label] = 1.0);
        out
    }
}

/// Widths that a network is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) image: usize,
    pub(crate) text: usize,
    /// How many classes there are.
    pub(crate) classes: usize,
    /// Values that say what a class means.
    pub(crate) meaning: usize,
}

/// Of images and of texts: chains, each with a factor.
pub(crate) type Parts = [Vec<(f32, Chain)>; 2];

/// What a space is made from, beside the weights.
pub(crate) struct From<'a> {
    /// The prepared training pairs.
    pub(crate) train: &'a Pairs,
    /// The meanings of those classes that these have.
    pub(crate) classes: &'a Features,
    /// See [`Objective::beside`].
    pub(crate) beside: &'a Parts,
}

/// A method.
pub(crate) trait Objective: Sync {
    fn schedule(&self) -> &Schedule;

    /// What is done to the features of one modality before.
    fn prepared(&self, features: &Features) -> Chain {
        Chain(vec![Step::standard(features)])
    }

    /// First values.
    fn begin(&self, sizes: Sizes, rng: &mut Rng) -> Arrays;

    /// What is minimised.
    fn loss<'w>(
        &self,
        tape: &mut Tape<'w>,
        layers: &'w Layers<'w>,
        batch: &Batch<'_>,
        rng: &mut Rng,
    ) -> Result<Value>;

    /// What stands beside the network and does not change while it learns: for each modality chains of prepared features,
    /// each with a factor.
    fn beside(&self, _train: &Pairs) -> Result<Parts> {
        Ok(Parts::default())
    }

    /// The projections of prepared features.
    fn space(&self, weights: &Arrays, from: &From<'_>) -> Result<Space>;
}

/// The GRL's factor, which grows from 0 to 1 (Ganin and Lempitsky 2015).
pub(crate) fn ramp(progress: f32) -> f32 {
    2.0 / (1.0 + (-10.0 * progress).exp()) - 1.0
}

/// mAP over the whole ranking of both directions: images to texts, texts to images.
pub fn both_directions(space: &Space, pairs: &Pairs) -> [f64; 2] {
    let (images, texts) = (space.image.apply(&pairs.images), space.text.apply(&pairs.texts));
    let side = |values| Labelled { values, labels: &pairs.labels };
    let (a, b) = (side(&images.values), side(&texts.values));
    [(a, b), (b, a)].map(|(from, to)| mean(&average_precisions(from, to, Convention::All)))
}

/// Learns; gives the space of the best epoch and what each epoch gave.
pub(crate) fn learn(objective: &dyn Objective, given: Given<'_>) -> Result<(Space, Vec<Epoch>)> {
    let schedule = objective.schedule();
    let (space, curve, best) = course(objective, given, schedule.epochs)?;
    if !schedule.refit || given.valid.is_empty() {
        return Ok((space, curve));
    }
    let (train, none) = (given.train.and(given.valid), given.valid.pick(&[]));
    let again = Given { train: &train, valid: &none, ..given };
    Ok((course(objective, again, best + 1)?.0, curve))
}

/// The first `epochs` of a training; the best one's space, what each gave, and which was the best.
fn course(
    objective: &dyn Objective,
    given: Given<'_>,
    epochs: usize,
) -> Result<(Space, Vec<Epoch>, usize)> {
    let before = Space {
        image: objective.prepared(&given.train.images),
        text: objective.prepared(&given.train.texts),
    };
    let prepared = |pairs: &Pairs| Pairs {
        images: before.image.apply(&pairs.images),
        texts: before.text.apply(&pairs.texts),
        labels: pairs.labels.clone(),
    };
    let (train, valid) = (prepared(given.train), prepared(given.valid));
    let sizes = Sizes {
        image: train.images.width,
        text: train.texts.width,
        classes: given.classes.rows(),
        meaning: given.classes.width,
    };
    let seen = (0..given.classes.rows()).filter(|class| train.labels.contains(class));
    let known = given.classes.pick(&seen.collect::<Vec<_>>());
    let beside = objective.beside(&train)?;
    let from = From { train: &train, classes: &known, beside: &beside };
    let rates = &objective.schedule().rates;
    let weights = objective.begin(sizes, &mut Rng::new(&[given.seed, 1]));
    let mut adam = Adam::new(weights, rates);
    let (mut best, mut curve) = (None::<(f64, Space, usize)>, Vec::new());
    for epoch in 0..epochs {
        let loss = one_epoch(objective, &mut adam, &train, given, epoch)?;
        let mut score = 0.0;
        if !valid.is_empty() || epoch + 1 == epochs {
            let space = objective.space(adam.measured(), &from)?;
            score = if valid.is_empty() { 0.0 } else { mean(&both_directions(&space, &valid)) };
            if best.as_ref().is_none_or(|(before, ..)| score > *before) {
                best = Some((score, space, epoch));
            }
        }
        curve.push(Epoch { loss, valid: score });
    }
    let (_, space, at) =
        best.ok_or_else(|| Error::Input("`epochs` is 0: nothing is learned".into()))?;
    let whole =
        Space { image: before.image.then(space.image.0), text: before.text.then(space.text.0) };
    Ok((whole, curve, at))
}

/// One pass over the training pairs; the mean loss of its steps.
fn one_epoch(
    objective: &dyn Objective,
    adam: &mut Adam,
    train: &Pairs,
    given: Given<'_>,
    epoch: usize,
) -> Result<f64> {
    let schedule = objective.schedule();
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut rng = Rng::new(&[given.seed, 2, epoch as u64]);
    rng.shuffle(&mut order);
    let batch = schedule.batch.min(train.len()).max(1);
    let seen: Vec<bool> = (0..given.classes.rows()).map(|c| train.labels.contains(&c)).collect();
    let (steps, mut sum) = ((train.len() / batch).max(1), 0.0);
    for (step, rows) in order.chunks_exact(batch).enumerate() {
        if (given.stop)() {
            return Err(Error::Stopped);
        }
        let progress = (epoch as f32 + step as f32 / steps as f32) / schedule.epochs as f32;
        let some = train.pick(rows);
        let batch = Batch {
            images: some.images,
            texts: some.texts,
            labels: some.labels,
            classes: given.classes,
            seen: &seen,
            progress,
        };
        let (loss, grads) = gradients(objective, &adam.weights, &batch, &mut rng)?;
        if !loss.is_finite() {
            return Err(Error::Input(format!(
                "the loss is no number in epoch {}, step {}: a smaller `lr` helps",
                epoch + 1,
                step + 1
            )));
        }
        sum += f64::from(loss);
        let factor = match schedule.cosine {
            true => 0.5 * (1.0 + (std::f32::consts::PI * progress).cos()),
            false => 1.0,
        };
        adam.step(&grads, &schedule.rates, factor);
    }
    Ok(sum / steps as f64)
}

/// The loss of a batch and its gradients.
fn gradients(
    objective: &dyn Objective,
    weights: &Arrays,
    batch: &Batch<'_>,
    rng: &mut Rng,
) -> Result<(f32, Arrays)> {
    let layers = Layers::new(weights);
    let mut tape = Tape::recording();
    let loss = objective.loss(&mut tape, &layers, batch, rng)?;
    let number = loss[0];
    let (sums, _) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&loss, vec![1.0])], grads);
    });
    Ok((number, sums))
}

#[cfg(test)]
mod tests;
