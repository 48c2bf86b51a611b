//! SIFT descriptors of a grid of places in several sizes, upright: what `sift::describe_at` gives for such keypoints, in
//! less time, because the shares of a pixel are the same at every place.

use serde::{Deserialize, Serialize};

use super::keypoint::Keypoint;
use super::plane::Plane;
use super::sift::{WIDTH, describe_at};

/// Places and sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Pixels between two places.
    pub step: usize,
    /// Diameters of keypoints; a part of a descriptor has 1.5 of it a side.
    pub sizes: Vec<f32>,
}

impl Default for Grid {
    /// Parts of 4, 6 and 8 pixels, every 8 pixels.
    fn default() -> Self {
        Self { step: 8, sizes: vec![8.0 / 3.0, 4.0, 16.0 / 3.0] }
    }
}

impl Grid {
    /// The places of a picture: as many as fit with half a step at either side.
    pub fn keypoints(&self, width: usize, height: usize) -> Vec<Keypoint> {
        let starts = |side: usize| (self.step / 2..side).step_by(self.step.max(1));
        let mut found = Vec::new();
        for &size in &self.sizes {
            for y in starts(height) {
                for x in starts(width) {
                    let (x, y) = (x as f32, y as f32);
                    found.push(Keypoint { x, y, size, angle: 0.0, response: 0.0, octave: 0 });
                }
            }
        }
        found
    }

    /// Descriptors, row by row, of places that are not blank: a place without gradients has no direction.
    pub fn descriptors(&self, grey: &Plane) -> Vec<f32> {
        let mut all = describe_at(grey, &self.keypoints(grey.width, grey.height));
        let mut kept = 0;
        for at in 0..all.len() / WIDTH {
            if all[at * WIDTH..][..WIDTH].iter().any(|value| *value != 0.0) {
                all.copy_within(at * WIDTH..(at + 1) * WIDTH, kept * WIDTH);
                kept += 1;
            }
        }
        all.truncate(kept * WIDTH);
        all
    }
}
