//! Gaussians of a picture at every scale, and their differences.

use super::blur::{Room, blur, blur_into};
use super::{LAYERS, SIGMA};
use crate::image::plane::Plane;

/// Blur that a camera is said to leave.
const GIVEN: f64 = 0.5;

/// One halving: six blurred planes and the five differences of neighbours.
#[derive(Default)]
pub struct Octave {
    /// From the least blurred on: `LAYERS + 3`.
    pub blurred: Vec<Plane>,
    /// Each minus the one before: `LAYERS + 2`.
    pub differences: Vec<Plane>,
}

/// The octaves of one picture after the other, in memory that is used again: new memory costs more than what is
/// written to it.
#[derive(Default)]
pub struct Pyramid {
    octaves: Vec<Octave>,
    doubled: Plane,
    wide: Vec<f32>,
    room: Room,
}

impl Pyramid {
    /// All octaves of a picture that is made twice as large first.
    pub fn of(&mut self, grey: &Plane) -> &[Octave] {
        let Self { octaves, doubled, wide, room } = self;
        double(doubled, grey, wide);
        let side = doubled.width.min(doubled.height) as f64;
        // OpenCV's count, where the doubled picture is the octave before the first.
        let count = (side.log2() - 2.0).round_ties_even().max(-1.0) as isize + 1;
        let count = count as usize;
        octaves.resize_with(octaves.len().max(count), Octave::new);
        for at in 0..count {
            let (before, here) = octaves.split_at_mut(at);
            let here = &mut here[0];
            match before.last() {
                None => {
                    let sigma = (SIGMA * SIGMA - 4.0 * GIVEN * GIVEN).max(0.01).sqrt();
                    blur_into(&mut here.blurred[0], doubled, sigma, room);
                }
                Some(before) => halve(&mut here.blurred[0], &before.blurred[LAYERS]),
            }
            here.fill(room);
        }
        &octaves[..count]
    }
}

impl Octave {
    fn new() -> Self {
        let planes = |count| vec![Plane::default(); count];
        Self { blurred: planes(LAYERS + 3), differences: planes(LAYERS + 2) }
    }

    /// All planes behind the first.
    fn fill(&mut self, room: &mut Room) {
        let step = 2f64.powf(1.0 / LAYERS as f64);
        for at in 1..LAYERS + 3 {
            let before = step.powi(at as i32 - 1) * SIGMA;
            let whole = before * step;
            let (less, more) = self.blurred.split_at_mut(at);
            let (less, more) = (&less[at - 1], &mut more[0]);
            blur_into(more, less, (whole * whole - before * before).sqrt(), room);
            let difference = &mut self.differences[at - 1];
            difference.reshape(more.width, more.height);
            minus(&mut difference.values, &more.values, &less.values);
        }
    }
}

/// The picture's own size alone, blurred as the first plane of an octave.
pub fn plain(grey: &Plane) -> Plane {
    blur(grey, (SIGMA * SIGMA - GIVEN * GIVEN).sqrt())
}

tuwen_simd::simd! {
    fn minus(to: &mut [f32], a: &[f32], b: &[f32]) {
        to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = a - b);
    }
}

/// Every second pixel of every second row.
fn halve(to: &mut Plane, plane: &Plane) {
    let (width, height) = (plane.width / 2, plane.height / 2);
    to.reshape(width, height);
    for (y, row) in to.values.chunks_exact_mut(width.max(1)).enumerate() {
        let (pairs, _) = plane.row(2 * y).as_chunks::<2>();
        row.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
    }
}

/// Twice as large, linear between pixels' middles.
fn double(to: &mut Plane, plane: &Plane, wide: &mut Vec<f32>) {
    let (width, height) = (plane.width, plane.height);
    to.reshape(2 * width, 2 * height);
    wide.resize(2 * width * height, 0.0);
    for (y, row) in wide.chunks_exact_mut(2 * width).enumerate() {
        double_row(row, plane.row(y));
    }
    for (y, row) in to.values.chunks_exact_mut(2 * width).enumerate() {
        let near = y / 2;
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
        let [near, far] = [near, far].map(|y| &wide[y * 2 * width..][..2 * width]);
        mean(row, near, far);
    }
}

tuwen_simd::simd! {
    /// Nearer to one than to the other.
    fn mean(to: &mut [f32], near: &[f32], far: &[f32]) {
        to.iter_mut().zip(near).zip(far).for_each(|((to, a), b)| *to = 0.75 * a + 0.25 * b);
    }
}

fn double_row(to: &mut [f32], row: &[f32]) {
    let last = row.len() - 1;
    let (pairs, _) = to.as_chunks_mut::<2>();
    for (x, pair) in pairs.iter_mut().enumerate() {
        let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(last)]);
        *pair = [0.75 * row[x] + 0.25 * left, 0.75 * row[x] + 0.25 * right];
    }
}
