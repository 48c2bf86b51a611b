//! The directions around a keypoint in 4 x 4 parts of 8 each, turned with it.

use std::ops::RangeInclusive;

use super::{WIDTH, math};
use crate::image::plane::Plane;

/// Parts of a side, and directions of each.
const SIDE: usize = 4;
const ANGLES: usize = 8;
/// Room for parts and directions at either end.
const ROWS: usize = SIDE + 2;
const BINS: usize = ANGLES + 2;
const SUMS: usize = ROWS * ROWS * BINS;
/// Where values are clipped, as a share of the length.
const CLIP: f32 = 0.2;
/// The length of a descriptor.
const LENGTH: f32 = 512.0;

/// Room for the pixels around a keypoint, used again and again.
#[derive(Default)]
pub struct Room {
    dx: Vec<f32>,
    dy: Vec<f32>,
    row: Vec<f32>,
    column: Vec<f32>,
    far: Vec<f32>,
    /// The first of the eight sums that a pixel is shared among.
    first: Vec<u32>,
}

impl Room {
    fn clear(&mut self) {
        for list in [&mut self.dx, &mut self.dy, &mut self.row, &mut self.column, &mut self.far] {
            list.clear();
        }
    }
}

/// What is described of a plane.
#[derive(Clone, Copy)]
pub struct Place {
    /// In the plane's pixels.
    pub x: f32,
    /// In the plane's pixels.
    pub y: f32,
    /// In degrees.
    pub angle: f32,
    /// In the plane's pixels.
    pub scale: f32,
}

/// Adds the 128 values of a place in a plane.
pub fn describe(plane: &Plane, place: Place, room: &mut Room, to: &mut Vec<f32>) {
    let angle = place.angle;
    gather(plane, place, room);
    room.first.resize(room.dx.len(), 0);
    let Room { dx, dy, row, column, far, first } = room;
    shares(dx, dy, row, column, far, first, angle);
    let mut sums = [0f32; SUMS];
    for at in 0..dx.len() {
        share(&mut sums, first[at] as usize, [row[at], column[at], dy[at]], dx[at]);
    }
    finish(&mut sums, to);
}

/// The pixels of the turned square.
fn gather(plane: &Plane, Place { x, y, angle, scale }: Place, room: &mut Room) {
    room.clear();
    let (width, height) = (plane.width as isize, plane.height as isize);
    let (x, y) = (x.round_ties_even() as isize, y.round_ties_even() as isize);
    let part = 3.0 * scale;
    let radius = part * std::f32::consts::SQRT_2 * (SIDE as f32 + 1.0) * 0.5;
    let diagonal = ((width * width + height * height) as f32).sqrt();
    let radius = radius.round_ties_even().min(diagonal) as isize;
    let (sin, cos) = angle.to_radians().sin_cos();
    let (sin, cos) = (sin / part, cos / part);
    let middle = SIDE as f32 / 2.0 - 0.5;
    let reach = SIDE as f32 / 2.0 + 0.5;
    for i in (-radius).max(1 - y)..=radius.min(height - 2 - y) {
        let (up, here, down) = (
            plane.row((y + i - 1) as usize),
            plane.row((y + i) as usize),
            plane.row((y + i + 1) as usize),
        );
        let inside = (-radius).max(1 - x)..=radius.min(width - 2 - x);
        let columns = between(-(i as f32) * cos, sin, reach, inside);
        for j in between(i as f32 * sin, cos, reach, columns) {
            let column = j as f32 * cos - i as f32 * sin;
            let row = j as f32 * sin + i as f32 * cos;
            let (r, c) = (row + middle, column + middle);
            if r > -1.0 && r < SIDE as f32 && c > -1.0 && c < SIDE as f32 {
                let u = (x + j) as usize;
                room.dx.push(here[u + 1] - here[u - 1]);
                room.dy.push(up[u] - down[u]);
                room.row.push(r);
                room.column.push(c);
                room.far.push(row * row + column * column);
            }
        }
    }
}

