//! Codes of bits of vectors that two modalities share already (a dual encoder's, or a common space's): a [`Space`] whose
//! results' signs are the bits. Each modality's own mean is taken away first, because of the gap between modalities a
//! bit would else be the same for all images (measured in `docs/common-space.md`).

use serde::{Deserialize, Serialize};
use tuwen_gemm::{Mat, gemm};
use tuwen_image::rng::Rng;
use tuwen_nn::math::dot;

use crate::chain::{Chain, Space, Step};
use crate::error::{Result, input};
use crate::linalg::{Matrix, cholesky, eigen, singular};
use crate::set::Features;

/// Rounds of ITQ.
const ROUNDS: usize = 40;

/// How bits are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hash {
    /// The signs of the values as they are, without a mean taken away: what one should not do.
    Raw,
    /// The signs of the centred values along random directions (Charikar 2002,
    /// <https://doi.org/10.1145/509907.509965>); of as many bits as values, directions at right angles.
    Random,
    /// The signs along the main axes of both modalities.
    Pca,
    /// These axes turned so that signs lose least (ITQ, Gong and Lazebnik 2011,
    /// <https://doi.org/10.1109/CVPR.2011.5995432>).
    Itq,
    /// For codes of `bits` (images) and their queries (texts): axes along which images vary and texts look, turned as ITQ
    /// does. With covariances C of images and T of texts, `y = A x` and `w = A^-T q` keep every inner product and have
    /// the same covariance, diagonal and falling (balanced coordinates, Moore 1981,
    /// <https://doi.org/10.1109/TAC.1981.1102568>): what texts never ask of images comes last and is cut off. Images
    /// are centred, queries are not: so the score that an image has with all texts stays.
    Balanced,
}

impl Hash {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("raw", Self::Raw),
        ("random", Self::Random),
        ("pca", Self::Pca),
        ("itq", Self::Itq),
        ("balanced", Self::Balanced),
    ];

    /// Learns from vectors of both modalities, (N, D) and (M, D).
    ///
    /// # Errors
    /// Widths differ, or there are more bits than values (fewer for `raw`, which has one for each).
    pub fn learn(
        self,
        images: &Features,
        texts: &Features,
        bits: usize,
        seed: u64,
    ) -> Result<Space> {
        let dim = images.width;
        if texts.width != dim {
            return input(format!(
                "images have {dim} values and texts {}: bits are of one space",
                texts.width
            ));
        }
        if bits == 0 || bits > dim || (self == Self::Raw && bits != dim) {
            return input(format!(
                "{bits} bits of {dim} values: from 1 to {dim}, and {dim} for `raw`"
            ));
        }
        let means = [images, texts].map(|side| Matrix::of(&side.values, dim).means());
        let directions = match self {
            Self::Raw => return Ok(Space::default()),
            Self::Balanced => return balanced(images, texts, bits, seed),
            Self::Random => random_directions(dim, bits, seed),
            Self::Pca => main_axes(&[images, texts], bits),
            Self::Itq => {
                let axes = main_axes(&[images, texts], bits);
                let sides = [images, texts].map(|side| projected(side, &axes));
                axes.times(&Matrix::of(&turn(&sides, bits, seed), bits))
            }
        };
        let chain = |means: &Vec<f64>| Chain(vec![Step::projection(means, &directions)]);
        Ok(Space { image: chain(&means[0]), text: chain(&means[1]) })
    }
}

/// See [`Hash::Balanced`].
fn balanced(images: &Features, texts: &Features, bits: usize, seed: u64) -> Result<Space> {
    let lower = |side: &Features| {
        let covariance = covariance(side);
        let mean =
            covariance.values.iter().step_by(side.width + 1).sum::<f64>() / side.width as f64;
        // Few vectors vary along few axes; a little of every axis makes an inverse.
        cholesky(&covariance.ridged(0.01 * mean))
    };
    let (Some(of_images), Some(of_texts)) = (lower(images), lower(texts)) else {
        return input(
            "the vectors of a modality are all the same: nothing can be learned from them",
        );
    };
    let (values, left, right) = singular(&of_texts.t().times(&of_images), bits);
    if values.len() < bits {
        return input(format!("{bits} bits of vectors that vary along {} axes", values.len()));
    }
    let scaled = |matrix: &Matrix, vectors: &Matrix| {
        let mut out = matrix.times(vectors);
        for row in out.values.chunks_mut(bits) {
            row.iter_mut().zip(&values).for_each(|(v, value)| *v /= value.sqrt());
        }
        out
    };
    let (to_code, to_query) = (scaled(&of_texts, &left), scaled(&of_images, &right));
    let rotation = Matrix::of(&turn(&[projected(images, &to_code), Vec::new()], bits, seed), bits);
    let means = Matrix::of(&images.values, images.width).means();
    let none = vec![0.0; images.width];
    Ok(Space {
        image: Chain(vec![Step::projection(&means, &to_code.times(&rotation))]),
        text: Chain(vec![Step::projection(&none, &to_query.times(&rotation))]),
    })
}

