//! Vectors like those of CLIP ViT-B/32 for pictures and their captions: two cones with a gap between them, a few large
//! columns, things in common between a picture and its captions and things of either alone, in topics with topics
//! inside, few of them common and many seldom. Written down after 100 photos of Flickr8k with 500 captions; `cells
//! check` prints the same figures of both (`docs/scale.md` has them).

use rayon::prelude::*;
use tuwen_index::exact;

/// Width of a vector.
pub const DIM: usize = 512;
/// Things that pictures and captions have in common, and as many of either alone.
const FACTORS: usize = 448;
/// Topics, topics of each, and topics of each of these.
const TOPICS: [usize; 3] = [20, 16, 24];
/// How much of a vector is its topics', and how much its own; shares of the variance.
const SHARES: [f32; 4] = [0.33, 0.22, 0.15, 0.30];
/// Variances: in common, of a picture alone, of a text alone, of one caption among those of a picture.
const VARIANCES: [f32; 4] = [0.155, 0.285, 0.155, 0.21];
/// How fast factors fade.
const FADING: f32 = 1.15;
/// Rows that are made together, from a seed of their own.
const TOGETHER: usize = 1000;

/// The world that pictures and captions are of.
pub struct World {
    /// In common, of pictures, of texts: (D, 2 F) each for pictures and texts, in common first.
    bases: [Vec<f32>; 2],
    means: [Vec<f32>; 2],
    /// Standard deviations of factors, of each of [`VARIANCES`].
    scales: [Vec<f32>; 4],
    /// Centres of topics: in common, of pictures, of texts, on three levels.
    centres: [[Vec<f32>; 3]; 3],
    seed: u64,
}

