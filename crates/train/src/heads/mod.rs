//! Heads that look again at what a frozen dual encoder found: late interaction first, which learns how patches are
//! stored, then a matching head on the stored patches. The towers give their tokens once (`cache`); what remains is
//! minutes. `step` has the gradients, `draw` the batches, `measure` what the heads make of the dual encoder's ranking.

pub mod cache;
pub(crate) mod config;
mod draw;
mod main_axes;
pub mod measure;
mod step;

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_encode::arrays::{self, Int8, Precision};
use tuwen_encode::{Array, Arrays, CpuEncoder, Encoder};
use tuwen_image::rng::Rng;
use tuwen_matching::{Heads, HeadsConfig, Itm, Late, Patches, first_values};
use tuwen_sets::Sample;

pub use config::{HeadsTrainConfig, ItmConfig, ItmLoss, LateConfig, Schedule, Source};

use crate::learn::{Learning, learn};
use crate::sets::{read_measured, read_set};
use crate::stop::{Stop, go_on};
use crate::{Error, Result};
use cache::{Items, TokenSet};
use draw::Draw;
pub use measure::Outcome;
use measure::{Judged, Recall, Way, Which, best_shares, stored};
use step::Margin;

/// File name of the heads' configuration in their folder.
pub const CONFIG_FILE: &str = "heads.json";
/// File name of their weights.
pub const WEIGHTS_FILE: &str = "heads.safetensors";

/// One text in so many is asked where heads are measured.
const EVERY: usize = 5;
/// Weight of the margin beside the contrastive loss.
const MARGIN: f32 = 1.0;
/// Rows of tokens whose mean and deviation are taken.
const MEASURED: usize = 40_000;

/// What a training tells.
#[derive(Debug)]
pub enum HeadsEvent {
    /// Tokens are being computed: of what, how many, of how many.
    Tokens(String, usize, usize),
    /// The loss of the last steps: the head, the step, of how many, the loss.
    Loss(&'static str, usize, usize, f32),
    /// Text to image on the validation pictures: who looked again, the source, the dual encoder alone, what came of
    /// looking.
    Measured(&'static str, String, Recall, Outcome),
    /// How many times the cosine counts beside a head's score: for each half of the pictures as the other half chose,
    /// and for the heads that are written.
    Cosine(&'static str, [f32; 2], f32),
}

/// Who follows a training.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// Told what goes on.
    pub tell: &'w (dyn Fn(HeadsEvent) + Sync),
    /// Asked whether to stop.
    pub stop: &'w Stop<'w>,
}

/// Trains heads and writes them to the folder of the configuration.
///
/// # Errors
/// Data, model or folder cannot be read or written; the loss is no number; or the user stops it.
pub fn train_heads(config: &HeadsTrainConfig, watch: Watch<'_>) -> Result<()> {
    let encoder = tuwen_hub::open(&config.model)?;
    let mut samples = Vec::new();
    for set in &config.train {
        samples.extend(read_set(set)?);
    }
    let valid = read_measured(&config.valid)?;
    let tokens = |name: &str, samples: Vec<Sample>| {
        let samples = first_captions(samples, &config.sources);
        let tell = |what: &str, done, all| {
            go_on(watch.stop)?;
            (watch.tell)(HeadsEvent::Tokens(format!("{name}, {what}"), done, all));
            Ok(())
        };
        cache::tokens(&encoder, &samples, &config.cache, &tell)
    };
    let train = tokens("to learn from", samples)?;
    let data = Data { train, valid: tokens("validation", valid)? };
    if data.train.images.len() < 2 {
        return Err(Error::config(&config.out, "there are too few pictures to learn from"));
    }
    let mut run = Run { config, data: &data, watch, rng: Rng::new(&[config.seed, 11]) };
    let (heads, weights) = run.all(&encoder)?;
    write(&config.out, &heads, &weights)
}

/// The sets that a training needs.
struct Data {
    train: TokenSet,
    valid: TokenSet,
}

struct Run<'r> {
    config: &'r HeadsTrainConfig,
    data: &'r Data,
    watch: Watch<'r>,
    rng: Rng,
}

impl Run<'_> {
    fn all(&mut self, encoder: &CpuEncoder) -> Result<(HeadsConfig, Arrays)> {
        let mut heads = self.first(encoder);
        let mut weights = self.first_weights(&heads);
        self.begin_with_the_towers(encoder, &heads, &mut weights)?;
        self.late(&heads, &mut weights)?;
        weights = rounded(weights);
        let valid = &self.data.valid;
        let judge = |source: &String| Judged::new(valid, source, EVERY);
        let mut judged: Vec<Judged<'_>> = valid.texts.keys().map(judge).collect();
        let (late, share) = self.judge(&heads, &weights, Which::Late, &mut judged)?;
        heads.late = heads.late.map(|late| Late { cosine: share, ..late });
        let Some(itm) = &self.config.itm else { return Ok((heads, weights)) };
        let ItmConfig { width, layers, heads: count, mlp, words, .. } = *itm;
        heads.itm = Some(Itm { width, layers, heads: count, mlp, words, cosine: 0.0 });
        let fresh = self.first_weights(&heads);
        for (name, array) in fresh.0 {
            weights.0.entry(name).or_insert(array);
        }
        self.itm(itm, &heads, &mut weights)?;
        weights = rounded(weights);
        let (itm, share) = self.judge(&heads, &weights, Which::Itm, &mut judged)?;
        heads.itm = heads.itm.map(|itm| Itm { cosine: share, ..itm });
        let shares = [0, 1].map(|half| [late[half], itm[half]]);
        self.tell("both", &judged, |own| own.fairly(Way::Both, shares));
        self.tell("late interaction, then matching", &judged, |own| {
            own.fairly(Way::Stages, shares)
        });
        Ok((heads, weights))
    }

