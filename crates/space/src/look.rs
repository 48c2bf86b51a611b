//! Features as points of a plane, for people to look at: their two main axes (PCA).

use crate::linalg::{Matrix, eigen};
use crate::set::Features;

/// Each row along the two axes that all rows together vary most along; 0 on the second where there is one column.
pub fn main_plane(features: &Features) -> Vec<(f64, f64)> {
    let centred = Matrix::of(&features.values, features.width).centred();
    let (_, axes) = eigen(&centred.t().times(&centred));
    let two: Vec<usize> = (0..features.width.min(2)).collect();
    let places = centred.times(&axes.columns_at(&two));
    let place = |at: usize| {
        let row = places.row(at);
        (row.first().copied().unwrap_or(0.0), row.get(1).copied().unwrap_or(0.0))
    };
    (0..features.rows()).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_axis_comes_first() {
        let features = Features { values: vec![0.0, -3.0, 0.1, 0.0, -0.1, 3.0], width: 2 };
        let places = main_plane(&features);
        assert!(places.iter().all(|place| place.1.abs() < 0.2));
        assert!((places[0].0 - places[2].0).abs() > 5.9);
        assert_eq!(main_plane(&Features { values: vec![1.0, 2.0], width: 1 })[0].1, 0.0);
    }
}
