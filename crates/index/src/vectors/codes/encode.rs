//! Rows become codes, with bounds of what is lost.

use tuwen_simd::simd;

use super::record::Parts;
use crate::vectors::segment::BLOCK;

/// Largest code.
const LARGEST: f32 = 127.0;
/// Rows that are longer have no code, nor do rows with a value that is not finite: with all others no sum can
/// overflow (see `query`).
pub(super) const LONGEST: f64 = (1u64 << 60) as f64;

/// The record of a full block, from its rows (256, D) and their checksum.
///
/// # Panics
/// When these are not 256 rows.
pub(crate) fn encode(rows: &[f32], dim: usize, check: u32) -> Vec<u64> {
    assert_eq!(rows.len(), BLOCK * dim, "a full block");
    let mut parts = Parts::new(dim);
    let coded: Vec<bool> =
        rows.chunks_exact(dim).map(|row| squares(row) <= LONGEST * LONGEST).collect();
    mean(rows, &coded, &mut parts.mean);
    parts.mean_length = up(above(squares(&parts.mean).sqrt()));
    let mut code = vec![0.0; dim];
    for (at, row) in rows.chunks_exact(dim).enumerate() {
        let fit = if coded[at] { row_code(row, &parts.mean, &mut code) } else { Fit::NONE };
        parts.table[at] = fit.scale;
        parts.table[BLOCK + at] = fit.left;
        parts.table[2 * BLOCK + at] = fit.length;
        let check = crc32fast::hash(bytemuck::cast_slice(row));
        parts.table[3 * BLOCK + at] = f32::from_bits(check);
        if fit.scale == 0.0 {
            continue;
        }
        for (word, values) in code.chunks(4).enumerate() {
            let place = Parts::place(dim, at, word);
            let target = &mut parts.codes[place..place + values.len()];
            for (byte, value) in target.iter_mut().zip(values) {
                *byte = (*value + 128.0) as u8;
            }
        }
    }
    parts.into_record(check)
}

/// What a row's code leaves: `left` is at least ||row - mean - scale * code||, `length` at least ||scale * code||.
struct Fit {
    scale: f32,
    left: f32,
    length: f32,
}

impl Fit {
    /// Of a row without a code: it may have any score.
    const NONE: Self = Self { scale: 0.0, left: f32::INFINITY, length: 0.0 };
}

/// More than what sums and roots of f64 lose: a sum of n squares has a relative error below (n + 2) 2^-53, for n up to
/// 2048 below 2^-41, its root half of that.
pub(super) fn above(value: f64) -> f64 {
    value * (1.0 + 1.0 / (1u64 << 30) as f64)
}

