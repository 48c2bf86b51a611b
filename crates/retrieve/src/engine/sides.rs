//! What pictures and texts of a gallery share on each side, which a query of both has to lose.

use tuwen_encode::Encoder;
use tuwen_index::Modality;

use super::Engine;
use crate::gap::{Between, Gap, MEASURED};
use crate::{Calibration, Result};

/// Of the calibration's names every so many stand for texts where a gallery has none.
const EVERY: usize = 4;

impl Engine {
    /// What is between words and pictures of a query: the combiner that was named, else the gap.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn between(&self) -> Result<Option<Between<'_>>> {
        match &self.combiner {
            Some(fuser) => Ok(Some(Between::Combiner(fuser))),
            None => Ok(self.gap()?.map(Between::Gap)),
        }
    }

    /// Both sides, measured when they are first asked for: on pictures and texts from all over the gallery, and on names
    /// of things where it has no texts. Nothing where there are too few pictures.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn gap(&self) -> Result<Option<&Gap>> {
        if self.gap.get().is_none() {
            let images = self.some(Modality::Image)?;
            let mut texts = self.some(Modality::Text)?;
            if texts.is_empty() {
                let names = Calibration::background();
                let names: Vec<&str> = names.iter().step_by(EVERY).map(String::as_str).collect();
                texts = self.encoder.encode_texts(&names)?;
            }
            let _ = self.gap.set(Gap::of(&images, &texts, self.encoder.dim()));
        }
        Ok(self.gap.get().expect("just set").as_ref())
    }

    /// Vectors of a modality from all over the gallery, (N, D).
    fn some(&self, modality: Modality) -> Result<Vec<f32>> {
        let gallery = self.gallery();
        let ids = gallery.ids(modality)?;
        let step = (ids.len() as usize).div_ceil(MEASURED).max(1);
        let ids: Vec<i64> = ids.iter().step_by(step).map(|id| id as i64).collect();
        Ok(gallery.vectors_of(&ids)?)
    }
}