/// The j of `among` with `|j slope - shift| < reach`, and perhaps one more at either end.
fn between(
    shift: f32,
    slope: f32,
    reach: f32,
    among: RangeInclusive<isize>,
) -> RangeInclusive<isize> {
    let (low, high) = among.into_inner();
    if slope.abs() < 1e-6 {
        let none = low - 1;
        return low..=if shift.abs() < reach + 0.01 { high } else { none };
    }
    let (a, b) = ((shift - reach) / slope, (shift + reach) / slope);
    low.max(a.min(b).floor() as isize)..=high.min(a.max(b).ceil() as isize)
}

tuwen_simd::simd! {
    /// Of each pixel the sum that its share begins at, and in place how far it lies behind: `row`, `column`, and the
    /// direction in `dy`; its weighed length in `dx`.
    fn shares(
        dx: &mut [f32],
        dy: &mut [f32],
        row: &mut [f32],
        column: &mut [f32],
        far: &[f32],
        first: &mut [u32],
        angle: f32,
    ) {
        let count = dx.len();
        let (dy, row, column) = (&mut dy[..count], &mut row[..count], &mut column[..count]);
        let (far, first) = (&far[..count], &mut first[..count]);
        for at in 0..count {
            let length = (dx[at] * dx[at] + dy[at] * dy[at]).sqrt();
            let weight = math::exp(far[at] * (-1.0 / (SIDE * SIDE) as f32 / 0.5));
            let bin = (math::atan2(dy[at], dx[at]) - angle) * (ANGLES as f32 / 360.0);
            let [r, c, b] = [row[at].floor(), column[at].floor(), bin.floor()];
            row[at] -= r;
            column[at] -= c;
            dy[at] = bin - b;
            dx[at] = length * weight;
            let turned = if b < 0.0 { b + ANGLES as f32 } else { b };
            let turned = if turned >= ANGLES as f32 { turned - ANGLES as f32 } else { turned };
            let place = ((r + 1.0) * ROWS as f32 + c + 1.0) * BINS as f32 + turned;
            first[at] = math::nearest(place) as u32;
        }
    }
}

/// Shares a pixel among its eight neighbours.
#[inline]
fn share(sums: &mut [f32; SUMS], first: usize, [row, column, bin]: [f32; 3], length: f32) {
    const NEXT: usize = ROWS * BINS;
    let r1 = length * row;
    let r0 = length - r1;
    let (r11, r01) = (r1 * column, r0 * column);
    let (r10, r00) = (r1 - r11, r0 - r01);
    for (start, value) in [(0, r00), (BINS, r01), (NEXT, r10), (NEXT + BINS, r11)] {
        let behind = value * bin;
        let pair = &mut sums[first + start..][..2];
        pair[0] += value - behind;
        pair[1] += behind;
    }
}

/// Directions go round; then lengths are clipped and made whole numbers.
fn finish(sums: &mut [f32; SUMS], to: &mut Vec<f32>) {
    let start = to.len();
    for row in 1..=SIDE {
        for column in 1..=SIDE {
            let part = &mut sums[(row * ROWS + column) * BINS..][..BINS];
            part[0] += part[ANGLES];
            part[1] += part[ANGLES + 1];
            to.extend_from_slice(&part[..ANGLES]);
        }
    }
    let values = &mut to[start..];
    debug_assert_eq!(values.len(), WIDTH);
    scale(values);
}

/// A descriptor of raw sums: clipped at a fifth of its length, then of length 512 in whole numbers up to 255.
pub fn scale(values: &mut [f32]) {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let most = length * CLIP;
    values.iter_mut().for_each(|value| *value = value.min(most));
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let factor = LENGTH / length.max(f32::EPSILON);
    values.iter_mut().for_each(|value| *value = (*value * factor).round_ties_even().min(255.0));
}
