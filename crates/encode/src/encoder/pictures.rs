//! Pictures as an encoder's image tower takes them.

use tuwen_files::Error as DataError;
use tuwen_image::{Geometry, RgbImage};
use tuwen_nn::Patches;

use super::{CpuEncoder, failed};
use crate::towers::{Pass, Record, Wanted};

impl CpuEncoder {
    /// What the image tower makes of pictures.
    pub(super) fn seen(
        &self,
        images: &[RgbImage],
        wanted: &Wanted,
    ) -> tuwen_files::Result<Pass<'_>> {
        let pixels = self.pixels(images)?;
        let (tower, _) = self.image_tower().map_err(failed)?;
        let cuts = self.config.any_shape().then(|| self.cuts(images));
        tower.try_forward(&pixels, cuts.as_deref(), Record::No, wanted).map_err(failed)
    }

    /// How pictures of any shape are cut.
    pub(super) fn cuts(&self, images: &[RgbImage]) -> Vec<Patches> {
        let patch = self.config.patch;
        let side = |pixels: u32| pixels as usize / patch;
        let cut = |image: &RgbImage| Patches {
            rows: side(image.height()),
            columns: side(image.width()),
            patch,
        };
        images.iter().map(cut).collect()
    }

    /// Pictures as the image tower takes them, (B, 3 R R), or of each (3, rows P, columns P).
    pub(super) fn pixels(&self, images: &[RgbImage]) -> tuwen_files::Result<Vec<f32>> {
        let values = images.iter().map(|image| image.as_raw().len()).sum();
        let mut pixels = Vec::with_capacity(values);
        for image in images {
            self.fits(image).map_err(DataError::Encode)?;
            self.config.preprocess.normalise_into(image, &mut pixels);
        }
        Ok(pixels)
    }

    /// Whether a picture has been brought to size; if not, in words.
    fn fits(&self, image: &RgbImage) -> Result<(), String> {
        let (size, (width, height)) = (self.config.preprocess.size, image.dimensions());
        let name = &self.config.name;
        let cure = "call Preprocess::fit first";
        match self.config.preprocess.geometry {
            Geometry::Grid(grid) => {
                let (patch, most) = (grid.patch, grid.largest());
                let whole = width % patch == 0 && height % patch == 0 && width > 0 && height > 0;
                let patches = u64::from(width / patch) * u64::from(height / patch);
                match whole && patches <= u64::from(most) {
                    true => Ok(()),
                    false => Err(format!(
                        "{name} takes pictures of whole patches of {patch}x{patch}, {most} at most, this one has \
                         {width}x{height}: {cure}"
                    )),
                }
            }
            _ if (width, height) == (size, size) => Ok(()),
            _ => Err(format!(
                "{name} takes pictures of {size}x{size}, this one has {width}x{height}: {cure}"
            )),
        }
    }
}
