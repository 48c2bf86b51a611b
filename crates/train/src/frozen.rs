//! A frozen image tower gives the same features every epoch: they are computed once, in two views.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use tuwen_data::Sample;
use tuwen_data::loader::Plan;
use tuwen_data::rng::Rng;
use tuwen_encode::ModelConfig;
use tuwen_encode::towers::{AnyImageTower, Record};

use crate::learner::View;
use crate::stop::{Stop, go_on};
use crate::{Error, Result};

/// Varied views of each picture.
const VIEWS: usize = 2;
/// Pictures of one forward pass.
const BATCH: usize = 64;

/// Features of every picture, several views each.
pub(crate) struct Cache {
    width: usize,
    views: Vec<Vec<f32>>,
}

impl Cache {
    /// Runs the image tower over all samples; `progress` hears the share that is done, `stop` ends it.
    pub(crate) fn new(
        plan: &Plan,
        model: &ModelConfig,
        weights: &View<'_>,
        samples: &[Sample],
        (progress, stop): (&(dyn Fn(f32) + Sync), &Stop<'_>),
    ) -> Result<Self> {
        let tower = AnyImageTower::new(model, weights)?;
        let done = AtomicUsize::new(0);
        let view = |view: usize| -> Result<Vec<f32>> {
            let mut features = Vec::with_capacity(samples.len() * model.image.width);
            for (chunk, samples) in samples.chunks(BATCH).enumerate() {
                go_on(stop)?;
                let pictures = samples.par_iter().enumerate().map(|(index, sample)| {
                    let member = (chunk * BATCH + index) as u64;
                    plan.view(sample, &mut Rng::new(&[plan.seed, 3, view as u64, member]))
                });
                let pixels = pictures.collect::<tuwen_data::Result<Vec<_>>>()?.concat();
                features.extend(tower.forward(&pixels, None, Record::No).features);
                if !features[chunk * BATCH * model.image.width..].iter().all(|v| v.is_finite()) {
                    return Err(Error::NotFinite { what: "a picture's feature".into() });
                }
                let done = done.fetch_add(samples.len(), Ordering::Relaxed) + samples.len();
                progress(done as f32 / (VIEWS * features.capacity() / model.image.width) as f32);
            }
            Ok(features)
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
