//! Shapley values: KernelSHAP by sampling.

use tuwen_image::rng::Rng;

use crate::game::Mask;
use crate::perturb::{Scores, Weights, r2};
use crate::solve::least_squares;
use crate::unseen::Folds;
use crate::{Error, Result};

/// KernelSHAP (Lundberg and Lee 2017, <https://arxiv.org/abs/1705.07874>): sets of players drawn with the probability
/// of their weight, `(M - 1) / (C(M, s) s (M - s))`, each with its complement, and least squares in which nobody and
/// everybody are met exactly, so that the values add up. Of few players all sets are weighed. Each player alone and each
/// left out are always among the sets, with their exact weights, so that no value runs away however few are drawn; they
/// and the two ends may be two more than `samples`. R2 is that of the additive model on the scores, weighed as they were
/// fitted; nobody and everybody, whose weight has no end, are not in it.
///
/// # Errors
/// The game's; fewer `samples` than the players need.
pub fn kernel_shap(
    players: usize,
    samples: usize,
    seed: u64,
    scores: &Scores<'_>,
) -> Result<Weights> {
    let ends = scores(&[vec![false; players], vec![true; players]])?;
    let (empty, all) = (ends[0], ends[1]);
    if players < 2 {
        let players = vec![all - empty; players];
        return Ok(Weights { players, empty, calls: 2, ..Weights::default() });
    }
    if samples < 2 * players && 1usize.checked_shl(players as u32).is_none_or(|sets| sets > samples)
    {
        return Err(Error::Refused(format!(
            "{samples} samples for {players} parts: KernelSHAP needs at least {}, each part alone and each left out; give \
             more samples or fewer parts",
            2 * players
        )));
    }
    let (masks, weights) = sets(players, samples.saturating_sub(2), seed);
    let found = scores(&masks)?;
    // The last player's value is what the others leave: f(all) - f(empty) - their sum.
    let total = f64::from(all - empty);
    let last = |mask: &Mask| f64::from(u8::from(mask[players - 1]));
    let row = |mask: &Mask| {
        let last = last(mask);
        let there = mask[..players - 1].iter().map(move |&t| f64::from(u8::from(t)) - last);
        there.collect::<Vec<f64>>()
    };
    let x: Vec<f64> = masks.iter().flat_map(row).collect();
    let target = |(mask, &score): (&Mask, &f32)| f64::from(score - empty) - last(mask) * total;
    let y: Vec<f64> = masks.iter().zip(&found).map(target).collect();
    let fitted = |weights: &[f64]| {
        let mut fitted = least_squares(&x, weights, &vec![0.0; players - 1], &y);
        fitted.push(total - fitted.iter().sum::<f64>());
        fitted
    };
    let values = fitted(&weights);
    let there: Vec<f64> = masks.iter().flatten().map(|&there| f64::from(u8::from(there))).collect();
    let more: Vec<f64> = found.iter().map(|&score| f64::from(score - empty)).collect();
    // Each part alone and each left out determine the values and are in every fit; a set and its complement are left out
    // together. Where all sets were asked there are no others.
    let all = players < 20 && masks.len() == (1 << players) - 2;
    let folds = (!all).then(|| Folds::of(masks.len(), 2 * players, 2)).flatten();
    Ok(Weights {
        players: values.iter().map(|&value| value as f32).collect(),
        empty,
        r2: r2(&there, &weights, &more, &values),
        r2_left_out: folds.and_then(|folds| folds.r2(&there, &weights, &more, fitted)),
        calls: masks.len() + 2,
    })
}

