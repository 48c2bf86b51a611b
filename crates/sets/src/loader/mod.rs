//! Samples to host-side training batches: seeded order, decode, augment and tokenise on threads,
//! a few batches ahead of the model. The same seed and step give the same batch, wherever a run
//! was interrupted.

mod texts;

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Sample;
use tuwen_files::{Error, Result};
use tuwen_image::rng::Rng;
use tuwen_image::{Augment, Limits, Preprocess, decode};
use tuwen_text::token::{TokenBatch, Tokens};

use texts::draw;
pub use texts::{Drawn, name_numbers};

/// Batches that may wait for the model.
const AHEAD: usize = 2;

/// How captions are drawn: one text for each group, from the group's sources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionGroup {
    /// Source name and relative weight; sources a sample lacks are left out.
    pub sources: Vec<(String, f32)>,
}

/// Everything that decides what a batch looks like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seeds order, augmentation and the choice of captions.
    pub seed: u64,
    /// Pictures in a batch, B.
    pub batch: usize,
    /// Neighbouring samples that form a set, and the share of each that an epoch takes.
    pub sets: Vec<(Range<usize>, f32)>,
    /// Whether pictures are wanted; a frozen image tower needs none.
    pub pixels: bool,
    /// One text a picture and group; G texts a picture.
    pub groups: Vec<CaptionGroup>,
    /// How texts become tokens.
    pub tokens: Arc<Tokens>,
    /// Longest text in tokens, L.
    pub context: usize,
    /// Probability that a token is replaced by `[MASK]`; 0 where the tokenizer has none.
    pub token_mask: f32,
    /// Probability that a token is left out; one at least stays.
    pub token_drop: f32,
    /// Probability that a name (a text with an id) stands in a sentence of [`tuwen_text::prompt`].
    pub sentences: f32,
    /// For each sample the number of its duplicate group, two of which should not meet in a batch; empty where
    /// all may.
    pub duplicate_groups: Vec<u64>,
    /// For each sample the numbers of its names, see [`name_numbers`]; empty where none has names.
    pub names: Vec<Arc<HashSet<u64>>>,
    /// Variation of the pictures.
    pub augment: Augment,
    /// The model's pre-processing.
    pub preprocess: Preprocess,
}

/// One training batch on the host.
#[derive(Debug)]
pub struct Batch {
    /// `B * 3 * R * R` normalised floats, or none when the plan wants no pixels.
    pub pixels: Vec<f32>,
    /// For each group, B texts: row i describes picture i.
    pub texts: Vec<TokenBatch>,
    /// The same with all of their tokens, for what is computed once for each text.
    pub whole: Vec<TokenBatch>,
    /// For each group, a number for each text: equal numbers, equal text (of a name in a sentence, equal
    /// name).
    pub text_ids: Vec<Vec<u64>>,
    /// For each group, whether each text is a name, which may be true of several pictures.
    pub names: Vec<Vec<bool>>,
    /// For each picture that has names the numbers of all of them.
    pub true_names: Vec<Arc<HashSet<u64>>>,
    /// For each picture its position in the data set.
    pub image_ids: Vec<u64>,
    /// For each picture the number of its duplicate group: pictures of one group are never negatives of each other.
    pub duplicate_groups: Vec<u64>,
}

impl Plan {
    /// Batches in an epoch; a rest smaller than a batch waits for another order.
    pub fn batches_per_epoch(&self) -> usize {
        self.sets.iter().map(|(set, share)| taken(set, *share)).sum::<usize>() / self.batch
    }

    /// The pictures of step `step`, counted over all epochs.
    fn members(&self, step: usize) -> Vec<usize> {
        let per_epoch = self.batches_per_epoch();
        let mut rng = Rng::new(&[self.seed, 1, (step / per_epoch) as u64]);
        let mut order = Vec::new();
        for (set, share) in &self.sets {
            let mut members: Vec<usize> = set.clone().collect();
            rng.shuffle(&mut members);
            members.truncate(taken(set, *share));
            order.extend(members);
        }
        rng.shuffle(&mut order);
        let order = self.apart(order);
        order[step % per_epoch * self.batch..][..self.batch].to_vec()
    }

