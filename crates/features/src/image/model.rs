//! What gives any picture one row, as a value that is stored.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tuwen_files::error::Error as FileError;
use tuwen_image::{Filter, RgbImage, resize};

pub use super::codebook::Encoding;
use super::codebook::{Codebook, Settings, root, sampled};
use super::colour::{Space, histogram};
use super::dense::Grid;
use super::gist::{SIDE, gist};
use super::hog::hog;
use super::lbp::{CIRCLES, lbp};
use super::plane::Plane;
use crate::error::{Error, Result, input};
use crate::store;

/// What is made of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ImageFeature {
    /// A colour histogram.
    Colour(Space),
    /// Local binary patterns.
    Lbp,
    /// Histograms of gradients of the picture squashed to 128 x 128, in cells of 16 pixels.
    Hog,
    /// GIST of the picture squashed to 128 x 128.
    Gist,
    /// Dense SIFT by a codebook.
    Dense {
        /// How descriptors become a row.
        encoding: Encoding,
        /// Where they are.
        grid: Grid,
    },
}

/// Pixels of a cell of [`ImageFeature::Hog`].
const CELL: usize = 16;
/// Pictures whose longest side is longer are made smaller before their textures are looked at.
const LONGEST: u32 = 512;

/// See the module.
pub struct ImageModel {
    kind: ImageFeature,
    codebook: Option<Codebook>,
}

impl ImageModel {
    /// One that learns nothing.
    ///
    /// # Errors
    /// The kind needs a codebook: [`Self::learn`].
    pub fn new(kind: ImageFeature) -> Result<Self> {
        match kind {
            ImageFeature::Dense { .. } => input("a codebook is learned from pictures first"),
            kind => Ok(Self { kind, codebook: None }),
        }
    }

    /// One whose codebook is learned from pictures' descriptors ([`Self::descriptors`]).
    ///
    /// # Errors
    /// There are fewer descriptors than words, or somebody asked for the end.
    pub fn learn(
        encoding: Encoding,
        grid: Grid,
        pictures: &[Vec<f32>],
        settings: Settings,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self> {
        let sample = sampled(pictures, settings.sample, settings.seed);
        let codebook = Codebook::learn(encoding, &sample, settings, stop)?;
        Ok(Self { kind: ImageFeature::Dense { encoding, grid }, codebook: Some(codebook) })
    }

    /// A picture's dense descriptors (RootSIFT, 128 values each); none of a blank one.
    pub fn descriptors(picture: &RgbImage, grid: &Grid) -> Vec<f32> {
        let mut found = grid.descriptors(&Plane::grey(&no_longer(picture)));
        root(&mut found);
        found
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        match (&self.kind, &self.codebook) {
            (_, Some(codebook)) => codebook.width(),
            (ImageFeature::Colour(space), _) => space.boxes().iter().product(),
            (ImageFeature::Lbp, _) => CIRCLES.iter().map(|(points, _)| points + 2).sum(),
            (ImageFeature::Hog, _) => (SIDE / CELL - 1) * (SIDE / CELL - 1) * 36,
            (ImageFeature::Gist | ImageFeature::Dense { .. }, _) => 512,
        }
    }

    /// A picture's row.
    pub fn row(&self, picture: &RgbImage) -> Vec<f32> {
        let squashed = || {
            let side = SIDE as u32;
            Plane::grey(&resize(picture, side, side, Filter::Bicubic))
        };
        match (&self.kind, &self.codebook) {
            (ImageFeature::Dense { grid, .. }, Some(codebook)) => {
                codebook.encode(&Self::descriptors(picture, grid))
            }
            (ImageFeature::Colour(space), _) => histogram(picture, *space),
            (ImageFeature::Lbp, _) => lbp(&Plane::grey(&no_longer(picture))),
            (ImageFeature::Hog, _) => hog(&squashed(), CELL),
            (ImageFeature::Gist | ImageFeature::Dense { .. }, _) => gist(&squashed()),
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that depends on the model.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let arrays = self.codebook.as_ref().map(Codebook::arrays).unwrap_or_default();
        store::bytes(&self.kind, &arrays)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, damaged, or no model of pictures.
    pub fn load(path: &Path) -> Result<Self> {
        let (kind, arrays) = store::load::<ImageFeature>(path)?;
        let wrong = |what: String| Error::File(FileError::data_set(path, what));
        let codebook = match &kind {
            ImageFeature::Dense { encoding, grid } => {
                let is_good = |size: &f32| (0.1..=1000.0).contains(size);
                if grid.step == 0 || grid.sizes.is_empty() || !grid.sizes.iter().all(is_good) {
                    return Err(wrong("its grid has no places".into()));
                }
                Some(Codebook::of(*encoding, arrays).map_err(wrong)?)
            }
            _ => None,
        };
        Ok(Self { kind, codebook })
    }
}

/// The picture, no longer than what textures are looked at in.
fn no_longer(picture: &RgbImage) -> std::borrow::Cow<'_, RgbImage> {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= LONGEST {
        return std::borrow::Cow::Borrowed(picture);
    }
    let scaled =
        |side: u32| (u64::from(side) * u64::from(LONGEST) / u64::from(longest)).max(1) as u32;
    std::borrow::Cow::Owned(resize(picture, scaled(width), scaled(height), Filter::Bicubic))
}
