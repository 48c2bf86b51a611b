//! The loop: configuration in, run folder out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tuwen_encode::Products;
use tuwen_encode::arrays::{self, Precision};
use tuwen_sets::Sample;
use tuwen_sets::loader::{Batch, Plan};

use crate::architecture::Architecture;
use crate::checkpoint::{ADAPTERS, LOG, Progress, RunFolder};
use crate::config::LossKind;
use crate::event::{Event, Options};
use crate::extras::{About, Extras};
use crate::frozen::Watch;
use crate::knowledge::{Head, KNOWLEDGE};
use crate::optim::{self, Decays, State};
use crate::partition::Partition;
use crate::start::{data_hash, first_weights, read_data};
use crate::step::gradients;
use crate::stop::{Stop, go_on};
use crate::validate::{Validation, recalls, score};
use crate::{Error, Result, TrainConfig, report};

/// Largest logarithm of the logit scale: 100, as in CLIP. A sigmoid loss has no such bound, and SigLIP's
/// own scale is above it.
const LARGEST_SCALE: f32 = 4.605_170_2;
/// A loss so many times its usual self is an explosion.
const EXPLOSION: f32 = 4.0;

/// Trains, or goes on where an earlier call of the same configuration was stopped. `stop` ends the
/// run after the current step, with a checkpoint; before the first step, or behind the last one, at once.
/// Returns whether the run is complete.
///
/// # Errors
/// Data or weights that do not fit, a loss that is no number, a folder that cannot be written or is
/// another run's, also one that goes on at this moment.
pub fn train(
    config: &TrainConfig,
    options: &Options,
    stop: &Stop<'_>,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> Result<bool> {
    match run(config, options, stop, tell) {
        Err(Error::Stopped) => Ok(false),
        done => done,
    }
}

