//! Learning from what captions are worth: a decoder draws captions, and those that CIDEr-D likes more than the others of
//! the same picture become more probable (self-critical training, Rennie et al. 2017,
//! <https://arxiv.org/abs/1612.00563>, each caption beside the mean of the other ones: Luo 2020,
//! <https://arxiv.org/abs/2003.09971>).

use rayon::prelude::*;
use tuwen_caption::{Control, Decoder, Looked, Said};
use tuwen_eval::captions::{Rarity, Vectors};
use tuwen_image::rng::Rng;
use tuwen_sets::Sample;

use super::config::{CaptionsTrainConfig, RewardConfig};
use super::draw::{Chunk, Draw, PictureRows, Shown};
use super::words::{measured_by, references};
use crate::Result;

/// Pictures of one tape.
const PICTURES: usize = 4;

/// The references of a language, cut in one way.
pub(super) struct Known {
    language: usize,
    cut: fn(&str) -> Vec<String>,
    references: Vec<Vec<Vec<String>>>,
}

/// What people said of all pictures that are learned from.
pub(super) fn known(config: &CaptionsTrainConfig, samples: &[Sample]) -> Vec<Known> {
    let mut known = Vec::new();
    for (language, name) in config.languages().into_iter().enumerate() {
        let written = references(config, name, samples);
        for (_, cut) in measured_by(name) {
            let of = |all: &Vec<String>| all.iter().map(|one| cut(one)).collect();
            known.push(Known { language, cut, references: written.par_iter().map(of).collect() });
        }
    }
    known
}

/// Says what captions are worth.
pub(super) struct Judge<'k> {
    known: &'k [Known],
    rarities: Vec<Rarity<'k>>,
    seed: u64,
}

impl<'k> Judge<'k> {
    pub(super) fn new(known: &'k [Known], seed: u64) -> Self {
        let of =
            |known: &'k Known| Rarity::of_references(known.references.iter().map(Vec::as_slice));
        Self { known, rarities: known.iter().map(of).collect(), seed }
    }

    /// The captions that a step draws, each weighed by how much more it is worth than the others of its picture; and
    /// the mean worth of all.
    pub(super) fn chunks(
        &self,
        decoder: &Decoder<'_>,
        draw: &Draw<'_>,
        reward: &RewardConfig,
        step: usize,
    ) -> Result<(f32, Vec<Chunk>)> {
        let batch = draw.batch(step, reward.optim.batch);
        let share = 1.0 / (batch.len() * reward.samples * decoder.config().languages.len()) as f32;
        let one = |(at, pictures): (usize, &[usize])| {
            let mut rng = Rng::new(&[self.seed, 25, step as u64, at as u64]);
            let rows = draw.rows_of(pictures, reward.patches, &mut rng);
            let seen: Vec<_> = rows.iter().map(PictureRows::seen).collect();
            let looked = decoder.look_at(&seen);
            let (mut shown, mut sum) = (Vec::new(), 0.0);
            for language in 0..decoder.config().languages.len() {
                let said =
                    drawn(decoder, &looked, language, pictures.len(), reward.samples, &mut rng);
                for (place, (said, &picture)) in
                    said.chunks(reward.samples).zip(pictures).enumerate()
                {
                    let worth = self.worth(decoder, language, picture, said);
                    let total: f32 = worth.iter().sum();
                    sum += total;
                    for (said, worth) in said.iter().zip(&worth) {
                        let others = (total - worth) / (reward.samples - 1) as f32;
                        shown.push(Shown {
                            language,
                            picture: place,
                            tokens: said.tokens.clone(),
                            weight: (worth - others) * share,
                        });
                    }
                }
            }
            (sum * share, draw.chunk(rows, shown, 0.0, &mut rng))
        };
        let found: Vec<(f32, Chunk)> = batch.par_chunks(PICTURES).enumerate().map(one).collect();
        let worth = found.iter().map(|(worth, _)| worth).sum();
        Ok((worth, found.into_iter().map(|(_, chunk)| chunk).collect()))
    }

    /// CIDEr-D of captions of a picture, the mean over the ways to cut them.
    fn worth(
        &self,
        decoder: &Decoder<'_>,
        language: usize,
        picture: usize,
        said: &[Said],
    ) -> Vec<f32> {
        let words = &decoder.config().languages[language];
        let ways = || {
            self.known.iter().zip(&self.rarities).filter(|(known, _)| known.language == language)
        };
        let references: Vec<Vec<Vectors<'_>>> = ways()
            .map(|(known, rarity)| {
                known.references[picture].iter().map(|words| rarity.vectors(words)).collect()
            })
            .collect();
        let one = |said: &Said| {
            let text = words.write(&said.tokens);
            let by = |((known, rarity), references): ((&Known, &Rarity<'_>), &Vec<Vectors<'_>>)| {
                let cut = (known.cut)(&text);
                let own = rarity.vectors(&cut);
                let sum: f64 = references.iter().map(|reference| own.against(reference).d).sum();
                sum / references.len().max(1) as f64
            };
            let all: Vec<f64> = ways().zip(&references).map(by).collect();
            (all.iter().sum::<f64>() / all.len().max(1) as f64) as f32
        };
        said.iter().map(one).collect()
    }
}

/// So many captions of each picture, drawn as the decoder finds them probable.
fn drawn(
    decoder: &Decoder<'_>,
    looked: &Looked,
    language: usize,
    pictures: usize,
    samples: usize,
    rng: &mut Rng,
) -> Vec<Said> {
    let control =
        Control { least: 0, most: decoder.config().longest, no_repeat: 0, ..Control::default() };
    let each = (0..pictures).flat_map(|at| std::iter::repeat_n(at, samples)).collect();
    let mut draw = |log_probs: &[f32]| {
        let mut rest = rng.unit();
        let reached = |log_prob: &f32| {
            rest -= log_prob.exp();
            rest < 0.0
        };
        log_probs.iter().position(reached).unwrap_or(tuwen_caption::BEGIN)
    };
    decoder.together(looked, language, each, &control, &mut draw)
}
