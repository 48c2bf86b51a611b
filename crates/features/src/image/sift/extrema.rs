//! Extrema of an octave's differences, refined, and the directions of each.

use super::pyramid::Octave;
use super::{LAYERS, SIGMA, Settings, math};
use crate::image::keypoint::Keypoint;
use crate::image::plane::Plane;

/// Pixels at a picture's edge that are not looked at.
const BORDER: usize = 5;
/// Steps of refinement.
const STEPS: usize = 5;
/// Directions of the histogram around a keypoint.
const ANGLES: usize = 36;

/// A keypoint with the plane that it was found in.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// In the picture's own pixels.
    pub keypoint: Keypoint,
    /// From 0 on, the doubled picture's.
    pub octave: i32,
    /// The blurred plane.
    pub layer: usize,
}

/// An extremum, refined.
struct Refined {
    x: usize,
    y: usize,
    layer: usize,
    offset: [f32; 3],
    response: f32,
}

/// Finds all of an octave.
pub fn find(
    octave: &Octave,
    number: i32,
    settings: Settings,
    around: &mut Around,
    to: &mut Vec<Found>,
) {
    let (width, height) = (octave.differences[0].width, octave.differences[0].height);
    if width <= 2 * BORDER || height <= 2 * BORDER {
        return;
    }
    let least = (0.5 * settings.contrast / LAYERS as f32 * 255.0).floor();
    let mut marks = vec![0u8; width];
    for layer in 1..=LAYERS {
        for y in BORDER..height - BORDER {
            let plane = &octave.differences[layer];
            mark(&mut marks, plane.row(y - 1), plane.row(y), plane.row(y + 1), least);
            for (x, &mark) in marks.iter().enumerate().take(width - BORDER).skip(BORDER) {
                if mark == 0 || !is_extremum(octave, layer, x, y) {
                    continue;
                }
                if let Some(refined) = refine(octave, layer, x, y, settings) {
                    directions(octave, number, &refined, around, to);
                }
            }
        }
    }
}

tuwen_simd::simd! {
    /// Marks what is beyond the threshold and no smaller than its four neighbours in the plane.
    fn mark(marks: &mut [u8], up: &[f32], row: &[f32], down: &[f32], least: f32) {
        let count = marks.len() - 2;
        let (left, middle, right) = (&row[..count], &row[1..=count], &row[2..]);
        let (up, down) = (&up[1..=count], &down[1..=count]);
        let marks = &mut marks[1..=count];
        for x in 0..count {
            let value = middle[x];
            let high = left[x].max(right[x]).max(up[x].max(down[x]));
            let low = left[x].min(right[x]).min(up[x].min(down[x]));
            marks[x] = u8::from((value > least) & (value >= high) | (value < -least) & (value <= low));
        }
    }
}

/// No smaller or no larger than all 26 neighbours.
fn is_extremum(octave: &Octave, layer: usize, x: usize, y: usize) -> bool {
    let value = octave.differences[layer].at(x, y);
    let mut around = (layer - 1..=layer + 1).flat_map(|layer| {
        let plane = &octave.differences[layer];
        (y - 1..=y + 1).flat_map(move |y| plane.row(y)[x - 1..=x + 1].iter().copied())
    });
    match value > 0.0 {
        true => around.all(|other| value >= other),
        false => around.all(|other| value <= other),
    }
}

