//! The loop: configuration in, run folder out.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;
use tuwen_data::import;
use tuwen_data::loader::Plan;
use tuwen_data::rng::Rng;
use tuwen_data::{Encoder, Sample};
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Arrays, CONFIG_FILE, CpuEncoder, ModelConfig, Tokenizer, Vision, WEIGHTS_FILE};
use tuwen_eval::Report;
use tuwen_model::burn::tensor::Device;
use tuwen_model::{DualEncoder, load_imagenet_vit, weights};

use crate::checkpoint::RunFolder;
use crate::frozen::Cache;
use crate::optim::{self, State};
use crate::step::{Engine, StepInput, gradients};
use crate::validate::embed_set;
use crate::{Error, Result, TrainConfig, plot};

/// Largest logarithm of the logit scale: 100, as in CLIP.
const LARGEST_SCALE: f32 = 4.605_170_2;

/// What a run tells its audience.
#[derive(Debug)]
pub enum Event<'a> {
    /// The data are read.
    Data {
        /// Pictures to learn from.
        train: usize,
        /// Pictures to measure on.
        valid: usize,
    },
    /// Features of a frozen image tower are being computed; the share that is done.
    Caching(f32),
    /// The loop begins at `step` of `steps`.
    Start {
        /// The first step.
        step: usize,
        /// The last one.
        steps: usize,
    },
    /// A step is done.
    Step {
        /// Its number, from 1.
        step: usize,
        /// Its loss.
        loss: f32,
    },
    /// Recall has been measured.
    Valid {
        /// The step.
        step: usize,
        /// By source of captions.
        reports: &'a BTreeMap<String, Report>,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// Trains, or goes on where an earlier call of the same configuration was stopped. `stop` ends the
/// run after the current step, with a checkpoint. Returns whether the run is complete.
///
/// # Errors
/// Data or weights that do not fit, a loss that is no number, a folder that cannot be written.
pub fn train(
    config: &TrainConfig,
    engine: &Engine,
    stop: &AtomicBool,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> Result<bool> {
    let model = ModelConfig::load(&config.model)?;
    if model.tokenizer != Tokenizer::WordPiece || model.vision != Vision::ClassToken {
        let what = "only a ViT with a class token and the WordPiece tokenizer can be trained yet";
        return Err(Error::config(&config.model, what));
    }
    let folder = RunFolder::open(config)?;
    let (samples, plan) = read_data(config, &model)?;
    let valid = import::read(&config.valid)?;
    tell(Event::Data { train: samples.len(), valid: valid.len() });

    let (mut state, mut best) = match folder.load()? {
        Some(saved) => saved,
        None => (State::new(first_weights(config, &model)?), 0.0),
    };
    let steps = config.epochs * plan.batches_per_epoch();
    if steps == 0 {
        return Err(Error::config(&config.out, "fewer pictures than one batch"));
    }
    let cache = match config.image_is_frozen() && state.step < steps {
        true => {
            let progress = |share| tell(Event::Caching(share));
            Some(Cache::new(&plan, &model, &state.weights, &samples, &progress)?)
        }
        false => None,
    };
    let mut log = folder.open_log(state.step)?;
    tell(Event::Start { step: state.step, steps });

    let batches = plan.clone().stream(Arc::new(samples), state.step..steps);
    for batch in batches {
        let started = Instant::now();
        let batch = batch?;
        let mut rng = Rng::new(&[config.seed, 4, state.step as u64]);
        let input = StepInput {
            keep: random_patches(config, &model, batch.image_ids.len(), &mut rng),
            features: cache.as_ref().map(|cache| cache.pick(&batch.image_ids, &mut rng)),
            first_block: config.optim.frozen_blocks,
            batch: &batch,
        };
        let (loss, mut grads) = gradients(engine, &model, &state.weights, &config.loss, &input)?;
        if !loss.is_finite() {
            return Err(Error::Diverged { step: state.step + 1, loss });
        }
        let norm = optim::clip(&mut grads, config.optim.clip);
        let factor = optim::schedule(state.step, steps, config.optim.warmup);
        optim::update(&mut state, &grads, &config.optim, &model, factor);
        let scale = &mut state.weights.slot("heads.logit_scale", &[1])[0];
        *scale = scale.min(LARGEST_SCALE);

        let mut line = json!({
            "step": state.step, "loss": loss, "grad_norm": norm, "lr_factor": factor,
            "logit_scale": scale.exp(),
            "images_per_s": batch.image_ids.len() as f64 / started.elapsed().as_secs_f64(),
        });
        tell(Event::Step { step: state.step, loss });
        let last = state.step == steps || stop.load(Ordering::Relaxed);
        if state.step % config.validate_every == 0 || state.step == steps {
            let reports = validate(&model, &state.ema, &valid)?;
            let score = score(&reports);
            if score > best {
                best = score;
                export(&folder, &model, &state.ema)?;
            }
            tell(Event::Valid { step: state.step, reports: &reports, best: best == score });
            line["valid"] = json!(reports);
        }
        writeln!(log, "{line}").map_err(|e| Error::io(folder.file("log.jsonl"), e))?;
        if state.step % config.checkpoint_every == 0 || last {
            folder.save(&state, best)?;
        }
        if last {
            break;
        }
    }
    let curves = plot::svg(&folder.read_log()?);
    let file = folder.file("curves.svg");
    std::fs::write(&file, curves).map_err(|e| Error::io(&file, e))?;
    Ok(state.step == steps)
}

/// All samples behind each other, and the plan that draws batches from them.
fn read_data(config: &TrainConfig, model: &ModelConfig) -> Result<(Vec<Sample>, Plan)> {
    let (mut samples, mut sets) = (Vec::new(), Vec::new());
    for set in &config.train {
        let start = samples.len();
        samples.extend(import::read(set)?);
        sets.push((start..samples.len(), set.share));
    }
    let plan = Plan {
        seed: config.seed,
        batch: config.batch,
        sets,
        pixels: !config.image_is_frozen(),
        groups: config.captions.clone(),
        context: config.context.min(model.context),
        token_mask: config.token_mask,
        augment: config.augment.clone(),
        preprocess: model.preprocess.clone(),
    };
    Ok((samples, plan))
}

/// Random weights, replaced by those the configuration names.
fn first_weights(config: &TrainConfig, model: &ModelConfig) -> Result<Arrays> {
    // Not the default one, which is a GPU in a program built for it.
    let device = Device::flex();
    device.seed(config.seed);
    let mut arrays = weights::from_module(&DualEncoder::new(model, &device));
    if let Some(path) = &config.start.image {
        arrays.0.extend(load_imagenet_vit(path)?.0);
    }
    if let Some(path) = &config.start.weights {
        arrays.0.extend(arrays::read(path)?.0);
    }
    model.check_weights(&arrays)?;
    Ok(arrays)
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

fn validate(
    model: &ModelConfig,
    arrays: &Arrays,
    valid: &[Sample],
) -> Result<BTreeMap<String, Report>> {
    let encoder = CpuEncoder::new(model.clone(), arrays.clone(), b"in training")?;
    Ok(embed_set(&encoder as &dyn Encoder, valid)?.reports())
}

/// Mean over the sources of the mean text-to-image recall.
fn score(reports: &BTreeMap<String, Report>) -> f64 {
    let recalls = reports.values().map(|r| r.text_to_image.recall.iter().sum::<f64>() / 3.0);
    recalls.sum::<f64>() / reports.len().max(1) as f64
}

/// Writes a model folder that `--model` opens.
fn export(folder: &RunFolder, model: &ModelConfig, arrays: &Arrays) -> Result<()> {
    let config = folder.file(CONFIG_FILE);
    let json = serde_json::to_string_pretty(model).expect("a configuration is plain data");
    std::fs::write(&config, json).map_err(|e| Error::io(&config, e))?;
    Ok(arrays::write(arrays, Precision::F16, &BTreeMap::new(), &folder.file(WEIGHTS_FILE))?)
}
