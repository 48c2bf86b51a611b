//! What the steps of a run need beside their batches, computed or loaded once: cached features of frozen
//! towers, a teacher's logits, a classifier to distil from.

use std::path::PathBuf;

use tuwen_encode::{Arrays, ModelConfig};
use tuwen_image::rng::Rng;
use tuwen_sets::Sample;
use tuwen_sets::loader::{Batch, Plan};

use crate::frozen::{Cache, TextCache, Watch};
use crate::knowledge::Knowledge;
use crate::partition::View;
use crate::step::StepInput;
use crate::teacher::Teacher;
use crate::{Result, TrainConfig};

/// What [`Extras`] are computed from.
pub(crate) struct About<'a> {
    pub(crate) config: &'a TrainConfig,
    pub(crate) model: &'a ModelConfig,
    pub(crate) samples: &'a [Sample],
    pub(crate) plan: &'a Plan,
    /// The weights before the first step.
    pub(crate) view: View<'a>,
    /// Where the classifier's features are kept.
    pub(crate) knowledge: PathBuf,
    pub(crate) watch: Watch<'a>,
}

/// Each part is there only where the configuration asks for it.
pub(crate) struct Extras<'a> {
    cache: Option<Cache>,
    texts: Option<TextCache<'a>>,
    teacher: Option<Teacher>,
    classes: Option<Knowledge>,
    /// The pictures' ids.
    pub(crate) names: Vec<String>,
}

impl<'a> Extras<'a> {
    /// Loads the models and fills the caches.
    pub(crate) fn new(about: &About<'_>, frozen: &'a Arrays) -> Result<Self> {
        let About { config, model, samples, plan, view, watch, .. } = about;
        let cache = || Cache::new(plan, model, view, samples, *watch);
        let texts = || TextCache::new(model, frozen);
        let taught = plan.sets.iter().zip(&config.train).filter(|(_, set)| set.taught);
        let taught: Vec<usize> = taught.flat_map(|((places, _), _)| places.clone()).collect();
        let teachers = &config.loss.teacher;
        let teacher = || Teacher::new(teachers, samples, &taught, plan, watch.stop);
        let classes = config.classes.as_ref().map(|classes| Knowledge::new(classes, about));
        Ok(Self {
            cache: config.image_is_frozen().then(cache).transpose()?,
            texts: config.text_is_frozen().then(texts).transpose()?,
            teacher: (!teachers.is_empty()).then(teacher).transpose()?,
            classes: classes.transpose()?,
            names: samples.iter().map(|sample| sample.id.clone()).collect(),
        })
    }

    /// The input of a step: its batch, and the random choices that the loader did not make. They are a
    /// function of seed and step.
    pub(crate) fn input<'b>(
        &'b self,
        config: &TrainConfig,
        model: &ModelConfig,
        batch: &'b Batch,
        step: usize,
    ) -> Result<StepInput<'b>> {
        let mut rng = Rng::new(&[config.seed, 4, step as u64]);
        let examples = self.classes.as_ref().map(|classes| classes.examples(step));
        let examples = examples.transpose()?.flatten();
        let whole = examples.iter().flat_map(|examples| &examples.batch.whole);
        let deep = self.texts.as_ref().map(|texts| texts.look(batch.whole.iter().chain(whole)));
        Ok(StepInput {
            keep: random_patches(config, model, batch.image_ids.len(), &mut rng),
            features: self.cache.as_ref().map(|cache| cache.pick(&batch.image_ids, &mut rng)),
            deep,
            chunk: config.chunk,
            recompute: config.recompute,
            teacher: self.teacher.as_ref().map(|teacher| teacher.look(batch)),
            classes: self.classes.as_ref().and_then(|classes| classes.targets(batch)),
            examples,
            batch,
        })
    }
}

fn random_patches(
    config: &TrainConfig,
    model: &ModelConfig,
    pictures: usize,
    rng: &mut Rng,
) -> Option<Vec<Vec<usize>>> {
    let all = model.patches();
    let wanted = config.keep_patches > 0 && config.keep_patches < all;
    wanted.then(|| {
        let one = |_| {
            let mut patches: Vec<usize> = (0..all).collect();
            rng.shuffle(&mut patches);
            patches.truncate(config.keep_patches);
            patches.sort_unstable();
            patches
        };
        (0..pictures).map(one).collect()
    })
}
