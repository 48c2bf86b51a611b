//! How far a map tells the truth: what happens to the score where the parts that it names are hidden or shown first.
//!
//! Insertion and deletion (RISE, Petsiuk et al. 2018, <https://arxiv.org/abs/1806.07421>) know a map's order alone, and
//! look at pictures of a kind that the model never saw (Gomez et al. 2022): so random orders and the middle of the
//! picture stand beside them, and what was filled in is named.

use serde::Serialize;
use tuwen_image::rng::Rng;

use crate::game::Mask;

/// The order of the cells of a map, the largest first; equal ones in an order drawn once, so that a map without values
/// is a random one and not the picture's upper edge. What is no number comes last.
pub fn order(map: &[f32], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..map.len()).collect();
    Rng::new(&[seed, 0x0de]).shuffle(&mut order);
    let value = |at: usize| if map[at].is_nan() { f32::NEG_INFINITY } else { map[at] };
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    order
}

/// A map of another size, (`wanted`, `wanted`): means where it becomes smaller, the nearest value where it becomes larger.
pub fn resized(map: &[f32], across: usize, wanted: usize) -> Vec<f32> {
    if across == wanted {
        return map.to_vec();
    }
    let (mut sums, mut counts) = (vec![0.0; wanted * wanted], vec![0.0; wanted * wanted]);
    // On a grid that both divide.
    let (a, b) = (across / gcd(across, wanted), wanted / gcd(across, wanted));
    let side = across * b;
    for y in 0..side {
        for x in 0..side {
            let to = y / a * wanted + x / a;
            sums[to] += map[y / b * across + x / b];
            counts[to] += 1.0;
        }
    }
    sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Pictures on the way from nothing hidden to all hidden, and back: `steps + 1` masks of cells for each.
///
/// Deletion hides the first cells of the order first, insertion shows them first; both begin and end with the same two
/// pictures.
pub fn curves(order: &[usize], steps: usize) -> [Vec<Mask>; 2] {
    let masks = |shown: bool| {
        let one = |step: usize| {
            let mut mask = vec![!shown; order.len()];
            order[..order.len() * step / steps].iter().for_each(|&cell| mask[cell] = shown);
            mask
        };
        (0..=steps).map(one).collect()
    };
    [masks(false), masks(true)]
}

/// The area under values at equal steps from 0 to 1, by trapezes.
pub fn area(values: &[f32]) -> f32 {
    let steps = values.len().saturating_sub(1).max(1) as f32;
    values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0 / steps).sum()
}

/// What one map did to one score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Faith {
    /// Area under the score as parts are shown, the first first: more is better.
    pub insertion: f32,
    /// The same as they are hidden: less is better.
    pub deletion: f32,
}

impl Faith {
    /// Both as one: more is better, and a random order has 0 on average.
    pub fn difference(self) -> f32 {
        self.insertion - self.deletion
    }
}

/// A map that is largest in the middle, and 0 in the corners: where things are in photographs.
pub fn centre(across: usize) -> Vec<f32> {
    let middle = (across as f32 - 1.0) / 2.0;
    let far = |at: usize| {
        let (y, x) = ((at / across) as f32 - middle, (at % across) as f32 - middle);
        2.0 * middle * middle - (x * x + y * y)
    };
    (0..across * across).map(far).collect()
}

/// A map of random numbers.
pub fn random(across: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(&[seed, 0xa11]);
    (0..across * across).map(|_| rng.unit()).collect()
}

/// Spearman's rank correlation, equal values sharing their ranks; 0 where one side is all equal.
pub fn rank_correlation(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { (product(&a, &b) / scale) as f32 } else { 0.0 }
}

fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let same = |at: &&usize| values[**at] == values[order[start]];
        let end = start + order[start..].iter().take_while(same).count().max(1);
        order[start..end].iter().for_each(|&at| ranks[at] = (start + end - 1) as f64 / 2.0);
        start = end;
    }
    ranks
}

/// A mean and the 2.5 and 97.5 percentiles of means of as many values drawn from them again (bootstrap).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Mean {
    /// Of all values.
    pub mean: f32,
    /// In which it lies in 95 of 100 sets like this one; of a single value nothing is known of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f32; 2]>,
}

