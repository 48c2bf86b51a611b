//! The values that heads begin with.

use tuwen_nn::{Array, Arrays};

use crate::HeadsConfig;

/// First weights: matrices are normal with deviation one over the root of their width, what ends a branch half of that,
/// the last layer 0. `normal` gives numbers of mean 0 and deviation 1. The statistics of the towers' tokens, means and
/// deviations, are to be put in their places by who has measured them.
pub fn first_values(config: &HeadsConfig, mut normal: impl FnMut() -> f32) -> Arrays {
    let mut one = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product::<usize>();
        let wide = shape[1..].iter().product::<usize>() as f32;
        let ends = |end: &str| name.ends_with(end);
        let branch = ["proj.weight", "told.weight", "fc2.weight"].iter().any(|e| ends(e));
        let is_norm = name.contains("norm") || name.starts_with("itm.memory");
        let data = if ends("deviation") || is_norm && ends("weight") {
            vec![1.0; len]
        } else if name == "late.scale" {
            vec![(1.0f32 / 0.07).ln(); len]
        } else if ends("places") {
            (0..len).map(|_| 0.02 * normal()).collect()
        } else if ends("share.weight") || ends("match.weight") || shape.len() == 1 {
            vec![0.0; len]
        } else {
            let half = if branch && name.starts_with("itm.") { 0.5 } else { 1.0 };
            (0..len).map(|_| half * normal() / wide.sqrt()).collect()
        };
        (name, Array { shape, data })
    };
    Arrays(config.weight_shapes().into_iter().map(&mut one).collect())
}
