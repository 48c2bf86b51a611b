//! What a score means: how probable it is that a hit shows what the words say, and is not just the best of a gallery
//! that has nothing such.
//!
//! A cosine is another number in each model and each gallery. So it is compared with what texts that mean other
//! things reach here: a fixed list of names of things, in both languages. Their scores with the gallery's items give
//! a mean and a deviation, in whose units a score is measured (its z); a logistic curve over that is fitted between the
//! best scores of captions, whose pictures the gallery has, and the best scores of the names, most of which it has
//! not. Long texts reach higher scores than single words whatever pictures show, so that the number of words is taken off
//! first. Among texts a caption's best score is that with any other one, where its picture has another one. Where there
//! are few captions, nobody knows, and there is no curve: one of other pictures was tried, and called dogs "none"
//! among drawings. Nor is there one where captions reach no more than names do, as those that say nothing of their pictures.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_index::filter::key;
use tuwen_index::{Gallery, Hit, IdSet, Measured, Modality};
use tuwen_sets::names;

use crate::asking::words;
use crate::{Engine, Result};

/// Of ImageNet's names one in so many is in the list.
const EVERY: usize = 10;
/// Items whose scores with the list give mean and deviation.
const SAMPLE: usize = 2048;
/// Captions that are compared with their pictures.
const CAPTIONS: usize = 500;
/// Fewer captions say too little.
const FEWEST: usize = 50;
/// Deviations that the logarithm of a text's number of words adds to its best score. Chosen on Flickr8k's validation
/// photos (`scripts/golden/nothing_matches.py`): without it a fifth of the short names of what photos show were
/// "none", with more "none" is hardly ever said.
const BY_WORDS: f32 = 0.15;
/// Probabilities below and above which the word is "none" and "yes".
const NONE: f32 = 0.1;
const YES: f32 = 0.5;

/// A probability over scores in units of the background.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Curve {
    slope: f32,
    offset: f32,
}

/// How scores of texts with items of one modality become units of the background and, where captions tell,
/// probabilities.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Calibration {
    mean: f32,
    deviation: f32,
    curve: Option<Curve>,
}

/// What a gallery remembers, for programs that end before anything could be learned.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// By which rule it was learned; those of other programs are forgotten.
    #[serde(default)]
    rule: u32,
    /// Pictures and texts that there were.
    items: [usize; 2],
    pictures: Calibration,
}

/// Of rules there were two: the first had curves of captions that repeat or tell nothing.
const RULE: u32 = 2;
/// How much larger or smaller, in parts of what it was, a gallery is another one.
const OTHER: usize = 5;

/// What scores of one text mean.
#[derive(Clone, Copy, Debug)]
pub struct Meaning<'c> {
    calibration: &'c Calibration,
    words: f32,
}

/// The word for a search's best probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something matches.
    Yes,
    /// Perhaps.
    Unsure,
    /// Nothing matches.
    None,
}

impl Calibration {
    /// The texts that mean other things than a query.
    pub fn background() -> Vec<String> {
        let all = names::of_set("imagenet").unwrap_or_default();
        let some = all.iter().step_by(EVERY);
        let texts = some.flat_map(|names| {
            let english = names.english.first().map(|name| format!("a {name}"));
            english.into_iter().chain(names.chinese.first().map(|&name| name.to_owned()))
        });
        texts.collect()
    }

