//! Vectors as a dual encoder's, drawn: clusters, a gap between the modalities, pairs that are alike. For measuring
//! search in galleries that nobody has to download. The numbers are those of CLIP ViT-B/32 on 100 photos and their 500
//! captions; a test holds what is drawn against them.
//!
//! A vector is `mean of its modality + shared part + own part`, scaled to length 1. Both parts lie along random
//! orthonormal axes with variances that fall as a power of their number; the shared one is a cluster's middle and what
//! differs from it.

use rayon::prelude::*;
use tuwen_image::rng::Rng;

use crate::set::Features;

/// Values of a vector.
pub const DIM: usize = 512;
/// Lengths of the two modalities' means, and their cosine.
const MEANS: [f64; 2] = [0.748, 0.710];
const MEANS_COSINE: f64 = 0.332;
/// Variance of what a pair shares: by so much its cosine is above that of strangers.
const SHARED: f64 = 0.150;
/// Variance of what an image, and a text, has alone.
const OWN: [f64; 2] = [0.290, 0.346];
/// Over how many axes the variances spread (participation ratio): shared, image's own, text's own.
const SPREAD: [f64; 3] = [14.0, 13.3, 11.6];
/// Share of the shared variance that lies between clusters.
const BETWEEN: f64 = 0.6;
const CLUSTERS: usize = 1000;

/// Axes with the deviation along each.
struct Part {
    /// (DIM, DIM), a row for each axis, each times its deviation.
    axes: Vec<f32>,
}

impl Part {
    fn new(variance: f64, spread: f64, rng: &mut Rng) -> Self {
        let power = power_for(spread);
        let weight = |k: usize| (k as f64 + 1.0).powf(-power);
        let total: f64 = (0..DIM).map(weight).sum();
        let mut axes = orthonormal(rng);
        for (k, axis) in axes.chunks_mut(DIM).enumerate() {
            let deviation = (variance * weight(k) / total).sqrt() as f32;
            axis.iter_mut().for_each(|v| *v *= deviation);
        }
        Self { axes }
    }

    /// (N, DIM) of so many normal numbers, (N, DIM).
    fn place(&self, normals: &[f32]) -> Vec<f32> {
        let rows = normals.len() / DIM;
        let mut out = vec![0.0; normals.len()];
        let (left, right) = (
            tuwen_gemm::Mat::new(normals, rows, DIM, DIM),
            tuwen_gemm::Mat::new(&self.axes, DIM, DIM, DIM),
        );
        tuwen_gemm::gemm(&mut out, DIM, left, right, false);
        out
    }
}

/// With which power weights have that participation ratio.
fn power_for(spread: f64) -> f64 {
    let ratio = |power: f64| {
        let (sum, squares) = (0..DIM).fold((0.0, 0.0), |(sum, squares), k| {
            let weight = (k as f64 + 1.0).powf(-power);
            (sum + weight, squares + weight * weight)
        });
        sum * sum / squares
    };
    let (mut low, mut high) = (0.0, 5.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if ratio(middle) > spread { low = middle } else { high = middle }
    }
    low
}

