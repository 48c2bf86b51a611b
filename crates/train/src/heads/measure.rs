//! What heads make of the dual encoder's ranking.

use std::collections::HashMap;

use tuwen_eval::compare::{Comparison, compare};
use tuwen_eval::{Captioned, Ranked, Ranking, rerank};
use tuwen_matching::{Heads, Patches};

use super::cache::{Items, TokenSet};
use crate::Result;

/// How many first items of a ranking the heads look at while they are trained.
pub const FIRST: usize = 100;
/// Of how many of these the matching head looks at the best where it comes second.
pub const SECOND: usize = 32;
/// How much the cosine may count beside a head's score.
const SHARES: [f32; 14] =
    [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0];
/// Photos that are projected at a time.
const PHOTOS: usize = 64;

/// A head that looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Late interaction.
    Late,
    /// The matching head.
    Itm,
}

/// R@1/5/10 in percent.
pub type Recall = [f64; 3];

/// The patches of a set's photos as they are stored.
///
/// # Errors
/// Photos with another number of patches than the heads know.
pub fn stored(heads: &Heads<'_>, images: &Items) -> Result<Vec<Patches>> {
    let mut all = Vec::with_capacity(images.len());
    let items: Vec<usize> = (0..images.len()).collect();
    for some in items.chunks(PHOTOS) {
        let rows = some.iter().map(|&item| {
            let mut rows = Vec::new();
            images.tokens_into(item, &mut rows);
            rows
        });
        let rows: Vec<Vec<f32>> = rows.collect();
        all.extend(heads.store(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())?);
    }
    Ok(all)
}

/// Heads that look, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One head.
    One(Which),
    /// Both at the first items: the sum of their scores, each brought to mean 0 and deviation 1.
    Both,
    /// Late interaction at the first items, the matching head at the best of these.
    Stages,
}

/// How much the cosine counts beside late interaction's score, and beside the matching head's.
pub type Shares = [f32; 2];

/// One source of captions, the first items of each text, and what heads say of them.
pub struct Judged<'t> {
    set: Captioned<'t>,
    texts: &'t Items,
    ranked: Vec<Ranked>,
    /// Of each head, for each of `ranked`, a score for each of its first items; nothing where it was not asked.
    scores: [Vec<Vec<f32>>; 2],
}

impl<'t> Judged<'t> {
    /// Text to image; one text in `step` is asked.
    pub fn new(set: &'t TokenSet, source: &str, step: usize) -> Self {
        let texts = &set.texts[source];
        let (images, dim) = (&set.images.vectors[..], set.images.dim());
        let captioned = Captioned { images, texts: &texts.items.vectors, dim, truth: &texts.truth };
        let ranking = Ranking { top: FIRST, ..Ranking::default() };
        let mut ranked = captioned.text_to_image(ranking);
        ranked.retain(|ranked| ranked.query.is_multiple_of(step));
        Self { set: captioned, texts: &texts.items, ranked, scores: Default::default() }
    }

    /// Asks a head; `photos` are the patches of all pictures.
    pub fn ask(&mut self, heads: &Heads<'_>, which: Which, photos: &[Patches]) {
        let judge = |ranked: &Ranked| {
            let mut rows = Vec::new();
            self.texts.tokens_into(ranked.query, &mut rows);
            let question = heads.question(&rows);
            let photos: Vec<&Patches> = ranked.top.iter().map(|&item| &photos[item]).collect();
            let found = match which {
                Which::Late => heads.late(&question, &photos),
                Which::Itm => heads.matches(&question, &photos),
            };
            // A text without a word says nothing.
            if found.is_empty() { vec![0.0; photos.len()] } else { found }
        };
        self.scores[which as usize] = self.ranked.iter().map(judge).collect();
    }

    /// Recall of the dual encoder alone.
    pub fn before(&self) -> Recall {
        recall(self.ranked.iter().map(|ranked| ranked.ranks[0]))
    }

    /// What comes of a way where each half of the pictures is measured with the shares that the other half chose.
    pub fn fairly(&self, way: Way, chosen: [Shares; 2]) -> Outcome {
        let halves = chosen.map(|shares| self.after(way, shares));
        let half = |at: usize| self.set.truth[self.ranked[at].query][0] % 2;
        self.outcome((0..self.ranked.len()).map(|at| halves[half(at)][at].ranks[0]))
    }

    /// What comes of a head without the cosine.
    pub fn alone(&self, which: Which) -> Outcome {
        self.outcome(self.after(Way::One(which), [0.0; 2]).iter().map(|ranked| ranked.ranks[0]))
    }