    /// Whether a gallery has captions enough to say how probable a match is.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn tells(engine: &Engine, modality: Modality) -> Result<bool> {
        Ok(present(engine, modality)?.differ() >= FEWEST)
    }

    /// Of a gallery's items of that modality; `background` holds the vectors (B, D) of [`Self::background`] by its
    /// model. Nothing where there are no such items.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn of(engine: &Engine, modality: Modality, background: &[f32]) -> Result<Option<Self>> {
        let vectors = engine.vectors(modality)?;
        let sample = sample(engine, modality)?;
        if sample.is_empty() {
            return Ok(None);
        }
        let scores: Vec<f64> = vectors
            .search_all(background, sample.len(), Some(&sample))?
            .iter()
            .flatten()
            .map(|hit| f64::from(hit.score))
            .collect();
        let count = scores.len().max(1) as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
        let (mean, deviation) = (mean as f32, (deviation as f32).max(1e-6));
        let without = Self { mean, deviation, curve: None };
        let captions = present(engine, modality)?;
        if captions.differ() < FEWEST {
            return Ok(Some(without));
        }
        // Two, for among texts the first one is the caption itself.
        let found = vectors.search_all(&captions.vectors, 2, None)?;
        let others = found.iter().zip(&captions.ids).zip(&captions.texts);
        let others = others.filter_map(|((hits, &id), text)| {
            let other = |hit: &&Hit| modality == Modality::Image || hit.id != id;
            Some(without.of_text(text).evidence(hits.iter().find(other)?.score))
        });
        let absent = vectors.search_all(background, 1, None)?;
        let names = Self::background();
        let absent = absent
            .iter()
            .zip(&names)
            .filter_map(|(hits, name)| Some(without.of_text(name).evidence(hits.first()?.score)));
        let (others, absent) = (others.collect::<Vec<_>>(), absent.collect::<Vec<_>>());
        let curve = tells_apart(&others, &absent).then(|| Curve::between(&others, &absent));
        Ok(Some(Self { curve: curve.filter(|curve| curve.slope > 0.0), ..without }))
    }

    /// What scores of words with pictures mean, as somebody remembered it in the gallery; nothing where it has become
    /// another one since.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn remembered(gallery: &Gallery) -> Result<Option<Self>> {
        let words = gallery.remembered(Measured::Scores)?;
        let Some(kept) = words.and_then(|words| serde_json::from_str::<Kept>(&words).ok()) else {
            return Ok(None);
        };
        let is_same = |(then, now): (usize, usize)| then.abs_diff(now) * OTHER <= then;
        let same = kept.items.into_iter().zip(items_of(gallery)?).all(is_same);
        Ok((same && kept.rule == RULE).then_some(kept.pictures))
    }

    /// Learns that of a gallery that has captions enough; what it is to remember then, as words.
    ///
    /// # Errors
    /// The gallery cannot be read, or the encoder's failure.
    pub fn to_remember(engine: &Engine) -> Result<Option<String>> {
        if !Self::tells(engine, Modality::Image)? {
            return Ok(None);
        }
        let names = Self::background();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let background = engine.encoder().encode_texts(&names)?;
        let learned = Self::of(engine, Modality::Image, &background)?;
        let items = items_of(&engine.gallery())?;
        let kept = learned.map(|pictures| Kept { rule: RULE, items, pictures });
        Ok(kept.map(|kept| serde_json::to_string(&kept).expect("numbers")))
    }

    /// Whether it says how probable a match is.
    pub fn has_probabilities(&self) -> bool {
        self.curve.is_some()
    }

    /// What scores of a text mean.
    pub fn of_text(&self, text: &str) -> Meaning<'_> {
        Meaning { calibration: self, words: words(text) }
    }
}

impl Meaning<'_> {
    /// A score in deviations of the background's scores above their mean.
    pub fn z(&self, score: f32) -> f32 {
        (score - self.calibration.mean) / self.calibration.deviation
    }

    /// The same without what the number of words adds.
    fn evidence(&self, score: f32) -> f32 {
        self.z(score) - BY_WORDS * self.words.ln()
    }

    /// Whether it says how probable a match is.
    pub fn has_probabilities(&self) -> bool {
        self.calibration.has_probabilities()
    }

    /// How probable it is that an item of that score shows what the words say, where captions tell.
    pub fn probability(&self, score: f32) -> Option<f32> {
        self.calibration.curve.map(|curve| curve.at(self.evidence(score)))
    }

    /// The word for the best hit of a search, where captions tell.
    pub fn verdict(&self, best: Option<f32>) -> Option<Verdict> {
        let curve = self.calibration.curve?;
        Some(match best.map(|score| curve.at(self.evidence(score))) {
            Some(probability) if probability >= YES => Verdict::Yes,
            Some(probability) if probability >= NONE => Verdict::Unsure,
            _ => Verdict::None,
        })
    }
}