impl World {
    /// The same one for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let mut basis = || draw.normals(DIM * FACTORS, 1.0 / (DIM as f32).sqrt());
        let [common, picture, text] = [basis(), basis(), basis()];
        let beside = |own: &[f32]| {
            let rows = common.chunks_exact(FACTORS).zip(own.chunks_exact(FACTORS));
            rows.flat_map(|(a, b)| [a, b].concat()).collect()
        };
        let scales = VARIANCES.map(|variance| {
            let fading: Vec<f32> = (0..FACTORS).map(|at| (at as f32 + 2.0).powf(-FADING)).collect();
            let sum: f32 = fading.iter().sum();
            fading.into_iter().map(|value| (variance * value / sum).sqrt()).collect()
        });
        let means = means(&mut draw);
        let mut level = |count: usize| draw.normals(count * FACTORS, 1.0);
        let centres = [0, 1, 2].map(|_| {
            let [a, b, c] = TOPICS;
            [level(a), level(a * b), level(a * b * c)]
        });
        Self { bases: [beside(&picture), beside(&text)], means, scales, centres, seed }
    }

    /// Pictures (N, D) from number `first` on, a multiple of a thousand as `count`.
    pub fn pictures(&self, first: usize, count: usize) -> Vec<f32> {
        self.make(first, count, 0).0
    }

    /// Pictures with captions, so many of each: (N, D) and (N, captions, D).
    pub fn make(&self, first: usize, count: usize, captions: usize) -> (Vec<f32>, Vec<f32>) {
        assert_eq!((first % TOGETHER, count % TOGETHER), (0, 0), "whole thousands");
        let parts = (first / TOGETHER..(first + count) / TOGETHER).into_par_iter();
        let parts: Vec<_> = parts.map(|part| self.part(part as u64, captions)).collect();
        let (pictures, texts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        (pictures.concat(), texts.concat())
    }

    fn part(&self, part: u64, captions: usize) -> (Vec<f32>, Vec<f32>) {
        let mut draw = Draw(self.seed ^ (part + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
        let (mut pictures, mut texts) = (Vec::new(), Vec::new());
        for _ in 0..TOGETHER {
            let mut at = 0;
            let topics: [usize; 3] = std::array::from_fn(|level| {
                at = at * TOPICS[level] + draw.seldom(TOPICS[level]);
                at
            });
            let mut factors = |of: usize| -> Vec<f32> {
                let mut out = draw.normals(FACTORS, SHARES[3].sqrt());
                for (level, topic) in topics.into_iter().enumerate() {
                    let centre = &self.centres[of][level][topic * FACTORS..][..FACTORS];
                    let share = SHARES[level].sqrt();
                    out.iter_mut().zip(centre).for_each(|(value, c)| *value += share * c);
                }
                out
            };
            let [common, picture, text] = [factors(0), factors(1), factors(2)];
            let scaled = |values: &[f32], of: usize| -> Vec<f32> {
                values.iter().zip(&self.scales[of]).map(|(value, scale)| value * scale).collect()
            };
            let common = scaled(&common, 0);
            pictures.extend(&common);
            pictures.extend(scaled(&picture, 1));
            let text = scaled(&text, 2);
            for _ in 0..captions {
                for (values, share) in [(&common, 0.6), (&text, 0.8)] {
                    let own = scaled(&draw.normals(FACTORS, share), 3);
                    texts.extend(values.iter().zip(own).map(|(value, own)| value + own));
                }
            }
        }
        (self.vectors(&pictures, 0), self.vectors(&texts, 1))
    }

    /// Vectors of length 1 from factors (N, 2 F).
    fn vectors(&self, factors: &[f32], of: usize) -> Vec<f32> {
        let count = factors.len() / (2 * FACTORS);
        let mut out = vec![0.0; count * DIM];
        exact::scores(factors, &self.bases[of], 2 * FACTORS, &mut out, DIM);
        for row in out.chunks_exact_mut(DIM) {
            row.iter_mut().zip(&self.means[of]).for_each(|(value, mean)| *value += mean);
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter_mut().for_each(|value| *value /= length);
        }
        out
    }
}

/// What pictures and texts have in common, as long and as far from each other as CLIP's.
fn means(draw: &mut Draw) -> [Vec<f32>; 2] {
    let sized = |values: Vec<f32>, length: f32| -> Vec<f32> {
        let now = dot(&values, &values).sqrt();
        values.into_iter().map(|value| value * length / now).collect()
    };
    let mut picture = sized(draw.normals(DIM, 1.0), 0.35);
    picture[92] = 0.62;
    let picture = sized(picture, 1.0);
    let mut text = sized(draw.normals(DIM, 1.0), 0.4);
    (text[133], text[312]) = (0.4, 0.4);
    let along = dot(&text, &picture);
    let apart = text.iter().zip(&picture).map(|(t, p)| t - along * p).collect();
    let (apart, cosine) = (sized(apart, 1.0), 0.333f32);
    let across = (1.0 - cosine * cosine).sqrt();
    let text = apart.iter().zip(&picture).map(|(a, p)| across * a + cosine * p).collect();
    [sized(picture, 0.745), sized(text, 0.705)]
}

pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Seeded numbers: <https://prng.di.unimi.it/splitmix64.c>.
pub struct Draw(pub u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// About normal: sums of four even numbers.
    fn normals(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let scale = deviation * 3f32.sqrt() / 65_536.0;
        let mut one = || {
            let bits = self.bits();
            let four = [0, 16, 32, 48].map(|at| (bits >> at & 0xFFFF) as f32);
            (four.iter().sum::<f32>() - 131_070.0) * scale
        };
        (0..count).map(|_| one()).collect()
    }

    /// One of so many: the first the most often, by the power 0.8 of their places.
    fn seldom(&mut self, count: usize) -> usize {
        let weight = |at: usize| (at as f32 + 3.0).powf(-0.8);
        let all: f32 = (0..count).map(weight).sum();
        let mut left = (self.bits() >> 40) as f32 / (1u64 << 24) as f32 * all;
        (0..count)
            .find(|&at| {
                left -= weight(at);
                left < 0.0
            })
            .unwrap_or(count - 1)
    }
}
