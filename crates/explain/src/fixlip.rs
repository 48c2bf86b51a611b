//! FIxLIP: how patches and words act together (Baniecki et al. 2025, <https://arxiv.org/abs/2508.05430>). The weighted
//! Banzhaf interactions of second order between the two sides are the coefficients of the best model
//! `c + sum a_i x_i + sum b_j y_j + sum w_ij x_i y_j` of the score, over players that are there with probability p.
//!
//! A score is the inner product of two embeddings, so p pictures and q texts give p x q scores; and the least squares
//! over all these pairs divide in two: `U` fits the pictures' vectors to who is there, `V` the texts', and the
//! coefficients are `U V^T`. Nothing of the size p x q is ever made.

use tuwen_image::rng::Rng;

use crate::game::Mask;
use crate::solve::least_squares;
use crate::unseen::{Folds, share};

/// Coefficients of a score over patches and words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interactions {
    /// Nobody on either side.
    pub empty: f32,
    /// Of each patch without words, (P).
    pub patches: Vec<f32>,
    /// Of each word without patches, (W).
    pub words: Vec<f32>,
    /// Of each patch with each word, (W, P).
    pub pairs: Vec<f32>,
    /// How well they predict all p x q scores.
    pub r2: f32,
    /// The same of scores that they were not made of: of each tenth of the pictures, and of the texts, by fits to the
    /// others. None where all sets of both sides were asked, and where there are too few.
    pub r2_left_out: Option<f32>,
}

impl Interactions {
    /// What each patch adds where all words are there.
    pub fn of_patches(&self) -> Vec<f32> {
        let count = self.patches.len();
        let with = |at: usize| self.pairs.iter().skip(at).step_by(count.max(1)).sum::<f32>();
        (0..count).map(|at| self.patches[at] + with(at)).collect()
    }

    /// What each word adds where all patches are there.
    pub fn of_words(&self) -> Vec<f32> {
        let rows = self.pairs.chunks_exact(self.patches.len().max(1));
        self.words.iter().zip(rows).map(|(word, row)| word + row.iter().sum::<f32>()).collect()
    }
}

/// So many random sets of players, each there with probability `p`; all sets where there are no more (then `p` weighs
/// them, see [`weights`]).
pub fn masks(players: usize, samples: usize, p: f32, seed: u64) -> Vec<Mask> {
    if players < 20 && 1 << players <= samples {
        let sets = 0..1usize << players;
        return sets.map(|set| (0..players).map(|at| set >> at & 1 == 1).collect()).collect();
    }
    let mut rng = Rng::new(&[seed, 0xf1]);
    (0..samples).map(|_| (0..players).map(|_| rng.chance(p)).collect()).collect()
}

/// What each of these sets counts: its probability where they are all there are, and else the same for each.
pub fn weights(masks: &[Mask], p: f32) -> Vec<f64> {
    let players = masks.first().map_or(0, Vec::len);
    if players >= 20 || masks.len() != 1 << players {
        return vec![1.0; masks.len()];
    }
    let of = |mask: &Mask| {
        mask.iter().map(|&there| f64::from(if there { p } else { 1.0 - p })).product::<f64>()
    };
    // Their mean is 1, as that of drawn ones is.
    masks.iter().map(|mask| of(mask) * masks.len() as f64).collect()
}

/// One side of the game: sets of players and the vectors that they gave.
#[derive(Clone, Copy, Debug)]
pub struct Side<'s> {
    /// Who was there.
    pub masks: &'s [Mask],
    /// (masks, D).
    pub vectors: &'s [f32],
    /// What each counts.
    pub weights: &'s [f64],
}

/// A little, so that few samples of many players do not run away.
const RIDGE: f64 = 1e-3;

impl Side<'_> {
    /// Coefficients of the vectors over `[1, players]`, (1 + players, D).
    fn fitted(&self) -> Vec<f64> {
        let players = self.masks.first().map_or(0, Vec::len);
        let x = self.design();
        let total: f64 = self.weights.iter().sum();
        let mut ridge = vec![RIDGE * total; players + 1];
        ridge[0] = 0.0;
        // Where all sets were asked nothing can run away.
        if self.is_all() {
            ridge.fill(0.0);
        }
        let y: Vec<f64> = self.vectors.iter().map(|&value| f64::from(value)).collect();
        least_squares(&x, self.weights, &ridge, &y)
    }

    /// Whether all sets of players are there.
    fn is_all(&self) -> bool {
        let players = self.masks.first().map_or(0, Vec::len);
        players < 20 && self.masks.len() == 1 << players
    }

    /// Of each fit to a part of the masks the moments of the others; of one that has all sets those of all.
    fn unseen(&self) -> Option<Vec<Moments>> {
        if self.is_all() {
            return Some(vec![Moments::of(self, &self.fitted())]);
        }
        let folds = Folds::of(self.masks.len(), 0, 1)?;
        let of = |[kept, left]: [Vec<f64>; 2]| {
            let fitted = Side { weights: &kept, ..*self }.fitted();
            Moments::of(&Side { weights: &left, ..*self }, &fitted)
        };
        Some(folds.divided(self.weights).map(of).collect())
    }

    fn design(&self) -> Vec<f64> {
        let row = |mask: &Mask| {
            let there = mask.iter().map(|&there| f64::from(u8::from(there)));
            std::iter::once(1.0).chain(there).collect::<Vec<f64>>()
        };
        self.masks.iter().flat_map(row).collect()
    }

    fn dim(&self) -> usize {
        self.vectors.len() / self.masks.len().max(1)
    }
}

