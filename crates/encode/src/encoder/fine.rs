//! What a model for fine detail (FG-CLIP 2) gives beside a vector of each picture and text: the ways of longer texts and of
//! texts that name a part of a picture, and a vector for each patch.

use tuwen_image::RgbImage;

use super::{CpuEncoder, project};
use crate::params::Part;
use crate::towers::{Record, TextHead, TextWay, Wanted};
use crate::{Error, Result};

/// The patches of one picture in the common space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatchFeatures {
    /// Unit vectors, (rows * columns, D), line by line.
    pub vectors: Vec<f32>,
    /// Patches one above the other.
    pub rows: usize,
    /// Patches side by side.
    pub columns: usize,
}

impl CpuEncoder {
    /// Features of texts, (B, W), as unit vectors of the common space, each on the way that its length asks for.
    pub(super) fn in_space(
        &self,
        head: &TextHead<'static>,
        features: Vec<f32>,
        ids: &[&[u32]],
    ) -> Vec<f32> {
        let way = |ids: &&[u32]| self.way_of(ids.len());
        let runs = ids.chunk_by(|a, b| way(a) == way(b));
        let width = features.len() / ids.len().max(1);
        let (mut rest, mut all) = (&features[..], Vec::new());
        for run in runs {
            let (own, others) = rest.split_at(run.len() * width);
            let way = way(&run[0]);
            all.extend(project(own.to_vec(), run.len(), |tape, features| {
                head.project_by(tape, features, way)
            }));
            rest = others;
        }
        all
    }

    /// The way of a text of so many tokens.
    pub(super) fn way_of(&self, tokens: usize) -> TextWay {
        match self.config.is_long(tokens) {
            true => TextWay::Long,
            false => TextWay::Usual,
        }
    }

    /// Each picture's patches in the space of [`Self::encode_regions`].
    ///
    /// # Errors
    /// The model has no features of patches, or as [`crate::Encoder::forward`].
    pub fn encode_patches(&self, images: &[RgbImage]) -> Result<Vec<PatchFeatures>> {
        let wanted = Wanted { dense: true, ..Wanted::default() };
        wanted.check(&self.config, Part::Image)?;
        let tokens = self.seen(images, &wanted).map_err(Error::Data)?.tokens.unwrap_or_default();
        let width = self.config.image.width;
        let one = |(cut, span): (tuwen_nn::Patches, &std::ops::Range<usize>)| {
            let values = tokens.values[span.start * width..span.end * width].to_vec();
            let vectors = project(values, span.len(), |_, features| features.clone());
            self.sound(&vectors, span.len(), |row| format!("patch {row}")).map_err(Error::Data)?;
            Ok(PatchFeatures { vectors, rows: cut.rows, columns: cut.columns })
        };
        self.cuts(images).into_iter().zip(&tokens.spans).map(one).collect()
    }

    /// Texts that say what a part of a picture shows, (B, D): unit vectors to compare with [`Self::encode_patches`]. What
    /// lies beyond the context of short texts is cut.
    ///
    /// # Errors
    /// The model has no features of patches, or as [`crate::Encoder::encode_texts`].
    pub fn encode_regions(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let wanted = Wanted { dense: true, ..Wanted::default() };
        wanted.check(&self.config, Part::Image)?;
        let ids = texts.iter().map(|text| Ok(self.tokens(text).map_err(Error::Data)?.0));
        let ids: Vec<Vec<u32>> = ids.collect::<Result<_>>()?;
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let (tower, head) = self.text_tower()?;
        let features = tower.try_forward(&ids, Record::No)?.features;
        let vectors = project(features, ids.len(), |tape, features| {
            head.project_by(tape, features, TextWay::Region)
        });
        let name = |row: usize| format!("text {} of {} (`{}`)", row + 1, texts.len(), texts[row]);
        self.sound(&vectors, ids.len(), name).map_err(Error::Data)?;
        Ok(vectors)
    }
}
