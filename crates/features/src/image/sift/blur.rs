//! Gaussian blur of floats with mirrored edges (… 2 1 0 1 2 …), as OpenCV's `GaussianBlur` has it.

use crate::image::plane::Plane;

/// Columns that are summed at once.
const LANES: usize = 64;

/// The middle of the kernel and one half of it: `ksize = round(8 sigma + 1) | 1` values, 1 in all.
fn kernel(sigma: f64) -> Vec<f32> {
    let size = (sigma * 8.0 + 1.0).round_ties_even() as usize | 1;
    let value = |at: usize| (-((at * at) as f64) / (2.0 * sigma * sigma)).exp();
    let half: Vec<f64> = (0..=size / 2).map(value).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter().map(|value| (value / sum) as f32).collect()
}

/// A place outside mirrored into `0..size`.
pub fn mirrored(at: isize, size: usize) -> usize {
    if size == 1 {
        return 0;
    }
    let period = 2 * (size as isize - 1);
    let at = at.rem_euclid(period);
    at.min(period - at) as usize
}

/// Room for rows, used again and again.
#[derive(Default)]
pub struct Room {
    /// Rows that were blurred, as many as a column's sum needs.
    rows: Vec<f32>,
    padded: Vec<f32>,
    pairs: Vec<[usize; 2]>,
}

/// Blurs.
pub fn blur(from: &Plane, sigma: f64) -> Plane {
    let mut to = Plane::default();
    blur_into(&mut to, from, sigma, &mut Room::default());
    to
}

/// The same in the place of what was in `to`.
pub fn blur_into(to: &mut Plane, from: &Plane, sigma: f64, room: &mut Room) {
    let kernel = kernel(sigma);
    let reach = kernel.len() - 1;
    let (width, height) = (from.width, from.height);
    to.reshape(width, height);
    let stride = width.max(LANES);
    let ring = 2 * reach + 1;
    let Room { rows, padded, pairs } = room;
    rows.resize(ring * stride, 0.0);
    padded.resize(stride + 2 * reach, 0.0);
    let mut next = 0;
    let place = |y: usize| y % ring * stride;
    for y in 0..height {
        while next < height && next <= y + reach {
            let row = from.row(next);
            padded[reach..reach + width].copy_from_slice(row);
            for at in 1..=reach {
                padded[reach - at] = row[mirrored(-(at as isize), width)];
                padded[reach + width - 1 + at] = row[mirrored((width - 1 + at) as isize, width)];
            }
            along(&mut rows[place(next)..][..stride], padded, &kernel);
            next += 1;
        }
        pairs.clear();
        pairs.extend((0..=reach).map(|at| {
            let (up, down) = (y as isize - at as isize, (y + at) as isize);
            [place(mirrored(up, height)), place(mirrored(down, height))]
        }));
        across(&mut to.values[y * width..][..width], rows, pairs, &kernel);
    }
}

tuwen_simd::simd! {
    /// `to[x] = sum of kernel * (padded[x + reach - at] + padded[x + reach + at])`.
    fn along(to: &mut [f32], padded: &[f32], kernel: &[f32]) {
        let reach = kernel.len() - 1;
        let mut start = 0;
        while start < to.len() {
            // The last columns are summed twice where they fill no whole vector.
            let x = start.min(to.len() - LANES);
            let mut sums = [0f32; LANES];
            let middle: &[f32; LANES] = padded[x + reach..].first_chunk().expect("padded");
            (0..LANES).for_each(|lane| sums[lane] = kernel[0] * middle[lane]);
            for at in 1..=reach {
                let a: &[f32; LANES] = padded[x + reach - at..].first_chunk().expect("padded");
                let b: &[f32; LANES] = padded[x + reach + at..].first_chunk().expect("padded");
                (0..LANES).for_each(|lane| sums[lane] += kernel[at] * (a[lane] + b[lane]));
            }
            to[x..x + LANES].copy_from_slice(&sums);
            start += LANES;
        }
    }
}

tuwen_simd::simd! {
    /// The same over rows: `pairs` are where those at each distance begin.
    fn across(to: &mut [f32], rows: &[f32], pairs: &[[usize; 2]], kernel: &[f32]) {
        let mut start = 0;
        while start < to.len() {
            let x = start.min(to.len().saturating_sub(LANES));
            let mut sums = [0f32; LANES];
            for (at, [up, down]) in pairs.iter().enumerate() {
                let a: &[f32; LANES] = rows[up + x..].first_chunk().expect("a whole row");
                let b: &[f32; LANES] = rows[down + x..].first_chunk().expect("a whole row");
                let factor = if at == 0 { kernel[0] * 0.5 } else { kernel[at] };
                (0..LANES).for_each(|lane| sums[lane] += factor * (a[lane] + b[lane]));
            }
            let count = LANES.min(to.len() - x);
            to[x..x + count].copy_from_slice(&sums[..count]);
            start += LANES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_is_slow() {
        for (width, height) in [(1, 1), (5, 3), (64, 2), (70, 9), (130, 40)] {
            let values = (0..width * height).map(|i| ((i * 7919) % 255) as f32).collect();
            let plane = Plane { width, height, values };
            for sigma in [0.5, 1.6, 3.1] {
                let half = kernel(sigma);
                let reach = half.len() as isize - 1;
                let found = blur(&plane, sigma);
                for at in 0..width * height {
                    let (x, y) = ((at % width) as isize, (at / width) as isize);
                    let mut sum = 0f64;
                    for dy in -reach..=reach {
                        for dx in -reach..=reach {
                            let factor = half[dy.unsigned_abs()] * half[dx.unsigned_abs()];
                            let value = plane.at(mirrored(x + dx, width), mirrored(y + dy, height));
                            sum += f64::from(factor * value);
                        }
                    }
                    assert!((f64::from(found.values[at]) - sum).abs() < 1e-3);
                }
            }
        }
    }
}
