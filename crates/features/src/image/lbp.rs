//! Local binary patterns (Ojala, Pietikäinen and Mäenpää 2002, <https://doi.org/10.1109/TPAMI.2002.1017623>): histograms of
//! uniform, rotation-invariant patterns, as scikit-image's `local_binary_pattern(…, "uniform")` has them.

use super::plane::Plane;

/// Points on a circle and its radius.
pub const CIRCLES: [(usize, f64); 3] = [(8, 1.0), (16, 2.0), (24, 3.0)];

/// Shares of the patterns of each circle, one behind the other: 10 + 18 + 26 values.
pub fn lbp(grey: &Plane) -> Vec<f32> {
    CIRCLES.iter().flat_map(|&(points, radius)| circle(grey, points, radius)).collect()
}

/// The patterns of one circle: how many points are as bright as the middle or brighter, where these stand together; the
/// last value is all others. What lies outside of the picture is 0.
fn circle(grey: &Plane, points: usize, radius: f64) -> Vec<f32> {
    let samples: Vec<Sample> = (0..points).map(|at| Sample::new(at, points, radius)).collect();
    let reach = radius.ceil() as usize + 1;
    let mut counts = vec![0u32; points + 2];
    let mut bright = vec![false; points];
    for y in 0..grey.height {
        for x in 0..grey.width {
            let middle = f64::from(grey.at(x, y));
            let is_inside =
                x >= reach && y >= reach && x + reach < grey.width && y + reach < grey.height;
            for (bright, sample) in bright.iter_mut().zip(&samples) {
                let value = match is_inside {
                    true => sample.inside(grey, x, y),
                    false => sample.anywhere(grey, x, y),
                };
                *bright = value >= middle;
            }
            let changes = bright.windows(2).filter(|pair| pair[0] != pair[1]).count();
            let pattern = match changes <= 2 {
                true => bright.iter().filter(|bright| **bright).count(),
                false => points + 1,
            };
            counts[pattern] += 1;
        }
    }
    let all = (grey.values.len() as f32).max(1.0);
    counts.iter().map(|&count| count as f32 / all).collect()
}

/// A point beside the middle: the pixel above and to the left of it.
struct Sample {
    left: isize,
    top: isize,
    /// How far it lies from the middle.
    away: [f64; 2],
    /// Where its second column and row are.
    right: isize,
    bottom: isize,
}

impl Sample {
    fn new(at: usize, points: usize, radius: f64) -> Self {
        let angle = std::f64::consts::TAU * at as f64 / points as f64;
        let round = |value: f64| (value * 1e5).round() / 1e5;
        let (y, x) = (round(-radius * angle.sin()), round(radius * angle.cos()));
        Self {
            left: x.floor() as isize,
            top: y.floor() as isize,
            away: [x, y],
            right: x.ceil() as isize,
            bottom: y.ceil() as isize,
        }
    }

    /// Between four pixels, by where the point lies in the whole picture: from there scikit-image rounds, which decides
    /// where all of them are equal.
    fn between(&self, x: usize, y: usize, [a, b, c, d]: [f64; 4]) -> f64 {
        let behind = |middle: usize, away: f64| (middle as f64 + away).rem_euclid(1.0);
        let (dx, dy) = (behind(x, self.away[0]), behind(y, self.away[1]));
        let top = (1.0 - dx) * a + dx * b;
        let bottom = (1.0 - dx) * c + dx * d;
        (1.0 - dy) * top + dy * bottom
    }

    fn inside(&self, grey: &Plane, x: usize, y: usize) -> f64 {
        let at = |dx: isize, dy: isize| {
            f64::from(grey.at(x.wrapping_add_signed(dx), y.wrapping_add_signed(dy)))
        };
        let Self { left, top, right, bottom, .. } = *self;
        let four = [at(left, top), at(right, top), at(left, bottom), at(right, bottom)];
        self.between(x, y, four)
    }

    fn anywhere(&self, grey: &Plane, x: usize, y: usize) -> f64 {
        let at = |dx: isize, dy: isize| {
            let place = x.checked_add_signed(dx).zip(y.checked_add_signed(dy));
            match place {
                Some((x, y)) if x < grey.width && y < grey.height => f64::from(grey.at(x, y)),
                _ => 0.0,
            }
        };
        let Self { left, top, right, bottom, .. } = *self;
        let four = [at(left, top), at(right, top), at(left, bottom), at(right, bottom)];
        self.between(x, y, four)
    }
}