/// The extremum of a parabola through its neighbours; none where it leaves the picture, is weak or lies on an edge.
fn refine(
    octave: &Octave,
    mut layer: usize,
    mut x: usize,
    mut y: usize,
    settings: Settings,
) -> Option<Refined> {
    const SCALE: f32 = 1.0 / 255.0;
    let planes = &octave.differences;
    let (width, height) = (planes[0].width, planes[0].height);
    for step in 0.. {
        if step == STEPS {
            return None;
        }
        let [before, here, behind] = [layer - 1, layer, layer + 1].map(|at| &planes[at]);
        let middle = here.at(x, y);
        let slope = [
            (here.at(x + 1, y) - here.at(x - 1, y)) * SCALE * 0.5,
            (here.at(x, y + 1) - here.at(x, y - 1)) * SCALE * 0.5,
            (behind.at(x, y) - before.at(x, y)) * SCALE * 0.5,
        ];
        let twice = middle * 2.0;
        let cross = |a: f32, b: f32, c: f32, d: f32| (a - b - c + d) * SCALE * 0.25;
        let xx = (here.at(x + 1, y) + here.at(x - 1, y) - twice) * SCALE;
        let yy = (here.at(x, y + 1) + here.at(x, y - 1) - twice) * SCALE;
        let ss = (behind.at(x, y) + before.at(x, y) - twice) * SCALE;
        let xy = cross(
            here.at(x + 1, y + 1),
            here.at(x - 1, y + 1),
            here.at(x + 1, y - 1),
            here.at(x - 1, y - 1),
        );
        let xs = cross(
            behind.at(x + 1, y),
            behind.at(x - 1, y),
            before.at(x + 1, y),
            before.at(x - 1, y),
        );
        let ys = cross(
            behind.at(x, y + 1),
            behind.at(x, y - 1),
            before.at(x, y + 1),
            before.at(x, y - 1),
        );
        let offset = solved([[xx, xy, xs], [xy, yy, ys], [xs, ys, ss]], slope).map(|v| -v);
        if offset.iter().all(|value| value.abs() < 0.5) {
            let along: f32 = slope.iter().zip(&offset).map(|(a, b)| a * b).sum();
            let response = (middle * SCALE + along * 0.5).abs();
            let (trace, det) = (xx + yy, xx * yy - xy * xy);
            let edge = settings.edge;
            let is_edge = det <= 0.0 || trace * trace * edge >= (edge + 1.0) * (edge + 1.0) * det;
            let is_weak = response * (LAYERS as f32) < settings.contrast;
            return (!is_weak && !is_edge).then_some(Refined { x, y, layer, offset, response });
        }
        // Not a number, or further than any picture is wide.
        if !offset.iter().all(|value| value.abs() < 1e6) {
            return None;
        }
        let moved = |at: usize, by: f32, low: usize, high: usize| {
            let to = at as i64 + by.round_ties_even() as i64;
            ((low as i64..high as i64).contains(&to)).then_some(to as usize)
        };
        x = moved(x, offset[0], BORDER, width - BORDER)?;
        y = moved(y, offset[1], BORDER, height - BORDER)?;
        layer = moved(layer, offset[2], 1, LAYERS + 1)?;
    }
    None
}

