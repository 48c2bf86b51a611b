//! Samples to host-side training batches: seeded order, decode, augment and tokenise on threads,
//! a few batches ahead of the model. The same seed and step give the same batch, wherever a run
//! was interrupted.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::image::{Augment, Limits, Preprocess, decode};
use crate::rng::Rng;
use crate::token::{TokenBatch, Tokens};
use crate::{Error, Result, Sample};

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
    /// For each sample a number, equal for samples that should not meet in a batch; empty where all
    /// may.
    pub duplicates: Vec<u64>,
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
    /// For each group, a number for each text: equal numbers, equal text.
    pub text_ids: Vec<Vec<u64>>,
    /// For each picture its position in the data set.
    pub image_ids: Vec<u64>,
    /// For each picture a number: equal numbers, the same picture.
    pub same: Vec<u64>,
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
        if self.duplicates.is_empty() {
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
                match met.insert(self.duplicates[member]) {
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
        let mut rows = vec![Vec::new(); self.groups.len()];
        let mut text_ids = vec![Vec::new(); self.groups.len()];
        for part in parts {
            pixels.extend_from_slice(&part.pixels);
            for (group, (ids, hash)) in part.texts.into_iter().enumerate() {
                rows[group].push(ids);
                text_ids[group].push(hash);
            }
        }
        let texts = rows.iter().map(|rows| TokenBatch::new(rows)).collect();
        let image_ids: Vec<u64> = members.into_iter().map(|member| member as u64).collect();
        let same = match &self.duplicates[..] {
            [] => image_ids.clone(),
            known => image_ids.iter().map(|&member| known[member as usize]).collect(),
        };
        Ok(Batch { pixels, texts, text_ids, image_ids, same })
    }

    fn part(&self, sample: &Sample, member: usize, step: usize) -> Result<Part> {
        let mut rng = Rng::new(&[self.seed, 2, step as u64, member as u64]);
        let pixels = if self.pixels { self.view(sample, &mut rng)? } else { Vec::new() };
        let texts = self
            .groups
            .iter()
            .map(|group| {
                let text = draw(sample, group, &mut rng).ok_or_else(|| {
                    let wanted: Vec<_> = group.sources.iter().map(|(name, _)| name).collect();
                    Error::data_set(&sample.id, format!("has no caption from {wanted:?}"))
                })?;
                self.varied(text, &mut rng)
            })
            .collect::<Result<_>>()?;
        Ok(Part { pixels, texts })
    }

    fn varied(&self, text: &str, rng: &mut Rng) -> Result<(Vec<u32>, u64)> {
        let (mut ids, _) = self.tokens.encode(text, self.context)?;
        let hash = number(&ids);
        self.drop_tokens(&mut ids, rng);
        if let Some(mask) = self.tokens.mask() {
            for id in ids.iter_mut().filter(|id| !self.tokens.is_special(**id)) {
                if rng.chance(self.token_mask) {
                    *id = mask;
                }
            }
        }
        Ok((ids, hash))
    }

    /// The number by which a batch knows a text ([`Batch::text_ids`]).
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn text_id(&self, text: &str) -> Result<u64> {
        Ok(number(&self.tokens.encode(text, self.context)?.0))
    }

    fn drop_tokens(&self, ids: &mut Vec<u32>, rng: &mut Rng) {
        if self.token_drop == 0.0 {
            return;
        }
        let whole = ids.clone();
        ids.retain(|&id| self.tokens.is_special(id) || !rng.chance(self.token_drop));
        if ids.iter().all(|&id| self.tokens.is_special(id)) {
            *ids = whole;
        } else if let Some(pad) = self.tokens.pad() {
            ids.resize(whole.len(), pad);
        }
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

/// Equal tokens, equal numbers.
fn number(ids: &[u32]) -> u64 {
    Rng::new(&ids.iter().map(|&id| u64::from(id)).collect::<Vec<_>>()).next_u64()
}

/// How many samples of a set an epoch takes.
fn taken(set: &Range<usize>, share: f32) -> usize {
    (set.len() as f32 * share).round() as usize
}

struct Part {
    pixels: Vec<f32>,
    texts: Vec<(Vec<u32>, u64)>,
}

/// A random caption: first the source by weight, then one of its captions evenly.
fn draw<'a>(sample: &'a Sample, group: &CaptionGroup, rng: &mut Rng) -> Option<&'a str> {
    let of = |name: &str| sample.captions.iter().filter(|c| c.source == name).collect::<Vec<_>>();
    let pools: Vec<_> = group.sources.iter().map(|(name, weight)| (of(name), *weight)).collect();
    let pools: Vec<_> = pools.into_iter().filter(|(pool, _)| !pool.is_empty()).collect();
    let total: f32 = pools.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.range(0.0, total);
    let (last, _) = pools.last()?;
    let pool = pools.iter().find(|(_, weight)| {
        at -= weight;
        at < 0.0
    });
    let pool = pool.map_or(last, |(pool, _)| pool);
    Some(&pool[rng.below(pool.len())].text)
}
