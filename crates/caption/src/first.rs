//! The values that a decoder begins with.

use tuwen_nn::{Array, Arrays};

use crate::DecoderConfig;

/// First weights: matrices are normal with deviation one over the root of their width, words and places shorter, what
/// ends a branch divided by the root of how many branches there are (GPT-2). `normal` gives numbers of mean 0 and
/// deviation 1. The statistics of the tower's rows, means and deviations, are to be put in their places by who has
/// measured them.
pub fn first_values(config: &DecoderConfig, mut normal: impl FnMut() -> f32) -> Arrays {
    let branches = (3.0 * config.layers as f32).sqrt();
    let mut one = |(name, shape): (String, Vec<usize>)| {
        let len = shape.iter().product::<usize>();
        let wide = shape[1..].iter().product::<usize>() as f32;
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let data = if ends(&["deviation"]) || name.contains("norm") && ends(&["weight"]) {
            vec![1.0; len]
        } else if shape.len() == 1 {
            vec![0.0; len]
        } else if ends(&["places"]) {
            (0..len).map(|_| 0.02 * normal()).collect()
        } else {
            let branch =
                name.starts_with("blocks.") && ends(&["proj.weight", "told.weight", "fc2.weight"]);
            let by = if branch { branches } else { 1.0 };
            (0..len).map(|_| normal() / wide.sqrt() / by).collect()
        };
        (name, Array { shape, data })
    };
    Arrays(config.weight_shapes().into_iter().map(&mut one).collect())
}