/// The next f32 that is not below.
pub(super) fn up(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

/// A vector's scale and its code, whole numbers in [-127, 127] as f32.
fn row_code(row: &[f32], mean: &[f32], code: &mut [f32]) -> Fit {
    let scale = round(row, mean, code);
    let [left, length] = measure(row, mean, scale, code).map(f64::sqrt);
    let length = above(f64::from(scale) * length);
    // `measure` has each difference with an error of at most 2^-52 of the values it lies between, which together
    // are not longer than `length + left`.
    let lost = (length + left) / (1u64 << 50) as f64;
    Fit { scale, left: up(above(left) + lost), length: up(length) }
}

simd! {
    /// The sum of squares in f64: infinite or not a number where a value is.
    pub(super) fn squares(values: &[f32]) -> f64 {
        let (some, rest) = values.as_chunks::<8>();
        let mut sums = [0f64; 8];
        for eight in some {
            for (sum, value) in sums.iter_mut().zip(eight) {
                *sum += f64::from(*value) * f64::from(*value);
            }
        }
        for (sum, value) in sums.iter_mut().zip(rest) {
            *sum += f64::from(*value) * f64::from(*value);
        }
        sums.iter().sum()
    }
}

simd! {
    /// The mean of the rows that have codes. Any vector would do; this one leaves little.
    fn mean(rows: &[f32], coded: &[bool], mean: &mut [f32]) {
        let mut sums = vec![0f64; mean.len()];
        for (row, _) in rows.chunks_exact(mean.len()).zip(coded).filter(|(_, coded)| **coded) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let count = coded.iter().filter(|coded| **coded).count().max(1) as f64;
        for (mean, sum) in mean.iter_mut().zip(&sums) {
            *mean = (*sum / count) as f32;
        }
    }
}

simd! {
    /// Writes the code of `row - mean` and returns its scale: the largest value becomes 127. How it is rounded
    /// matters to no bound, which are of what is left.
    fn round(row: &[f32], mean: &[f32], code: &mut [f32]) -> f32 {
        // Adding and taking away 1.5 * 2^23 rounds to whole numbers.
        const ROUND: f32 = 12_582_912.0;
        let mut largest = [0f32; 16];
        for ((code, row), mean) in code.iter_mut().zip(row).zip(mean) {
            *code = row - mean;
        }
        let (some, rest) = code.as_chunks::<16>();
        for sixteen in some {
            for (most, value) in largest.iter_mut().zip(sixteen) {
                *most = most.max(value.abs());
            }
        }
        let most = rest.iter().chain(&largest).fold(0f32, |most, value| most.max(value.abs()));
        let scale = most / LARGEST;
        // Of a scale that is no normal number the inverse may be infinite: such rows have the code 0.
        if scale < f32::MIN_POSITIVE {
            code.fill(0.0);
            return 0.0;
        }
        let inverse = 1.0 / scale;
        for value in code.iter_mut() {
            let whole = (*value * inverse + ROUND) - ROUND;
            *value = whole.clamp(-LARGEST, LARGEST);
        }
        scale
    }
}

simd! {
    /// The sums of squares of what is left and of the code.
    fn measure(row: &[f32], mean: &[f32], scale: f32, code: &[f32]) -> [f64; 2] {
        let scale = f64::from(scale);
        let (mut left, mut length) = ([0f64; 8], [0f64; 8]);
        for ((row, mean), code) in row.chunks(8).zip(mean.chunks(8)).zip(code.chunks(8)) {
            let sums = left.iter_mut().zip(length.iter_mut());
            for ((sums, row), (mean, code)) in sums.zip(row).zip(mean.iter().zip(code)) {
                let code = f64::from(*code);
                // The product of 24 by 7 bits is exact.
                let rest = f64::from(*row) - f64::from(*mean) - scale * code;
                *sums.0 += rest * rest;
                *sums.1 += code * code;
            }
        }
        [left.iter().sum(), length.iter().sum()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{PANELS, Record};
    use super::*;

    /// What a record says a row is, without what is left.
    fn decoded(record: Record<'_>, row: usize, dim: usize) -> Vec<f64> {
        let panel = record.panel(row / 64);
        let code = |column: usize| {
            let place = Parts::place(dim, row % 64, column / 4) + column % 4;
            f64::from(panel.codes[place]) - 128.0
        };
        let scale = f64::from(panel.scales[row % 64]);
        (0..dim).map(|c| f64::from(record.mean()[c]) + scale * code(c)).collect()
    }

    #[test]
    fn what_is_left_is_within_its_bound_and_small() {
        for (dim, size) in [(64, 1.0f32), (70, 1e-30), (257, 1e12), (66, 1e-44)] {
            let value = |i: usize| ((i * 7919 % 1013) as f32 - 300.0) / 1013.0 * size;
            let mut rows: Vec<f32> = (0..BLOCK * dim).map(value).collect();
            rows[3 * dim + 5] = f32::NAN;
            rows[4 * dim + 6] = 2e18;
            rows[5 * dim..6 * dim].fill(0.0);
            let words = encode(&rows, dim, 77);
            let record = Record::new(bytemuck::cast_slice(&words), dim);
            assert!(record.is_of(77) && !record.is_of(78) && record.is_whole());
            assert_eq!(PANELS, 4);
            for (at, row) in rows.chunks_exact(dim).enumerate() {
                let (panel, place) = (record.panel(at / 64), at % 64);
                assert_eq!(record.checks()[at], crc32fast::hash(bytemuck::cast_slice(row)));
                if matches!(at, 3 | 4) {
                    assert_eq!(panel.left[place], f32::INFINITY, "row {at} has no code");
                    continue;
                }
                let rest = row.iter().zip(decoded(record, at, dim)).map(|(&x, y)| f64::from(x) - y);
                let rest = rest.map(|v| v * v).sum::<f64>().sqrt();
                let bound = f64::from(panel.left[place]);
                assert!(rest <= bound, "{dim}, {size}, row {at}: {rest} > {bound}");
                let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                let most = length.max(f64::from(size)) * 0.02 + 1e-43;
                assert!(bound < most, "{dim}, {size}, row {at}: {bound} of {length}");
            }
        }
    }

    #[test]
    fn a_changed_record_is_noticed() {
        let dim = 64;
        let rows: Vec<f32> = (0..BLOCK * dim).map(|i| (i * 31 % 997) as f32).collect();
        let whole = encode(&rows, dim, 5);
        let len = whole.len() * 8;
        for at in (12..len).step_by(97).chain([0, 8, 15, 16, len - 1]) {
            let mut words = whole.clone();
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
            bytes[at] ^= 0x40;
            let record = Record::new(bytes, dim);
            assert!(!(record.is_of(5) && record.is_whole()), "byte {at}");
        }
    }
}
