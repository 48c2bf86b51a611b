//! How many cells a search must look into: measured against exact search, by queries of which one half chooses and the
//! other is measured.

use super::cells::{DEPTHS, QueryKind, Widths};
use super::{Ask, Vectors};
use crate::Result;
use crate::topk::Hit;

/// Queries for each of [`DEPTHS`], half of which choose: long lists say more each.
const QUERIES: [usize; 3] = [400, 100, 40];

/// Queries of one kind.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// (Q, D).
    pub vectors: Vec<f32>,
    /// The item that each is, which counts neither way; as many as queries, or none.
    pub own: Vec<u64>,
}

/// What approximate search finds of the best.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Recall {
    /// Words or pictures.
    pub queries: QueryKind,
    /// How many queries were measured: none of those that chose the width.
    pub asked: usize,
    /// Hits of each query.
    pub k: usize,
    /// The share of the best that were found.
    pub recall: f64,
    /// Cells that were looked into.
    pub cells: usize,
}

impl Vectors {
    /// Chooses how many cells searches look into, so that they find the share `target` of the best, and measures it with
    /// other queries: words, and pictures. A kind without queries keeps its widths. Nothing without cells.
    ///
    /// # Errors
    /// A segment is damaged.
    pub fn tune(
        &mut self,
        asked: [&Asked; 2],
        target: f32,
    ) -> Result<Option<(Widths, Vec<Recall>)>> {
        let Some(cells) = &self.cells else { return Ok(None) };
        let mut widths = cells.widths();
        (widths.target, widths.recall) = (target, [None; 2]);
        let mut recalls = Vec::new();
        for (at, kind) in [QueryKind::Text, QueryKind::Picture].into_iter().enumerate() {
            let mut found = match kind {
                QueryKind::Text => widths.text,
                QueryKind::Picture => widths.picture,
            };
            for (depth, (&k, &queries)) in DEPTHS.iter().zip(&QUERIES).enumerate() {
                let (choose, measure) = self.halves(asked[at], queries);
                if choose.vectors.is_empty() || k * 4 > self.len() {
                    continue;
                }
                let least = if depth > 0 { found[depth - 1] as usize } else { 1 };
                found[depth] = self.narrowest(&choose, k, target, least)? as u32;
                let (cells, asked) = (found[depth] as usize, measure.count(self.dim));
                let recall = self.recall_at(&measure, k, cells)?;
                recalls.push(Recall { queries: kind, asked, k, recall, cells });
                if depth == 0 {
                    widths.recall[at] = Some(recall as f32);
                }
            }
            match kind {
                QueryKind::Text => widths.text = found,
                QueryKind::Picture => widths.picture = found,
            }
        }
        if let Some(cells) = &mut self.cells {
            cells.set_widths(widths);
        }
        Ok(Some((widths, recalls)))
    }

    /// What searches find of the best as they are. Nothing without cells.
    ///
    /// # Errors
    /// A segment is damaged.
    pub fn recall(&self, asked: &Asked, kind: QueryKind, k: usize) -> Result<Option<Recall>> {
        let Some(widths) = self.cells.as_ref().map(super::cells::Cells::widths) else {
            return Ok(None);
        };
        let cells = widths.of(kind, k as f64);
        let recall = self.recall_at(asked, k, cells)?;
        Ok(Some(Recall { queries: kind, asked: asked.count(self.dim), k, recall, cells }))
    }

    /// Every second query, and the others.
    fn halves(&self, asked: &Asked, most: usize) -> (Asked, Asked) {
        let mut halves = (Asked::default(), Asked::default());
        for (at, vector) in asked.vectors.chunks_exact(self.dim).take(most).enumerate() {
            let half = if at % 2 == 0 { &mut halves.0 } else { &mut halves.1 };
            half.vectors.extend_from_slice(vector);
            half.own.extend(asked.own.get(at));
        }
        halves
    }

    /// The fewest cells that give a recall.
    fn narrowest(&self, asked: &Asked, k: usize, target: f32, least: usize) -> Result<usize> {
        let all = self.cells.as_ref().map_or(1, super::cells::Cells::count);
        let wanted = self.wanted(asked, k)?;
        let enough = |cells: usize| -> Result<bool> {
            Ok(share(&wanted, &self.looked(asked, k, cells)?) >= f64::from(target))
        };
        let (mut low, mut high) = (0, least.min(all));
        while high < all && !enough(high)? {
            (low, high) = (high, (2 * high).min(all));
        }
        // To a hundredth.
        while high - low > 1 + high / 100 {
            let middle = (low + high) / 2;
            match enough(middle)? {
                true => high = middle,
                false => low = middle,
            }
        }
        Ok(high)
    }

    fn recall_at(&self, asked: &Asked, k: usize, cells: usize) -> Result<f64> {
        Ok(share(&self.wanted(asked, k)?, &self.looked(asked, k, cells)?))
    }

    /// The best for certain.
    fn wanted(&self, asked: &Asked, k: usize) -> Result<Vec<Vec<Hit>>> {
        let hits =
            self.search_all_exact(&asked.vectors, k + usize::from(!asked.own.is_empty()), None)?;
        Ok(asked.others(hits, k))
    }

    fn looked(&self, asked: &Asked, k: usize, cells: usize) -> Result<Vec<Vec<Hit>>> {
        let more = k + usize::from(!asked.own.is_empty());
        let ask = Ask { dim: self.dim, k: more, among: None };
        let hits = match self.in_cells(&asked.vectors, ask, Some(cells))? {
            Some(hits) => hits,
            None => self.search_all_exact(&asked.vectors, more, None)?,
        };
        Ok(asked.others(hits, k))
    }
}

impl Asked {
    fn count(&self, dim: usize) -> usize {
        self.vectors.len() / dim
    }

    /// Hits without the queries themselves.
    fn others(&self, mut hits: Vec<Vec<Hit>>, k: usize) -> Vec<Vec<Hit>> {
        for (hits, own) in hits.iter_mut().zip(&self.own) {
            hits.retain(|hit| hit.id != *own);
        }
        hits.iter_mut().for_each(|hits| hits.truncate(k));
        hits
    }
}

/// How many of the best were found, or others that score as much.
fn share(wanted: &[Vec<Hit>], found: &[Vec<Hit>]) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (wanted, found) in wanted.iter().zip(found) {
        let Some(last) = wanted.last() else { continue };
        right += found.iter().take(wanted.len()).filter(|hit| hit.score >= last.score).count();
        all += wanted.len();
    }
    if all == 0 { 1.0 } else { right as f64 / all as f64 }
}
