//! Maps from hiding: occlusion, and LIME.

use serde::Serialize;
use tuwen_image::rng::Rng;

use crate::game::Mask;
use crate::solve::least_squares;
use crate::unseen::Folds;
use crate::{Error, Result};

/// What of a game of shown and hidden players an explanation says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Weights {
    /// One for each player.
    pub players: Vec<f32>,
    /// Where nobody is there, as the explanation has it.
    pub empty: f32,
    /// How well it predicts the scores that it was made of: 1 is exactly, weighted as it was fitted. None where these are
    /// all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f32>,
    /// The same of scores that the explanation was not made of, ten times a tenth of them left out: None where all sets were
    /// asked and there are no others, and where there are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2_left_out: Option<f32>,
    /// How many scores it was made of.
    pub calls: usize,
}

/// Scores of masks.
pub type Scores<'g> = dyn Fn(&[Mask]) -> Result<Vec<f32>> + 'g;

/// What the score loses where one player is hidden (Zeiler and Fergus 2014, <https://arxiv.org/abs/1311.2901>): plain,
/// and what the others are tested against.
///
/// # Errors
/// The game's.
pub fn occlusion(players: usize, scores: &Scores<'_>) -> Result<Weights> {
    let mut masks = vec![vec![true; players]];
    masks.extend((0..players).map(|hidden| (0..players).map(|at| at != hidden).collect()));
    let found = scores(&masks)?;
    Ok(Weights {
        players: found[1..].iter().map(|score| found[0] - score).collect(),
        empty: found[0],
        calls: masks.len(),
        ..Weights::default()
    })
}

/// Of a kernel, in cosine distance to the whole picture or text: the width that LIME publishes for pictures, and for
/// texts, whose distance it takes times 100 and whose width is 25.
pub const LIME_WIDTH: f32 = 0.25;
/// LIME's ridge.
const RIDGE: f64 = 1.0;

/// LIME (Ribeiro et al. 2016, <https://arxiv.org/abs/1602.04938>): a linear model of the score over who is there, fitted
/// to `samples` random masks, near ones counting more. As in its authors' program every player is there with
/// probability 1/2, the first mask shows all, the weight is `exp(-d^2 / (2 width^2))` with d the cosine distance, and
/// the ridge is 1. Players of whom there are fewer than `samples` sets are enumerated.
///
/// # Errors
/// The game's; fewer `samples` than what is to be known.
pub fn lime(
    players: usize,
    samples: usize,
    width: f32,
    seed: u64,
    scores: &Scores<'_>,
) -> Result<Weights> {
    let masks = masks(players, samples, seed);
    if masks.len() <= players {
        return Err(Error::Refused(format!(
            "{samples} samples for {players} parts: lime needs at least {}; give more samples or fewer parts",
            players + 1
        )));
    }
    let found = scores(&masks)?;
    let kernel = |mask: &Mask| {
        let shown = mask.iter().filter(|&&there| there).count();
        let distance = 1.0 - (shown as f64 / players.max(1) as f64).sqrt();
        (-distance.powi(2) / (2.0 * f64::from(width).powi(2))).exp()
    };
    let kernel: Vec<f64> = masks.iter().map(kernel).collect();
    let row = |mask: &Mask| {
        let there = mask.iter().map(|&there| f64::from(u8::from(there)));
        std::iter::once(1.0).chain(there).collect::<Vec<f64>>()
    };
    let x: Vec<f64> = masks.iter().flat_map(row).collect();
    let y: Vec<f64> = found.iter().map(|&score| f64::from(score)).collect();
    let mut ridge = vec![RIDGE; players + 1];
    ridge[0] = 0.0;
    let fitted = least_squares(&x, &kernel, &ridge, &y);
    let r2 = r2(&x, &kernel, &y, &fitted);
    // The first mask shows all, and is in every fit.
    let folds = (!is_all(players, samples)).then(|| Folds::of(masks.len(), 1, 1)).flatten();
    let unseen = folds.and_then(|folds| {
        folds.r2(&x, &kernel, &y, |weights| least_squares(&x, weights, &ridge, &y))
    });
    Ok(Weights {
        players: fitted[1..].iter().map(|&weight| weight as f32).collect(),
        empty: fitted[0] as f32,
        r2,
        r2_left_out: unseen,
        calls: masks.len(),
    })
}

