//! A look at a run before its first step: what it needs, and what looks wrong.

use std::collections::HashMap;

use tuwen_encode::params::{Param, Part};
use tuwen_encode::{ModelConfig, ResNet, TowerConfig, Vision};
use tuwen_image::duplicate_groups;
use tuwen_sets::Sample;

use crate::checkpoint::{CONFIG, nothing_else_is_there};
use crate::config::{LossKind, Tower};
use crate::knowledge::Head;
use crate::partition::Partition;
use crate::start::{first_weights, perceptual_hashes, read_data};
use crate::validate::Validation;
use crate::{Result, TrainConfig};

/// What threads and the allocator need beside the values that are counted: measured, rounded up.
const MARGIN: f64 = 1.1;

/// A rate above it is a slip of the finger.
const MOST: f32 = 0.1;

/// What [`check`] found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// What a person should look at, with the cure.
    pub advice: Vec<String>,
}

/// Reads data and weights as a run would, looks at every picture, and takes no step.
///
/// # Errors
/// What would end the run at once.
pub fn check(config: &TrainConfig) -> Result<Checked> {
    if !config.out.join(CONFIG).is_file() {
        nothing_else_is_there(&config.out)?;
    }
    let (model, first) = first_weights(config)?;
    let scale = first.get("heads.logit_scale").map_err(tuwen_encode::Error::from)?.data[0].exp();
    let bias = first.get("heads.logit_bias").map_err(tuwen_encode::Error::from)?.data[0];
    // Looked at below, where a picture that cannot be read is no end.
    let plain = TrainConfig { avoid_duplicates: false, ..config.clone() };
    let (samples, plan) = read_data(&plain, &model, &|| false)?;
    let Validation { valid, other, .. } = Validation::read(config)?;
    let measured = [("valid", Some(valid)), ("other", other)];
    let measured: Vec<_> =
        measured.into_iter().filter_map(|(name, set)| Some((name, set?))).collect();
    if let Some(classes) = &config.classes {
        Head::read(classes, &model.config)?;
    }
    let model = model.config;
    let (_, trainable) = Partition::new(config, &model, first);
    Partition::learns(config, &trainable)?;
    let count: usize = trainable.0.values().map(|array| array.data.len()).sum();
    let batches = plan.batches_per_epoch();
    let steps = config.epochs * batches;
    let looked = Looked::at(&samples)?;
    let mut memory = memory(config, &model, count);
    for name in &config.loss.teacher {
        // Packed beside its file's own values.
        memory += 2.0 * 4.0 * tuwen_hub::checkpoint(name)?.0.parameters() as f64;
    }

    let mut found = Checked::default();
    let mut fact = |name, value: String| found.facts.push((name, value));
    fact("pictures", samples.len().to_string());
    for (name, set) in &measured {
        let captions: usize = set.iter().map(|sample| sample.captions.len()).sum();
        fact(name, format!("{} pictures, {captions} captions", set.len()));
    }
    fact("steps", format!("{steps} ({} epochs of {batches})", config.epochs));
    fact("batch", config.batch.to_string());
    fact("model", format!("{}, {:.1} million values", model.name, model.parameters() as f64 / 1e6));
    fact("learning", format!("{:.2} million values", count as f64 / 1e6));
    for name in &config.loss.teacher {
        fact("teacher", teacher(config, name)?);
    }
    fact("logit scale", format!("{scale:.1}"));
    if config.loss.kind == LossKind::Sigmoid {
        fact("logit bias", format!("{bias:.1}"));
    }
    fact("pictures seen twice", looked.same.to_string());
    fact("equal captions", format!("{:.2} in a batch", equal_captions(config, &samples)));
    fact("memory", format!("about {:.1} GB", memory / 1e9));
    found.advice = advice(config, &model, steps, scale, samples.len());
    found.advice.extend(looked.advice("train", config.avoid_duplicates));
    for (name, set) in &measured {
        found.advice.extend(Looked::at(set)?.advice(name, true));
        found.advice.extend(learned_and_measured(name, &samples, set));
    }
    Ok(found)
}

