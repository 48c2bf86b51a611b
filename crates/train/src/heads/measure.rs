//! What heads make of the dual encoder's ranking.

use std::collections::HashMap;

use tuwen_eval::{Captioned, Ranked, Ranking, rerank};
use tuwen_matching::{Heads, Patches};

use super::cache::{Items, TokenSet};
use crate::Result;

/// How many first items of a ranking the heads look at while they are trained.
pub const FIRST: usize = 100;
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

/// One source of captions, the first items of each text, and what a head says of them.
pub struct Judged<'t> {
    set: Captioned<'t>,
    ranked: Vec<Ranked>,
    /// For each of `ranked` a score for each of its first items.
    scores: Vec<Vec<f32>>,
}

impl<'t> Judged<'t> {
    /// Text to image; one text in `step` is asked.
    pub fn new(
        heads: &Heads<'_>,
        which: Which,
        set: &'t TokenSet,
        source: &str,
        photos: &[Patches],
        step: usize,
    ) -> Self {
        let texts = &set.texts[source];
        let (images, dim) = (&set.images.vectors[..], set.images.dim());
        let captioned = Captioned { images, texts: &texts.items.vectors, dim, truth: &texts.truth };
        let ranking = Ranking { top: FIRST, ..Ranking::default() };
        let mut ranked = captioned.text_to_image(ranking);
        ranked.retain(|ranked| ranked.query.is_multiple_of(step));
        let judge = |ranked: &Ranked| {
            let mut rows = Vec::new();
            texts.items.tokens_into(ranked.query, &mut rows);
            let question = heads.question(&rows);
            let photos: Vec<&Patches> = ranked.top.iter().map(|&item| &photos[item]).collect();
            let found = match which {
                Which::Late => heads.late(&question, &photos),
                Which::Itm => heads.matches(&question, &photos),
            };
            // A text without a word says nothing.
            if found.is_empty() { vec![0.0; photos.len()] } else { found }
        };
        let scores = ranked.iter().map(judge).collect();
        Self { set: captioned, ranked, scores }
    }

    /// Recall of the dual encoder alone.
    pub fn before(&self) -> Recall {
        recall(&self.ranked, |_| true)
    }

    /// Recall with the head's score and the cosine so many times, of the texts of some pictures.
    pub fn after(&self, cosine: f32, counts: impl Fn(usize) -> bool) -> Recall {
        let mut ranked = self.ranked.clone();
        let at: HashMap<usize, usize> =
            self.ranked.iter().enumerate().map(|(at, ranked)| (ranked.query, at)).collect();
        rerank(&mut ranked, self.set.truth, FIRST, |query, items| {
            let text = &self.set.texts[query * self.set.dim..][..self.set.dim];
            let scores = items.iter().zip(&self.scores[at[&query]]).map(|(&item, score)| {
                let image = &self.set.images[item * self.set.dim..][..self.set.dim];
                let own: f32 = text.iter().zip(image).map(|(a, b)| a * b).sum();
                score + cosine * own
            });
            scores.collect()
        });
        recall(&ranked, |query| counts(self.set.truth[query][0]))
    }

    /// Recall where each half of the pictures is measured with the share that the other half chose.
    pub fn fairly(&self, all: &[Self]) -> Recall {
        let halves = [0, 1].map(|half| {
            let share = best_share(all, |image| image % 2 != half);
            self.after(share, |image| image % 2 == half)
        });
        std::array::from_fn(|at| (halves[0][at] + halves[1][at]) / 2.0)
    }
}

/// How much the cosine should count: that with the best sum of R@1 over all that was judged, the middle of several.
pub fn best_share(judged: &[Judged<'_>], counts: impl Fn(usize) -> bool + Copy) -> f32 {
    let sum = |share: f32| judged.iter().map(|judged| judged.after(share, counts)[0]).sum::<f64>();
    let found = SHARES.map(|share| (share, sum(share)));
    let best = found.iter().map(|(_, sum)| *sum).fold(f64::NEG_INFINITY, f64::max);
    let equal: Vec<f32> =
        found.iter().filter(|(_, sum)| *sum == best).map(|(share, _)| *share).collect();
    equal.get(equal.len() / 2).copied().unwrap_or(0.0)
}

/// R@1/5/10 of the queries that count.
fn recall(ranked: &[Ranked], counts: impl Fn(usize) -> bool) -> Recall {
    let own: Vec<&Ranked> = ranked.iter().filter(|ranked| counts(ranked.query)).collect();
    let within = |k: usize| own.iter().filter(|ranked| ranked.ranks[0] <= k).count() as f64;
    [1, 5, 10].map(|k| 100.0 * within(k) / own.len().max(1) as f64)
}
