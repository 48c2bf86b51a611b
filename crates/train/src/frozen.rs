//! Cached features of frozen towers, which would be the same in every epoch. Those of pictures are computed
//! before the first step, in a few augmented views each; those of a text when a batch first contains it.

use std::collections::{BTreeSet, HashMap};
use std::iter::Enumerate;
use std::slice::Iter;
use std::sync::Mutex;

use tuwen_encode::towers::{AnyImageTower, Record, TextTower};
use tuwen_encode::{Arrays, ModelConfig, stream};
use tuwen_image::rng::Rng;
use tuwen_sets::Sample;
use tuwen_sets::loader::Plan;
use tuwen_text::token::{TokenBatch, unpadded};

use crate::partition::View;
use crate::stop::{Stop, go_on};
use crate::{Error, Result};

/// Augmented views of each picture.
const VIEWS: usize = 2;

/// Who follows a long computation.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'w> {
    /// Told the share that is done.
    pub(crate) progress: &'w (dyn Fn(f32) + Sync),
    /// Asked whether to stop.
    pub(crate) stop: &'w Stop<'w>,
}

/// Features of every picture in several views.
pub(crate) struct Cache {
    width: usize,
    views: Vec<Vec<f32>>,
}

/// Features of every picture, (N, W), each augmented as `plan` says; another `view` seeds other augmentations.
pub(crate) fn features(
    plan: &Plan,
    model: &ModelConfig,
    tower: &AnyImageTower<'_>,
    samples: &[Sample],
    view: usize,
    watch: Watch<'_>,
) -> Result<Vec<f32>> {
    let values = samples.len() * model.image.width;
    let samples = samples.iter().enumerate();
    let mut job = Views { samples, features: Vec::new(), values, watch };
    let read = |(member, sample): (usize, &Sample)| {
        plan.view(sample, &mut Rng::new(&[plan.seed, 3, view as u64, member as u64]))
    };
    let forward =
        |pixels: &[Vec<f32>]| Ok(tower.forward(&pixels.concat(), None, Record::No).features);
    stream::run(read, forward, &mut job)?;
    Ok(job.features)
}

/// See [`features`].
struct Views<'v> {
    samples: Enumerate<Iter<'v, Sample>>,
    features: Vec<f32>,
    /// How many values there will be.
    values: usize,
    watch: Watch<'v>,
}

impl<'v> stream::Job for Views<'v> {
    type Item = (usize, &'v Sample);
    type Read = tuwen_files::Result<Vec<f32>>;
    type Kept = ();
    type Input = Vec<f32>;
    type Error = Error;

    fn next(&mut self) -> Result<Option<Self::Item>> {
        Ok(self.samples.next())
    }

    fn keep(&mut self, pixels: Self::Read) -> Result<Option<((), Vec<f32>)>> {
        Ok(Some(((), pixels?)))
    }

    fn store(&mut self, _: Vec<()>, features: &[f32]) -> Result<()> {
        go_on(self.watch.stop)?;
        if !features.iter().all(|v| v.is_finite()) {
            return Err(Error::NotFinite { what: "a picture's feature".into() });
        }
        self.features.extend_from_slice(features);
        (self.watch.progress)(self.features.len() as f32 / self.values as f32);
        Ok(())
    }
}

impl Cache {
    /// Runs the image tower over all samples.
    pub(crate) fn new(
        plan: &Plan,
        model: &ModelConfig,
        weights: &View<'_>,
        samples: &[Sample],
        watch: Watch<'_>,
    ) -> Result<Self> {
        let tower = AnyImageTower::new(model, weights)?;
        let view = |view: usize| {
            let progress = |share: f32| (watch.progress)((view as f32 + share) / VIEWS as f32);
            let watch = Watch { progress: &progress, ..watch };
            features(plan, model, &tower, samples, view, watch)
        };
        let views = (0..VIEWS).map(view).collect::<Result<_>>()?;
        Ok(Self { width: model.image.width, views })
    }

    /// Features of a batch, each picture in a random view: (B, W).
    pub(crate) fn pick(&self, image_ids: &[u64], rng: &mut Rng) -> Vec<f32> {
        let mut out = Vec::with_capacity(image_ids.len() * self.width);
        for &id in image_ids {
            let view = &self.views[rng.below(self.views.len())];
            out.extend_from_slice(&view[id as usize * self.width..][..self.width]);
        }
        out
    }
}

/// Features of every text of the batches so far, (W) of the transformer without the bag of words.
pub(crate) struct TextCache<'a> {
    tower: TextTower<'a>,
    known: Mutex<HashMap<Vec<u32>, Vec<f32>>>,
}

impl<'a> TextCache<'a> {
    /// `weights` are the frozen ones.
    pub(crate) fn new(model: &ModelConfig, weights: &'a Arrays) -> Result<Self> {
        let alone = ModelConfig { words: 0, ..model.clone() };
        Ok(Self { tower: TextTower::new(&alone, weights)?, known: Mutex::default() })
    }

    /// Features of the texts of several groups, one group behind the other, (texts, W). Texts that are not
    /// cached run through the tower first.
    pub(crate) fn look<'b>(&self, groups: impl Iterator<Item = &'b TokenBatch>) -> Vec<f32> {
        let rows = groups.flat_map(|group| group.ids.chunks_exact(group.len));
        let texts: Vec<&[u32]> = rows.map(unpadded).collect();
        let mut known = self.known.lock().expect("no panic while looking");
        let new: BTreeSet<&[u32]> =
            texts.iter().copied().filter(|&ids| !known.contains_key(ids)).collect();
        let new: Vec<&[u32]> = new.into_iter().collect();
        if !new.is_empty() {
            let features = self.tower.deep(&new, Record::No).features;
            let width = features.len() / new.len();
            let rows = features.chunks_exact(width).map(<[f32]>::to_vec);
            known.extend(new.iter().map(|ids| ids.to_vec()).zip(rows));
        }
        texts.into_iter().flat_map(|ids| &known[ids]).copied().collect()
    }
}