impl Curve {
    fn at(self, value: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * value + self.offset)).exp())
    }

    /// Logistic regression by Newton's method; both sides weigh the same, and a little is added to each side, so
    /// that the curve stays finite where nothing overlaps (Platt 1999, "Probabilistic outputs for support vector
    /// machines").
    fn between(high: &[f32], low: &[f32]) -> Self {
        let sides = [(high, 1.0), (low, 0.0)];
        let (mut slope, mut offset) = (1.0f64, 0.0f64);
        for _ in 0..50 {
            let (mut gradient, mut curvature) = ([0.0f64; 2], [0.0f64; 3]);
            for (values, side) in sides {
                let (weight, count) = (1.0 / values.len().max(1) as f64, values.len() as f64);
                let target = side * (count + 1.0) / (count + 2.0) + (1.0 - side) / (count + 2.0);
                for &value in values {
                    let x = f64::from(value);
                    let p = 1.0 / (1.0 + (-(slope * x + offset)).exp());
                    let (miss, bend) = (weight * (target - p), weight * p * (1.0 - p));
                    gradient = [gradient[0] + miss * x, gradient[1] + miss];
                    curvature =
                        [curvature[0] + bend * x * x, curvature[1] + bend * x, curvature[2] + bend];
                }
            }
            let [xx, x, one] = [curvature[0] + 1e-6, curvature[1], curvature[2] + 1e-6];
            let determinant = xx * one - x * x;
            let step = [
                (one * gradient[0] - x * gradient[1]) / determinant,
                (xx * gradient[1] - x * gradient[0]) / determinant,
            ];
            // Far from the end Newton's step is too long.
            let longest = step[0].abs().max(step[1].abs()).max(1.0);
            slope += step[0] / longest;
            offset += step[1] / longest;
            if longest <= 1.0 && step[0].abs().max(step[1].abs()) < 1e-6 {
                break;
            }
        }
        Self { slope: slope.max(0.0) as f32, offset: offset as f32 }
    }
}

/// Standard errors by which captions must be above names in more than half of all pairs.
const SURELY: f64 = 3.0;

/// Whether values of one side are above those of the other in more of all pairs than chance explains (Mann and Whitney
/// 1947, "On a test of whether one of two random variables is stochastically larger than the other").
fn tells_apart(high: &[f32], low: &[f32]) -> bool {
    let mut sorted = low.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let below = |value: f32| {
        let less = sorted.partition_point(|&other| other < value);
        let equal = sorted.partition_point(|&other| other <= value) - less;
        less as f64 + 0.5 * equal as f64
    };
    let (m, n) = (high.len() as f64, low.len() as f64);
    let above = high.iter().map(|&value| below(value)).sum::<f64>() / (m * n).max(1.0);
    above > 0.5 + SURELY * ((m + n + 1.0) / (12.0 * m * n).max(1.0)).sqrt()
}

/// Pictures and texts of a gallery.
fn items_of(gallery: &Gallery) -> Result<[usize; 2]> {
    Ok([gallery.count(Modality::Image)?, gallery.count(Modality::Text)?])
}

/// Items all over the gallery.
fn sample(engine: &Engine, modality: Modality) -> Result<IdSet> {
    let ids = engine.gallery().ids(modality)?;
    let step = (ids.len() as usize).div_ceil(SAMPLE).max(1);
    Ok(ids.iter().step_by(step).collect())
}

/// Captions.
#[derive(Default)]
struct Captions {
    ids: Vec<u64>,
    texts: Vec<String>,
    /// (N, D).
    vectors: Vec<f32>,
}

