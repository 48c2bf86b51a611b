//! Topics of texts: latent Dirichlet allocation (Blei, Ng and Jordan 2003) by online variational Bayes (Hoffman, Blei and
//! Bach 2010, <https://proceedings.neurips.cc/paper/2010/hash/71f6278d140af599e06ad9bf1ba03cb0-Abstract.html>), with the
//! definitions of scikit-learn's `LatentDirichletAllocation`. One difference: a text's shares begin at one instead of
//! at random numbers while topics are learned too, so that only the topics' first values depend on the seed.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_image::rng::Rng;

use super::special::{digamma, ln_gamma};
use crate::error::{Error, Result, input};

/// A text as [`super::Vocabulary::counts`] gives it.
pub type Counts = Vec<(usize, f32)>;

/// How topics are learned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How many topics.
    pub topics: usize,
    /// Times that all texts are looked at.
    pub epochs: usize,
    /// Texts before topics change; with all of them or more it is batch learning.
    pub batch: usize,
    /// Of the topics' first values.
    pub seed: u64,
}

/// Largest number of topics.
pub const MOST: usize = 10_000;
/// Steps of a text's shares, and the change below which they end.
const STEPS: usize = 100;
const CHANGE: f64 = 1e-3;
/// How fast the past is forgotten: a batch counts `(OFFSET + batches)^-DECAY`.
const OFFSET: f64 = 10.0;
const DECAY: f64 = 0.7;

/// Learned topics.
#[derive(Clone, Debug, PartialEq)]
pub struct Topics {
    /// (K, V): how often each word is of each topic, with its prior, as scikit-learn's `components_`.
    pub weights: Vec<f32>,
    /// V.
    pub words: usize,
    /// `exp(E[ln beta])`, turned: (V, K).
    likely: Vec<f64>,
}

impl Topics {
    /// Learns topics from texts over `words` words.
    ///
    /// # Errors
    /// No topic or too many, or somebody asked for the end.
    pub fn learn(
        texts: &[Counts],
        words: usize,
        settings: Settings,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let Settings { topics, epochs, batch, seed } = settings;
        let most = MOST.min((1 << 28) / words.max(1));
        if !(1..=most).contains(&topics) {
            return input(format!(
                "{topics} topics of {words} words: give from 1 to {most} topics"
            ));
        }
        let mut rng = Rng::new(&[seed, 0x746f_7069]);
        // About 1, as scikit-learn's gamma(100, 1/100): normal with that deviation, which is near it.
        let first = (0..topics * words).map(|_| (1.0 + 0.1 * rng.normal()).max(0.5)).collect();
        let mut found = Self::of(first, words);
        let (batch, mut done) = (batch.clamp(1, texts.len().max(1)), 1.0);
        for _ in 0..epochs {
            for part in texts.chunks(batch) {
                if stop() {
                    return Err(Error::Stopped);
                }
                let new = if batch == texts.len() { 1.0 } else { f64::powf(OFFSET + done, -DECAY) };
                found.step(part, texts.len() as f64 / part.len() as f64, new);
                done += 1.0;
            }
        }
        Ok(found)
    }

