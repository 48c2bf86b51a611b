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
/// Of the turned square.
const MIDDLE: f32 = SIDE as f32 / 2.0 - 0.5;
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
    fn lists(&mut self) -> [&mut Vec<f32>; 5] {
        [&mut self.dx, &mut self.dy, &mut self.row, &mut self.column, &mut self.far]
    }

    /// Room for so many pixels more, behind the others.
    fn more(&mut self, count: usize) -> [&mut [f32]; 5] {
        self.lists().map(|list| {
            let before = list.len();
            list.resize(before + count, 0.0);
            &mut list[before..]
        })
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
    room.lists().into_iter().for_each(Vec::clear);
    let (width, height) = (plane.width as isize, plane.height as isize);
    let (x, y) = (x.round_ties_even() as isize, y.round_ties_even() as isize);
    let part = 3.0 * scale;
    let radius = part * std::f32::consts::SQRT_2 * (SIDE as f32 + 1.0) * 0.5;
    let diagonal = ((width * width + height * height) as f32).sqrt();
    let radius = radius.round_ties_even().min(diagonal) as isize;
    let (sin, cos) = angle.to_radians().sin_cos();
    let (sin, cos) = (sin / part, cos / part);
    let reach = SIDE as f32 / 2.0 + 0.5;
    for i in (-radius).max(1 - y)..=radius.min(height - 2 - y) {
        let (up, here, down) = (
            plane.row((y + i - 1) as usize),
            plane.row((y + i) as usize),
            plane.row((y + i + 1) as usize),
        );
        let inside = (-radius).max(1 - x)..=radius.min(width - 2 - x);
        let columns = between(-(i as f32) * cos, sin, reach, inside);
        let columns = between(i as f32 * sin, cos, reach, columns);
        let inside = |j: isize| {
            let [row, column] = turn(j as f32, i as f32, sin, cos).map(|at| at + MIDDLE);
            row > -1.0 && row < SIDE as f32 && column > -1.0 && column < SIDE as f32
        };
        // Both grow or shrink along the row, so that what lies between two pixels inside is inside.
        let (Some(first), Some(last)) =
            (columns.clone().find(|&j| inside(j)), columns.rev().find(|&j| inside(j)))
        else {
            continue;
        };
        let (from, count) = ((x + first) as usize, (last - first + 1) as usize);
        let lines = [&here[from - 1..], &here[from + 1..], &up[from..], &down[from..]];
        pixels(
            room.more(count),
            lines.map(|line| &line[..count]),
            [first as f32, i as f32],
            [sin, cos],
        );
    }
}

/// Where a pixel lies in the turned square, from its middle: row and column.
#[inline(always)]
fn turn(j: f32, i: f32, sin: f32, cos: f32) -> [f32; 2] {
    [j * sin + i * cos, j * cos - i * sin]
}

tuwen_simd::simd! {
    /// Pixels of one line, `lines` before and behind, above and below them; the first lies at [j, i].
    fn pixels(
        to: [&mut [f32]; 5],
        lines: [&[f32]; 4],
        first: [f32; 2],
        turned: [f32; 2],
    ) {
        let [dx, dy, rows, columns, far] = to;
        let ([before, behind, up, down], [j, i], [sin, cos]) = (lines, first, turned);
        let count = dx.len();
        let (dy, rows, columns, far) =
            (&mut dy[..count], &mut rows[..count], &mut columns[..count], &mut far[..count]);
        let (before, behind, up, down) =
            (&before[..count], &behind[..count], &up[..count], &down[..count]);
        for at in 0..count {
            dx[at] = behind[at] - before[at];
            dy[at] = up[at] - down[at];
            let [row, column] = turn(j + at as i32 as f32, i, sin, cos);
            rows[at] = row + MIDDLE;
            columns[at] = column + MIDDLE;
            far[at] = row * row + column * column;
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
