//! What is drawn for a step: rows to join, and vectors that belong to what they make.

use std::collections::{HashMap, HashSet};

use tuwen_image::rng::Rng;
use tuwen_nn::Pairs;

use super::config::FuseTrainConfig;

/// Rows of pictures and of texts that are joined, and what each of the joined is asked with, or asks for.
pub(super) struct Batch {
    /// (B, D); zeros where it is left out.
    pub(super) images: Vec<f32>,
    /// (B, D); zeros where it is left out.
    pub(super) texts: Vec<f32>,
    /// (B, D).
    pub(super) others: Vec<f32>,
    /// Which of `others` belong to which joined row.
    pub(super) pairs: Pairs,
}

/// Captions of one source.
pub(super) struct Captions {
    /// How often it is drawn beside the other sources.
    pub(super) share: f32,
    /// For each picture the positions of its captions.
    pub(super) of: Vec<Vec<usize>>,
    /// For each caption a number that captions of the same words share.
    pub(super) words: Vec<u64>,
    /// (T, D).
    pub(super) vectors: Vec<f32>,
}

/// Questions of one source: a picture and words for another picture.
pub(super) struct Questions {
    /// How often it is drawn beside the other sources.
    pub(super) share: f32,
    pub(super) all: Vec<Question>,
    /// Of each phrase, (P, D).
    pub(super) vectors: Vec<f32>,
    /// All right answers to a picture and a phrase.
    pub(super) right: HashMap<(usize, usize), HashSet<usize>>,
}

/// The picture `to`, which is like `from` but for what a phrase says.
#[derive(Clone, Copy)]
pub(super) struct Question {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Which phrase.
    pub(super) phrase: usize,
}

/// What is learned from.
pub(super) struct Set {
    pub(super) dim: usize,
    /// (N, D).
    pub(super) images: Vec<f32>,
    /// Pieces of the pictures, several times (N, D).
    pub(super) pieces: Vec<Vec<f32>>,
    /// Captions, where items are joined.
    pub(super) captions: Vec<Captions>,
    /// Questions, where queries are.
    pub(super) questions: Vec<Questions>,
}

impl Captions {
    fn any(&self, picture: usize, but: Option<usize>, rng: &mut Rng) -> Option<usize> {
        let all = &self.of[picture];
        let others: Vec<usize> = all.iter().copied().filter(|at| Some(*at) != but).collect();
        (!others.is_empty()).then(|| others[rng.below(others.len())])
    }
}

/// What an item is asked with.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    picture: usize,
    /// Source and words of the caption that asks, where one does.
    words: Option<(usize, u64)>,
    /// Those of the item's own text.
    own: Option<(usize, u64)>,
}

impl Set {
    fn row<'v>(&self, of: &'v [f32], at: usize) -> &'v [f32] {
        &of[at * self.dim..][..self.dim]
    }

    fn pictures(&self) -> usize {
        self.images.len() / self.dim
    }

    /// A picture's vector, moved as two other pictures differ, of length 1.
    fn moved(&self, picture: usize, noise: f32, rng: &mut Rng) -> Vec<f32> {
        let by = noise * rng.unit();
        let [one, other] = [0, 1].map(|_| self.row(&self.images, rng.below(self.pictures())));
        let own = self.row(&self.images, picture);
        let sum = own.iter().zip(one).zip(other).map(|((own, a), b)| own + by * (a - b));
        let mut sum: Vec<f32> = sum.collect();
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
        sum.iter_mut().for_each(|value| *value /= length);
        sum
    }

    /// Pictures with a text of each, all of one source, and what asks for them, captions of one source: against texts of
    /// another language a query would have it easy.
    pub(super) fn items(&self, config: &FuseTrainConfig, rng: &mut Rng) -> Batch {
        let mut all: Vec<usize> = (0..self.pictures()).collect();
        rng.shuffle(&mut all);
        let (mut images, mut texts, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut asked: Vec<Asked> = Vec::new();
        let shares = || self.captions.iter().map(|captions| captions.share);
        let sources = [0, 1].map(|_| drawn(shares(), rng));
        let [captions, asking] = sources.map(|source| &self.captions[source]);
        for picture in all {
            if asked.len() == config.optim.batch {
                break;
            }
            let Some(own) = captions.any(picture, None, rng) else { continue };
            let with_piece = rng.chance(config.pieces);
            // Another one than the item's, if they are of the same.
            let but = (sources[0] == sources[1]).then_some(own);
            let other = if with_piece { None } else { asking.any(picture, but, rng) };
            if !with_piece && other.is_none() {
                continue;
            }
            let left = rng.unit();
            let image = self.moved(picture, config.noise, rng);
            let no_image = left >= config.drop_text && left < config.drop_text + config.drop_image;
            images.extend(image.into_iter().map(|v| if no_image { 0.0 } else { v }));
            let text = self.row(&captions.vectors, own).iter();
            texts.extend(text.map(|&v| if left < config.drop_text { 0.0 } else { v }));
            others.extend(match other {
                Some(other) => self.row(&asking.vectors, other),
                None => self.row(&self.pieces[rng.below(self.pieces.len())], picture),
            });
            let words = other.map(|at| (sources[1], asking.words[at]));
            asked.push(Asked { picture, words, own: Some((sources[0], captions.words[own])) });
        }
        // Captions of the same words are true of both pictures, as far as anybody knows.
        let truth = |query: &Asked, item: &Asked| match query.picture == item.picture {
            true => Some(true),
            false if query.words.is_some() && [item.words, item.own].contains(&query.words) => None,
            false => Some(false),
        };
        let columns = asked.len();
        let truth = asked.iter().flat_map(|query| asked.iter().map(move |item| truth(query, item)));
        let pairs = Pairs { truth: truth.collect(), columns };
        Batch { images, texts, others, pairs }
    }

    /// Pictures with words, and the pictures that these ask for.
    pub(super) fn queries(&self, config: &FuseTrainConfig, rng: &mut Rng) -> Batch {
        let (mut images, mut texts, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut asked: Vec<(&Questions, Question)> = Vec::new();
        while asked.len() < config.optim.batch {
            let source = drawn(self.questions.iter().map(|questions| questions.share), rng);
            let questions = &self.questions[source];
            let question = questions.all[rng.below(questions.all.len())];
            images.extend(self.moved(question.from, config.noise, rng));
            texts.extend_from_slice(self.row(&questions.vectors, question.phrase));
            others.extend(self.moved(question.to, config.noise, rng));
            asked.push((questions, question));
        }
        let truth = |wanted: Question, (questions, query): &(&Questions, Question)| {
            let is_right = || questions.right[&(query.from, query.phrase)].contains(&wanted.to);
            match wanted.to == query.to {
                true => Some(true),
                // The picture that is asked with is no answer, and another right one is no wrong one.
                false if wanted.to == query.from || is_right() => None,
                false => Some(false),
            }
        };
        let columns = asked.len();
        let truth =
            asked.iter().flat_map(|wanted| asked.iter().map(move |query| truth(wanted.1, query)));
        let pairs = Pairs { truth: truth.collect(), columns };
        Batch { images, texts, others, pairs }
    }
}

/// One of several, each as often as its share says.
fn drawn(shares: impl Iterator<Item = f32> + Clone, rng: &mut Rng) -> usize {
    let mut left = rng.unit() * shares.clone().sum::<f32>();
    let found = shares.clone().position(|share| {
        left -= share;
        left < 0.0
    });
    found.unwrap_or(shares.count() - 1)
}
