//! Gaussians of a picture at every scale, and their differences.

use super::blur::blur;
use super::{LAYERS, SIGMA};
use crate::image::plane::Plane;

/// Blur that a camera is said to leave.
const GIVEN: f64 = 0.5;

/// One halving: six blurred planes and the five differences of neighbours.
pub struct Octave {
    /// From the least blurred on: `LAYERS + 3`.
    pub blurred: Vec<Plane>,
    /// Each minus the one before: `LAYERS + 2`.
    pub differences: Vec<Plane>,
}

/// All octaves of a picture that is made twice as large first.
pub fn octaves(grey: &Plane) -> Vec<Octave> {
    let base = blur(&doubled(grey), (SIGMA * SIGMA - 4.0 * GIVEN * GIVEN).max(0.01).sqrt());
    let side = base.width.min(base.height) as f64;
    // OpenCV's count, where the doubled picture is the octave before the first.
    let count = (side.log2() - 2.0).round_ties_even().max(-1.0) as isize + 1;
    let mut found: Vec<Octave> = Vec::new();
    for _ in 0..count {
        let first = match found.last() {
            None => base.clone(),
            Some(before) => halved(&before.blurred[LAYERS]),
        };
        found.push(octave(first));
    }
    found
}

/// The picture's own size alone, blurred as the first plane of an octave.
pub fn plain(grey: &Plane) -> Plane {
    blur(grey, (SIGMA * SIGMA - GIVEN * GIVEN).sqrt())
}

fn octave(first: Plane) -> Octave {
    let step = 2f64.powf(1.0 / LAYERS as f64);
    let mut blurred = vec![first];
    for at in 1..LAYERS + 3 {
        let before = step.powi(at as i32 - 1) * SIGMA;
        let whole = before * step;
        blurred.push(blur(&blurred[at - 1], (whole * whole - before * before).sqrt()));
    }
    let difference = |pair: &[Plane]| {
        let values = pair[1].values.iter().zip(&pair[0].values).map(|(a, b)| a - b).collect();
        Plane { values, ..pair[0] }
    };
    Octave { differences: blurred.windows(2).map(difference).collect(), blurred }
}

/// Every second pixel of every second row.
fn halved(plane: &Plane) -> Plane {
    let (width, height) = (plane.width / 2, plane.height / 2);
    let row = |y: usize| plane.row(2 * y).iter().step_by(2).take(width).copied();
    Plane { width, height, values: (0..height).flat_map(row).collect() }
}

/// Twice as large, linear between pixels' middles.
fn doubled(plane: &Plane) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let wide: Vec<f32> = (0..height).flat_map(|y| doubled_row(plane.row(y))).collect();
    let mut to = Plane::zeros(2 * width, 2 * height);
    for (y, row) in to.values.chunks_exact_mut(2 * width).enumerate() {
        let near = y / 2;
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
        let [near, far] = [near, far].map(|y| &wide[y * 2 * width..][..2 * width]);
        row.iter_mut().zip(near).zip(far).for_each(|((to, a), b)| *to = 0.75 * a + 0.25 * b);
    }
    to
}

fn doubled_row(row: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let last = row.len() - 1;
    (0..row.len()).flat_map(move |x| {
        let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(last)]);
        [0.75 * row[x] + 0.25 * left, 0.75 * row[x] + 0.25 * right]
    })
}
