//! What it costs to decode fewer pixels: how near the vectors are to those of all pixels.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_image::{Decoded, Decoding, Limits, RgbImage, decode_for, read_file};
use tuwen_index::{Gallery, Measured};

use crate::walk::Found;
use crate::{Error, Result};

/// Files that are looked at, and pictures that are compared.
const LOOKED_AT: usize = 12;
const COMPARED: usize = 8;

/// Cosines between vectors of fewer and of all pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Pictures that were compared.
    pub pictures: usize,
    /// The mean of their cosines.
    pub mean_cosine: f32,
    /// The least of them.
    pub least_cosine: f32,
}

/// Some of the files of a walk, evenly chosen.
pub fn some_of(files: &[Found]) -> Vec<PathBuf> {
    let every = files.len().div_ceil(LOOKED_AT).max(1);
    files.iter().step_by(every).map(|file| file.path.clone()).collect()
}

impl Loss {
    /// What a gallery remembers.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn known(gallery: &Gallery) -> Result<Option<Self>> {
        let said = gallery.remembered(Measured::FewerPixels)?;
        Ok(said.and_then(|said| serde_json::from_str(&said).ok()))
    }

    /// That, or else what is measured now and remembered; nothing where no file has fewer pixels to give.
    ///
    /// # Errors
    /// As [`Self::of`], or a gallery that cannot be written.
    pub(super) fn once(
        gallery: &Gallery,
        files: &[PathBuf],
        encoder: &dyn Encoder,
    ) -> Result<Option<Self>> {
        if let Some(known) = Self::known(gallery)? {
            return Ok(Some(known));
        }
        let found = Self::of(files, encoder)?;
        if let Some(loss) = &found {
            let words = serde_json::to_string(loss).expect("numbers");
            gallery.remember(Measured::FewerPixels, &words)?;
        }
        Ok(found)
    }

    /// Of those pictures of the files that decode to fewer pixels; nothing where there are none.
    ///
    /// # Errors
    /// The encoder's failure. Files that cannot be read count as none.
    fn of(files: &[PathBuf], encoder: &dyn Encoder) -> Result<Option<Self>> {
        let both = |path: &PathBuf| -> Option<[RgbImage; 2]> {
            let bytes = read_file(path, Limits::default()).ok()?;
            let fitted = |decoding| {
                let fit = |decoded: Decoded| encoder.preprocess().fit(&decoded.picture);
                decode_for(&bytes, Limits::default(), encoder.preprocess(), decoding, fit).ok()
            };
            let pair = [fitted(Decoding::Exact)?, fitted(Decoding::Reduced)?];
            (pair[0] != pair[1]).then_some(pair)
        };
        let pairs: Vec<[RgbImage; 2]> = files.par_iter().filter_map(both).collect();
        let pictures = pairs.len().min(COMPARED);
        if pictures == 0 {
            return Ok(None);
        }
        let inputs: Vec<RgbImage> = pairs.into_iter().take(pictures).flatten().collect();
        let vectors = encoder.encode_images(&inputs).map_err(Error::from)?;
        let dim = encoder.dim();
        let cosine = |pair: &[f32]| {
            let (exact, reduced) = pair.split_at(dim);
            exact.iter().zip(reduced).map(|(a, b)| a * b).sum::<f32>().min(1.0)
        };
        let cosines: Vec<f32> = vectors.chunks_exact(2 * dim).map(cosine).collect();
        Ok(Some(Self {
            pictures,
            mean_cosine: cosines.iter().sum::<f32>() / pictures as f32,
            least_cosine: cosines.iter().copied().fold(1.0, f32::min),
        }))
    }
}
