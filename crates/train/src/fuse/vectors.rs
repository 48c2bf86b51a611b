//! A captioned set as the vectors of a frozen model, kept on the disk: a fuser is trained on them, again and again,
//! without running a tower.

use std::path::Path;

use tuwen_encode::{CpuEncoder, Encoder, stream};
use tuwen_image::rng::Rng;
use tuwen_image::{Augment, Limits, decode};
use tuwen_sets::Sample;

use crate::heads::cache::{Items, Tell, cached, key};
use crate::validate::fitted;
use crate::{Error, Result};

/// Smallest share of a picture that a piece of it has.
pub const PIECE: f32 = 0.3;
/// Pieces of each picture that are looked at.
const PIECES: usize = 2;

/// Whose vectors, where they are kept, and who hears of it.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) encoder: &'s CpuEncoder,
    pub(super) cache: &'s Path,
    pub(super) tell: &'s Tell<'s>,
}

impl Source<'_> {
    /// The pictures' vectors, (N, D).
    pub(super) fn pictures(self, samples: &[Sample]) -> Result<Vec<f32>> {
        let ids = samples.iter().map(|sample| &*sample.id);
        let key = key(self.encoder, std::iter::once("vectors").chain(ids));
        let items = cached(self.cache, "pictures", key, || {
            self.embed(samples, "pictures", |sample, _| fitted(self.encoder, sample))
        })?;
        Ok(items.vectors)
    }

    /// Vectors of random pieces of each picture, one set after the other, each (N, D).
    pub(super) fn pieces(self, samples: &[Sample]) -> Result<Vec<Vec<f32>>> {
        let one = |set: usize| {
            let ids = samples.iter().map(|sample| &*sample.id);
            let what = format!("pieces {set}");
            let key = key(self.encoder, std::iter::once(&*what).chain(ids));
            let items = cached(self.cache, "pieces", key, || {
                let augment = Augment { crop_scale: PIECE, ..Augment::default() };
                self.embed(samples, "pieces of pictures", |sample, at| {
                    let picture = sample.image.read().and_then(|b| decode(&b, Limits::default()));
                    let picture = picture
                        .map_err(|e| tuwen_files::Error::data_set(&sample.id, e.to_string()))?;
                    let mut rng = Rng::new(&[14, set as u64, at as u64]);
                    Ok(augment.apply(&picture, self.encoder.preprocess(), &mut rng))
                })
            })?;
            Ok(items.vectors)
        };
        (0..PIECES).map(one).collect()
    }

    fn embed(
        self,
        samples: &[Sample],
        what: &str,
        read: impl Fn(&Sample, usize) -> tuwen_files::Result<tuwen_image::RgbImage> + Sync,
    ) -> Result<Items> {
        let mut found = Items::default();
        let numbered: Vec<(usize, &Sample)> = samples.iter().enumerate().collect();
        let dim = self.encoder.dim();
        let read = |&(at, sample): &(usize, &Sample)| read(sample, at);
        stream::each(self.encoder, numbered, read, |_, vector: tuwen_files::Result<&[f32]>| {
            found.push_vectors(vector?, dim);
            (self.tell)(what, found.len(), samples.len())
        })?;
        Ok(found)
    }

    /// The vectors of texts, (T, D); `what` is what they are called.
    pub(super) fn texts(self, what: &str, texts: &[&str]) -> Result<Vec<f32>> {
        let key = key(self.encoder, std::iter::once("vectors").chain(texts.iter().copied()));
        let items = cached(self.cache, what, key, || {
            let mut found = Items::default();
            let dim = self.encoder.dim();
            stream::texts(self.encoder, texts, |rows| {
                found.push_vectors(rows, dim);
                (self.tell)(what, found.len(), texts.len())
            })?;
            Ok::<_, Error>(found)
        })?;
        Ok(items.vectors)
    }
}
