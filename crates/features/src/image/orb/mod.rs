//! ORB (Rublee et al. 2011, <https://doi.org/10.1109/ICCV.2011.6126544>) as OpenCV's `ORB_create()` has it
//! (<https://github.com/opencv/opencv/blob/4.x/modules/features2d/src/orb.cpp>, Apache 2.0): corners at eight sizes, the
//! best by Harris' measure, each with the direction of its brightness and 256 comparisons around it.

mod bytes;
mod fast;
mod pairs;

use std::f64::consts::SQRT_2;

use super::keypoint::Keypoint;
use super::plane::Plane;
use super::sift::atan2;
use bytes::Bytes;
use pairs::PAIRS;

/// Sizes, and how much smaller each is than the one before.
const LEVELS: usize = 8;
const FACTOR: f64 = 1.2;
/// Pixels at the edges without keypoints; half of what is around one.
const EDGE: usize = 31;
const HALF: isize = 15;
/// FAST's threshold, and Harris' weight and block.
const THRESHOLD: i32 = 20;
const HARRIS: f32 = 0.04;
const BLOCK: isize = 7;

/// Bytes of a descriptor.
pub const WIDTH: usize = 32;

/// A keypoint in the pixels of its level.
#[derive(Clone, Copy)]
struct Corner {
    x: usize,
    y: usize,
    response: f32,
}

/// About `most` keypoints, level by level, and their descriptors of 32 bytes. A blank picture has none.
pub fn orb(grey: &Plane, most: usize) -> (Vec<Keypoint>, Vec<u8>) {
    let values = grey.values.iter().map(|value| *value as u8).collect();
    let mut picture = Bytes { width: grey.width, height: grey.height, values };
    let reach = reach();
    let (mut keypoints, mut descriptors) = (Vec::new(), Vec::new());
    for (level, most) in shares(most).into_iter().enumerate() {
        let scale = FACTOR.powi(level as i32) as f32;
        if level > 0 {
            let side = |side: usize| (side as f32 / scale).round_ties_even() as usize;
            let (width, height) = (side(grey.width), side(grey.height));
            if width == 0 || height == 0 {
                break;
            }
            picture = picture.resized(width, height);
        }
        let corners = corners(&picture, most);
        if corners.is_empty() {
            continue;
        }
        let blurred = picture.blurred();
        for corner in corners {
            let angle = angle(&picture, &corner, &reach);
            keypoints.push(Keypoint {
                x: corner.x as f32 * scale,
                y: corner.y as f32 * scale,
                size: EDGE as f32 * scale,
                angle,
                response: corner.response,
                octave: level as i32,
            });
            describe(&blurred, &corner, angle, &mut descriptors);
        }
    }
    (keypoints, descriptors)
}

/// How many keypoints each level has.
fn shares(most: usize) -> [usize; LEVELS] {
    let factor = (1.0 / FACTOR) as f32;
    let mut wanted = most as f32 * (1.0 - factor) / (1.0 - factor.powi(LEVELS as i32));
    let mut found = [0; LEVELS];
    for share in &mut found[..LEVELS - 1] {
        *share = wanted.round_ties_even() as usize;
        wanted *= factor;
    }
    found[LEVELS - 1] = most.saturating_sub(found.iter().sum());
    found
}

fn corners(picture: &Bytes, most: usize) -> Vec<Corner> {
    let (width, height) = (picture.width, picture.height);
    if most == 0 || width <= 2 * EDGE || height <= 2 * EDGE {
        return Vec::new();
    }
    let inside = |&(x, y, _): &fast::Corner| {
        (EDGE..width - EDGE).contains(&x) && (EDGE..height - EDGE).contains(&y)
    };
    let corner = |(x, y, score): fast::Corner| Corner { x, y, response: score as f32 };
    let found = fast::corners(picture, THRESHOLD).into_iter().filter(inside).map(corner);
    let mut found: Vec<Corner> = found.collect();
    strongest(&mut found, 2 * most);
    found.iter_mut().for_each(|corner| corner.response = harris(picture, corner));
    strongest(&mut found, most);
    found
}

/// OpenCV's `retainBest`: as many, and those that are as strong as the last of them.
fn strongest(found: &mut Vec<Corner>, most: usize) {
    if found.len() > most {
        let mut all: Vec<f32> = found.iter().map(|corner| corner.response).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        let least = all[most - 1];
        found.retain(|corner| corner.response >= least);
    }
}

fn harris(picture: &Bytes, corner: &Corner) -> f32 {
    let (mut a, mut b, mut c) = (0i32, 0i32, 0i32);
    for dy in -BLOCK / 2..=BLOCK / 2 {
        for dx in -BLOCK / 2..=BLOCK / 2 {
            let at = |i: isize, j: isize| {
                let (x, y) =
                    (corner.x.wrapping_add_signed(dx + i), corner.y.wrapping_add_signed(dy + j));
                picture.at(x, y)
            };
            let x = (at(1, 0) - at(-1, 0)) * 2 + at(1, -1) - at(-1, -1) + at(1, 1) - at(-1, 1);
            let y = (at(0, 1) - at(0, -1)) * 2 + at(-1, 1) - at(-1, -1) + at(1, 1) - at(1, -1);
            a += x * x;
            b += y * y;
            c += x * y;
        }
    }
    let (a, b, c) = (a as f32, b as f32, c as f32);
    let scale = 1.0 / (4.0 * BLOCK as f32 * 255.0);
    (a * b - c * c - HARRIS * (a + b) * (a + b)) * scale.powi(4)
}

/// How far the circle of radius 15 reaches in each row below its middle.
fn reach() -> [isize; HALF as usize + 1] {
    let mut reach = [0; HALF as usize + 1];
    let half = HALF as f64 * SQRT_2 / 2.0;
    for (v, reach) in reach.iter_mut().enumerate().take((half + 1.0).floor() as usize + 1) {
        *reach = ((HALF * HALF) as f64 - (v * v) as f64).sqrt().round_ties_even() as isize;
    }
    // The rest so that the circle is the same when it is turned by a quarter.
    let mut from = 0;
    for v in (half.ceil() as usize..=HALF as usize).rev() {
        while reach[from] == reach[from + 1] {
            from += 1;
        }
        reach[v] = from as isize;
        from += 1;
    }
    reach
}

/// From the middle of the circle to that of its brightness, in degrees.
fn angle(picture: &Bytes, corner: &Corner, reach: &[isize]) -> f32 {
    let (mut across, mut down) = (0i32, 0i32);
    for v in -HALF..=HALF {
        let reach = reach[v.unsigned_abs()];
        for u in -reach..=reach {
            let value =
                picture.at(corner.x.wrapping_add_signed(u), corner.y.wrapping_add_signed(v));
            across += u as i32 * value;
            down += v as i32 * value;
        }
    }
    atan2(down as f32, across as f32)
}

fn describe(blurred: &Bytes, corner: &Corner, angle: f32, to: &mut Vec<u8>) {
    let (sin, cos) = angle.to_radians().sin_cos();
    let value = |x: i8, y: i8| {
        let (x, y) = (f32::from(x), f32::from(y));
        let u = (x * cos - y * sin).round_ties_even() as isize;
        let v = (x * sin + y * cos).round_ties_even() as isize;
        blurred.beyond(corner.x as isize + u, corner.y as isize + v)
    };
    for byte in PAIRS.chunks_exact(8) {
        let bits = byte.iter().enumerate();
        to.push(
            bits.fold(0, |byte, (at, &[a, b, c, d])| {
                byte | u8::from(value(a, b) < value(c, d)) << at
            }),
        );
    }
}
