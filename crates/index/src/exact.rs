//! Exact scores: the one place where a query meets a vector. Search, the evaluator and its reports all score
//! here, so that they cannot disagree, not even in the last bit.
//!
//! A score is the inner product, which of unit vectors is the cosine. Another distance is a function beside
//! [`scores`] with the same shapes.

use tuwen_gemm::{Mat, Packed, gemm};
use tuwen_simd::{fuses, simd};

/// Inner products of queries (Q, D) and rows (N, D) into `out`, (Q, N) with rows `stride` apart.
///
/// # Panics
/// When a slice is too short.
pub fn scores(queries: &[f32], rows: &[f32], dim: usize, out: &mut [f32], stride: usize) {
    // A product of matrices packs its rows first, which for few queries costs more than the product.
    if queries.len() <= FEW * dim && fuses() {
        for (query, out) in queries.chunks_exact(dim.max(1)).zip(out.chunks_mut(stride.max(1))) {
            one_by_one(query, rows, out);
        }
        return;
    }
    let (queries, rows) = (matrix(queries, dim), matrix(rows, dim));
    gemm(out, stride, queries, rows.t(), false);
}

/// Queries that are scored row by row.
const FEW: usize = 2;
/// Rows at a time: as many sums go on beside each other as hide how long one addition takes.
const ROWS: usize = 8;
/// Values whose products are summed before they are added to those before, as in `gemm`, for the same bits.
const DEPTH: usize = 256;

simd! {
    /// Inner products of a query (D) with rows (N, D), in the order and with the roundings of a product of matrices.
    fn one_by_one(query: &[f32], rows: &[f32], out: &mut [f32]) {
        let dim = query.len();
        for (rows, out) in rows.chunks(ROWS * dim).zip(out.chunks_mut(ROWS)) {
            for start in (0..dim).step_by(DEPTH) {
                let some = start..(start + DEPTH).min(dim);
                let part = &query[some.clone()];
                let sums = match rows.len() == ROWS * dim {
                    true => eight(part, std::array::from_fn(|at| &rows[at * dim..][some.clone()])),
                    false => {
                        // The last rows of all, and as many copies of the first as make eight.
                        let row = |at: usize| rows.get(at * dim..).filter(|row| !row.is_empty());
                        let row = |at: usize| row(at).unwrap_or(rows);
                        eight(part, std::array::from_fn(|at| &row(at)[some.clone()]))
                    }
                };
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if start == 0 { sum } else { *out + sum };
                }
            }
        }
    }
}

/// Eight sums of products, each in the order of the values.
#[inline(always)]
fn eight(query: &[f32], rows: [&[f32]; ROWS]) -> [f32; ROWS] {
    let mut sums = [0.0f32; ROWS];
    let [a, b, c, d, e, f, g, h] = rows;
    let rows = a.iter().zip(b).zip(c.iter().zip(d)).zip(e.iter().zip(f).zip(g.iter().zip(h)));
    for (q, (((a, b), (c, d)), ((e, f), (g, h)))) in query.iter().zip(rows) {
        for (sum, value) in sums.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = value.mul_add(*q, *sum);
        }
    }
    sums
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
        let mut two = vec![0.0; 2 * 80];
        scores(&queries[..2 * dim], &rows, dim, &mut two, 80);
        assert_eq!((&two[..71], &two[80..151]), (&block[..71], &block[71..142]), "few queries");
        for (at, query) in queries.chunks_exact(dim).enumerate() {
            let alone = rows.chunks_exact(dim).map(|row| score(query, row));
            assert!(alone.eq(block[at * 71..][..71].iter().copied()), "query {at}");
        }
    }
}
