//! A query beside codes: what a row's score is at least and at most.
//!
//! **The bounds.** A row is x = m + a c + r (`record`), a query q = b d + t with whole numbers d in [-8127, 8127].
//! Then <q, x> = <q, m> + a b <d, c> + a <t, c> + <q, r>, and with Cauchy and Schwarz
//!
//! ```text
//! |<q, x> - (<q, m> + a b <d, c>)|  <=  ||t|| ||a c|| + ||q|| ||r||
//! ```
//!
//! **The rounding.** Let u = 2^-24 and S be what `exact::scores` computes. Each value of it goes through one
//! multiplication and at most D + D / 256 + 1 additions, so in whatever order
//! |S - <q, x>| <= g ||q|| ||x|| with g = n u / (1 - n u), n = D + D / 256 + 2, and ||x|| <= ||m|| + ||a c|| + ||r||.
//! <q, m> as computed here differs from the true one by at most g ||q|| ||m||. <d, c> is exact: 8127 * 127 * 2048 is
//! below 2^31. Its conversion, the product of a and b and the product of both add 4 u of
//! |a b <d, c>| <= (||q|| + ||t||) ||a c||; the sum with <q, m>, and that with the bound, u of either each. With
//!
//! ```text
//! g' = 2 u (D + D / 256 + 32)  >=  g + 30 u
//! A = ||q|| (1 + g')    B = ||t|| (1 + g') + 2 g' ||q||    E = 3 g' ||q|| ||m|| + 2^-100
//! ```
//!
//! |S - estimate| <= A ||r|| + B ||a c|| + E, where 2^-100 is more than all underflows of 2^-149 add up to, of which
//! there are fewer than 2^12, one of them multiplied by |<d, c>| < 2^31. A, B and E are computed in f64 and enlarged by
//! 2^-20 of themselves, which is more than the sum and its products lose in f32. Nothing overflows, for what is longer
//! than 2^60 has no code. Lengths of q and t are bounds from above, as those of rows are (`encode`).
//!
//! d is `128 h + l` with h and l in [-64, 63], two planes of bytes.

use tuwen_simd::simd;

use super::encode::{LONGEST, above, squares, up};
use super::kernel::{Kernel, PANEL, Sums};
use super::record::{Record, Rows, words};

/// Largest |d|.
const LARGEST: i32 = 63 * 128 + 63;

/// What is more than all underflows.
const TINY: f64 = 1.0 / (1u128 << 100) as f64;

/// Queries that meet a panel at once.
pub(crate) const ABREAST: usize = 2;

/// A query as whole numbers.
struct Coded {
    scale: f32,
    /// ||q|| and ||t||, from above.
    length: f64,
    left: f64,
    /// `-128 * sum` of each plane, because a byte of a row is its code plus 128.
    starts: [i32; 2],
}

/// Queries (Q, D) as codes.
pub(crate) struct Queries<'q> {
    values: &'q [f32],
    dim: usize,
    coded: Vec<Coded>,
    /// (2 Q, C / 4): the planes of each query.
    planes: Vec<u32>,
    kernel: Kernel,
}

/// What is the same for a block and a query.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// <q, m>.
    mean: f32,
    /// b.
    scale: f32,
    left: f32,
    length: f32,
    rest: f32,
}

/// At most and at least what the scores of a panel's rows are.
pub(crate) struct Bounds {
    pub(crate) up: [f32; PANEL],
    pub(crate) low: [f32; PANEL],
}

/// Whether a query has a code: its values are finite and it is not too long.
pub(crate) fn has_code(query: &[f32]) -> bool {
    squares(query) <= LONGEST * LONGEST
}

impl<'q> Queries<'q> {
    /// # Panics
    /// When one of them has no code ([`has_code`]).
    pub(crate) fn new(values: &'q [f32], dim: usize, kernel: Kernel) -> Self {
        let mut planes = Vec::with_capacity(2 * words(dim) * values.len() / dim);
        let coded = values.chunks_exact(dim).map(|query| code(query, &mut planes)).collect();
        Self { values, dim, coded, planes, kernel }
    }

    pub(crate) fn len(&self) -> usize {
        self.coded.len()
    }