    /// The same order with duplicates moved back into the next batch that has none of them, as long as
    /// there are others to take their place.
    fn apart(&self, order: Vec<usize>) -> Vec<usize> {
        if self.duplicate_groups.is_empty() {
            return order;
        }
        let mut left: VecDeque<usize> = order.into();
        let mut out = Vec::with_capacity(left.len());
        while left.len() >= self.batch {
            let (mut met, mut passed) = (HashSet::new(), VecDeque::new());
            let end = out.len() + self.batch;
            while out.len() < end
                && let Some(member) = left.pop_front()
            {
                match met.insert(self.duplicate_groups[member]) {
                    true => out.push(member),
                    false => passed.push_back(member),
                }
            }
            passed.extend(left);
            left = passed;
            out.extend(left.drain(..end - out.len()));
        }
        out.extend(left);
        out
    }

    /// A varied picture's pixels, the same for the same parts of the seed.
    ///
    /// # Errors
    /// A picture that cannot be read, named by its id.
    pub fn view(&self, sample: &Sample, rng: &mut Rng) -> Result<Vec<f32>> {
        let named = |e: Error| Error::data_set(&sample.id, e.to_string());
        let picture = decode(&sample.image.read()?, Limits::default()).map_err(named)?;
        let varied = self.augment.apply(&picture, &self.preprocess, rng);
        let mut pixels = Vec::with_capacity(varied.as_raw().len());
        self.preprocess.normalise_into(&varied, &mut pixels);
        Ok(pixels)
    }

    /// The batch of step `step`.
    ///
    /// # Errors
    /// A picture that cannot be read, named by its id.
    pub fn batch(&self, samples: &[Sample], step: usize) -> Result<Batch> {
        let members = self.members(step);
        let parts: Vec<Part> = members
            .par_iter()
            .map(|&member| self.part(&samples[member], member, step))
            .collect::<Result<_>>()?;
        let mut pixels = Vec::with_capacity(parts.len() * parts[0].pixels.len());
        for part in &parts {
            pixels.extend_from_slice(&part.pixels);
        }
        let column = |group: usize| parts.iter().map(move |part| &part.texts[group]);
        let groups = 0..self.groups.len();
        let each = |rows: &dyn Fn(&Drawn) -> Vec<u32>| -> Vec<TokenBatch> {
            let batch = |group| TokenBatch::new(&column(group).map(rows).collect::<Vec<_>>());
            groups.clone().map(batch).collect()
        };
        let image_ids: Vec<u64> = members.iter().map(|&member| member as u64).collect();
        let duplicate_groups = match &self.duplicate_groups[..] {
            [] => image_ids.clone(),
            known => image_ids.iter().map(|&member| known[member as usize]).collect(),
        };
        Ok(Batch {
            texts: each(&|drawn| drawn.varied.clone()),
            whole: each(&|drawn| drawn.whole.clone()),
            text_ids: groups
                .clone()
                .map(|g| column(g).map(|drawn| drawn.number).collect())
                .collect(),
            names: groups.clone().map(|g| column(g).map(|drawn| drawn.is_name).collect()).collect(),
            true_names: match &self.names[..] {
                [] => vec![Arc::default(); members.len()],
                known => members.iter().map(|&member| known[member].clone()).collect(),
            },
            pixels,
            image_ids,
            duplicate_groups,
        })
    }

    fn part(&self, sample: &Sample, member: usize, step: usize) -> Result<Part> {
        let mut rng = Rng::new(&[self.seed, 2, step as u64, member as u64]);
        let pixels = if self.pixels { self.view(sample, &mut rng)? } else { Vec::new() };
        let one = |group: &CaptionGroup| {
            let caption = draw(sample, group, &mut rng).ok_or_else(|| {
                let wanted: Vec<_> = group.sources.iter().map(|(name, _)| name).collect();
                Error::data_set(&sample.id, format!("has no caption from {wanted:?}"))
            })?;
            self.drawn(&caption.text, caption.id.is_some(), &mut rng)
        };
        let texts = self.groups.iter().map(one).collect::<Result<_>>()?;
        Ok(Part { pixels, texts })
    }

    /// Produces the batches of `steps` on a thread of its own.
    pub fn stream(self, samples: Arc<Vec<Sample>>, steps: Range<usize>) -> Receiver<Result<Batch>> {
        let (sender, receiver) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            for step in steps {
                // A dropped receiver means that training has ended.
                if sender.send(self.batch(&samples, step)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

/// How many samples of a set an epoch takes.
fn taken(set: &Range<usize>, share: f32) -> usize {
    (set.len() as f32 * share).round() as usize
}

struct Part {
    pixels: Vec<f32>,
    texts: Vec<Drawn>,
}
