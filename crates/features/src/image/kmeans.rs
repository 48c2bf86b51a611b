//! k-means (Lloyd 1982) with the seeds of k-means++ (Arthur and Vassilvitskii 2007), by matrix products.

use rayon::prelude::*;
use tuwen_gemm::{Mat, Packed};
use tuwen_image::rng::Rng;

use crate::error::{Error, Result};

/// Rows that one thread looks at.
const PART: usize = 1024;
/// Rows that seeds are looked for among, at least.
const SEEDED: usize = 32_768;

/// Centres, row by row, ready to be asked.
pub struct Centres {
    /// (K, D).
    pub values: Vec<f32>,
    width: usize,
    packed: Packed,
    /// Half of each one's square.
    halves: Vec<f32>,
}

impl Centres {
    /// Of these rows.
    pub fn of(values: Vec<f32>, width: usize) -> Self {
        let count = values.len() / width;
        let packed = Packed::new(Mat::new(&values, count, width, width).t());
        let half = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>() / 2.0;
        Self { halves: values.chunks_exact(width).map(half).collect(), packed, values, width }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.halves.len()
    }

    /// The nearest centre of each row (the first of equal ones) and its squared distance.
    pub fn nearest(&self, rows: &[f32]) -> Vec<(usize, f32)> {
        let (count, centres) = (rows.len() / self.width, self.len());
        let mut dots = vec![0f32; count * centres];
        self.packed.multiply(&mut dots, centres, Mat::new(rows, count, self.width, self.width));
        let mut found = Vec::with_capacity(count);
        for (row, dots) in rows.chunks_exact(self.width).zip(dots.chunks_exact_mut(centres)) {
            dots.iter_mut().zip(&self.halves).for_each(|(dot, half)| *dot -= half);
            let best = dots.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let at = dots.iter().position(|&dot| dot == best).unwrap_or(0);
            let square: f32 = row.iter().map(|v| v * v).sum();
            found.push((at, (square - 2.0 * best).max(0.0)));
        }
        found
    }
}

/// Learns `count` centres of rows; fewer where there are fewer rows.
///
/// # Errors
/// Somebody asked for the end.
pub fn learn(
    rows: &[f32],
    width: usize,
    count: usize,
    steps: usize,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Centres> {
    let mut rng = Rng::new(&[seed, 0x6b6d_6561]);
    let mut centres = Centres::of(seeds(rows, width, count, &mut rng, stop)?, width);
    for _ in 0..steps {
        if stop() {
            return Err(Error::Stopped);
        }
        let near: Vec<(usize, f32)> =
            rows.par_chunks(PART * width).flat_map_iter(|part| centres.nearest(part)).collect();
        let mut sums = vec![0f64; centres.values.len()];
        let mut counts = vec![0usize; centres.len()];
        for (row, (at, _)) in rows.chunks_exact(width).zip(&near) {
            counts[*at] += 1;
            let sum = sums[at * width..][..width].iter_mut();
            sum.zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        // A centre without rows goes to the row that is furthest from its own.
        let mut far: Vec<usize> = (0..near.len()).collect();
        far.sort_by(|&a, &b| near[b].1.total_cmp(&near[a].1).then(a.cmp(&b)));
        let mut far = far.into_iter();
        let mut values = centres.values.clone();
        for (at, row) in values.chunks_exact_mut(width).enumerate() {
            match counts[at] {
                0 => {
                    let other = far.next().expect("as many rows as centres");
                    row.copy_from_slice(&rows[other * width..][..width]);
                }
                count => {
                    let sums = &sums[at * width..][..width];
                    row.iter_mut().zip(sums).for_each(|(v, sum)| *v = (sum / count as f64) as f32);
                }
            }
        }
        let moved = values != centres.values;
        centres = Centres::of(values, width);
        if !moved {
            break;
        }
    }
    Ok(centres)
}

/// Rows that are far from each other, by chance, of a part of all where they are many.
fn seeds(
    rows: &[f32],
    width: usize,
    count: usize,
    rng: &mut Rng,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<f32>> {
    let all = rows.len() / width;
    let step = (all / SEEDED.max(4 * count)).max(1);
    let row = |at: usize| &rows[at * step * width..][..width];
    let places: Vec<usize> = (0..all.div_ceil(step)).collect();
    let mut nearest = vec![f32::INFINITY; places.len()];
    let mut chosen = vec![rng.below(places.len())];
    loop {
        let last = row(chosen[chosen.len() - 1]);
        nearest.par_iter_mut().zip(&places).with_min_len(PART).for_each(|(nearest, at)| {
            let far: f32 = row(*at).iter().zip(last).map(|(a, b)| (a - b) * (a - b)).sum();
            *nearest = nearest.min(far);
        });
        if stop() {
            return Err(Error::Stopped);
        }
        if chosen.len() == count.min(places.len()) {
            break;
        }
        let mut left = f64::from(rng.unit()) * nearest.iter().map(|&v| f64::from(v)).sum::<f64>();
        let passes = |&distance: &f32| {
            left -= f64::from(distance);
            left < 0.0
        };
        // Where all rows are equal, any.
        let at = nearest.iter().position(passes).unwrap_or(chosen.len() % places.len());
        chosen.push(at);
    }
    Ok(chosen.iter().flat_map(|&at| row(at)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_are_found() {
        let mut rng = Rng::new(&[5]);
        let heap = |at: usize| [(at % 3) as f32 * 10.0, (at / 3) as f32 * 10.0];
        let rows: Vec<f32> =
            (0..600).flat_map(|at| heap(at % 9).map(|v| v + 0.3 * rng.normal())).collect();
        let found = learn(&rows, 2, 9, 20, 2, &|| false).expect("centres");
        let mut centres: Vec<[i32; 2]> =
            found.values.chunks(2).map(|c| [c[0].round() as i32, c[1].round() as i32]).collect();
        centres.sort_unstable();
        let mut wanted: Vec<[i32; 2]> = (0..9).map(|at| heap(at).map(|v| v as i32)).collect();
        wanted.sort_unstable();
        assert_eq!(centres, wanted);
        // Fewer rows than centres, and equal rows.
        assert_eq!(learn(&rows[..6], 2, 9, 5, 1, &|| false).expect("three").len(), 3);
        assert_eq!(learn(&[1.0; 8], 2, 3, 5, 1, &|| false).expect("three").len(), 3);
        assert!(matches!(learn(&rows, 2, 9, 5, 1, &|| true), Err(Error::Stopped)));
    }
}
