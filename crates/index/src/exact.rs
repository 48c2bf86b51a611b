//! Exact scores: the one place where a query meets a vector. Search, the evaluator and its reports all score
//! here, so that they cannot disagree, not even in the last bit.
//!
//! A score is the inner product, which of unit vectors is the cosine. Another distance is a function beside
//! [`scores`] with the same shapes.

use tuwen_gemm::{Mat, Packed, gemm};

/// Inner products of queries (Q, D) and rows (N, D) into `out`, (Q, N) with rows `stride` apart.
///
/// # Panics
/// When a slice is too short.
pub fn scores(queries: &[f32], rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    let (queries, rows) = (matrix(queries, dim), matrix(rows, dim));
    gemm(out, stride, queries, rows.t(), false);
}

/// Inner product of two vectors (D): the same number as in a matrix of many.
///
/// # Panics
/// When their widths differ.
pub fn score(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of different widths");
    let mut out = [0.0];
    scores(a, b, a.len(), &mut out, 1);
    out[0]
}

/// Rows (N, D) that many blocks of queries are scored against.
pub struct PackedRows(Packed);

impl PackedRows {
    /// Packs once.
    pub fn new(rows: &[f32], dim: usize) -> Self {
        Self(Packed::new(matrix(rows, dim).t()))
    }

    /// As [`scores`].
    ///
    /// # Panics
    /// As there.
    pub fn scores(&self, queries: &[f32], dim: usize, out: &mut [f32], stride: usize) {
        self.0.multiply(out, stride, matrix(queries, dim));
    }
}

fn matrix(values: &[f32], dim: usize) -> Mat<'_> {
    Mat::new(values, values.len() / dim.max(1), dim, dim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_by_one_in_blocks_and_packed_give_the_same_bits() {
        let dim = 300;
        let value = |i: usize| ((i * 7919 % 1013) as f32 - 506.0) / 506.0;
        let queries: Vec<f32> = (0..5 * dim).map(value).collect();
        let rows: Vec<f32> = (0..71 * dim).map(|i| value(i + 13)).collect();
        let mut block = vec![0.0; 5 * 71];
        scores(&queries, &rows, dim, &mut block, 71);
        let mut packed = vec![0.0; 5 * 71];
        PackedRows::new(&rows, dim).scores(&queries, dim, &mut packed, 71);
        assert_eq!(block, packed);
        for (at, query) in queries.chunks_exact(dim).enumerate() {
            let alone = rows.chunks_exact(dim).map(|row| score(query, row));
            assert!(alone.eq(block[at * 71..][..71].iter().copied()), "query {at}");
        }
    }
}
