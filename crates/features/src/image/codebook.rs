//! One row of a picture's dense SIFT descriptors, however many there are: their words (BoVW: Sivic and Zisserman 2003),
//! how they differ from these (VLAD: Jégou et al. 2010), or the gradient of a mixture (Fisher vector: Perronnin, Sánchez
//! and Mensink 2010). Descriptors are RootSIFT (Arandjelović and Zisserman 2012): the root of each share of the sum.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_gemm::{Mat, gemm};
use tuwen_image::rng::Rng;
use tuwen_space::linalg::{Matrix, eigen};

use super::kmeans::{self, Centres};
use super::mixture::Mixture;
use super::sift::WIDTH;
use crate::error::{Result, input};

/// How descriptors become a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// The share of each word, 1 in all.
    Words,
    /// Sums of differences, signed roots, length 1.
    Vlad,
    /// Gradients by means and deviations, signed roots, length 1 ("improved"); descriptors have 64 main axes.
    Fisher,
}

/// How a codebook is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Words, or Gaussians.
    pub words: usize,
    /// Descriptors that are learned from.
    pub sample: usize,
    /// Of everything random.
    pub seed: u64,
}

/// Most words.
pub const MOST: usize = 65_536;
/// Main axes of a Fisher vector's descriptors.
const AXES: usize = 64;
/// Steps of k-means and of the mixture.
const STEPS: usize = 25;

/// A learned codebook.
pub struct Codebook {
    encoding: Encoding,
    /// Mean and main axes (64, 128) of descriptors, for Fisher vectors alone.
    axes: Vec<f32>,
    mean: Vec<f32>,
    centres: Centres,
    mixture: Option<Mixture>,
}

/// RootSIFT, in place.
pub fn root(descriptors: &mut [f32]) {
    for row in descriptors.chunks_exact_mut(WIDTH) {
        let sum = row.iter().sum::<f32>().max(f32::EPSILON);
        row.iter_mut().for_each(|value| *value = (*value / sum).sqrt());
    }
}

impl Codebook {
    /// Learns from a sample of descriptors (RootSIFT, row by row).
    ///
    /// # Errors
    /// There are fewer descriptors than words, or somebody asked for the end.
    pub fn learn(
        encoding: Encoding,
        descriptors: &[f32],
        settings: Settings,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let (count, words) = (descriptors.len() / WIDTH, settings.words);
        if !(1..=MOST).contains(&words) || count < words {
            return input(format!(
                "{words} words of {count} descriptors: from 1 to {MOST} words, and as many descriptors, are needed: give \
                 more pictures or fewer --words"
            ));
        }
        let (mean, axes) = match encoding {
            Encoding::Fisher => main_axes(descriptors),
            _ => (Vec::new(), Vec::new()),
        };
        let rows = projected(descriptors, &mean, &axes);
        let width = if axes.is_empty() { WIDTH } else { AXES };
        let centres = kmeans::learn(&rows, width, words, STEPS, settings.seed, stop)?;
        let mixture = match encoding {
            Encoding::Fisher => Some(Mixture::learn(&rows, width, &centres, STEPS, stop)?),
            _ => None,
        };
        Ok(Self { encoding, axes, mean, centres, mixture })
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        match self.encoding {
            Encoding::Words => self.centres.len(),
            Encoding::Vlad => self.centres.len() * WIDTH,
            Encoding::Fisher => 2 * self.centres.len() * AXES,
        }
    }

    /// The row of a picture's descriptors; zeros where there is none.
    pub fn encode(&self, descriptors: &[f32]) -> Vec<f32> {
        if descriptors.is_empty() {
            return vec![0.0; self.width()];
        }
        let rows = projected(descriptors, &self.mean, &self.axes);
        match (&self.mixture, self.encoding) {
            (Some(mixture), _) => fisher(mixture, &rows),
            (None, Encoding::Words) => self.words(&rows),
            (None, _) => self.vlad(&rows),
        }
    }

    fn words(&self, rows: &[f32]) -> Vec<f32> {
        let mut counts = vec![0f32; self.centres.len()];
        let near = self.centres.nearest(rows);
        near.iter().for_each(|(at, _)| counts[*at] += 1.0);
        counts.iter_mut().for_each(|count| *count /= near.len() as f32);
        counts
    }

    fn vlad(&self, rows: &[f32]) -> Vec<f32> {
        let mut sums = vec![0f32; self.width()];
        for (row, (at, _)) in rows.chunks_exact(WIDTH).zip(self.centres.nearest(rows)) {
            let centre = &self.centres.values[at * WIDTH..][..WIDTH];
            let sums = sums[at * WIDTH..][..WIDTH].iter_mut();
            sums.zip(row.iter().zip(centre)).for_each(|(sum, (v, c))| *sum += v - c);
        }
        powered(&mut sums);
        sums
    }

    /// Its arrays, as they are stored.
    pub fn arrays(&self) -> Vec<&[f32]> {
        let mut found: Vec<&[f32]> = vec![&self.centres.values, &self.mean, &self.axes];
        if let Some(Mixture { shares, means, deviations }) = &self.mixture {
            found.extend([shares.as_slice(), means, deviations]);
        }
        found
    }