fn orthonormal(rng: &mut Rng) -> Vec<f32> {
    let mut rows: Vec<f32> = (0..DIM * DIM).map(|_| rng.normal()).collect();
    for at in 0..DIM {
        for _ in 0..2 {
            let (before, rest) = rows.split_at_mut(at * DIM);
            let own = &mut rest[..DIM];
            for other in before.chunks(DIM) {
                let along = tuwen_nn::math::dot(own, other);
                own.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let own = &mut rows[at * DIM..(at + 1) * DIM];
        let length = tuwen_nn::math::dot(own, own).sqrt();
        own.iter_mut().for_each(|v| *v /= length);
    }
    rows
}

/// Rows of one task.
const BLOCK: usize = 1000;

/// Unit vectors of so many pairs, images and texts, (pairs, [`DIM`]) each: a pair of the same number belongs together,
/// and the first pairs are the same however many are drawn.
pub fn pairs(count: usize, seed: u64) -> [Features; 2] {
    let mut rng = Rng::new(&[seed, 0x6361_7074]);
    let shared = Part::new(SHARED, SPREAD[0], &mut rng);
    let own = [1, 2].map(|at| Part::new(OWN[at - 1], SPREAD[at], &mut rng));
    let basis = orthonormal(&mut rng);
    let (first, second) = (&basis[..DIM], &basis[DIM..2 * DIM]);
    let sine = (1.0 - MEANS_COSINE * MEANS_COSINE).sqrt();
    let image_mean: Vec<f32> = first.iter().map(|v| v * MEANS[0] as f32).collect();
    let turned = first.iter().zip(second);
    let text_mean: Vec<f32> = turned
        .map(|(a, b)| (MEANS[1] * (MEANS_COSINE * f64::from(*a) + sine * f64::from(*b))) as f32)
        .collect();
    let middles: Vec<f32> = (0..CLUSTERS * DIM).map(|_| rng.normal()).collect();
    let block = |block: usize| -> [Vec<f32>; 2] {
        let mut rng = Rng::new(&[seed, 0x626c_6f63, block as u64]);
        let (between, within) = (BETWEEN.sqrt() as f32, (1.0 - BETWEEN).sqrt() as f32);
        let normals: Vec<f32> = (0..BLOCK)
            .flat_map(|_| {
                let middle = &middles[rng.below(CLUSTERS) * DIM..][..DIM];
                middle.iter().map(|m| between * m + within * rng.normal()).collect::<Vec<_>>()
            })
            .collect();
        let meaning = shared.place(&normals);
        [(&own[0], &image_mean), (&own[1], &text_mean)].map(|(own, mean)| {
            let normals: Vec<f32> = (0..BLOCK * DIM).map(|_| rng.normal()).collect();
            let mut rows = own.place(&normals);
            for (row, meaning) in rows.chunks_mut(DIM).zip(meaning.chunks(DIM)) {
                let parts = row.iter_mut().zip(meaning).zip(mean);
                parts.for_each(|((v, meaning), mean)| *v += meaning + mean);
                let length = tuwen_nn::math::dot(row, row).sqrt();
                row.iter_mut().for_each(|v| *v /= length);
            }
            rows
        })
    };
    let blocks: Vec<[Vec<f32>; 2]> =
        (0..count.div_ceil(BLOCK)).into_par_iter().map(block).collect();
    [0, 1].map(|side| {
        let mut values: Vec<f32> = Vec::with_capacity(count.next_multiple_of(BLOCK) * DIM);
        blocks.iter().for_each(|block| values.extend(&block[side]));
        values.truncate(count * DIM);
        Features { values, width: DIM }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and deviation of the cosines of pairs of rows.
    fn cosines(a: &Features, b: &Features, wanted: impl Fn(usize, usize) -> bool) -> [f64; 2] {
        let all: Vec<f64> = (0..a.rows())
            .flat_map(|i| (0..b.rows()).map(move |j| (i, j)))
            .filter(|&(i, j)| wanted(i, j))
            .map(|(i, j)| f64::from(tuwen_nn::math::dot(a.row(i), b.row(j))))
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let squares: f64 = all.iter().map(|v| (v - mean).powi(2)).sum();
        [mean, (squares / all.len() as f64).sqrt()]
    }

    #[test]
    fn what_is_drawn_is_like_clips() {
        let [images, texts] = pairs(300, 1);
        // As measured on CLIP ViT-B/32's vectors: mean and deviation.
        let found = [
            (cosines(&images, &texts, |i, j| i == j), [0.325, 0.029]),
            (cosines(&images, &texts, |i, j| i != j), [0.175, 0.046]),
            (cosines(&images, &images, |i, j| i < j), [0.556, 0.089]),
            (cosines(&texts, &texts, |i, j| i < j), [0.501, 0.109]),
        ];
        for (found, wanted) in found {
            assert!((found[0] - wanted[0]).abs() < 0.03, "{found:?} for {wanted:?}");
            assert!((found[1] - wanted[1]).abs() < 0.025, "{found:?} for {wanted:?}");
        }
        // Of 100 images, a text finds its own first in .832.
        let mut firsts = 0;
        for block in 0..3 {
            for own in block * 100..(block + 1) * 100 {
                let score = |at: usize| tuwen_nn::math::dot(texts.row(own), images.row(at));
                firsts += usize::from(
                    (block * 100..(block + 1) * 100).all(|at| at == own || score(at) < score(own)),
                );
            }
        }
        assert!((0.73..0.93).contains(&(firsts as f64 / 300.0)), "{firsts} of 300");
    }

    #[test]
    fn the_first_pairs_do_not_depend_on_how_many_there_are() {
        let (few, many) = (pairs(10, 3), pairs(1500, 3));
        assert_eq!(few[0].values, many[0].values[..10 * DIM]);
        assert_eq!(few[1].values, many[1].values[..10 * DIM]);
        assert_ne!(few[0], pairs(10, 4)[0]);
    }
}
