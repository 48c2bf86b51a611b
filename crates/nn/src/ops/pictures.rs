//! Pixels as rows of patches.

use crate::tape::Tape;
use crate::value::Value;

/// A picture cut into square patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Patches one above the other.
    pub rows: usize,
    /// Patches side by side.
    pub columns: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
}

impl Patches {
    /// Of a square picture of `size` pixels a side.
    pub fn square(size: usize, patch: usize) -> Self {
        let side = size / patch;
        Self { rows: side, columns: side, patch }
    }

    /// How many a picture has.
    pub fn count(&self) -> usize {
        self.rows * self.columns
    }

    /// Values of a patch.
    pub fn width(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Values of a picture.
    pub fn values(&self) -> usize {
        self.count() * self.width()
    }

    /// Tells where each line of a patch lies within its picture: channel by channel, row by row.
    fn lines(&self, at: usize) -> impl Iterator<Item = usize> {
        let Self { rows, columns, patch } = *self;
        let across = columns * patch;
        let plane = rows * patch * across;
        let corner = at / columns * patch * across + at % columns * patch;
        (0..3).flat_map(move |channel| {
            (0..patch).map(move |row| channel * plane + corner + row * across)
        })
    }
}

/// The values of each picture, one behind the other in `pixels`.
fn pictures<'p>(pixels: &'p [f32], cuts: &[Patches]) -> impl Iterator<Item = &'p [f32]> {
    let mut rest = pixels;
    cuts.iter().map(move |cut| {
        let (picture, others) = rest.split_at(cut.values());
        rest = others;
        picture
    })
}

impl<'w> Tape<'w> {
    /// Patches as rows, `keep[i]` of picture i, which is cut as `cuts[i]`. `leaf` has the same pixels where their
    /// gradient is wanted.
    ///
    /// # Shapes
    /// `pixels`: of each picture (3, rows P, columns P), channel by channel. Returns (patches kept, 3 P P).
    pub fn patches(
        &mut self,
        pixels: &[f32],
        leaf: Option<&Value>,
        cuts: &[Patches],
        keep: &[&[usize]],
    ) -> Value {
        let patch = cuts.first().map_or(1, |cut| cut.patch).max(1);
        let width = 3 * patch * patch;
        let count: usize = keep.iter().map(|kept| kept.len()).sum();
        // Cut on the host, wherever the rows are needed.
        let mut rows = self.host(count * width);
        let mut parts = rows.values.chunks_exact_mut(patch);
        for ((pixels, cut), kept) in pictures(pixels, cuts).zip(cuts).zip(keep) {
            for line in kept.iter().flat_map(|&at| cut.lines(at)) {
                let part = parts.next().expect("a part for each line");
                part.copy_from_slice(&pixels[line..line + patch]);
            }
        }
        let Some(leaf) = leaf.filter(|leaf| self.records(&[leaf], false)) else {
            return self.brought(rows, width);
        };
        let input = leaf.slot();
        let keep: Vec<Vec<usize>> = keep.iter().map(|kept| kept.to_vec()).collect();
        let cuts = cuts.to_vec();
        self.record(rows, width, move |grad, back| {
            let Some(dpixels) = back.slot(input) else { return };
            let mut dpixels = &mut dpixels[..];
            let mut parts = grad.values.chunks_exact(patch);
            for (cut, kept) in cuts.iter().zip(&keep) {
                let (pixels, others) = std::mem::take(&mut dpixels).split_at_mut(cut.values());
                for line in kept.iter().flat_map(|&at| cut.lines(at)) {
                    let part = parts.next().expect("a part for each line");
                    crate::math::add(&mut pixels[line..line + patch], part);
                }
                dpixels = others;
            }
        })
    }
}