/// (D, D).
fn covariance(side: &Features) -> Matrix {
    let dim = side.width;
    let centred = Matrix::of(&side.values, dim).centred().to_floats();
    let (rows, mut out) = (side.rows(), vec![0.0; dim * dim]);
    let centred = Mat::new(&centred, rows, dim, dim);
    gemm(&mut out, dim, centred.t(), centred, false);
    Matrix::of(&out, dim).scaled(1.0 / rows as f64)
}

/// (D, bits): random directions at right angles.
fn random_directions(dim: usize, bits: usize, seed: u64) -> Matrix {
    let mut rng = Rng::new(&[seed, 0x6c73_6800]);
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(bits);
    while rows.len() < bits {
        let mut row: Vec<f64> = (0..dim).map(|_| f64::from(rng.normal())).collect();
        // Gram and Schmidt's way, twice, which is enough.
        for _ in 0..2 {
            for other in &rows {
                let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
            }
        }
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length > 1e-6 {
            row.iter_mut().for_each(|v| *v /= length);
            rows.push(row);
        }
    }
    Matrix { rows: bits, columns: dim, values: rows.concat() }.t()
}

/// (D, bits): the main axes of the modalities, each by its own mean, each counting the same.
fn main_axes(sides: &[&Features; 2], bits: usize) -> Matrix {
    let dim = sides[0].width;
    let mut spread = Matrix::zeros(dim, dim);
    for side in sides {
        let own = covariance(side);
        spread.values.iter_mut().zip(own.values).for_each(|(sum, own)| *sum += own);
    }
    eigen(&spread).1.columns_at(&(0..bits).collect::<Vec<_>>())
}

/// Centred rows along axes, (N, bits).
fn projected(side: &Features, axes: &Matrix) -> Vec<f32> {
    let means = Matrix::of(&side.values, side.width).means();
    Chain(vec![Step::projection(&means, axes)]).apply(side).values
}

/// The rotation (bits, bits) after which signs lose least of the rows of both sides, by turns: signs of the turned
/// rows, then the rotation that brings rows nearest to these.
fn turn(sides: &[Vec<f32>; 2], bits: usize, seed: u64) -> Vec<f32> {
    let rows: Vec<f32> = sides.iter().flatten().copied().collect();
    let count = rows.len() / bits;
    let mut rotation = random_directions(bits, bits, seed).to_floats();
    let (mut turned, mut cross) = (vec![0.0; rows.len()], vec![0.0; bits * bits]);
    for _ in 0..ROUNDS {
        let left = Mat::new(&rows, count, bits, bits);
        gemm(&mut turned, bits, left, Mat::new(&rotation, bits, bits, bits), false);
        turned.iter_mut().for_each(|v| *v = if *v > 0.0 { 1.0 } else { -1.0 });
        gemm(&mut cross, bits, left.t(), Mat::new(&turned, count, bits, bits), false);
        rotation = nearest_rotation(&cross, bits);
    }
    rotation
}