impl Captions {
    /// How many of them say something else than the others: the same words again are no more evidence.
    fn differ(&self) -> usize {
        self.texts.iter().map(|text| key(text)).collect::<HashSet<_>>().len()
    }
}

/// Captions from all over the gallery whose meaning an item of that modality has, besides the caption itself.
fn present(engine: &Engine, modality: Modality) -> Result<Captions> {
    let gallery = engine.gallery();
    let ids = gallery.ids(Modality::Text)?;
    let step = (ids.len() as usize).div_ceil(CAPTIONS).max(1);
    let mut found = Captions::default();
    for id in ids.iter().step_by(step) {
        let Some(item) = gallery.item(id as i64)? else { continue };
        let Some(owner) = item.owner else { continue };
        if modality == Modality::Image || gallery.captions_of(owner)?.len() > 1 {
            found.ids.push(id);
            found.texts.push(item.text.unwrap_or_default());
            found.vectors.extend(gallery.vector(id as i64)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around a middle, the same each time.
    fn around(middle: f32, count: usize) -> Vec<f32> {
        (0..count).map(|at| middle + ((at * 37) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn the_curve_lies_between_both_sides_and_says_which_is_which() {
        let curve = Curve::between(&around(4.0, 500), &around(3.0, 200));
        assert!((curve.at(3.5) - 0.5).abs() < 0.02, "{curve:?}");
        assert!(curve.at(5.0) > 0.9 && curve.at(2.0) < 0.1, "{curve:?}");
        let apart = Curve::between(&around(9.0, 60), &around(1.0, 60));
        assert!(apart.slope.is_finite() && (apart.at(5.0) - 0.5).abs() < 0.05, "{apart:?}");
        assert!(apart.at(9.0) > 0.95 && apart.at(1.0) < 0.05, "{apart:?}");
        let alike = Curve::between(&around(3.0, 300), &around(3.0, 300));
        assert!((alike.at(3.0) - 0.5).abs() < 0.02, "{alike:?}");
    }

    #[test]
    fn captions_that_say_nothing_have_no_curve() {
        assert!(tells_apart(&around(4.0, 500), &around(3.0, 200)));
        assert!(tells_apart(&around(3.5, 60), &around(3.0, 200)));
        assert!(!tells_apart(&around(3.0, 300), &around(3.0, 300)), "alike");
        assert!(!tells_apart(&around(2.0, 500), &around(3.0, 200)), "below");
        assert!(!tells_apart(&[1.0; 60], &[1.0; 200]), "all the same");
        assert!(!tells_apart(&[], &around(3.0, 200)) && !tells_apart(&around(3.0, 60), &[]));
    }

    #[test]
    fn the_word_goes_with_the_best_probability() {
        let curve = Curve { slope: 2.0, offset: -4.0 };
        let known = Calibration { mean: 0.1, deviation: 0.05, curve: Some(curve) };
        // One word takes nothing off, more words do.
        let one = known.of_text("dogs");
        let half = one.probability(0.2).expect("a curve");
        assert!((half - 0.5).abs() < 1e-6, "two units above the mean");
        assert!(known.of_text("two dogs in the snow").probability(0.2) < one.probability(0.2));
        let without = Calibration { curve: None, ..known.clone() };
        let silent = without.of_text("dogs");
        assert_eq!((silent.probability(0.2), silent.verdict(Some(0.2))), (None, None));
        assert!((silent.z(0.2) - 2.0).abs() < 1e-6);
        let words = [Some(0.3), Some(0.17), Some(0.1), None].map(|best| one.verdict(best));
        assert_eq!(words, [Verdict::Yes, Verdict::Unsure, Verdict::None, Verdict::None].map(Some));
    }

    #[test]
    fn the_background_is_in_both_languages() {
        let texts = Calibration::background();
        assert_eq!(texts.len(), 200);
        assert!(texts.contains(&"a tench".to_owned()) && texts.contains(&"丁桂鱼".to_owned()));
    }
}