    /// Of stored arrays.
    ///
    /// # Errors
    /// They do not fit each other.
    pub fn of(encoding: Encoding, arrays: Vec<Vec<f32>>) -> Result<Self, String> {
        let sizes: Vec<usize> = arrays.iter().map(Vec::len).collect();
        let wrong = || format!("its arrays of {sizes:?} values are no codebook");
        let is_fisher = encoding == Encoding::Fisher;
        let width = if is_fisher { AXES } else { WIDTH };
        let mut arrays = arrays.into_iter();
        let mut next = || arrays.next().ok_or_else(wrong);
        let (centres, mean, axes) = (next()?, next()?, next()?);
        let count = centres.len() / width;
        let wanted = if is_fisher { (WIDTH, AXES * WIDTH) } else { (0, 0) };
        if count == 0 || centres.len() != count * width || (mean.len(), axes.len()) != wanted {
            return Err(wrong());
        }
        let mixture = match is_fisher {
            true => Some(Mixture { shares: next()?, means: next()?, deviations: next()? }),
            false => None,
        };
        if let Some(Mixture { shares, means, deviations }) = &mixture {
            let positive = |values: &[f32]| values.iter().all(|value| *value > 0.0);
            let fits = shares.len() == count
                && [means.len(), deviations.len()] == [count * width; 2]
                && positive(shares)
                && positive(deviations);
            if !fits {
                return Err(wrong());
            }
        }
        Ok(Self { encoding, axes, mean, centres: Centres::of(centres, width), mixture })
    }
}

/// Mean and the first 64 main axes (64, 128) of descriptors.
fn main_axes(descriptors: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let rows = Matrix::of(descriptors, WIDTH);
    let means = rows.means();
    let centred = rows.centred();
    let (_, vectors) = eigen(&centred.t().times(&centred));
    let axes = vectors.columns_at(&(0..AXES).collect::<Vec<_>>()).t();
    (means.iter().map(|&mean| mean as f32).collect(), axes.to_floats())
}

fn projected(descriptors: &[f32], mean: &[f32], axes: &[f32]) -> Vec<f32> {
    if axes.is_empty() {
        return descriptors.to_vec();
    }
    let count = descriptors.len() / WIDTH;
    let centred = descriptors.chunks_exact(WIDTH);
    let centred: Vec<f32> =
        centred.flat_map(|row| row.iter().zip(mean).map(|(v, m)| v - m)).collect();
    let mut rows = vec![0f32; count * AXES];
    let right = Mat::new(axes, AXES, WIDTH, WIDTH).t();
    gemm(&mut rows, AXES, Mat::new(&centred, count, WIDTH, WIDTH), right, false);
    rows
}

/// The improved Fisher vector: by means, then by deviations.
fn fisher(mixture: &Mixture, rows: &[f32]) -> Vec<f32> {
    let count = mixture.shares.len();
    let (mut first, mut second) = (vec![0f32; count * AXES], vec![0f32; count * AXES]);
    let terms = mixture.terms(AXES);
    for row in rows.chunks_exact(AXES) {
        for (k, share) in mixture.responsibilities(row, &terms).into_iter().enumerate() {
            if share < 1e-4 {
                continue;
            }
            let part = k * AXES..(k + 1) * AXES;
            let about = mixture.means[part.clone()].iter().zip(&mixture.deviations[part.clone()]);
            let sums = first[part.clone()].iter_mut().zip(&mut second[part]);
            for ((sums, (mean, deviation)), value) in sums.zip(about).zip(row) {
                let far = (value - mean) / deviation;
                *sums.0 += share * far;
                *sums.1 += share * (far * far - 1.0);
            }
        }
    }
    let all = (rows.len() / AXES) as f32;
    for (k, share) in mixture.shares.iter().enumerate() {
        let (by_mean, by_deviation) =
            (1.0 / (all * share.sqrt()), 1.0 / (all * (2.0 * share).sqrt()));
        first[k * AXES..][..AXES].iter_mut().for_each(|value| *value *= by_mean);
        second[k * AXES..][..AXES].iter_mut().for_each(|value| *value *= by_deviation);
    }
    first.extend(second);
    powered(&mut first);
    first
}

/// The signed root of every value, then length 1.
fn powered(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.abs().sqrt().copysign(*value));
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|value| *value /= length);
    }
}

/// A sample of all pictures' descriptors, as much of each as there is room for.
pub fn sampled(all: &[Vec<f32>], most: usize, seed: u64) -> Vec<f32> {
    let count: usize = all.iter().map(|one| one.len() / WIDTH).sum();
    let share = most as f64 / count.max(1) as f64;
    let parts = all.par_iter().enumerate().map(|(at, one)| {
        let mut rng = Rng::new(&[seed, at as u64, 0x7361_6d70]);
        let rows = one.chunks_exact(WIDTH).filter(|_| f64::from(rng.unit()) < share);
        rows.flatten().copied().collect::<Vec<f32>>()
    });
    parts.flatten_iter().collect()
}