    fn first(&self, encoder: &CpuEncoder) -> HeadsConfig {
        let images = &self.data.train.images;
        HeadsConfig {
            name: self.config.name.clone(),
            model: encoder.fingerprint().to_owned(),
            patches: images.spans[0].len(),
            patch_width: images.width,
            word_width: encoder.word_width(),
            dim: self.config.dim,
            late: Some(Late { pooling: self.config.late.pooling, cosine: 0.0 }),
            itm: None,
        }
    }

    fn first_weights(&self, heads: &HeadsConfig) -> Arrays {
        let mut rng = Rng::new(&[self.config.seed, 12]);
        let mut weights = first_values(heads, || rng.normal());
        let texts = self.data.train.texts.values().map(|texts| &texts.items);
        for (side, sets) in
            [("patch", vec![&self.data.train.images]), ("word", texts.collect::<Vec<_>>())]
        {
            let [mean, deviation] = statistics(&sets);
            for (name, values) in [("mean", mean), ("deviation", deviation)] {
                if let Some(array) = weights.0.get_mut(&format!("{side}.{name}")) {
                    array.data = values;
                }
            }
        }
        weights
    }

    /// Lets tokens begin where the dual encoder's own projections put them, cut to the axes that its vectors lie along:
    /// a text's vector is the mean of its words', so that these know already where they belong.
    fn begin_with_the_towers(
        &self,
        encoder: &CpuEncoder,
        heads: &HeadsConfig,
        weights: &mut Arrays,
    ) -> Result<()> {
        let Ok(projections) = encoder.token_projections() else { return Ok(()) };
        if heads.dim > encoder.dim() {
            return Ok(());
        }
        let texts = self.data.train.texts.values().map(|texts| &texts.items.vectors[..]);
        let sets: Vec<&[f32]> =
            [&self.data.train.images.vectors[..]].into_iter().chain(texts).collect();
        let axes = main_axes::of(&sets, encoder.dim(), heads.dim);
        for (side, own) in ["patch", "word"].into_iter().zip(&projections) {
            let statistic = |part: &str| weights.0[&format!("{side}.{part}")].data.clone();
            let (mean, deviation) = (statistic("mean"), statistic("deviation"));
            let (matrix, bias) = main_axes::seen_along(&axes, own, &mean, &deviation);
            for (part, values) in [("weight", matrix), ("bias", bias)] {
                if let Some(array) = weights.0.get_mut(&format!("{side}.proj.{part}")) {
                    array.data = values;
                }
            }
        }
        Ok(())
    }

    fn late(&mut self, heads: &HeadsConfig, weights: &mut Arrays) -> Result<()> {
        let config = &self.config.late;
        let draw = Draw::new(self.config, &self.data.train);
        let steps_of_epoch = self.data.train.images.len() / config.optim.batch;
        let learns = |name: &str| !is_statistic(name);
        let mut rng = self.rng.clone();
        self.learn("late interaction", &config.optim, &learns, weights, |weights, step| {
            let heads = Heads::learning(heads.clone(), weights)?;
            let batch = draw.late(&heads, config, &mut rng);
            let by = if step >= steps_of_epoch { MARGIN } else { 0.0 };
            let weight = if config.margin > 0.0 { by } else { 0.0 };
            Ok(step::late(&heads, &batch, Margin { by: config.margin, weight }))
        })
    }

    fn itm(&mut self, config: &ItmConfig, heads: &HeadsConfig, weights: &mut Arrays) -> Result<()> {
        let frozen = Heads::new(heads.clone(), weights)?;
        let photos: Vec<Patches> = stored(&frozen, &self.data.train.images)?;
        let draw = Draw::new(self.config, &self.data.train);
        let learns = |name: &str| name.starts_with("itm.");
        let mut rng = self.rng.clone();
        self.learn("matching", &config.optim, &learns, weights, |weights, _| {
            let heads = Heads::learning(heads.clone(), weights)?;
            let anchors = draw.itm(&heads, config, &photos, &mut rng);
            Ok(step::itm(&heads, &anchors, config.loss))
        })
    }