    /// Topics with these weights (K, V).
    pub fn of(weights: Vec<f32>, words: usize) -> Self {
        let topics = weights.len() / words.max(1);
        let mut likely = vec![0.0; weights.len()];
        for (topic, row) in weights.chunks(words.max(1)).enumerate() {
            let all = digamma(row.iter().map(|&v| f64::from(v)).sum());
            for (word, &weight) in row.iter().enumerate() {
                likely[word * topics + topic] = (digamma(f64::from(weight)) - all).exp();
            }
        }
        Self { weights, words, likely }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.weights.len() / self.words.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Both priors: every topic of a text, every word of a topic.
    fn prior(&self) -> f64 {
        1.0 / self.len() as f64
    }

    /// One batch: the shares of its texts, then the topics; `new` is how much the batch counts.
    pub fn step(&mut self, texts: &[Counts], ratio: f64, new: f64) {
        let topics = self.len();
        let statistics = |texts: &[Counts]| {
            let mut sums = vec![0f64; self.likely.len()];
            for text in texts {
                let (_, shares) = self.infer(text);
                for &(word, count) in text {
                    let likely = &self.likely[word * topics..][..topics];
                    let norm = dot(&shares, likely) + f64::EPSILON;
                    let sums = sums[word * topics..].iter_mut().zip(&shares);
                    sums.for_each(|(sum, share)| *sum += share * f64::from(count) / norm);
                }
            }
            sums
        };
        // Parts of a fixed size, so that sums have the same bits on any number of threads.
        let parts: Vec<Vec<f64>> = texts.par_chunks(PART).map(statistics).collect();
        let (prior, words) = (self.prior(), self.words);
        let weights = self.weights.par_chunks_mut(words.max(1)).enumerate();
        weights.for_each(|(topic, row)| {
            for (word, weight) in row.iter_mut().enumerate() {
                let at = word * topics + topic;
                let sum: f64 = parts.iter().map(|part| part[at]).sum();
                let target = prior + ratio * sum * self.likely[at];
                *weight = ((1.0 - new) * f64::from(*weight) + new * target) as f32;
            }
        });
        *self = Self::of(std::mem::take(&mut self.weights), words);
    }

    /// A text's Dirichlet distribution over topics and `exp(E[ln theta])`.
    fn infer(&self, text: &Counts) -> (Vec<f64>, Vec<f64>) {
        let (topics, prior) = (self.len(), self.prior());
        let mut gamma = vec![1.0; topics];
        let mut shares = expectation(&gamma);
        for _ in 0..STEPS {
            let mut next = vec![0.0; topics];
            for &(word, count) in text {
                let likely = &self.likely[word * topics..][..topics];
                let factor = f64::from(count) / (dot(&shares, likely) + f64::EPSILON);
                next.iter_mut().zip(likely).for_each(|(sum, likely)| *sum += factor * likely);
            }
            next.iter_mut().zip(&shares).for_each(|(sum, share)| *sum = *sum * share + prior);
            let change: f64 = next.iter().zip(&gamma).map(|(a, b)| (a - b).abs()).sum();
            gamma = next;
            shares = expectation(&gamma);
            if change / (topics as f64) < CHANGE {
                break;
            }
        }
        (gamma, shares)
    }

    /// The shares of the topics in a text, 1 in all. A text without known words has as much of each.
    pub fn shares(&self, text: &Counts) -> Vec<f32> {
        let (gamma, _) = self.infer(text);
        let all: f64 = gamma.iter().sum();
        gamma.iter().map(|value| (value / all) as f32).collect()
    }

    /// Perplexity of texts by the variational bound, as scikit-learn counts it: less is better.
    pub fn perplexity(&self, texts: &[Counts]) -> f64 {
        let (topics, prior) = (self.len(), self.prior());
        let whole = ln_gamma(prior * topics as f64);
        let score = |text: &Counts| {
            let (gamma, shares) = self.infer(text);
            let said: f64 = text
                .iter()
                .map(|&(word, count)| {
                    f64::from(count) * dot(&shares, &self.likely[word * topics..][..topics]).ln()
                })
                .sum();
            let sum: f64 = gamma.iter().sum();
            let own = gamma.iter().zip(&shares).map(|(value, share)| {
                (prior - value) * share.ln() + ln_gamma(*value) - ln_gamma(prior)
            });
            said + own.sum::<f64>() + whole - ln_gamma(sum)
        };
        let bound: f64 = texts.par_iter().map(score).collect::<Vec<_>>().iter().sum();
        let all: f64 = texts.iter().flatten().map(|(_, count)| f64::from(*count)).sum();
        (-(bound + self.of_words()) / all).exp()
    }

    /// The part of the bound that the topics' words have.
    fn of_words(&self) -> f64 {
        let (topics, prior) = (self.len(), self.prior());
        let row = |(topic, row): (usize, &[f32])| {
            let sum: f64 = row.iter().map(|&v| f64::from(v)).sum();
            let each = row.iter().enumerate().map(|(word, &weight)| {
                let (weight, likely) = (f64::from(weight), self.likely[word * topics + topic]);
                (prior - weight) * likely.ln() + ln_gamma(weight) - ln_gamma(prior)
            });
            each.sum::<f64>() + ln_gamma(prior * self.words as f64) - ln_gamma(sum)
        };
        self.weights.chunks(self.words.max(1)).enumerate().map(row).sum()
    }
}

/// Texts whose sums are made by one thread.
const PART: usize = 256;

fn expectation(gamma: &[f64]) -> Vec<f64> {
    let all = digamma(gamma.iter().sum());
    gamma.iter().map(|&value| (digamma(value) - all).exp()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