fn run(
    config: &TrainConfig,
    options: &Options,
    stop: &Stop<'_>,
    tell: &(dyn Fn(Event<'_>) + Sync),
) -> Result<bool> {
    let mut folder = RunFolder::find(config)?;
    let (model, first) = first_weights(config)?;
    go_on(stop)?;
    let (samples, plan) = read_data(config, &model, stop)?;
    if let Some(classes) = &config.classes {
        Head::read(classes, &model.config)?;
    }
    let valid = Validation::read(config)?;
    go_on(stop)?;
    tell(Event::Data { train: samples.len(), valid: valid.valid.len() });
    let (partition, trainable) = Partition::new(config, &model.config, first);
    Partition::learns(config, &trainable)?;
    let count = trainable.0.values().map(|array| array.data.len()).sum();
    tell(Event::Trainable { trainable: count, all: model.config.parameters() });

    folder.create(config)?;
    let data_hash = data_hash(&samples);
    let (state, progress) = match folder.load(&|note| tell(Event::Note(note)))? {
        Some((state, progress)) => {
            if progress.data_hash != data_hash && !options.changed_data {
                let (path, found) = (config.out.clone(), progress.data_hash);
                return Err(Error::OtherData { path, found, wanted: data_hash });
            }
            (state, Progress { data_hash, ..progress })
        }
        None => (State::new(trainable), Progress { data_hash, ..Progress::default() }),
    };
    let steps = config.epochs * plan.batches_per_epoch();
    let run = Run { config, model, partition, folder, valid, steps, stop, tell };
    run.go(state, progress, samples, plan)
}

/// What does not change during a run.
struct Run<'a> {
    config: &'a TrainConfig,
    model: Architecture,
    partition: Partition,
    folder: RunFolder,
    valid: Validation,
    steps: usize,
    stop: &'a Stop<'a>,
    tell: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Run<'_> {
    fn go(
        &self,
        mut state: State,
        mut progress: Progress,
        samples: Vec<Sample>,
        plan: Plan,
    ) -> Result<bool> {
        let begun = state.step;
        // A step that was not measured has no line yet; without a checkpoint the start is measured again.
        let has_line = begun > 0 && progress.unmeasured.is_none();
        let mut log = self.folder.open_log(begun + usize::from(has_line))?;
        if begun == 0 {
            let line = self.validate(&state, &mut progress, json!({ "step": 0 }))?;
            self.write(&mut log, &line)?;
        }
        if let Some(line) = progress.unmeasured.take() {
            // The run was stopped between this step and its validation, which is done first.
            let line =
                serde_json::from_str(&line).map_err(|e| Error::config(&self.config.out, e))?;
            let line = self.validate(&state, &mut progress, line)?;
            self.write(&mut log, &line)?;
            self.save(&state, &progress, &log)?;
        }
        // A run that is complete, or was stopped early, stays as it is.
        let mut stop_early = self.stops_early(&progress);
        if state.step < self.steps && !stop_early {
            let extras = self.extras(&state, &samples, &plan)?;
            (self.tell)(Event::Start { step: state.step, steps: self.steps });
            for batch in plan.stream(Arc::new(samples), state.step..self.steps) {
                let line = self.step(&mut state, &batch?, &extras, &mut progress.usual)?;
                stop_early = self.finish_step(&state, &mut progress, line, &mut log)?;
                if stop_early {
                    break;
                }
            }
        }
        if stop_early {
            let what = format!("not better for {} validations", progress.not_better);
            (self.tell)(Event::Note(format!("stopped early: {what}")));
        }
        // The same command after the end of the run changes nothing.
        if state.step > begun || !self.folder.file(report::PAGE).is_file() {
            report::write(&self.folder, self.config, &self.model.config, self.stop)?;
        }
        Ok(true)
    }

    /// What follows a step: validation, its line of the log, a checkpoint, each where it is due. Returns
    /// whether patience is at its end.
    fn finish_step(
        &self,
        state: &State,
        progress: &mut Progress,
        mut line: Value,
        log: &mut File,
    ) -> Result<bool> {
        let end = state.step == self.steps;
        if state.step.is_multiple_of(self.config.validate_every) || end {
            match go_on(self.stop).and_then(|()| self.validate(state, progress, line.clone())) {
                Ok(measured) => line = measured,
                Err(Error::Stopped) => {
                    progress.unmeasured = Some(line.to_string());
                    self.save(state, progress, log)?;
                    return Err(Error::Stopped);
                }
                Err(error) => return Err(error),
            }
        }
        self.write(log, &line)?;
        let stop_early = self.stops_early(progress);
        let stopped = (self.stop)();
        let last = end || stop_early || stopped;
        if state.step.is_multiple_of(self.config.checkpoint_every) || last {
            self.save(state, progress, log)?;
        }
        if stopped && !end && !stop_early {
            report::curves(&self.folder)?;
            return Err(Error::Stopped);
        }
        Ok(stop_early)
    }

    /// The log first: a checkpoint without the lines before it could not be gone on from.
    fn save(&self, state: &State, progress: &Progress, log: &File) -> Result<()> {
        log.sync_data().map_err(|e| Error::io(self.folder.file(LOG), e))?;
        self.folder.save(state, progress, self.config.keep_checkpoints)
    }

    fn stops_early(&self, progress: &Progress) -> bool {
        self.config.patience > 0 && progress.not_better >= self.config.patience
    }

    fn extras(&self, state: &State, samples: &[Sample], plan: &Plan) -> Result<Extras<'_>> {
        let caching = |share| (self.tell)(Event::Caching(share));
        let about = About {
            config: self.config,
            model: &self.model.config,
            samples,
            plan,
            view: self.partition.view(&state.weights),
            knowledge: self.folder.file(KNOWLEDGE),
            watch: Watch { progress: &caching, stop: self.stop },
        };
        Extras::new(&about, self.partition.frozen())
    }

    /// One step; returns its line of the log.
    fn step(
        &self,
        state: &mut State,
        batch: &Batch,
        extras: &Extras<'_>,
        usual: &mut Option<f32>,
    ) -> Result<Value> {
        let (config, started) = (self.config, Instant::now());
        let input = extras.input(config, &self.model.config, batch, state.step)?;
        let view = self.partition.view(&state.weights);
        let (loss, mut grads) = gradients(&self.model.config, &view, &config.loss, &input)?;
        let before = usual.unwrap_or(loss);
        if !loss.is_finite() || loss > EXPLOSION * before.max(1.0) {
            let some = batch.image_ids.iter().take(5).map(|&id| &*extras.names[id as usize]);
            let pictures = some.collect::<Vec<_>>().join(", ") + ", …";
            return Err(Error::Diverged { step: state.step + 1, loss, before, pictures });
        }
        *usual = Some(before + 0.05 * (loss - before));
        let norm = optim::clip(&mut grads, config.optim.clip);
        if !norm.is_finite() {
            let what = format!("the gradient of step {}, whose loss is {loss},", state.step + 1);
            return Err(Error::NotFinite { what });
        }
        let factor = optim::schedule(state.step, self.steps, config.optim.warmup);
        let decays = Decays { betas: config.optim.betas, ema: config.optim.ema };
        optim::update(state, &grads, decays, self.partition.groups(), factor);
        let scale = match state.weights.0.get_mut("heads.logit_scale") {
            Some(scale) => {
                if config.loss.kind != LossKind::Sigmoid {
                    scale.data[0] = scale.data[0].min(LARGEST_SCALE);
                }
                Some(scale.data[0].exp())
            }
            None => None,
        };
        let speed = batch.image_ids.len() as f64 / started.elapsed().as_secs_f64();
        (self.tell)(Event::Step { step: state.step, loss, speed });
        Ok(json!({
            "step": state.step, "loss": loss, "grad_norm": norm, "lr_factor": factor,
            "logit_scale": scale, "images_per_s": speed,
        }))
    }

    /// Measures the moving average, and keeps it when it is the best; returns the line of the log with
    /// what was found.
    fn validate(&self, state: &State, progress: &mut Progress, mut line: Value) -> Result<Value> {
        let weights = self.partition.view(&state.ema).to_arrays(&self.model.config)?;
        let products = if self.config.int8 { Products::Int8 } else { Products::F32 };
        let encoder = self.model.encoder(weights)?.with_products(products);
        let recalls = |set| recalls(&encoder, set, &|_| go_on(self.stop));
        let reports = recalls(&self.valid.valid)?;
        if let (0, Some(other)) = (state.step, &self.valid.other) {
            line["other"] = json!(recalls(other)?);
        }
        let named = (!self.valid.named.is_empty()).then(|| recalls(&self.valid.named));
        let named = named.transpose()?.unwrap_or_default();
        line["named"] = json!(named);
        let score = score(&reports, self.config.best_by);
        let best = score > progress.best || state.step == 0;
        progress.not_better = if best { 0 } else { progress.not_better + 1 };
        // Not made again: a second copy of a large model is a lot of memory.
        if let (true, Some(weights)) = (best, encoder.into_weights()) {
            progress.best = score;
            self.folder.is_ours()?;
            self.model.export(&self.config.out, &weights)?;
            if self.config.lora.is_some() {
                let path = self.folder.file(ADAPTERS);
                arrays::write(&state.ema, Precision::F32, &BTreeMap::new(), &path)?;
            }
        }
        (line["valid"], line["best"]) = (json!(reports), json!(best));
        (self.tell)(Event::Valid { step: state.step, reports: &reports, named: &named, best });
        Ok(line)
    }

    fn write(&self, log: &mut File, line: &Value) -> Result<()> {
        writeln!(log, "{line}").map_err(|e| Error::io(self.folder.file(LOG), e))
    }
}
