//! What looks again at the first items of a search: heads that read tokens (`tokens`), a model's own (`own`), several as one (`together`), and
//! whoever answers at an address (`endpoint`). `heads` finds the heads of a model, `store` makes the tokens of a gallery;
//! `judge` asks them for explanations.

mod endpoint;
mod heads;
mod judge;
mod own;
mod stage;
mod store;
mod together;
mod tokens;

use tuwen_index::{Item, Modality};

pub use endpoint::{Endpoint, Send};
pub(crate) use heads::plain;
pub use heads::{HEADS_CONFIG, HEADS_WEIGHTS, heads_of, matches_itself, open_heads, own_heads};
pub use judge::HeadJudge;
pub use own::OwnReranker;
pub use stage::{By, Stage, parse_stages};
pub use store::{Kept as KeptTokens, announce, complete};
pub use together::{How, Together};
pub use tokens::{TokenReranker, Which};

use crate::Result;

/// A query as rerankers see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'q> {
    /// Its words, of which there are some.
    pub words: &'q str,
    /// Its vector, (D) of length 1.
    pub vector: &'q [f32],
}

/// An item that was found.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the gallery knows of it.
    pub item: Item,
    /// Its captions.
    pub captions: Vec<String>,
    /// Its cosine with the query.
    pub cosine: f32,
}

/// What a reranker says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// One for each item, higher is better; none for one that it cannot judge, which goes behind the others.
    pub values: Vec<Option<f32>>,
    /// What a user should know.
    pub remarks: Vec<String>,
}

/// Looks again at what was found.
pub trait Reranker: std::marker::Send + Sync {
    /// For people, such as `late`.
    fn name(&self) -> String;

    /// Scores items for a query, as many as there are items.
    ///
    /// # Errors
    /// What it looks at cannot be read, or who is asked does not answer.
    fn score(&self, query: Asked<'_>, items: &[Candidate]) -> Result<Scores>;
}

/// That an item was looked at again.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Moved {
    /// Who did.
    pub by: String,
    /// Its rank before, from 1.
    pub from: usize,
    /// Its score before: the cosine, or a fused one.
    pub score_before: f32,
}

/// An item in its new place.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// Its number.
    pub id: i64,
    /// Its score now; of those that were not looked at the one before.
    pub score: f32,
    /// Where it was, if it was looked at.
    pub moved: Option<Moved>,
}

/// Puts the first items, as many as there are scores, into the order of these; what was not judged comes behind them in
/// its old order, and behind that what was not looked at. Equal scores are ordered by the lower number.
pub(crate) fn reorder(before: &[Again], scores: &Scores, by: &str) -> Vec<Again> {
    let (looked, rest) = before.split_at(scores.values.len().min(before.len()));
    let mut judged: Vec<(Again, Option<f32>)> = Vec::with_capacity(looked.len());
    for (at, (item, score)) in looked.iter().zip(&scores.values).enumerate() {
        let first = item.moved.as_ref();
        let moved = Moved {
            by: first.map_or_else(|| by.to_owned(), |moved| format!("{}, {by}", moved.by)),
            from: first.map_or(at + 1, |moved| moved.from),
            score_before: first.map_or(item.score, |moved| moved.score_before),
        };
        let score = score.filter(|score| score.is_finite());
        let again = match score {
            Some(score) => Again { id: item.id, score, moved: Some(moved) },
            None => item.clone(),
        };
        judged.push((again, score));
    }
    judged.sort_by(|(a, x), (b, y)| match (x, y) {
        (Some(x), Some(y)) => y.total_cmp(x).then(a.id.cmp(&b.id)),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => std::cmp::Ordering::Equal,
    });
    judged.into_iter().map(|(again, _)| again).chain(rest.iter().cloned()).collect()
}

/// Which items can be looked at again by words.
pub(crate) fn check_modality(modality: Modality) -> Result<()> {
    match modality {
        Modality::Image | Modality::Fused => Ok(()),
        Modality::Text => Err(crate::Error::Usage(
            "texts are not reranked: their vectors were made to be compared; search pictures, or leave `rerank` away"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: i64, score: f32) -> Again {
        Again { id, score, moved: None }
    }

    #[test]
    fn judged_items_come_first_then_the_unjudged_then_the_rest() {
        let before = [item(7, 0.9), item(3, 0.8), item(5, 0.7), item(1, 0.6), item(9, 0.5)];
        let values = vec![Some(1.0), None, Some(2.0), Some(1.0)];
        let after = reorder(&before, &Scores { values, remarks: Vec::new() }, "late");
        let ids: Vec<i64> = after.iter().map(|again| again.id).collect();
        assert_eq!(ids, [5, 1, 7, 3, 9]);
        let moved = after[0].moved.clone().expect("it was looked at");
        assert_eq!((moved.from, moved.score_before, &*moved.by), (3, 0.7, "late"));
        assert_eq!((after[3].score, &after[3].moved), (0.8, &None));
        let values = vec![Some(0.0), Some(f32::NAN)];
        let again = reorder(&after, &Scores { values, remarks: Vec::new() }, "itm");
        let moved = again[0].moved.clone().expect("it was looked at twice");
        assert_eq!((again[0].id, moved.from, &*moved.by), (5, 3, "late, itm"));
    }
}