/// The interactions of two sides.
pub fn interactions(pictures: Side<'_>, texts: Side<'_>) -> Interactions {
    let dim = pictures.dim();
    let (u, v) = (pictures.fitted(), texts.fitted());
    let (p, q) = (u.len() / dim, v.len() / dim);
    let dot = |i: usize, j: usize| -> f64 {
        u[i * dim..][..dim].iter().zip(&v[j * dim..][..dim]).map(|(a, b)| a * b).sum()
    };
    let pairs = (1..q).flat_map(|j| (1..p).map(move |i| (i, j)));
    Interactions {
        empty: dot(0, 0) as f32,
        patches: (1..p).map(|i| dot(i, 0) as f32).collect(),
        words: (1..q).map(|j| dot(0, j) as f32).collect(),
        pairs: pairs.map(|(i, j)| dot(i, j) as f32).collect(),
        r2: quality(&[Moments::of(&pictures, &u)], &[Moments::of(&texts, &v)]).unwrap_or(1.0),
        r2_left_out: left_out(&pictures, &texts),
    }
}

/// See [`Interactions::r2_left_out`].
fn left_out(pictures: &Side<'_>, texts: &Side<'_>) -> Option<f32> {
    if pictures.is_all() && texts.is_all() {
        return None;
    }
    quality(&pictures.unseen()?, &texts.unseen()?)
}

/// Share of the variance of all scores that the coefficients explain; None where there is none. With second moments of the
/// vectors, so that no score is computed: `sum (a b - a' b')^2` over all pairs is a sum of traces. Of several fits, each
/// beside the other side's of the same number or its only one.
fn quality(pictures: &[Moments], texts: &[Moments]) -> Option<f32> {
    let trace = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut left, mut square, mut mean, mut total) = (0.0, 0.0, 0.0, 0.0);
    for at in 0..pictures.len().max(texts.len()) {
        let a = &pictures[at.min(pictures.len() - 1)];
        let b = &texts[at.min(texts.len() - 1)];
        // E (a.b)^2, E (a.b)(a'.b'), E (a'.b')^2 and E a.b; the vectors of the two sides are independent.
        let own = trace(&a.own, &b.own);
        left += own - 2.0 * trace(&a.mixed, &b.mixed) + trace(&a.guess, &b.guess);
        square += own;
        mean += trace(&a.mean, &b.mean);
        total += a.weight * b.weight;
    }
    share(left / total, square / total, mean / total)
}

/// Sums of vectors and of second moments of them and their guesses.
struct Moments {
    weight: f64,
    mean: Vec<f64>,
    own: Vec<f64>,
    mixed: Vec<f64>,
    guess: Vec<f64>,
}

impl Moments {
    /// Of a side's vectors beside what coefficients, (1 + players, D), say.
    fn of(side: &Side<'_>, coefficients: &[f64]) -> Self {
        let dim = side.dim();
        let (k, x) = (coefficients.len() / dim, side.design());
        let square = || vec![0.0; dim * dim];
        let (mean, own, mixed, guess) = (vec![0.0; dim], square(), square(), square());
        let mut m = Self { weight: 0.0, mean, own, mixed, guess };
        let rows = x.chunks_exact(k).zip(side.vectors.chunks_exact(dim)).zip(side.weights);
        for ((row, own), &weight) in rows.filter(|(_, weight)| **weight != 0.0) {
            let mut guess = vec![0.0; dim];
            for (there, coefficient) in row.iter().zip(coefficients.chunks_exact(dim)) {
                if *there != 0.0 {
                    guess.iter_mut().zip(coefficient).for_each(|(g, c)| *g += c);
                }
            }
            m.add(own, &guess, weight);
        }
        m
    }

