//! Pixels as rows of patches.

use crate::tape::Tape;
use crate::value::Value;

/// Square pictures cut into square patches.
#[derive(Clone, Copy, Debug)]
pub struct Patches {
    /// Side of a picture, R.
    pub size: usize,
    /// Side of a patch.
    pub patch: usize,
}

impl Patches {
    /// How many a picture has.
    pub fn count(&self) -> usize {
        (self.size / self.patch).pow(2)
    }

    /// Values of a patch.
    pub fn width(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Tells where each line of a patch lies within its picture: channel by channel, row by row.
    fn lines(&self, at: usize) -> impl Iterator<Item = usize> {
        let Self { size, patch } = *self;
        let side = size / patch;
        let corner = at / side * patch * size + at % side * patch;
        (0..3).flat_map(move |channel| {
            (0..patch).map(move |row| channel * size * size + corner + row * size)
        })
    }
}

impl<'w> Tape<'w> {
    /// Patches as rows, `keep[i]` of picture i. `leaf` has the same pixels where their gradient is wanted.
    ///
    /// # Shapes
    /// `pixels`: (B, 3 R R), channel by channel. Returns (patches kept, 3 P P).
    pub fn patches(
        &mut self,
        pixels: &[f32],
        leaf: Option<&Value>,
        cut: Patches,
        keep: &[&[usize]],
    ) -> Value {
        let (width, picture) = (cut.width(), 3 * cut.size * cut.size);
        let count: usize = keep.iter().map(|kept| kept.len()).sum();
        let mut rows = self.take(count * width);
        let mut parts = rows.values.chunks_exact_mut(cut.patch.max(1));
        for (pixels, kept) in pixels.chunks_exact(picture).zip(keep) {
            for line in kept.iter().flat_map(|&at| cut.lines(at)) {
                let part = parts.next().expect("a part for each line");
                part.copy_from_slice(&pixels[line..line + cut.patch]);
            }
        }
        let Some(leaf) = leaf.filter(|leaf| self.records(&[leaf], false)) else {
            return self.plain(rows, width);
        };
        let input = leaf.slot();
        let keep: Vec<Vec<usize>> = keep.iter().map(|kept| kept.to_vec()).collect();
        self.record(rows, width, move |grad, back| {
            let Some(dpixels) = back.slot(input) else { return };
            let mut parts = grad.values.chunks_exact(cut.patch.max(1));
            for (pixels, kept) in dpixels.chunks_exact_mut(picture).zip(&keep) {
                for line in kept.iter().flat_map(|&at| cut.lines(at)) {
                    let part = parts.next().expect("a part for each line");
                    crate::math::add(&mut pixels[line..line + cut.patch], part);
                }
            }
        })
    }
}