/// Sets that are drawn again.
const DRAWS: usize = 2000;

impl Mean {
    /// Of some values; the same for the same seed.
    pub fn of(values: &[f32], seed: u64) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mean = |sum: f64| (sum / values.len() as f64) as f32;
        let mut rng = Rng::new(&[seed, 0xb00]);
        let draw = |_| {
            let one = |_| f64::from(values[rng.below(values.len())]);
            mean((0..values.len()).map(one).sum())
        };
        let mut means: Vec<f32> = (0..DRAWS).map(draw).collect();
        means.sort_by(f32::total_cmp);
        let at = |share: f64| means[(share * (DRAWS - 1) as f64).round() as usize];
        let all = values.iter().map(|&value| f64::from(value)).sum();
        let interval = (values.len() > 1).then(|| [at(0.025), at(0.975)]);
        Self { mean: mean(all), interval }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_that_of_the_values_and_else_a_random_one() {
        assert_eq!(order(&[0.1, 0.9, f32::NAN, 0.5], 1), [1, 3, 0, 2]);
        let flat = order(&[1.0; 100], 1);
        assert_ne!(flat, (0..100).collect::<Vec<_>>());
        assert_eq!(flat, order(&[1.0; 100], 1));
    }

    /// A score that is the share of the first half of the cells that is shown: the right order has the areas that one
    /// computes by hand, the opposite one the opposite.
    #[test]
    fn the_right_order_has_the_largest_area() {
        let score = |mask: &Mask| mask[..5].iter().filter(|&&m| m).count() as f32 / 5.0;
        let faith = |map: &[f32]| {
            let [hidden, shown] = curves(&order(map, 0), 10);
            assert_eq!((hidden.len(), shown.len()), (11, 11));
            let area = |masks: &[Mask]| area(&masks.iter().map(score).collect::<Vec<f32>>());
            Faith { insertion: area(&shown), deletion: area(&hidden) }
        };
        let right: Vec<f32> = (0..10).map(|at| -(at as f32)).collect();
        let wrong: Vec<f32> = right.iter().map(|value| -value).collect();
        let (best, worst) = (faith(&right), faith(&wrong));
        assert!((best.insertion - 0.75).abs() < 1e-6 && (best.deletion - 0.25).abs() < 1e-6);
        assert!((best.difference() + worst.difference()).abs() < 1e-6);
    }

    #[test]
    fn maps_of_other_sizes_keep_their_places() {
        assert_eq!(resized(&[1.0, 2.0, 3.0, 4.0], 2, 1), [2.5]);
        let large = resized(&[1.0, 2.0, 3.0, 4.0], 2, 4);
        assert_eq!(large[..4], [1.0, 1.0, 2.0, 2.0]);
        let odd = resized(&[1.0, 2.0, 3.0, 4.0], 2, 3);
        assert_eq!((odd[0], odd[4], odd[8]), (1.0, 2.5, 4.0));
    }

    #[test]
    fn ranks_and_means_are_those_of_a_textbook() {
        assert!((rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 99.0]) - 1.0).abs() < 1e-6);
        assert!((rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]) + 1.0).abs() < 1e-6);
        // Ranks 0.5, 0.5, 2 and 0, 1, 2.
        assert!((rank_correlation(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]) - 0.866).abs() < 1e-3);
        assert_eq!(rank_correlation(&[1.0; 3], &[1.0, 2.0, 3.0]), 0.0);
        let values: Vec<f32> = (0..400).map(|at| (at % 2) as f32).collect();
        let found = Mean::of(&values, 1);
        assert!((found.mean - 0.5).abs() < 1e-6);
        let [low, high] = found.interval.expect("of many values");
        assert!((0.44..0.47).contains(&low) && (0.53..0.56).contains(&high));
        assert_eq!(Mean::of(&[0.5], 1), Mean { mean: 0.5, interval: None });
    }

    #[test]
    fn the_middle_is_the_middle() {
        let map = centre(3);
        assert_eq!(map[..5], [0.0, 1.0, 0.0, 1.0, 2.0]);
    }
}