    fn add(&mut self, own: &[f32], guess: &[f64], weight: f64) {
        let dim = guess.len();
        self.weight += weight;
        for (i, &a) in own.iter().enumerate() {
            let a = f64::from(a) * weight;
            self.mean[i] += a;
            for (j, (&b, &g)) in own.iter().zip(guess).enumerate() {
                self.own[i * dim + j] += a * f64::from(b);
                self.mixed[i * dim + j] += a * g;
                self.guess[i * dim + j] += weight * guess[i] * g;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIM: usize = 5;

    /// A vector that depends on pairs of players too, so that no linear model fits.
    fn vector(mask: &Mask, salt: f32) -> Vec<f32> {
        let set = mask.iter().enumerate().filter(|(_, there)| **there);
        let sum: f32 = set.clone().map(|(at, _)| (at as f32 + 1.0) * 0.4 + salt).sum();
        (0..DIM)
            .map(|d| (sum * (0.3 + d as f32 * 0.2)).sin() + 0.2 * set.clone().count() as f32)
            .collect()
    }

    fn side(masks: &[Mask], salt: f32) -> Vec<f32> {
        masks.iter().flat_map(|mask| vector(mask, salt)).collect()
    }

    /// By its definition: the mean over all sets of the others of what a patch and a word add together.
    fn banzhaf(p: f32, players: [usize; 2], patch: usize, word: usize) -> f32 {
        let all = |n: usize| masks(n, 1 << n, p, 0);
        let chance = |mask: &Mask, but: usize| -> f32 {
            let others = mask.iter().enumerate().filter(|(at, _)| *at != but);
            others.map(|(_, &there)| if there { p } else { 1.0 - p }).product()
        };
        let score = |a: &Mask, b: &Mask| -> f32 {
            vector(a, 0.1).iter().zip(vector(b, 0.7)).map(|(a, b)| a * b).sum()
        };
        let mut sum = 0.0;
        for a in all(players[0]).iter().filter(|mask| !mask[patch]) {
            for b in all(players[1]).iter().filter(|mask| !mask[word]) {
                let (mut with_patch, mut with_word) = (a.clone(), b.clone());
                (with_patch[patch], with_word[word]) = (true, true);
                let together =
                    score(&with_patch, &with_word) - score(&with_patch, b) - score(a, &with_word)
                        + score(a, b);
                sum += together * chance(a, patch) * chance(b, word);
            }
        }
        sum
    }

    #[test]
    fn pairs_are_the_weighted_banzhaf_interactions() {
        for p in [0.5, 0.3] {
            let (a, b) = (masks(4, 16, p, 0), masks(3, 8, p, 0));
            let (u, v) = (side(&a, 0.1), side(&b, 0.7));
            let (wu, wv) = (weights(&a, p), weights(&b, p));
            let found = interactions(
                Side { masks: &a, vectors: &u, weights: &wu },
                Side { masks: &b, vectors: &v, weights: &wv },
            );
            for word in 0..3 {
                for patch in 0..4 {
                    let (found, wanted) =
                        (found.pairs[word * 4 + patch], banzhaf(p, [4, 3], patch, word));
                    assert!((found - wanted).abs() < 1e-4, "{p} {patch} {word}: {found} {wanted}");
                }
            }
        }
    }

    /// The slow twin: every pair's score, one after the other.
    #[test]
    fn quality_is_that_of_all_pairs() {
        let (a, b) = (masks(6, 64, 0.5, 0), masks(3, 8, 0.5, 0));
        let (u, v) = (side(&a, 0.1), side(&b, 0.7));
        let (wu, wv) = (weights(&a, 0.5), weights(&b, 0.5));
        let found = interactions(
            Side { masks: &a, vectors: &u, weights: &wu },
            Side { masks: &b, vectors: &v, weights: &wv },
        );
        let (mut scores, mut guesses) = (Vec::new(), Vec::new());
        for (at, x) in a.iter().enumerate() {
            for (to, y) in b.iter().enumerate() {
                let own = u[at * DIM..][..DIM].iter().zip(&v[to * DIM..][..DIM]);
                scores.push(own.map(|(a, b)| a * b).sum::<f32>());
                let one = |there: bool| if there { 1.0f32 } else { 0.0 };
                let mut guess = found.empty;
                guess += (0..6).map(|i| one(x[i]) * found.patches[i]).sum::<f32>();
                guess += (0..3).map(|j| one(y[j]) * found.words[j]).sum::<f32>();
                for (&word, pairs) in y.iter().zip(found.pairs.chunks_exact(6)) {
                    guess += (0..6).map(|i| one(x[i] && word) * pairs[i]).sum::<f32>();
                }
                guesses.push(guess);
            }
        }
        let mean = scores.iter().sum::<f32>() / scores.len() as f32;
        let left: f32 = scores.iter().zip(&guesses).map(|(a, b)| (a - b).powi(2)).sum();
        let all: f32 = scores.iter().map(|a| (a - mean).powi(2)).sum();
        assert!((found.r2 - (1.0 - left / all)).abs() < 1e-3, "{} {}", found.r2, 1.0 - left / all);
        assert!(found.r2 > 0.1 && found.r2 < 0.999, "neither empty nor exact: {}", found.r2);
    }

    /// The slow twin: of each fold the fits to the others, and every pair's score that neither has seen.
    #[test]
    fn left_out_quality_is_that_of_pairs_that_no_fit_has_seen() {
        let (a, b) = (masks(12, 50, 0.5, 0), masks(9, 40, 0.5, 1));
        let (u, v) = (side(&a, 0.1), side(&b, 0.7));
        let one = |there: bool| if there { 1.0f32 } else { 0.0 };
        let (mut scores, mut guesses) = (Vec::new(), Vec::new());
        for fold in 0..10 {
            let part = |masks: &[Mask], salt| {
                let own = |(at, _): &(usize, &Mask)| at % 10 != fold;
                let kept: Vec<Mask> =
                    masks.iter().enumerate().filter(own).map(|(_, mask)| mask.clone()).collect();
                let vectors = side(&kept, salt);
                (kept, vectors)
            };
            let ((ka, ku), (kb, kv)) = (part(&a, 0.1), part(&b, 0.7));
            let fit = |masks: &[Mask], vectors: &[f32]| {
                Side { masks, vectors, weights: &vec![1.0; masks.len()] }.fitted()
            };
            let (fa, fb) = (fit(&ka, &ku), fit(&kb, &kv));
            let guess = |fitted: &[f64], mask: &Mask, d: usize| {
                let there = std::iter::once(true).chain(mask.iter().copied()).enumerate();
                there.map(|(at, m)| one(m) * fitted[at * DIM + d] as f32).sum::<f32>()
            };
            for at in (fold..a.len()).step_by(10) {
                for to in (fold..b.len()).step_by(10) {
                    let dims = || 0..DIM;
                    scores.push(dims().map(|d| u[at * DIM + d] * v[to * DIM + d]).sum::<f32>());
                    guesses.push(
                        dims().map(|d| guess(&fa, &a[at], d) * guess(&fb, &b[to], d)).sum::<f32>(),
                    );
                }
            }
        }
        let mean = scores.iter().sum::<f32>() / scores.len() as f32;
        let left: f32 = scores.iter().zip(&guesses).map(|(a, b)| (a - b).powi(2)).sum();
        let all: f32 = scores.iter().map(|a| (a - mean).powi(2)).sum();
        let (wu, wv) = (vec![1.0; 50], vec![1.0; 40]);
        let found = interactions(
            Side { masks: &a, vectors: &u, weights: &wu },
            Side { masks: &b, vectors: &v, weights: &wv },
        );
        let unseen = found.r2_left_out.expect("a share");
        assert!((unseen - (1.0 - left / all)).abs() < 1e-3, "{unseen} {}", 1.0 - left / all);
        assert!(unseen < found.r2, "{unseen} {}", found.r2);
        // Of all sets there are no others.
        let (a, b) = (masks(6, 64, 0.5, 0), masks(3, 8, 0.5, 0));
        let (u, v) = (side(&a, 0.1), side(&b, 0.7));
        let whole = interactions(
            Side { masks: &a, vectors: &u, weights: &weights(&a, 0.5) },
            Side { masks: &b, vectors: &v, weights: &weights(&b, 0.5) },
        );
        assert_eq!(whole.r2_left_out, None);
    }

    #[test]
    fn a_sampled_side_is_near_the_whole_one() {
        let (all, some) = (masks(10, 1024, 0.5, 0), masks(10, 600, 0.5, 3));
        assert_eq!((all.len(), some.len()), (1024, 600));
        let b = masks(3, 8, 0.5, 0);
        let v = side(&b, 0.7);
        let wv = weights(&b, 0.5);
        let of = |a: &[Mask]| {
            let (u, w) = (side(a, 0.1), weights(a, 0.5));
            let pictures = Side { masks: a, vectors: &u, weights: &w };
            interactions(pictures, Side { masks: &b, vectors: &v, weights: &wv }).of_patches()
        };
        let (whole, part) = (of(&all), of(&some));
        let far = whole.iter().zip(&part).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let large = whole.iter().map(|a| a.abs()).fold(0.0, f32::max);
        assert!(far < 0.4 * large, "{far} of {large}");
    }
}
