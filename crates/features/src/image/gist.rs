//! GIST (Oliva and Torralba 2001, <https://doi.org/10.1023/A:1011139631724>): the mean energy of Gabor filters of 4 scales and
//! 8 orientations in 4 x 4 parts of a picture, after local contrast is evened out; the constants are those of the
//! authors' `LMgist.m`. Two differences: (1) the picture of 128 x 128 is mirrored to 256 x 256 for the prefilter and the
//! filters alike, where they take 138 and 192; (2) brightness is OpenCV's, where they take the mean of the colours.

use std::f32::consts::PI;
use std::sync::OnceLock;

use super::fft::{Complex, Fourier};
use super::plane::Plane;

/// Side of the picture, and of its mirrored frame.
pub const SIDE: usize = 128;
const FRAME: usize = 256;
const SCALES: usize = 4;
const ANGLES: usize = 8;
/// Parts of the picture along each side.
const PARTS: usize = 4;
/// The prefilter's cut-off, in cycles a picture, and the least contrast.
const CUT: f32 = 4.0;
const LEAST: f32 = 0.2;

/// Filters in the frequencies of the frame.
struct Filters {
    fourier: Fourier,
    low: Vec<f32>,
    gabors: Vec<Vec<f32>>,
}

fn filters() -> &'static Filters {
    static FILTERS: OnceLock<Filters> = OnceLock::new();
    FILTERS.get_or_init(|| {
        let width = CUT / 2f32.ln().sqrt();
        let low = over_frame(|x, y| (-(x * x + y * y) / (width * width)).exp());
        let gabors =
            (0..SCALES).flat_map(|scale| (0..ANGLES).map(move |angle| gabor(scale, angle)));
        Filters { fourier: Fourier::new(FRAME), low, gabors: gabors.collect() }
    })
}

/// A function of the frequencies (cycles a frame) at every place of a transform.
fn over_frame(of: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let frequency = |at: usize| match at < FRAME / 2 {
        true => at as f32,
        false => at as f32 - FRAME as f32,
    };
    (0..FRAME * FRAME).map(|at| of(frequency(at % FRAME), frequency(at / FRAME))).collect()
}

/// `createGabor` of `LMgist.m`.
fn gabor(scale: usize, angle: usize) -> Vec<f32> {
    let count = ANGLES as f32;
    let centre = 0.3 / 1.85f32.powi(scale as i32);
    let spread = 16.0 * count * count / (32.0 * 32.0);
    let turn = PI / count * angle as f32;
    over_frame(|x, y| {
        let radius = x.hypot(y);
        let mut towards = y.atan2(x) + turn;
        if towards < -PI {
            towards += 2.0 * PI;
        }
        if towards > PI {
            towards -= 2.0 * PI;
        }
        let far = radius / FRAME as f32 / centre - 1.0;
        (-10.0 * 0.35 * far * far - 2.0 * PI * spread * towards * towards).exp()
    })
}

/// 512 values: scales, orientations, parts row by row. `grey` is 128 x 128.
///
/// # Panics
/// When it has another size.
pub fn gist(grey: &Plane) -> Vec<f32> {
    assert_eq!((grey.width, grey.height), (SIDE, SIDE), "a picture of 128 x 128");
    let filters = filters();
    let even = even(grey, filters);
    let mut whole: Vec<Complex> = even.iter().map(|&value| [value, 0.0]).collect();
    let mut room = whole.clone();
    filters.fourier.square(&mut whole, &mut room);
    let mut filtered = whole.clone();
    let mut found = Vec::with_capacity(SCALES * ANGLES * PARTS * PARTS);
    for gabor in &filters.gabors {
        scaled(&mut filtered, &whole, gabor);
        filters.fourier.inverse(&mut filtered, &mut room);
        found.extend(parts(&filtered));
    }
    found
}

fn scaled(to: &mut [Complex], from: &[Complex], by: &[f32]) {
    for ((to, from), by) in to.iter_mut().zip(from).zip(by) {
        *to = [from[0] * by, from[1] * by];
    }
}

/// The mean length of the numbers of each part.
fn parts(frame: &[Complex]) -> [f32; PARTS * PARTS] {
    let (edge, side) = ((FRAME - SIDE) / 2, SIDE / PARTS);
    let mut sums = [0f32; PARTS * PARTS];
    for y in 0..SIDE {
        let row = &frame[(y + edge) * FRAME + edge..][..SIDE];
        for (part, values) in row.chunks_exact(side).enumerate() {
            let sum: f32 = values.iter().map(|[r, i]| (r * r + i * i).sqrt()).sum();
            sums[y / side * PARTS + part] += sum;
        }
    }
    let all = (FRAME * FRAME * side * side) as f32;
    sums.map(|sum| sum / all)
}

/// The mirrored frame with its low frequencies and its local contrast taken away (`prefilt`).
fn even(grey: &Plane, filters: &Filters) -> Vec<f32> {
    let edge = (FRAME - SIDE) / 2;
    // Mirrored with its edge: … 1 0 0 1 …
    let mirrored = |at: usize| match at {
        at if at < edge => edge - 1 - at,
        at if at < edge + SIDE => at - edge,
        at => 2 * SIDE + edge - 1 - at,
    };
    let bright = (0..FRAME * FRAME)
        .map(|at| (grey.at(mirrored(at % FRAME), mirrored(at / FRAME)) + 1.0).ln());
    let mut values: Vec<f32> = bright.collect();
    let low = low_pass(&values, filters);
    values.iter_mut().zip(low).for_each(|(value, low)| *value -= low);
    let squares: Vec<f32> = values.iter().map(|value| value * value).collect();
    let contrast = low_pass(&squares, filters);
    values.iter_mut().zip(contrast).for_each(|(v, square)| *v /= LEAST + square.abs().sqrt());
    values
}

fn low_pass(values: &[f32], filters: &Filters) -> Vec<f32> {
    let mut whole: Vec<Complex> = values.iter().map(|&value| [value, 0.0]).collect();
    let mut room = whole.clone();
    filters.fourier.square(&mut whole, &mut room);
    for (value, by) in whole.iter_mut().zip(&filters.low) {
        *value = [value[0] * by, value[1] * by];
    }
    filters.fourier.inverse(&mut whole, &mut room);
    let all = (FRAME * FRAME) as f32;
    whole.iter().map(|value| value[0] / all).collect()
}
