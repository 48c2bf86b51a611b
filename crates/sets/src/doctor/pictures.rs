//! A look at one picture.

use std::path::Path;

use crate::{ImageSource, Sample};
use tuwen_files::Result;
use tuwen_image::{Limits, PerceptualHash, decode};

/// The shortest side that shows anything.
const SHORTEST: u32 = 16;
/// The longest side over the shortest.
const THINNEST: u32 = 20;

/// What remains of a picture.
#[derive(Clone, Debug)]
pub struct Look {
    /// Of the file.
    pub(super) content: [u8; 16],
    /// Of what it shows.
    pub(super) shown: PerceptualHash,
    size: (u32, u32),
    /// Whether all pixels are nearly the same.
    flat: bool,
    format: Option<image::ImageFormat>,
}

impl Look {
    /// Decodes a picture.
    ///
    /// # Errors
    /// It cannot be decoded.
    pub fn at(bytes: &[u8]) -> Result<Self> {
        let picture = decode(bytes, Limits::default())?.into_rgb();
        let (mut low, mut high) = ([255u8; 3], [0u8; 3]);
        for pixel in picture.pixels() {
            for channel in 0..3 {
                low[channel] = low[channel].min(pixel[channel]);
                high[channel] = high[channel].max(pixel[channel]);
            }
        }
        let hash = blake3::hash(bytes);
        Ok(Self {
            content: *hash.as_bytes().first_chunk().expect("32 bytes"),
            shown: PerceptualHash::of(&picture),
            size: picture.dimensions(),
            flat: low.iter().zip(high).all(|(low, high)| high - low <= 8),
            format: image::guess_format(bytes).ok(),
        })
    }

    /// Why the picture shows nothing, if so.
    pub(super) fn degenerate(&self) -> Option<String> {
        let (width, height) = self.size;
        let (short, long) = (width.min(height), width.max(height));
        if short < SHORTEST {
            return Some(format!("{width} x {height} pixels"));
        }
        if long / short >= THINNEST {
            return Some(format!("a strip of {width} x {height} pixels"));
        }
        self.flat.then(|| "one colour".to_owned())
    }

    /// What the file is, where its name says something else.
    pub(super) fn wrong_extension(&self, sample: &Sample) -> Option<String> {
        let ImageSource::File(path) = &sample.image else { return None };
        let said = image::ImageFormat::from_path(Path::new(path)).ok()?;
        let found = self.format?;
        (said != found).then(|| format!("{} is {found:?}", path.display()))
    }
}
