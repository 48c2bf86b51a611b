//! Do captions belong to their pictures? A model finds given pairs more often than shuffled ones,
//! unless somebody scrambled them.

use std::fmt;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use tuwen_data::image::{Limits, RgbImage, decode};
use tuwen_data::rng::Rng;
use tuwen_data::{Encoder, Sample};
use tuwen_encode::CpuEncoder;
use tuwen_eval::evaluate;

/// Pairs that are tried.
const PAIRS: usize = 1000;
/// Fewer say nothing.
const FEWEST: usize = 20;
const BATCH: usize = 32;

/// Text-to-image R@10 of the pairs as given, of the same pairs shuffled, and by chance, in percent.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Pairing {
    pairs: usize,
    given: f64,
    shuffled: f64,
    chance: f64,
    model: String,
}

impl Pairing {
    /// Whether the given pairs are not better than chance by four standard deviations.
    pub(super) fn scrambled(&self) -> bool {
        let chance = self.chance / 100.0;
        let deviation = (chance * (1.0 - chance) / self.pairs as f64).sqrt();
        self.given / 100.0 < chance + 4.0 * deviation
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "R@10 of {} pairs with {}: {:.1} as given, {:.1} shuffled, {:.1} by chance",
            self.pairs, self.model, self.given, self.shuffled, self.chance
        )
    }
}

/// Measures; nothing where there are too few pairs.
pub(super) fn check(encoder: &CpuEncoder, samples: &[&Sample]) -> Result<Option<Pairing>> {
    let mut places: Vec<usize> = (0..samples.len()).collect();
    let mut rng = Rng::new(&[7]);
    for at in (1..places.len()).rev() {
        places.swap(at, rng.below(at + 1));
    }
    places.truncate(PAIRS);
    if places.len() < FEWEST {
        return Ok(None);
    }
    let (mut images, mut texts) = (Vec::new(), Vec::new());
    for batch in places.chunks(BATCH) {
        let fit = |&at: &usize| -> tuwen_data::Result<RgbImage> {
            Ok(encoder.preprocess().fit(&decode(&samples[at].image.read()?, Limits::default())?))
        };
        let fitted = batch.par_iter().map(fit).collect::<tuwen_data::Result<Vec<_>>>()?;
        images.extend(encoder.encode_images(&fitted)?);
        let words: Vec<&str> =
            batch.iter().map(|&at| samples[at].captions[0].text.as_str()).collect();
        texts.extend(encoder.encode_texts(&words)?);
    }
    let pairs = places.len();
    // The captions of the pictures, or of those `by` places on: with 1 none stays with its own.
    let measure = |by: usize| {
        let truth: Vec<Vec<usize>> = (0..pairs).map(|at| vec![(at + by) % pairs]).collect();
        evaluate(&images, &texts, encoder.dim(), &truth).text_to_image
    };
    let (given, shuffled) = (measure(0), measure(1));
    Ok(Some(Pairing {
        pairs,
        given: given.recall[2],
        shuffled: shuffled.recall[2],
        chance: given.chance[2],
        model: encoder.name().to_owned(),
    }))
}