    /// The query's values, (D).
    pub(crate) fn values(&self, query: usize) -> &'q [f32] {
        &self.values[query * self.dim..][..self.dim]
    }

    /// What a block and a query give.
    pub(crate) fn terms(&self, query: usize, record: Record<'_>) -> Terms {
        let Coded { scale, length, left, .. } = self.coded[query];
        let mean = dot(self.values(query), record.mean());
        let slack = (self.dim + self.dim / 256 + 32) as f64 / f64::from(1 << 23);
        let more = |value: f64| up(value * (1.0 + 1.0 / f64::from(1 << 20)));
        Terms {
            mean,
            scale,
            left: more(length * (1.0 + slack)),
            length: more(left * (1.0 + slack) + 2.0 * slack * length),
            rest: more(3.0 * slack * length * f64::from(record.mean_length()) + TINY),
        }
    }

    /// Sums of d and c for the rows of a panel and so many queries from `first` on, at most [`ABREAST`].
    pub(crate) fn sums(&self, first: usize, rows: Rows<'_>, sums: &mut [Sums]) {
        self.sums_of(first, rows.codes, sums);
    }

    /// The same for the codes of a panel, (words, 64, 4).
    pub(crate) fn sums_of(&self, first: usize, codes: &[u8], sums: &mut [Sums]) {
        let words = words(self.dim);
        let planes = &self.planes[2 * first * words..][..sums.len() * words];
        let starts = self.coded[first..].iter().flat_map(|coded| coded.starts);
        sums.iter_mut().zip(starts).for_each(|(sums, start)| sums.fill(start));
        self.kernel.add(codes, planes, sums);
    }

    /// What a sum of 1 stands for: of the planes' sums, 128 times the first and the second.
    pub(crate) fn scale(&self, query: usize) -> f32 {
        self.coded[query].scale
    }
}

/// Writes both planes of a query behind `planes`.
fn code(query: &[f32], planes: &mut Vec<u32>) -> Coded {
    let largest = query.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = largest / LARGEST as f32;
    // Rounded again, so that the scale can be 0 and no value becomes larger than the largest.
    let whole = |value: f32| match scale > 0.0 {
        true => ((value / scale).round() as i32).clamp(-LARGEST, LARGEST),
        false => 0,
    };
    let numbers: Vec<i32> = query.iter().map(|&value| whole(value)).collect();
    let high: Vec<i8> = numbers.iter().map(|d| ((d + 64) >> 7) as i8).collect();
    let low: Vec<i8> = numbers.iter().map(|d| (d - (((d + 64) >> 7) << 7)) as i8).collect();
    let mut starts = [0; 2];
    for (plane, start) in [high, low].iter().zip(&mut starts) {
        *start = -128 * plane.iter().map(|&byte| i32::from(byte)).sum::<i32>();
        planes.extend(plane.chunks(4).map(|four| {
            let mut bytes = [0; 4];
            bytes.iter_mut().zip(four).for_each(|(to, from)| *to = from.cast_unsigned());
            u32::from_le_bytes(bytes)
        }));
    }
    let rest =
        query.iter().zip(&numbers).map(|(&q, &d)| f64::from(q) - f64::from(scale) * f64::from(d));
    let left = rest.map(|rest| rest * rest).sum::<f64>().sqrt();
    let length = above(squares(query).sqrt());
    // As of rows, the differences are a little off.
    Coded { scale, length, left: above(left) + length / (1u64 << 50) as f64, starts }
}

simd! {
    /// The inner product, in any order.
    fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [0f32; 32];
        let ((a, rest), (b, others)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
        for (a, b) in a.iter().zip(b) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum += a * b;
            }
        }
        for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(others)) {
            *sum += a * b;
        }
        sums.iter().sum()
    }
}

simd! {
    /// The bounds of a panel's rows from the sums of both planes; whether any row may reach `floor`.
    pub(crate) fn bounds(sums: &[Sums; 2], rows: Rows<'_>, terms: Terms, floor: f32, bounds: &mut Bounds) -> bool {
        let Terms { mean, scale, left, length, rest } = terms;
        let mut reached = false;
        let table = rows.scales.iter().zip(rows.left.iter().zip(rows.lengths));
        let sums = sums[0].iter().zip(&sums[1]);
        let out = bounds.up.iter_mut().zip(&mut bounds.low);
        for (((up, low), (high, fine)), (row_scale, (row_left, row_length))) in out.zip(sums).zip(table) {
            let sum = (128 * high + fine) as f32;
            let estimate = mean + row_scale * scale * sum;
            let error = left * row_left + length * row_length + rest;
            *up = estimate + error;
            *low = estimate - error;
            // Also where it is no number.
            reached |= *up >= floor || up.is_nan();
        }
        reached
    }
}