/// The solution of three equations by determinants; zeros where there is none, as OpenCV has it.
fn solved(a: [[f32; 3]; 3], b: [f32; 3]) -> [f32; 3] {
    let det = |m: [[f32; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = det(a);
    if whole == 0.0 {
        return [0.0; 3];
    }
    std::array::from_fn(|column| {
        let mut with = a;
        (0..3).for_each(|row| with[row][column] = b[row]);
        det(with) / whole
    })
}

/// A keypoint for each direction that is nearly the strongest.
fn directions(
    octave: &Octave,
    number: i32,
    at: &Refined,
    around: &mut Around,
    to: &mut Vec<Found>,
) {
    let whole = (1u32 << number) as f32;
    let [dx, dy, ds] = at.offset;
    let size = SIGMA as f32 * 2f32.powf((at.layer as f32 + ds) / LAYERS as f32) * whole * 2.0;
    let scale = size * 0.5 / whole;
    let radius = (4.5 * scale).round_ties_even() as isize;
    let counts = around.counts(&octave.blurred[at.layer], at.x, at.y, radius, 1.5 * scale);
    let most = counts.iter().copied().fold(0.0, f32::max);
    for here in 0..ANGLES {
        let [left, right] = [here + ANGLES - 1, here + 1].map(|other| counts[other % ANGLES]);
        let value = counts[here];
        if !(value > left && value > right && value >= most * 0.8) {
            continue;
        }
        let bin = here as f32 + 0.5 * (left - right) / (left - 2.0 * value + right);
        let bin = bin.rem_euclid(ANGLES as f32);
        let angle = 360.0 - 360.0 / ANGLES as f32 * bin;
        let angle = if (angle - 360.0).abs() < f32::EPSILON { 0.0 } else { angle };
        // The first octave is of the doubled picture.
        let keypoint = Keypoint {
            x: (at.x as f32 + dx) * whole * 0.5,
            y: (at.y as f32 + dy) * whole * 0.5,
            size: size * 0.5,
            angle,
            response: at.response,
            octave: number - 1,
        };
        to.push(Found { keypoint, octave: number, layer: at.layer });
    }
}

/// Room for the pixels around a keypoint, used again and again.
#[derive(Default)]
pub struct Around {
    /// Differences to both sides; then `dx` has weighed lengths.
    dx: Vec<f32>,
    dy: Vec<f32>,
    /// Squares of distances.
    far: Vec<f32>,
    bin: Vec<i32>,
}

impl Around {
    /// The gradients' directions around a place, weighed and smoothed.
    fn counts(
        &mut self,
        plane: &Plane,
        x: usize,
        y: usize,
        radius: isize,
        sigma: f32,
    ) -> [f32; ANGLES] {
        self.gather(plane, x, y, radius);
        self.bin.resize(self.dx.len(), 0);
        weigh(&mut self.dx, &self.dy, &self.far, &mut self.bin, -1.0 / (2.0 * sigma * sigma));
        let mut raw = [0f32; ANGLES];
        for (length, bin) in self.dx.iter().zip(&self.bin) {
            raw[bin.rem_euclid(ANGLES as i32) as usize] += length;
        }
        std::array::from_fn(|at| {
            let near = |by: usize| raw[(at + by) % ANGLES];
            let (two, one) = (near(ANGLES - 2) + near(2), near(ANGLES - 1) + near(1));
            two * (1.0 / 16.0) + one * (4.0 / 16.0) + near(0) * (6.0 / 16.0)
        })
    }

    /// The pixels of a square that have neighbours on all sides.
    fn gather(&mut self, plane: &Plane, x: usize, y: usize, radius: isize) {
        [&mut self.dx, &mut self.dy, &mut self.far].into_iter().for_each(Vec::clear);
        let within = |at: usize, size: usize| {
            let (at, last) = (at as isize, size as isize - 2);
            ((at - radius).max(1), (at + radius).min(last))
        };
        let ((left, right), (top, bottom)) = (within(x, plane.width), within(y, plane.height));
        if left > right {
            return;
        }
        let (from, count) = (left as usize, (right - left + 1) as usize);
        for v in top..=bottom {
            let [up, row, down] = [v - 1, v, v + 1].map(|v| plane.row(v as usize));
            let minus = |(a, b): (&f32, &f32)| a - b;
            self.dx.extend(row[from + 1..][..count].iter().zip(&row[from - 1..]).map(minus));
            self.dy.extend(up[from..][..count].iter().zip(&down[from..]).map(minus));
            let (i, first) = ((v - y as isize) as i32, (left - x as isize) as i32);
            self.far.extend((first..first + count as i32).map(|j| (i * i + j * j) as f32));
        }
    }
}

tuwen_simd::simd! {
    /// Of each pixel the direction, and in `dx` how much it counts.
    fn weigh(dx: &mut [f32], dy: &[f32], far: &[f32], bin: &mut [i32], factor: f32) {
        let count = dx.len();
        let (dy, far, bin) = (&dy[..count], &far[..count], &mut bin[..count]);
        for at in 0..count {
            let weight = math::exp(far[at] * factor);
            bin[at] = math::nearest(ANGLES as f32 / 360.0 * math::atan2(dy[at], dx[at]));
            dx[at] = weight * (dx[at] * dx[at] + dy[at] * dy[at]).sqrt();
        }
    }
}