    fn outcome(&self, ranks: impl Iterator<Item = usize> + Clone) -> Outcome {
        let before: Vec<bool> = self.ranked.iter().map(|ranked| ranked.ranks[0] == 1).collect();
        let after: Vec<bool> = ranks.clone().map(|rank| rank == 1).collect();
        Outcome { recall: recall(ranks), against: compare(&before, &after) }
    }

    /// The rankings after a way with shares of the cosine.
    fn after(&self, way: Way, shares: Shares) -> Vec<Ranked> {
        let mut ranked = self.ranked.clone();
        let mut look = |first, which: &[Which]| {
            let places: HashMap<usize, usize> =
                self.ranked.iter().enumerate().map(|(at, ranked)| (ranked.query, at)).collect();
            rerank(&mut ranked, self.set.truth, first, |query, items| {
                let one = |which: &Which| {
                    let scores = self.scores(*which, places[&query], items, shares);
                    if way == Way::Both { standard(scores) } else { scores }
                };
                let all: Vec<Vec<f32>> = which.iter().map(one).collect();
                (0..items.len()).map(|at| all.iter().map(|scores| scores[at]).sum()).collect()
            });
        };
        match way {
            Way::One(which) => look(FIRST, &[which]),
            Way::Both => look(FIRST, &[Which::Late, Which::Itm]),
            Way::Stages => {
                look(FIRST, &[Which::Late]);
                look(SECOND, &[Which::Itm]);
            }
        }
        ranked
    }

    /// A head's scores with the cosine's share, of some of a query's first items.
    fn scores(&self, which: Which, at: usize, items: &[usize], shares: Shares) -> Vec<f32> {
        let (ranked, which) = (&self.ranked[at], which as usize);
        let dim = self.set.dim;
        let text = &self.set.texts[ranked.query * dim..][..dim];
        let one = |&item: &usize| {
            let place = ranked.top.iter().position(|&first| first == item);
            let head = self.scores[which][at][place.expect("one of the first items")];
            let image = &self.set.images[item * dim..][..dim];
            let cosine: f32 = text.iter().zip(image).map(|(a, b)| a * b).sum();
            head + shares[which] * cosine
        };
        items.iter().map(one).collect()
    }

    /// R@1 of a head with a share, of the texts of some pictures.
    fn first(&self, which: Which, share: f32, counts: impl Fn(usize) -> bool) -> f64 {
        let ranked = self.after(Way::One(which), [share; 2]);
        let own = ranked.iter().filter(|ranked| counts(self.set.truth[ranked.query][0]));
        recall(own.map(|ranked| ranked.ranks[0]))[0]
    }
}

/// What looking again makes of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// R@1/5/10 in percent.
    pub recall: Recall,
    /// R@1 beside the dual encoder's, with its interval.
    pub against: Comparison,
}

/// How much the cosine should count beside a head: for each half of the pictures what the other half chooses, and what
/// all choose.
pub fn best_shares(judged: &[Judged<'_>], which: Which) -> ([f32; 2], f32) {
    let halves = [0, 1].map(|half| best_share(judged, which, |image| image % 2 != half));
    (halves, best_share(judged, which, |_| true))
}

/// That with the best sum of R@1 over all that was judged, the middle of several.
fn best_share(judged: &[Judged<'_>], which: Which, counts: impl Fn(usize) -> bool + Copy) -> f32 {
    let sum = |share: f32| judged.iter().map(|own| own.first(which, share, counts)).sum::<f64>();
    let found = SHARES.map(|share| (share, sum(share)));
    let best = found.iter().map(|(_, sum)| *sum).fold(f64::NEG_INFINITY, f64::max);
    let equal: Vec<f32> =
        found.iter().filter(|(_, sum)| *sum == best).map(|(share, _)| *share).collect();
    equal.get(equal.len() / 2).copied().unwrap_or(0.0)
}

/// Mean 0 and deviation 1.
fn standard(scores: Vec<f32>) -> Vec<f32> {
    let count = scores.len().max(1) as f32;
    let mean = scores.iter().sum::<f32>() / count;
    let square = scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / count;
    let inverse = 1.0 / square.sqrt().max(1e-9);
    scores.into_iter().map(|score| (score - mean) * inverse).collect()
}

/// R@1/5/10 of some ranks.
fn recall(ranks: impl Iterator<Item = usize>) -> Recall {
    let ranks: Vec<usize> = ranks.collect();
    let within = |k: usize| ranks.iter().filter(|rank| **rank <= k).count() as f64;
    [1, 5, 10].map(|k| 100.0 * within(k) / ranks.len().max(1) as f64)
}