/// Sets that are neither empty nor whole, and their weights.
fn sets(players: usize, samples: usize, seed: u64) -> (Vec<Mask>, Vec<f64>) {
    let of_size = |size: usize| (players - 1) as f64 / (size * (players - size)) as f64;
    if players < 20 && (1 << players) - 2 <= samples {
        let all = 1..(1usize << players) - 1;
        let masks: Vec<Mask> =
            all.map(|set| (0..players).map(|at| set >> at & 1 == 1).collect()).collect();
        let weight = |mask: &Mask| {
            let size = mask.iter().filter(|&&there| there).count();
            of_size(size) / choose(players, size)
        };
        let weights = masks.iter().map(weight).collect();
        return (masks, weights);
    }
    // Each player alone and each left out: what determines every value.
    let alone = |one: usize, own: bool| (0..players).map(|at| (at == one) == own).collect();
    let mut masks: Vec<Mask> =
        (0..players).flat_map(|one| [alone(one, true), alone(one, false)]).collect();
    let mut weights = vec![of_size(1) / players as f64; masks.len()];
    // The weight of the sizes between is that of the sets that are drawn by their shares.
    let mut rng = Rng::new(&[seed, 0x5ab]);
    let sizes: Vec<f64> = (2..players - 1).map(of_size).collect();
    let sum: f64 = sizes.iter().sum();
    while masks.len() + 1 < samples && !sizes.is_empty() {
        let mut left = f64::from(rng.unit()) * sum;
        let size = sizes.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let size = size.unwrap_or(sizes.len() - 1) + 2;
        let mut order: Vec<usize> = (0..players).collect();
        rng.shuffle(&mut order);
        let mut mask = vec![false; players];
        order[..size].iter().for_each(|&at| mask[at] = true);
        let other = mask.iter().map(|there| !there).collect();
        masks.extend([mask, other]);
    }
    let drawn = masks.len() - weights.len();
    weights.resize(masks.len(), sum / drawn.max(1) as f64);
    (masks, weights)
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k).map(|at| (n - at) as f64 / (at + 1) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A game with pairs and a triple.
    fn score(mask: &Mask) -> f32 {
        let one = |at: usize| if mask[at] { 1.0 } else { 0.0 };
        0.25 + (0..mask.len()).map(|at| one(at) * (at as f32 - 2.5)).sum::<f32>()
            + 2.0 * one(0) * one(3)
            - one(1) * one(2) * one(4)
    }

    fn game(masks: &[Mask]) -> Result<Vec<f32>> {
        Ok(masks.iter().map(score).collect())
    }

    /// The mean over all orders of what a player adds.
    fn exact(players: usize) -> Vec<f32> {
        fn go(order: &mut Vec<usize>, mask: &mut Mask, sums: &mut [f32], count: &mut f32) {
            if order.len() == mask.len() {
                let mut there = vec![false; mask.len()];
                for &at in order.iter() {
                    let before = score(&there);
                    there[at] = true;
                    sums[at] += score(&there) - before;
                }
                *count += 1.0;
            }
            for at in 0..mask.len() {
                if !mask[at] {
                    (mask[at], _) = (true, order.push(at));
                    go(order, mask, sums, count);
                    (mask[at], _) = (false, order.pop());
                }
            }
        }
        let (mut sums, mut count) = (vec![0.0; players], 0.0);
        go(&mut Vec::new(), &mut vec![false; players], &mut sums, &mut count);
        sums.iter().map(|sum| sum / count).collect()
    }

    #[test]
    fn all_sets_give_the_mean_over_all_orders() {
        let wanted = exact(6);
        let found = kernel_shap(6, 64, 0, &game).expect("values");
        for (found, wanted) in found.players.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-4, "{found} {wanted}");
        }
        // The pair counts half for each.
        assert!((wanted[0] - (-2.5 + 1.0)).abs() < 1e-4);
    }

    #[test]
    fn sampled_values_are_near_and_add_up() {
        // Twelve more players that do nothing.
        let more = |masks: &[Mask]| Ok(masks.iter().map(|m| score(&m[..6].to_vec())).collect());
        let found = kernel_shap(18, 3000, 7, &more).expect("values");
        let sum: f32 = found.players.iter().sum();
        let total = score(&vec![true; 6]) - score(&vec![false; 6]);
        assert!((sum - total).abs() < 1e-4, "{sum} {total}");
        for (at, wanted) in exact(6).into_iter().chain([0.0; 12]).enumerate() {
            let value = found.players[at];
            assert!((value - wanted).abs() < 0.1, "player {at}: {value} {wanted}");
        }
        let few = kernel_shap(18, 30, 7, &more).expect_err("too few").to_string();
        assert!(few.contains("30") && few.contains("36"), "{few}");
    }

    /// Of `players`, each pair of which counts a little together: what one gets is half of its pairs' and its own.
    fn paired(players: usize) -> (impl Fn(&[Mask]) -> Result<Vec<f32>>, Vec<f32>) {
        let mut rng = Rng::new(&[9]);
        let own: Vec<f32> = (0..players).map(|_| rng.range(-0.02, 0.04)).collect();
        let pairs: Vec<f32> = (0..players * players).map(|_| rng.range(-0.003, 0.003)).collect();
        let both = move |a: usize, b: usize| pairs[a.min(b) * players + a.max(b)];
        let others = |at: usize| (0..players).filter(move |&b| b != at);
        let half = |at: usize| others(at).map(|b| both(at, b) / 2.0).sum::<f32>();
        let exact = (0..players).map(|at| own[at] + half(at)).collect();
        let game = move |masks: &[Mask]| {
            let score = |mask: &Mask| {
                let there: Vec<usize> = (0..players).filter(|&at| mask[at]).collect();
                let sum: f32 = there.iter().map(|&at| own[at]).sum();
                let rest = there.iter().enumerate();
                sum + rest
                    .flat_map(|(i, &a)| there[..i].iter().map(move |&b| (a, b)))
                    .map(|(a, b)| both(a, b))
                    .sum::<f32>()
            };
            Ok(masks.iter().map(score).collect())
        };
        (game, exact)
    }

    /// As many drawn pairs as parts determine each value by one score: without the single parts these were hundreds of
    /// times too large.
    #[test]
    fn few_samples_run_away_nowhere() {
        let (game, wanted) = paired(49);
        for samples in [98, 100, 120, 146, 196, 245, 512] {
            for seed in 0..3 {
                let found = kernel_shap(49, samples, seed, &game).expect("values");
                let errors = found.players.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
                let worst = errors.fold(0.0, f32::max);
                assert!(worst < 0.02, "{samples} samples, seed {seed}: {worst}");
                assert!(found.calls <= samples.max(100), "{samples}: {}", found.calls);
                let sum: f32 = found.players.iter().sum();
                let total = wanted.iter().sum::<f32>();
                assert!((sum - total).abs() < 1e-3, "{sum}, not {total}");
            }
        }
    }

    /// Of three players, by hand.
    #[test]
    fn r2_is_that_of_the_scores_that_were_asked() {
        let found = kernel_shap(3, 8, 0, &|masks| {
            let score = |m: &Mask| if m[0] || m.iter().all(|&m| m) { 1.0 } else { 0.0 };
            Ok(masks.iter().map(score).collect())
        });
        let found = found.expect("values");
        // Player 0 is worth all: the model is exact.
        assert!(
            (found.players[0] - 1.0).abs() < 1e-5 && (found.r2.unwrap_or(0.0) - 1.0).abs() < 1e-5
        );
        let found = kernel_shap(3, 8, 0, &|masks| {
            let score = |m: &Mask| if m.iter().filter(|&&m| m).count() >= 2 { 1.0 } else { 0.0 };
            Ok(masks.iter().map(score).collect())
        });
        let found = found.expect("values");
        // 1/3 each; of sizes 1 and 2, which weigh the same, the guesses are 1/3 for 0 and 2/3 for 1: (1/3)^2 of (1/2)^2.
        assert!((found.r2.expect("a share") - 5.0 / 9.0).abs() < 1e-5, "{found:?}");
    }
}
