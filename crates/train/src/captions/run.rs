//! The training of a decoder, from its configuration to its folder.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use tuwen_caption::{Decoder, DecoderConfig, Language, first_values};
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Arrays, Encoder};
use tuwen_files::file;
use tuwen_image::rng::Rng;
use tuwen_sets::Sample;

use super::config::CaptionsTrainConfig;
use super::draw::Draw;
use super::reward::{self, Judge};
use super::step::{self, Noise};
use super::words::{self, Tokens};
use super::{CONFIG_FILE, CaptionsEvent, WEIGHTS_FILE, Watch, baselines, measure};
use crate::checkpoint::{self, Progress};
use crate::heads::cache::{self, Items};
use crate::heads::{Schedule, rounded, statistics};
use crate::optim::{self, Decays, Group, State};
use crate::sets::{read_measured, read_set};
use crate::stop::go_on;
use crate::{Error, Result};

/// What a run needs to go on.
const STATE_FILE: &str = "state.safetensors";
/// The best weights so far, unrounded.
const BEST_FILE: &str = "best.safetensors";
/// Steps between two lines about the loss.
const LINE: usize = 20;
const BETAS: [f32; 2] = [0.9, 0.98];
/// Decay of the moving average, which is what is measured and kept.
const AVERAGE: f32 = 0.998;
const CLIP: f32 = 1.0;

/// Trains a decoder and writes it to the folder of the configuration.
///
/// # Errors
/// Data, model or folder cannot be read or written; the loss is no number; or the user stops it.
pub fn train_captions(config: &CaptionsTrainConfig, watch: Watch<'_>) -> Result<()> {
    let encoder = tuwen_hub::open(&config.model)?;
    let mut samples = Vec::new();
    for set in &config.train {
        samples.extend(read_set(set)?);
    }
    let valid = read_measured(&config.valid)?;
    if samples.len() <= config.held_out {
        let what = format!(
            "{} pictures to learn from, of which {} are held out: give more, or a smaller `held_out`",
            samples.len(),
            config.held_out
        );
        return Err(Error::config(&config.out, what));
    }
    let rows = |name: &str, samples: &[Sample]| {
        let tell = |what: &str, done, all| {
            go_on(watch.stop)?;
            (watch.tell)(CaptionsEvent::Rows(format!("{what} {name}"), done, all));
            Ok(())
        };
        cache::pictures(&encoder, samples, &config.cache, &tell)
    };
    let languages = words::vocabulary(config, &samples);
    if let Some(empty) = languages.iter().find(|language| language.words.is_empty()) {
        let what = format!("no word of `{}` is there often enough: lower `rare`", empty.name);
        return Err(Error::config(&config.out, what));
    }
    let data = Data {
        texts: words::tokens(config, &languages, &samples),
        rows: rows("to learn from", &samples)?,
        valid_rows: rows("of the validation set", &valid)?,
        samples,
        valid,
    };
    let mut order: Vec<usize> = (0..data.samples.len()).collect();
    Rng::new(&[config.seed, 20]).shuffle(&mut order);
    let (held_out, learned) = order.split_at(config.held_out);
    let run = Run {
        config,
        decoder: decoder_of(config, &encoder, &data.rows, languages),
        data: &data,
        held_out,
        learned,
        watch,
        identity: identity(config, encoder.fingerprint(), &data),
    };
    run.all()
}

/// The sets that a training needs.
struct Data {
    samples: Vec<Sample>,
    /// For each language the captions of each picture.
    texts: Vec<Vec<Vec<Tokens>>>,
    rows: Items,
    valid: Vec<Sample>,
    valid_rows: Items,
}

struct Run<'r> {
    config: &'r CaptionsTrainConfig,
    decoder: DecoderConfig,
    data: &'r Data,
    held_out: &'r [usize],
    learned: &'r [usize],
    watch: Watch<'r>,
    /// Of what is learned: a state of something else is not taken up.
    identity: String,
}

fn decoder_of(
    config: &CaptionsTrainConfig,
    encoder: &dyn Encoder,
    rows: &Items,
    languages: Vec<Language>,
) -> DecoderConfig {
    let shape = config.decoder;
    DecoderConfig {
        name: config.name.clone(),
        model: encoder.fingerprint().to_owned(),
        rows: rows.spans[0].len(),
        row_width: rows.width,
        width: shape.width,
        layers: shape.layers,
        heads: shape.heads,
        mlp: shape.mlp,
        longest: shape.longest,
        languages,
    }
}

