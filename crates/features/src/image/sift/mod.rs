//! SIFT (Lowe 2004, <https://doi.org/10.1023/B:VISI.0000029664.99615.94>) as OpenCV's `SIFT_create()` has it
//! (<https://github.com/opencv/opencv/blob/4.x/modules/features2d/src/sift.simd.hpp>, Apache 2.0): keypoints at extrema of
//! differences of Gaussians, and for each the directions around it as 128 whole numbers from 0 to 255. The patent
//! ended in March 2020.

mod blur;
mod describe;
mod extrema;
mod math;
mod pyramid;

pub use blur::mirrored;
pub use math::atan2;
pub use pyramid::plain;

use std::cell::RefCell;

use super::keypoint::Keypoint;
use super::plane::Plane;
use describe::Place;
use extrema::Found;
use pyramid::Pyramid;

/// Layers of an octave in which keypoints are looked for, and the blur of its first plane.
const LAYERS: usize = 3;
const SIGMA: f64 = 1.6;
/// Values of a descriptor.
pub const WIDTH: usize = 128;
/// Pixels of a picture up to which a thread keeps the memory for the next one: some 130 MB.
const KEPT: usize = 1 << 19;

thread_local! {
    static PYRAMID: RefCell<Pyramid> = RefCell::default();
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The strongest; 0 keeps all.
    pub most: usize,
    /// Weaker ones are left out: OpenCV's `contrastThreshold`.
    pub contrast: f32,
    /// Those along edges are left out: OpenCV's `edgeThreshold`.
    pub edge: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { most: 0, contrast: 0.04, edge: 10.0 }
    }
}

/// Keypoints, ordered from the left, and their descriptors, row by row. A blank picture has none, and neither has one
/// of less than two pixels a side.
pub fn sift(grey: &Plane, settings: Settings) -> (Vec<Keypoint>, Vec<f32>) {
    if grey.width < 2 || grey.height < 2 {
        return (Vec::new(), Vec::new());
    }
    match grey.values.len() <= KEPT {
        true => PYRAMID.with_borrow_mut(|pyramid| described(pyramid, grey, settings)),
        false => described(&mut Pyramid::default(), grey, settings),
    }
}

fn described(pyramid: &mut Pyramid, grey: &Plane, settings: Settings) -> (Vec<Keypoint>, Vec<f32>) {
    let octaves = pyramid.of(grey);
    let (mut found, mut around): (Vec<Found>, _) = (Vec::new(), extrema::Around::default());
    for (at, octave) in octaves.iter().enumerate() {
        extrema::find(octave, at as i32, settings, &mut around, &mut found);
    }
    sorted(&mut found);
    if settings.most > 0 && found.len() > settings.most {
        strongest(&mut found, settings.most);
    }
    let mut room = describe::Room::default();
    let mut descriptors = Vec::with_capacity(found.len() * WIDTH);
    for one in &found {
        let plane = &octaves[one.octave as usize].blurred[one.layer];
        // As OpenCV brings a keypoint back to its octave.
        let scale = 1.0 / (1 << one.octave) as f32;
        let place = Place {
            x: one.keypoint.x * 2.0 * scale,
            y: one.keypoint.y * 2.0 * scale,
            angle: turned(one.keypoint.angle),
            scale: one.keypoint.size * 2.0 * scale * 0.5,
        };
        describe::describe(plane, place, &mut room, &mut descriptors);
    }
    (found.into_iter().map(|one| one.keypoint).collect(), descriptors)
}

/// Descriptors of given places of a picture in its own size: OpenCV's `SIFT::compute` of keypoints of octave 0.
pub fn describe_at(grey: &Plane, keypoints: &[Keypoint]) -> Vec<f32> {
    let plane = plain(grey);
    let (mut room, mut descriptors) = (describe::Room::default(), Vec::new());
    for one in keypoints {
        let place = Place { x: one.x, y: one.y, angle: turned(one.angle), scale: one.size * 0.5 };
        describe::describe(&plane, place, &mut room, &mut descriptors);
    }
    descriptors
}

/// Counted the other way round, as descriptors take it.
fn turned(angle: f32) -> f32 {
    let other = 360.0 - angle;
    if (other - 360.0).abs() < f32::EPSILON { 0.0 } else { other }
}

/// OpenCV's `removeDuplicatedSorted`.
fn sorted(found: &mut Vec<Found>) {
    found.sort_by(|a, b| {
        let (a, b) = (&a.keypoint, &b.keypoint);
        let places = a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y));
        places.then(b.size.total_cmp(&a.size)).then(a.angle.total_cmp(&b.angle))
    });
    let same = |a: &Keypoint| (a.x, a.y, a.size, a.angle);
    found.dedup_by(|a, b| same(&a.keypoint) == same(&b.keypoint));
}

/// OpenCV's `retainBest`: as many, and those that are as strong as the last of them.
fn strongest(found: &mut Vec<Found>, most: usize) {
    let mut all: Vec<f32> = found.iter().map(|one| one.keypoint.response).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let least = all[most - 1];
    found.retain(|one| one.keypoint.response >= least);
}
