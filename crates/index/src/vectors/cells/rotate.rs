//! A rotation that looks random: signs and Walsh-Hadamard transforms in turn. Behind it the values of any vector are
//! about as large as each other, which codes of a few bits need, and what a code leaves has no direction of its own
//! (Gao and Long 2024, <https://arxiv.org/abs/2405.12497>). It keeps inner products, and costs D log D.

use tuwen_simd::simd;

/// Widths of codes are multiples of this.
pub(super) const STEP: usize = 128;
/// Transforms of all values; of widths that are no power of two, twice as many, of either end in turn.
const ROUNDS: usize = 3;

/// The rotation of vectors of one width: the same one on every machine.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    dim: usize,
    /// Signs of each round, (rounds, width of a transform).
    signs: Vec<f32>,
}

impl Rotation {
    /// Of vectors of `dim` values.
    pub(super) fn new(dim: usize) -> Self {
        let width = wide(dim);
        let block = transform(width);
        let rounds = if block == width { ROUNDS } else { 2 * ROUNDS };
        let sign = |at: u64| if mixed(at) & 1 == 1 { 1.0 } else { -1.0 };
        Self { dim, signs: (0..(rounds * block) as u64).map(sign).collect() }
    }

    /// Values of a rotated vector: at least as many as before.
    pub(super) fn width(&self) -> usize {
        wide(self.dim)
    }

    /// Rotates a vector (D) into `out` (width).
    ///
    /// # Panics
    /// When a width differs.
    pub(super) fn turn(&self, vector: &[f32], out: &mut [f32]) {
        assert_eq!((vector.len(), out.len()), (self.dim, self.width()), "widths of a rotation");
        out[..self.dim].copy_from_slice(vector);
        out[self.dim..].fill(0.0);
        let block = transform(out.len());
        let last = out.len() - block;
        for (round, signs) in self.signs.chunks_exact(block).enumerate() {
            hadamard(&mut out[if round % 2 == 0 { 0 } else { last }..][..block], signs);
        }
    }
}

/// The width of codes of vectors of `dim` values.
pub(super) fn wide(dim: usize) -> usize {
    dim.next_multiple_of(STEP)
}

/// The largest power of two that is no larger.
fn transform(width: usize) -> usize {
    1 << width.ilog2()
}

/// Seeded bits: <https://prng.di.unimi.it/splitmix64.c>.
pub(super) fn mixed(at: u64) -> u64 {
    let z = at.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

simd! {
    /// Multiplies by signs and transforms, a power of two of values; lengths stay.
    fn hadamard(values: &mut [f32], signs: &[f32]) {
        let scale = 1.0 / (values.len() as f32).sqrt();
        for (value, sign) in values.iter_mut().zip(signs) {
            *value *= sign * scale;
        }
        // The first four steps inside of sixteen values, which stay in a register.
        for some in values.as_chunks_mut::<16>().0 {
            for step in [1, 2, 4, 8] {
                let before = *some;
                for at in 0..16 {
                    let other = before[at ^ step];
                    some[at] = if at & step == 0 { before[at] + other } else { other - before[at] };
                }
            }
        }
        let mut step = 16;
        while step < values.len() {
            for pair in values.chunks_exact_mut(2 * step) {
                let (low, high) = pair.split_at_mut(step);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
            step *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_products_stay_and_one_large_value_is_spread() {
        for dim in [64, 128, 300, 512, 768, 1024] {
            let rotation = Rotation::new(dim);
            let vector = |seed: u64| -> Vec<f32> {
                (0..dim as u64).map(|at| (mixed(seed + at) >> 40) as f32 / 1e7 - 0.8).collect()
            };
            let turned = |vector: &[f32]| {
                let mut out = vec![0.0; rotation.width()];
                rotation.turn(vector, &mut out);
                out
            };
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let (a, b) = (vector(1), vector(99_999));
            let (found, wanted) = (dot(&turned(&a), &turned(&b)), dot(&a, &b));
            assert!((found - wanted).abs() < 1e-4 * dim as f32, "{dim}: {found} for {wanted}");
            let mut one = vec![0.0; dim];
            one[dim / 2] = 1.0;
            let largest = turned(&one).iter().fold(0f32, |most, v| most.max(v.abs()));
            assert!(largest < 8.0 / (dim as f32).sqrt(), "{dim}: {largest}");
        }
    }
}