/// The orthogonal matrix nearest to one: Newton's and Schulz's iteration, 1.5 X - 0.5 X X^T X, which is products alone
/// (Higham 1986, <https://doi.org/10.1137/0907079>).
fn nearest_rotation(matrix: &[f32], size: usize) -> Vec<f32> {
    // Its largest singular value by power iteration: the iteration ends from up to 1.7 times that, and small singular
    // values grow by half each round, so that a bound from all values (Frobenius') would cost three times as many.
    let (mut vector, mut largest) = (vec![1.0f32; size], 0.0f32);
    for _ in 0..10 {
        let along: Vec<f32> = matrix.chunks(size).map(|row| dot(row, &vector)).collect();
        largest = largest.max((dot(&along, &along) / dot(&vector, &vector)).sqrt());
        let mut back = vec![0.0; size];
        for (row, along) in matrix.chunks(size).zip(&along) {
            back.iter_mut().zip(row).for_each(|(sum, v)| *sum += along * v);
        }
        let length = dot(&back, &back).sqrt();
        if length == 0.0 {
            break;
        }
        vector = back.iter().map(|v| v / length).collect();
    }
    let factor = 1.0 / (1.1 * largest).max(1e-30);
    let mut x: Vec<f32> = matrix.iter().map(|v| v * factor).collect();
    let (mut square, mut cube) = (vec![0.0; size * size], vec![0.0; size * size]);
    for _ in 0..60 {
        let view = Mat::new(&x, size, size, size);
        gemm(&mut square, size, view, view.t(), false);
        gemm(&mut cube, size, Mat::new(&square, size, size, size), view, false);
        let mut moved = 0.0f32;
        for (x, cube) in x.iter_mut().zip(&cube) {
            let next = 1.5 * *x - 0.5 * cube;
            moved = moved.max((next - *x).abs());
            *x = next;
        }
        if moved < 1e-5 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two modalities with a gap: a shared part with a few strong axes, and means of their own.
    fn sides() -> [Features; 2] {
        let mut rng = Rng::new(&[9]);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let shared: Vec<f32> = (0..16).map(|k| rng.normal() / (1.0 + k as f32)).collect();
            a.extend(
                shared
                    .iter()
                    .enumerate()
                    .map(|(k, s)| s + 0.1 * rng.normal() + if k == 3 { 2.0 } else { 0.0 }),
            );
            b.extend(
                shared
                    .iter()
                    .enumerate()
                    .map(|(k, s)| s + 0.1 * rng.normal() - if k == 5 { 2.0 } else { 0.0 }),
            );
        }
        [Features { values: a, width: 16 }, Features { values: b, width: 16 }]
    }

    /// Share of the squared length that signs, scaled as well as can be, do not give back.
    fn lost(codes: &[f32]) -> f64 {
        let squares: f64 = codes.iter().map(|v| f64::from(*v).powi(2)).sum();
        let mean = codes.iter().map(|v| f64::from(v.abs())).sum::<f64>() / codes.len() as f64;
        1.0 - codes.len() as f64 * mean * mean / squares
    }

    #[test]
    fn itq_turns_without_stretching_and_signs_lose_less() {
        let [images, texts] = sides();
        let of = |hash: Hash| hash.learn(&images, &texts, 8, 1).expect("bits");
        let (pca, itq) = (of(Hash::Pca).image.apply(&images), of(Hash::Itq).image.apply(&images));
        for at in 0..images.rows() {
            let square = |f: &Features| f.row(at).iter().map(|v| v * v).sum::<f32>();
            assert!((square(&pca) - square(&itq)).abs() < 1e-3 * square(&pca).max(1.0), "row {at}");
        }
        assert!(
            lost(&itq.values) < lost(&pca.values) - 0.1,
            "{} {}",
            lost(&itq.values),
            lost(&pca.values)
        );
    }

    #[test]
    fn every_bit_of_either_modality_is_open_once_its_own_mean_is_gone() {
        let [images, texts] = sides();
        let share = |codes: Features| -> Vec<f64> {
            let on = |at: usize| {
                codes.values.iter().skip(at).step_by(codes.width).filter(|v| **v > 0.0).count()
            };
            (0..codes.width).map(|at| on(at) as f64 / codes.rows() as f64).collect()
        };
        let raw = Hash::Raw.learn(&images, &texts, 16, 1).expect("bits");
        assert!(share(raw.image.apply(&images))[3] > 0.99, "the gap decides");
        for hash in [Hash::Random, Hash::Pca, Hash::Itq] {
            let space = hash.learn(&images, &texts, 16, 1).expect("bits");
            for shares in [share(space.image.apply(&images)), share(space.text.apply(&texts))] {
                assert!(
                    shares.iter().all(|share| (0.3..0.7).contains(share)),
                    "{hash:?}: {shares:?}"
                );
            }
        }
    }

    #[test]
    fn balanced_coordinates_keep_inner_products_and_have_one_covariance() {
        let [images, texts] = sides();
        let space = Hash::Balanced.learn(&images, &texts, 16, 1).expect("bits");
        let (codes, queries) = (space.image.apply(&images), space.text.apply(&texts));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for query in 0..5 {
            // Up to what the query has with the images' mean, which is the same for all images.
            let apart = |at: usize| {
                dot(queries.row(query), codes.row(at)) - dot(texts.row(query), images.row(at))
            };
            (1..50).for_each(|at| assert!((apart(at) - apart(0)).abs() < 1e-2, "{query}, {at}"));
        }
        let (a, b) = (covariance(&codes), covariance(&queries));
        let most = a.values.iter().copied().fold(0.0, f64::max);
        let worst = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 0.1 * most, "{worst} of {most}");
        let same = Features { values: vec![1.0; 64], width: 16 };
        assert!(Hash::Balanced.learn(&same, &texts, 4, 1).is_err());
    }

    #[test]
    fn more_bits_than_values_and_two_widths_are_refused() {
        let [images, _] = sides();
        let other = Features { values: vec![0.0; 30], width: 3 };
        assert!(Hash::Itq.learn(&images, &images, 17, 1).is_err());
        assert!(Hash::Raw.learn(&images, &images, 8, 1).is_err());
        assert!(
            Hash::Itq
                .learn(&images, &other, 3, 1)
                .expect_err("two")
                .to_string()
                .contains("16 values and texts 3")
        );
    }

    #[test]
    fn the_nearest_rotation_of_a_stretched_one_is_that_one() {
        let turned = random_directions(12, 12, 4);
        let mut stretch = Matrix::zeros(12, 12);
        (0..12).for_each(|k| stretch.values[k * 13] = 0.05 + k as f64);
        // A positive stretch on the right is taken away by the polar factor.
        let found = nearest_rotation(&turned.times(&stretch).to_floats(), 12);
        let worst = found
            .iter()
            .zip(&turned.values)
            .map(|(a, b)| (f64::from(*a) - b).abs())
            .fold(0.0, f64::max);
        assert!(worst < 1e-3, "{worst}");
    }
}
