//! Do captions belong to their pictures? A model finds given pairs more often than shuffled ones,
//! unless somebody scrambled them.

use std::fmt;

use serde::Serialize;
use tuwen_eval::evaluate;
use tuwen_image::rng::Rng;

/// Pairs that are tried.
const PAIRS: usize = 1000;
/// Fewer say nothing.
const FEWEST: usize = 20;

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

/// Which of `count` pairs are tried, in the same random order each time; nothing where there are too few.
pub(super) fn drawn(count: usize) -> Option<Vec<usize>> {
    let mut places: Vec<usize> = (0..count).collect();
    Rng::new(&[7]).shuffle(&mut places);
    places.truncate(PAIRS);
    (places.len() >= FEWEST).then_some(places)
}

/// Measures with the vectors of pictures and of their captions, (P, D) each.
pub(super) fn measure(model: &str, images: &[f32], texts: &[f32], dim: usize) -> Pairing {
    let pairs = images.len() / dim;
    // The captions of the pictures, or of those `by` places on: with 1 none stays with its own.
    let measure = |by: usize| {
        let truth: Vec<Vec<usize>> = (0..pairs).map(|at| vec![(at + by) % pairs]).collect();
        evaluate(images, texts, dim, &truth).text_to_image
    };
    let (given, shuffled) = (measure(0), measure(1));
    Pairing {
        pairs,
        given: given.recall[2],
        shuffled: shuffled.recall[2],
        chance: given.chance[2],
        model: model.to_owned(),
    }
}