/// What a teacher is, how much it counts, and of how much it is heard.
fn teacher(config: &TrainConfig, name: &str) -> Result<String> {
    let (model, _) = tuwen_hub::checkpoint(name)?;
    let taught = config.train.iter().filter(|set| set.taught).count();
    Ok(format!(
        "{name} ({}, {:.1} million values), weight {}, about {taught} of {} sets",
        model.name,
        model.parameters() as f64 / 1e6,
        config.loss.teacher_weight,
        config.train.len()
    ))
}

/// What a look at every picture of a set found.
struct Looked {
    /// Pictures that look like an earlier one.
    same: usize,
    /// Pictures that cannot be read, each with the reason.
    unreadable: Vec<String>,
}

impl Looked {
    fn at(samples: &[Sample]) -> Result<Self> {
        let hashes = perceptual_hashes(samples, &|| false)?;
        let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
        for hash in hashes {
            match hash {
                Ok(hash) => readable.push(hash),
                Err(error) => unreadable.push(error.to_string()),
            }
        }
        let groups = duplicate_groups(&readable.iter().collect::<Vec<_>>());
        let same = groups.iter().enumerate().filter(|(at, first)| at != *first).count();
        Ok(Self { same, unreadable })
    }

    fn advice(&self, set: &str, may_be_the_same: bool) -> Vec<String> {
        let mut advice = Vec::new();
        if let Some(first) = self.unreadable.first() {
            advice.push(format!(
                "{set}: {} pictures cannot be read, and the run would end at one ({first}): take them out \
                 of the set or of its `ids`",
                self.unreadable.len()
            ));
        }
        if self.same > 0 && !may_be_the_same {
            advice.push(format!(
                "{} pictures look like another one and would be its negatives: set avoid_duplicates = true, \
                 or clean the set (`tuwen data doctor`)",
                self.same
            ));
        }
        advice
    }
}

/// Pictures that are learned from should not be measured on.
fn learned_and_measured(name: &str, learned: &[Sample], measured: &[Sample]) -> Option<String> {
    let learned: HashMap<&str, &Sample> = learned.iter().map(|s| (&*s.id, s)).collect();
    let same = |sample: &&Sample| learned.get(&*sample.id).is_some_and(|l| l.image == sample.image);
    let both: Vec<&Sample> = measured.iter().filter(same).collect();
    let first = both.first()?;
    Some(format!(
        "{} of the {} pictures of `{name}` are learned from, too ({}): recall on them says nothing; \
         `tuwen data split` divides a set",
        both.len(),
        measured.len(),
        first.id
    ))
}

fn advice(
    config: &TrainConfig,
    model: &ModelConfig,
    steps: usize,
    scale: f32,
    pictures: usize,
) -> Vec<String> {
    let optim = &config.optim;
    let mut advice = Vec::new();
    // A whole model that knows something: Chinese-CLIP fine-tunes at 5e-5 and below.
    let known = config.start.model.is_some() || config.start.weights.is_some();
    let large = model.parameters() > 50_000_000;
    let most = if large { 1e-4 } else { 1e-3 };
    let rates =
        [("image_lr", optim.image_lr, Tower::Image), ("text_lr", optim.text_lr, Tower::Text)];
    for (name, rate, tower) in rates {
        if known && !config.has_adapters(tower) && rate > most {
            advice.push(format!(
                "optim.{name} is {rate:e}: fine-tuning a model of {:.0} million values forgets what it \
                 knows above {most:e}",
                model.parameters() as f64 / 1e6
            ));
        }
    }
    let all = [
        ("image_lr", optim.image_lr),
        ("text_lr", optim.text_lr),
        ("embed_lr", optim.embed_lr),
        ("words_lr", optim.words_lr),
        ("heads_lr", optim.heads_lr),
    ];
    for (name, rate) in all.into_iter().filter(|(_, rate)| *rate > MOST) {
        advice.push(format!(
            "optim.{name} is {rate}: AdamW moves every value by about its rate in each step, so that above {MOST} \
             nothing is learned; usual rates are 1e-6 to 1e-2"
        ));
    }
    if let (Some(path), Some(start)) = (&config.model, &config.start.model) {
        advice.push(format!(
            "model ({}) is not read, for start.model ({start}) says the architecture: remove one",
            path.display()
        ));
    }
    if config.context > model.context {
        advice.push(format!(
            "context is {}, and {} reads {} tokens of a text, which is what counts",
            config.context, model.name, model.context
        ));
    }
    if steps <= optim.warmup {
        let warmup = optim.warmup;
        advice.push(format!("optim.warmup is {warmup} of {steps} steps: lower it to a tenth"));
    }
    if config.batch < pictures.min(32) && config.loss.kind == LossKind::Contrastive {
        let batch = config.batch;
        advice.push(format!(
            "batch is {batch}: the contrastive loss learns from the other pictures of a batch; raise it, \
             with `chunk` where memory is short"
        ));
    }
    if scale > 100.5 && config.loss.kind != LossKind::Sigmoid {
        advice.push(format!("the logit scale starts at {scale:.1}, above CLIP's clamp of 100"));
    }
    advice
}