/// Whether so many samples are all sets of players.
fn is_all(players: usize, samples: usize) -> bool {
    players < 20 && 1 << players <= samples
}

/// All players, then others at random; all sets where these are no more than `samples`.
fn masks(players: usize, samples: usize, seed: u64) -> Vec<Mask> {
    let all = vec![true; players];
    if is_all(players, samples) {
        return (0..1usize << players)
            .rev()
            .map(|set| (0..players).map(|at| set >> at & 1 == 1).collect())
            .collect();
    }
    let mut rng = Rng::new(&[seed, 0x11e]);
    let drawn = (1..samples).map(|_| (0..players).map(|_| rng.chance(0.5)).collect());
    std::iter::once(all).chain(drawn.collect::<Vec<Mask>>()).collect()
}

/// The variance of scores that differ by the rounding of f32 alone.
const ROUNDING: f64 = 1e-14;

/// Weighted share of the variance that a linear model explains; None where there is none to explain.
pub(crate) fn r2(x: &[f64], weights: &[f64], y: &[f64], fitted: &[f64]) -> Option<f32> {
    let total: f64 = weights.iter().sum();
    let mean = weights.iter().zip(y).map(|(w, y)| w * y).sum::<f64>() / total.max(1e-300);
    let (mut left, mut all) = (0.0, 0.0);
    for ((row, w), y) in x.chunks_exact(fitted.len()).zip(weights).zip(y) {
        let guess: f64 = row.iter().zip(fitted).map(|(a, b)| a * b).sum();
        left += w * (y - guess).powi(2);
        all += w * (y - mean).powi(2);
    }
    (all > ROUNDING * total).then(|| (1.0 - left / all) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum, and a pair that counts together.
    fn score(mask: &Mask, pair: f32) -> f32 {
        let one = |at: usize| if mask[at] { 1.0 } else { 0.0 };
        0.5 + (0..mask.len()).map(|at| one(at) * (at as f32 - 3.0)).sum::<f32>()
            + pair * one(0) * one(1)
    }

    #[test]
    fn a_sum_is_explained_by_its_parts() {
        let game = |masks: &[Mask]| Ok(masks.iter().map(|mask| score(mask, 0.0)).collect());
        let left_out = occlusion(8, &game).expect("weights");
        let fitted = lime(8, 4000, LIME_WIDTH, 1, &game).expect("weights");
        assert_eq!((left_out.calls, fitted.calls), (9, 256));
        for at in 0..8 {
            assert!((left_out.players[at] - (at as f32 - 3.0)).abs() < 1e-5);
            assert!((fitted.players[at] - (at as f32 - 3.0)).abs() < 0.25, "{fitted:?}");
        }
        assert!(fitted.r2.expect("a share") > 0.98);
    }

    #[test]
    fn what_is_too_little_is_refused_and_what_is_flat_has_no_fit() {
        let flat = |masks: &[Mask]| Ok(vec![0.25; masks.len()]);
        let found = lime(30, 31, LIME_WIDTH, 1, &flat).expect("weights");
        assert_eq!(found.r2, None, "{found:?}");
        let said = lime(30, 30, LIME_WIDTH, 1, &flat).expect_err("too few").to_string();
        assert!(said.contains("30 samples for 30 parts") && said.contains("31"), "{said}");
    }

    #[test]
    fn a_worse_fit_says_so_and_the_same_seed_gives_the_same() {
        let noisy = |masks: &[Mask]| {
            let noise = |mask: &Mask| mask.iter().filter(|&&m| m).count() % 2;
            Ok(masks.iter().map(|mask| 9.0 * noise(mask) as f32).collect())
        };
        let found = lime(30, 300, LIME_WIDTH, 1, &noisy).expect("weights");
        assert_eq!(found.calls, 300);
        assert!(found.r2.expect("a share") < 0.4, "{found:?}");
        assert_eq!(lime(30, 300, LIME_WIDTH, 1, &noisy).expect("weights"), found);
        assert_ne!(lime(30, 300, LIME_WIDTH, 2, &noisy).expect("weights"), found);
    }
}
