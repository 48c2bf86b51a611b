//! FAST corners (Rosten and Drummond 2006, <https://doi.org/10.1007/11744023_34>): nine of sixteen pixels on a circle in a
//! row are brighter or darker than the middle. With OpenCV's scores, of which only local maxima are kept.

use super::bytes::Bytes;

/// The circle, from below on.
const CIRCLE: [(isize, isize); 16] = [
    (0, 3),
    (1, 3),
    (2, 2),
    (3, 1),
    (3, 0),
    (3, -1),
    (2, -2),
    (1, -3),
    (0, -3),
    (-1, -3),
    (-2, -2),
    (-3, -1),
    (-3, 0),
    (-3, 1),
    (-2, 2),
    (-1, 3),
];
/// Its radius, and how many of its pixels are one corner.
const RADIUS: usize = 3;
const ARC: usize = 9;

/// A corner and the largest threshold at which it is one.
pub type Corner = (usize, usize, i32);

/// All corners, row by row.
pub fn corners(picture: &Bytes, threshold: i32) -> Vec<Corner> {
    let (width, height) = (picture.width, picture.height);
    let mut scores = vec![0i32; width * height];
    let steps = CIRCLE.map(|(dx, dy)| dy * width as isize + dx);
    for y in RADIUS..height.saturating_sub(RADIUS) {
        for x in RADIUS..width.saturating_sub(RADIUS) {
            let at = y * width + x;
            scores[at] = score(&picture.values, at, &steps, threshold);
        }
    }
    let mut found = Vec::new();
    for y in RADIUS..height.saturating_sub(RADIUS) {
        for x in RADIUS..width.saturating_sub(RADIUS) {
            let own = scores[y * width + x];
            let mut around = (y - 1..=y + 1).flat_map(|v| (x - 1..=x + 1).map(move |u| (u, v)));
            let is_most = |(u, v): (usize, usize)| (u, v) == (x, y) || own > scores[v * width + u];
            if own > 0 && around.all(is_most) {
                found.push((x, y, own));
            }
        }
    }
    found
}

/// 0 where there is no corner.
fn score(values: &[u8], at: usize, steps: &[isize; 16], threshold: i32) -> i32 {
    let middle = i32::from(values[at]);
    let difference = |k: usize| middle - i32::from(values[at.wrapping_add_signed(steps[k])]);
    // Of nine in a row at least one of two opposite ones is part.
    for k in [0, 4] {
        let pair = [difference(k), difference(k + 8)];
        if pair.iter().all(|value| value.abs() <= threshold) {
            return 0;
        }
    }
    let all: [i32; 16] = std::array::from_fn(difference);
    let mut best = threshold;
    for start in 0..16 {
        let arc = (start..start + ARC).map(|k| all[k % 16]);
        let (low, high) =
            arc.fold((i32::MAX, i32::MIN), |(low, high), v| (low.min(v), high.max(v)));
        best = best.max(low).max(-high);
    }
    if best > threshold { best - 1 } else { 0 }
}
