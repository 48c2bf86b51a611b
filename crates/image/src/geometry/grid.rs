//! Pictures that keep their shape: cut into as many square patches as a budget has room for (NaFlex, SigLIP 2,
//! <https://arxiv.org/abs/2502.14786>; FG-CLIP 2, <https://arxiv.org/abs/2510.10921>).

use serde::{Deserialize, Serialize};

/// FG-CLIP 2's budgets.
const STEPS: [u32; 5] = [128, 256, 576, 784, 1024];

/// A grid of square patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Side of a patch in pixels.
    pub patch: u32,
    /// How many patches a picture has at most.
    pub budget: Budget,
}

/// How many patches a picture has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As many as any other.
    Fixed(u32),
    /// The first of 128, 256, 576, 784 and 1024 that has room for the picture's own patches, at most the last.
    Stepped,
}

impl Grid {
    /// The most patches of any picture.
    pub fn largest(&self) -> u32 {
        match self.budget {
            Budget::Fixed(patches) => patches,
            Budget::Stepped => STEPS[STEPS.len() - 1],
        }
    }

    /// The most patches of a picture of so many pixels.
    pub fn most(&self, width: u32, height: u32) -> u32 {
        let own = u64::from(width / self.patch) * u64::from(height / self.patch);
        let fits = STEPS.into_iter().find(|&step| own <= u64::from(step));
        match self.budget {
            Budget::Stepped => fits.unwrap_or(self.largest()),
            Budget::Fixed(patches) => patches,
        }
    }

    /// The size that a picture is stretched to: both sides multiples of a patch, the largest scale whose patches are within
    /// the budget, found as transformers' `get_image_size_for_max_num_patches` finds it.
    pub fn pixels(&self, width: u32, height: u32) -> (u32, u32) {
        const CLOSE: f64 = 1e-5;
        let (patch, most) = (f64::from(self.patch), f64::from(self.most(width, height)));
        let side = |scale: f64, own: u32| (f64::from(own) * scale / patch).ceil().max(1.0);
        let (mut least, mut largest) = (CLOSE / 10.0, 100.0);
        while largest - least >= CLOSE {
            let scale = (least + largest) / 2.0;
            match side(scale, width) * side(scale, height) <= most {
                true => least = scale,
                false => largest = scale,
            }
        }
        let pixels = |own: u32| side(least, own) as u32 * self.patch;
        (pixels(width), pixels(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { patch: 16, budget: Budget::Stepped };

    #[test]
    fn small_pictures_have_small_budgets() {
        for (size, most) in [
            ((160, 120), 128),
            ((256, 128), 128),
            ((272, 128), 256),
            ((320, 240), 576),
            ((448, 448), 784),
            ((640, 480), 1024),
            ((60_000, 40_000), 1024),
            ((1, 1), 128),
        ] {
            assert_eq!(GRID.most(size.0, size.1), most, "{size:?}");
        }
    }

    #[test]
    fn every_shape_is_within_its_budget_and_a_line_keeps_a_patch() {
        for (width, height) in
            [(640, 480), (480, 640), (1, 60_000), (60_000, 1), (1, 1), (3000, 20)]
        {
            let (across, down) = GRID.pixels(width, height);
            let patches = across / 16 * (down / 16);
            assert!(across % 16 == 0 && down % 16 == 0 && patches >= 1, "{width}x{height}");
            assert!(patches <= GRID.most(width, height), "{width}x{height}: {across}x{down}");
        }
    }
}