    fn learn(
        &self,
        name: &'static str,
        schedule: &Schedule,
        learns: &dyn Fn(&str) -> bool,
        weights: &mut Arrays,
        gradients: impl FnMut(&Arrays, usize) -> Result<(f32, Arrays)>,
    ) -> Result<()> {
        let tell = |step, loss| {
            (self.watch.tell)(HeadsEvent::Loss(name, step, schedule.steps, loss));
        };
        learn(Learning { schedule, learns, stop: self.watch.stop, tell: &tell }, weights, gradients)
    }

    /// Chooses how much the cosine counts, and says what comes of it. The towers know the pictures that they learned
    /// from so well that there the head would count for nothing: the validation pictures choose, half of them for the
    /// other half where they are measured, and all of them for the heads that are written.
    fn judge(
        &self,
        heads: &HeadsConfig,
        weights: &Arrays,
        which: Which,
        judged: &mut [Judged<'_>],
    ) -> Result<([f32; 2], f32)> {
        let heads = Heads::new(heads.clone(), weights)?;
        let photos = stored(&heads, &self.data.valid.images)?;
        judged.iter_mut().for_each(|own| own.ask(&heads, which, &photos));
        let (halves, all) = best_shares(judged, which);
        let [name, with_cosine] = match which {
            Which::Late => ["late interaction", "late interaction and cosine"],
            Which::Itm => ["matching", "matching and cosine"],
        };
        self.tell(name, judged, |own| own.alone(which));
        let shares = halves.map(|share| [share; 2]);
        self.tell(with_cosine, judged, |own| own.fairly(Way::One(which), shares));
        (self.watch.tell)(HeadsEvent::Cosine(name, halves, all));
        Ok((halves, all))
    }

    fn tell(&self, way: &'static str, judged: &[Judged<'_>], of: impl Fn(&Judged<'_>) -> Outcome) {
        for (source, own) in self.data.valid.texts.keys().zip(judged) {
            let measured = HeadsEvent::Measured(way, source.clone(), own.before(), of(own));
            (self.watch.tell)(measured);
        }
    }
}

fn is_statistic(name: &str) -> bool {
    name.ends_with(".mean") || name.ends_with(".deviation")
}

/// Pictures with the captions that are used: the first of each wanted source.
pub(crate) fn first_captions(mut samples: Vec<Sample>, sources: &[Source]) -> Vec<Sample> {
    let wanted = |source: &str, count: usize| {
        let found = sources.iter().find(|known| known.name == source);
        found.is_some_and(|known| known.captions == 0 || count <= known.captions)
    };
    for sample in &mut samples {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        sample.captions.retain(|caption| {
            let count = counts.entry(caption.source.clone()).or_default();
            *count += 1;
            wanted(&caption.source, *count)
        });
    }
    samples
}

/// Mean and deviation of each column of some rows of each set.
pub(crate) fn statistics(sets: &[&Items]) -> [Vec<f32>; 2] {
    let width = sets.first().map_or(0, |items| items.width);
    let (mut sum, mut squares, mut count) = (vec![0f64; width], vec![0f64; width], 0f64);
    for items in sets {
        let step = (items.scales.len() / MEASURED).max(1);
        for row in (0..items.scales.len()).step_by(step) {
            let values = &items.values[row * width..][..width];
            for (column, &value) in values.iter().enumerate() {
                let value = f64::from(value) * f64::from(items.scales[row]);
                sum[column] += value;
                squares[column] += value * value;
            }
            count += 1.0;
        }
    }
    let mean = |sum: f64| sum / count.max(1.0);
    let deviation = |(sum, square): (&f64, &f64)| {
        ((mean(*square) - mean(*sum).powi(2)).max(0.0).sqrt() as f32).max(1e-4)
    };
    [
        sum.iter().map(|sum| mean(*sum) as f32).collect(),
        sum.iter().zip(&squares).map(deviation).collect(),
    ]
}

/// The weights as a file of 8 bits keeps them.
pub(crate) fn rounded(weights: Arrays) -> Arrays {
    let round = |(name, array): (String, Array)| match Int8::of(&array) {
        Some(kept) => (name, Array { data: kept.values(), ..array }),
        None => (name, array),
    };
    Arrays(weights.0.into_iter().map(round).collect())
}

fn write(folder: &Path, heads: &HeadsConfig, weights: &Arrays) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    arrays::write(weights, Precision::Int8, &BTreeMap::new(), &folder.join(WEIGHTS_FILE))?;
    let json = serde_json::to_string_pretty(heads).expect("numbers and names");
    tuwen_files::file::replace(&folder.join(CONFIG_FILE), (json + "\n").as_bytes())?;
    Ok(())
}