/// A hash of the settings that matter, the model and the captions.
fn identity(config: &CaptionsTrainConfig, fingerprint: &str, data: &Data) -> String {
    let settings = CaptionsTrainConfig {
        out: PathBuf::new(),
        cache: PathBuf::new(),
        train: Vec::new(),
        ..config.clone()
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(serde_json::to_string(&settings).expect("numbers and names").as_bytes());
    hasher.update(fingerprint.as_bytes());
    for sample in &data.samples {
        hasher.update(sample.id.as_bytes());
        for caption in &sample.captions {
            hasher.update(caption.text.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Run<'_> {
    fn all(&self) -> Result<()> {
        std::fs::create_dir_all(&self.config.out).map_err(|e| Error::io(&self.config.out, e))?;
        let (mut state, mut progress, mut best) = self.begin()?;
        let draw = Draw {
            config: self.config,
            rows: &self.data.rows,
            texts: &self.data.texts,
            pictures: self.learned,
        };
        let words = self.config.words.optim.steps;
        let steps = words + self.config.reward.as_ref().map_or(0, |reward| reward.optim.steps);
        let known = (steps > words).then(|| reward::known(self.config, &self.data.samples));
        let judge = known.as_ref().map(|known| Judge::new(known, self.config.seed));
        let (mut sum, mut count) = (0.0, 0);
        while state.step < steps {
            go_on(self.watch.stop)?;
            let loss = match &judge {
                Some(judge) if state.step >= words => {
                    if state.step == words {
                        // What was best goes on to learn, without what the optimiser knew.
                        state = State { step: words, ..State::new(best.clone()) };
                    }
                    self.reward_step(&draw, judge, &mut state)?
                }
                _ => self.words_step(&draw, &mut state)?,
            };
            (sum, count) = (sum + loss, count + 1);
            let ends = state.step == steps || state.step == words;
            if state.step.is_multiple_of(LINE) || ends {
                let what = if state.step > words { "reward" } else { "loss" };
                let mean = sum / count as f32;
                (self.watch.tell)(CaptionsEvent::Loss(what, state.step, steps, mean));
                (sum, count) = (0.0, 0);
            }
            if state.step.is_multiple_of(self.config.measure_every) || ends {
                self.choose(&state, &mut progress, &mut best)?;
                checkpoint::write(&state, &progress, &self.config.out.join(STATE_FILE))?;
            }
        }
        self.measure(&best)
    }

    /// The state of a run that was stopped, or the first one; and the best weights.
    fn begin(&self) -> Result<(State, Progress, Arrays)> {
        let path = self.config.out.join(STATE_FILE);
        if path.exists() {
            let (state, progress) = checkpoint::read(&path)?;
            if progress.data_hash != self.identity {
                return Err(Error::OtherRun {
                    path: self.config.out.clone(),
                    what: "other settings, captions or model".into(),
                });
            }
            (self.watch.tell)(CaptionsEvent::GoesOn(state.step));
            return Ok((state, progress, arrays::read(&self.config.out.join(BEST_FILE))?));
        }
        let mut rng = Rng::new(&[self.config.seed, 23]);
        let mut weights = first_values(&self.decoder, || rng.normal());
        let [mean, deviation] = statistics(&[&self.data.rows]);
        for (name, values) in [("row.mean", mean), ("row.deviation", deviation)] {
            weights.0.get_mut(name).expect("a weight of every decoder").data = values;
        }
        let progress = Progress {
            best: f64::NEG_INFINITY,
            data_hash: self.identity.clone(),
            ..Progress::default()
        };
        Ok((State::new(weights.clone()), progress, weights))
    }

    /// A step on what people said; returns the loss.
    fn words_step(&self, draw: &Draw<'_>, state: &mut State) -> Result<f32> {
        let words = &self.config.words;
        let noise = Noise {
            dropout: words.dropout,
            smoothing: words.smoothing,
            seed: Rng::new(&[self.config.seed, 24, state.step as u64]).next_u64(),
        };
        let (loss, grads) = {
            let decoder = Decoder::learning(self.decoder.clone(), &state.weights)?;
            step::gradients(&decoder, &draw.words(state.step), noise)
        };
        self.update(state, loss, grads, &words.optim, 0)?;
        Ok(loss)
    }

    /// A step on what the decoder's own captions are worth; returns the mean worth of those that it drew.
    fn reward_step(&self, draw: &Draw<'_>, judge: &Judge<'_>, state: &mut State) -> Result<f32> {
        let reward = self.config.reward.as_ref().expect("a judge for a reward");
        let before = self.config.words.optim.steps;
        let (worth, loss, grads) = {
            let decoder = Decoder::learning(self.decoder.clone(), &state.weights)?;
            let (worth, chunks) = judge.chunks(&decoder, draw, reward, state.step - before)?;
            let (loss, grads) = step::gradients(&decoder, &chunks, Noise::default());
            (worth, loss, grads)
        };
        self.update(state, loss, grads, &reward.optim, before)?;
        Ok(worth)
    }

    /// AdamW, `before` steps after those of the phases before.
    fn update(
        &self,
        state: &mut State,
        loss: f32,
        mut grads: Arrays,
        plan: &Schedule,
        before: usize,
    ) -> Result<()> {
        if !loss.is_finite() {
            let pictures = String::from("of the last batch");
            return Err(Error::Diverged { step: state.step, loss, before: 0.0, pictures });
        }
        optim::clip(&mut grads, CLIP);
        // The moments of a phase begin with it.
        let at = state.step - before;
        let factor = optim::schedule(at, plan.steps, plan.warmup);
        let decays = Decays { betas: BETAS, ema: AVERAGE };
        let groups = groups(&state.weights, plan.lr, plan.weight_decay);
        state.step = at;
        optim::update(state, &grads, decays, &groups, factor);
        state.step += before;
        Ok(())
    }

    /// Keeps the averaged weights where their captions of the held-out pictures are the best so far.
    fn choose(&self, state: &State, progress: &mut Progress, best: &mut Arrays) -> Result<()> {
        let decoder = Decoder::new(self.decoder.clone(), &state.ema)?;
        let mut found = Vec::new();
        for (at, language) in self.decoder.languages.iter().enumerate() {
            go_on(self.watch.stop)?;
            let said = measure::captions(&decoder, &self.data.rows, self.held_out, at);
            let all = words::references(self.config, &language.name, &self.data.samples);
            let own: Vec<_> = self.held_out.iter().map(|&picture| all[picture].clone()).collect();
            found.push((language.name.clone(), measure::worth(&language.name, &said, &own)));
        }
        let sum = found.iter().map(|(_, worth)| worth).sum::<f64>() / found.len() as f64;
        let better = sum > progress.best;
        if better {
            progress.best = sum;
            *best = state.ema.clone();
            let path = self.config.out.join(BEST_FILE);
            arrays::write(best, Precision::F32, &BTreeMap::new(), &path)?;
            self.write(best)?;
        }
        (self.watch.tell)(CaptionsEvent::HeldOut(state.step, found, better));
        Ok(())
    }

    /// Writes a decoder in 8 bits.
    fn write(&self, weights: &Arrays) -> Result<()> {
        let folder = &self.config.out;
        arrays::write(weights, Precision::Int8, &BTreeMap::new(), &folder.join(WEIGHTS_FILE))?;
        let json = serde_json::to_string(&self.decoder).expect("numbers and names");
        file::replace(&folder.join(CONFIG_FILE), (json + "\n").as_bytes())?;
        Ok(())
    }

    /// All numbers of the best weights, as they are written, on the validation pictures, beside captions that nobody
    /// made for them.
    fn measure(&self, best: &Arrays) -> Result<()> {
        let decoder = Decoder::new(self.decoder.clone(), &rounded(best.clone()))?;
        let all: Vec<usize> = (0..self.data.valid.len()).collect();
        for (at, language) in self.decoder.languages.iter().enumerate() {
            go_on(self.watch.stop)?;
            let name = &language.name;
            let references = words::references(self.config, name, &self.data.valid);
            let own: Vec<usize> =
                all.iter().copied().filter(|&picture| !references[picture].is_empty()).collect();
            if own.is_empty() {
                continue;
            }
            let known = words::references(self.config, name, &self.data.samples);
            let (from, of) = (&self.data.rows, &self.data.valid_rows);
            let [nearest, consensus] = baselines::captions(name, &known, from, of, &own);
            let said = measure::captions(&decoder, &self.data.valid_rows, &own, at);
            let references: Vec<_> = own.iter().map(|&one| references[one].clone()).collect();
            for (who, said) in [
                ("the nearest picture's caption", nearest),
                ("what captions of the nearest have in common", consensus),
                ("the decoder", said),
            ] {
                for (by, report) in measure::reports(name, &said, &references) {
                    let report = Box::new(report);
                    (self.watch.tell)(CaptionsEvent::Measured(who, name.clone(), by, report));
                }
            }
        }
        Ok(())
    }
}

/// Learning rate of every weight, and decay of matrices; words and places are not pulled to zero.
fn groups(weights: &Arrays, lr: f32, decay: f32) -> HashMap<String, Group> {
    let group = |(name, array): (&String, &tuwen_encode::Array)| {
        let statistic = name.ends_with(".mean") || name.ends_with(".deviation");
        let table = name.starts_with("words.") || name.ends_with("places");
        let decay = if array.shape.len() > 1 && !table { decay } else { 0.0 };
        (!statistic).then(|| (name.clone(), Group { lr, decay }))
    };
    weights.0.iter().filter_map(group).collect()
}
