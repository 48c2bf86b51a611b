//! Where a list holds only the best items of a search, and that it says so: one that is folded or fused, and one by date,
//! whose place in it says nothing of how well a hit matches.

use schemars::JsonSchema;
use serde::Serialize;
use tuwen_retrieve::{Meaning, Ranked, RankedItem, Verdict};

use crate::routes::find::FUSED;

/// By date, so many of the best where nobody knows what matches.
const NEWEST: usize = 100;

/// Of how many items a list holds the best ones.
#[derive(Clone, Copy, JsonSchema, Serialize)]
#[schemars(rename = "Within")]
pub(crate) struct Within {
    /// So many, before near duplicates are folded.
    pub first: usize,
    /// Of all that the search is among.
    pub of: usize,
}

/// How a list is made, as far as it decides where that ends.
pub(crate) struct Making<'a> {
    pub by_date: bool,
    pub is_folded: bool,
    pub is_fused: bool,
    /// Whether items were found by words that they have, which are as good as each other.
    pub is_exact: bool,
    /// Hits below it are left out.
    pub threshold: Option<f32>,
    /// Whether the words that were asked for are written somewhere, of a list by date: something matches, whatever the
    /// scores say.
    pub is_written: bool,
    /// What scores mean, where that is known.
    pub calibration: Option<Meaning<'a>>,
}

impl Making<'_> {
    /// Whether the list is of the best items alone, the same ones for every page.
    pub fn ends(&self) -> bool {
        self.by_date || self.is_folded || self.is_fused
    }

    /// Leaves out what is no part of the list, and tells where that leaves something out that nobody asked to.
    pub fn cut(&self, ranked: &mut Ranked) -> Option<Within> {
        let of = ranked.total;
        if self.ends() {
            ranked.items.truncate(FUSED);
        }
        let looked_at = ranked.items.len();
        if let Some(least) = self.threshold {
            ranked.items.retain(|item| item.score.is_none_or(|score| score >= least));
        }
        // The order is that of scores: behind what the threshold left out nothing reaches it.
        let goes_on = ranked.items.len() == looked_at && looked_at < of;
        let reached = ranked.items.len();
        if self.by_date && self.threshold.is_none() && !self.is_exact {
            match self.calibration.filter(|known| known.has_probabilities()) {
                Some(known) => {
                    let matches =
                        |item: &RankedItem| known.verdict(item.score) != Some(Verdict::None);
                    match ranked.items.iter().any(matches) || !self.is_written {
                        true => ranked.items.retain(matches),
                        false => ranked.items.truncate(NEWEST),
                    }
                }
                None => ranked.items.truncate(NEWEST),
            }
        }
        let first = ranked.items.len();
        if self.ends() || self.threshold.is_some() {
            ranked.total = first;
        }
        (self.ends() && (goes_on || first < reached)).then_some(Within { first, of })
    }

    /// What is said of it.
    pub fn remark(&self, Within { first, of }: Within) -> String {
        match (self.by_date, first) {
            (true, 0) => format!(
                "none of {of} items matches well enough to be listed by date: `sort: relevance` gives the nearest"
            ),
            (true, _) => format!(
                "these are the first {first} of {of} items, which match best, the newest before the others; \
                 `sort: relevance` gives the rest"
            ),
            (false, _) if self.is_folded => format!(
                "the list ends with the first {first} of {of} items, among which near duplicates are folded; \
                 without `fold` it goes on"
            ),
            (false, _) => format!(
                "the list ends with the first {first} of {of} items, of which words and vectors make one list"
            ),
        }
    }
}