/// How many other pictures of a batch have a given picture's very text, on average.
fn equal_captions(config: &TrainConfig, samples: &[Sample]) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let texts = samples.iter().flat_map(|sample| &sample.captions).map(|caption| &*caption.text);
    let mut all = 0;
    for text in texts {
        *counts.entry(text).or_default() += 1;
        all += 1;
    }
    let pairs: f64 = counts.values().map(|&n| n as f64 * (n as f64 - 1.0)).sum();
    pairs / (all as f64 * (all as f64 - 1.0)).max(1.0) * (config.batch as f64 - 1.0)
}

/// Bytes: weights, packed copies, gradients, moments, average, and the activations that a backward pass
/// needs at once.
fn memory(config: &TrainConfig, model: &ModelConfig, trainable: usize) -> f64 {
    let all = model.parameters() as f64;
    // Of a tower with adapters also what validation copies.
    let adapted = |param: &Param| match param.part {
        Part::Image => config.has_adapters(Tower::Image),
        Part::Text => config.has_adapters(Tower::Text),
        _ => false,
    };
    let params = model.params();
    let adapted =
        params.iter().filter(|param| adapted(param)).map(Param::len).sum::<usize>() as f64;
    let weights = all * 3.0 + trainable as f64 * 5.0 + adapted;
    let at_once = if config.chunk == 0 { config.batch } else { config.chunk.min(config.batch) };
    let patches = match config.keep_patches {
        0 => model.patches(),
        kept => kept.min(model.patches()),
    };
    let image = match config.image_is_frozen() {
        true => 0.0,
        false => match model.vision {
            Vision::ResNet(net) => grids(net, model.preprocess.size, config.recompute),
            // It is refused before.
            Vision::Network(_) => 0.0,
            Vision::ClassToken | Vision::Probe => {
                rows(&model.image, (patches + 1) as f64, config.recompute)
                    + (3 * model.patch.pow(2) * patches) as f64
            }
        },
    };
    let context = config.context.min(model.context) as f64;
    let text = rows(&model.text, context, config.recompute) * config.captions.len() as f64;
    let pixels = 3.0 * 3.0 * (model.preprocess.size as f64).powi(2) * config.batch as f64;
    4.0 * MARGIN * (weights + at_once as f64 * (image + text) + pixels)
}

/// Values that the tape of one sequence keeps.
fn rows(tower: &TowerConfig, rows: f64, inputs_only: bool) -> f64 {
    let row = 6.0 * tower.width as f64 + tower.mlp as f64;
    let block = rows * row + tower.heads as f64 * rows * rows;
    match inputs_only {
        true => block + tower.layers as f64 * rows * tower.width as f64,
        false => tower.layers as f64 * block,
    }
}

/// The same of a tower of convolutions: the stem's layers, and of each block its input and two results.
fn grids(net: ResNet, size: u32, inputs_only: bool) -> f64 {
    let (stem, half) = (net.stem as f64, f64::from(size) / 2.0);
    let mut all = 2.0 * half * half * (2.0 * stem + 6.0);
    for (stage, &count) in net.blocks.iter().enumerate() {
        let side = half / f64::from(2 << stage);
        let inner = if inputs_only { 0.0 } else { 2.0 };
        let block = side * side * f64::from(1 << stage) * stem * (4.0 + inner);
        // The first block of a stage still sees the grid before it is halved.
        all += block * (count as f64 + 1.0);
    }
    all
}
