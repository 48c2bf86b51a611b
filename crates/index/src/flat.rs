//! Exact search: every vector is compared. The truth that anything faster is measured against.

use rayon::prelude::*;

use crate::topk::{Hit, TopK};

/// Rows of one task.
const ROWS: usize = 2048;
/// Partial sums: as many as the widest vector has lanes, twice.
const LANES: usize = 32;

/// A packed matrix of unit vectors with their ids.
#[derive(Clone, Debug)]
pub struct Flat {
    dim: usize,
    ids: Vec<u64>,
    matrix: Vec<f32>,
}

impl Flat {
    /// An empty matrix of `dim` columns.
    pub fn new(dim: usize) -> Self {
        Self { dim, ids: Vec::new(), matrix: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When `vector` has another width.
    pub fn push(&mut self, id: u64, vector: impl IntoIterator<Item = f32>) {
        self.ids.push(id);
        self.matrix.extend(vector);
        assert_eq!(self.matrix.len(), self.ids.len() * self.dim, "a vector of another width");
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Width of a vector, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The `k` rows with the largest inner product, best first, ties by id.
    ///
    /// # Panics
    /// When `query` has another width.
    pub fn search(&self, query: &[f32], k: usize) -> Vec<Hit> {
        assert_eq!(query.len(), self.dim, "a query of another width");
        let parts = self.matrix.par_chunks(ROWS * self.dim).zip(self.ids.par_chunks(ROWS));
        let best = parts.map(|(rows, ids)| {
            let mut top = TopK::new(k);
            for (row, &id) in rows.chunks_exact(self.dim).zip(ids) {
                top.push(Hit { id, score: dot(query, row) });
            }
            top.into_sorted()
        });
        let mut top = TopK::new(k);
        best.collect::<Vec<_>>().into_iter().flatten().for_each(|hit| top.push(hit));
        top.into_sorted()
    }
}

/// Inner product, for the widest vectors at hand. All variants are the same code.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature that the function is compiled for was just detected.
            return unsafe { dot_avx512(a, b) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature that the function is compiled for was just detected.
            return unsafe { dot_avx2(a, b) };
        }
    }
    dot_any(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn dot_avx512(a: &[f32], b: &[f32]) -> f32 {
    dot_any(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    dot_any(a, b)
}

#[inline(always)]
fn dot_any(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_parts, a_rest) = a.as_chunks::<LANES>();
    let (b_parts, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_parts.iter().zip(b_parts) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(row: usize, column: usize) -> f32 {
        ((row * 31 + column * 17) % 23) as f32 - 11.0
    }

    #[test]
    fn equals_sorting_all_scores() {
        let dim = 70;
        let mut flat = Flat::new(dim);
        for row in 0..5000 {
            flat.push(row as u64, (0..dim).map(|column| value(row, column)));
        }
        let query: Vec<f32> = (0..dim).map(|column| value(3, column)).collect();
        let mut wanted: Vec<Hit> = (0..5000)
            .map(|row| {
                let score = (0..dim).map(|c| query[c] * value(row, c)).sum();
                Hit { id: row as u64, score }
            })
            .collect();
        wanted.sort();
        assert_eq!(flat.search(&query, 100), wanted[..100]);
    }
}
