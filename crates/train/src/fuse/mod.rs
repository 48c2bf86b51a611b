//! A fuser on a frozen dual encoder's vectors: of a picture and its text as one item, or of a picture and words as one
//! query (`tuwen_matching::Fuser`). The model's vectors are computed once (`vectors`); what remains is a minute or two.
//! `draw` has the batches, `step` the gradients. What it is worth, `tuwen eval fused` and `eval composed` measure.

mod config;
mod draw;
mod step;
mod vectors;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Array, Arrays, CpuEncoder, Encoder};
use tuwen_image::rng::Rng;
use tuwen_matching::{FUSER_KEY, Fuser, FuserConfig, Role, Side, is_measured};
use tuwen_sets::changes::{Change, Language, changes};
use tuwen_sets::{Sample, relation};

pub use config::FuseTrainConfig;
pub use vectors::PIECE;

use crate::heads::cache::number;
use crate::heads::first_captions;
use crate::learn::{Learning, learn};
use crate::sets::read_set;
use crate::stop::{Stop, go_on};
use crate::{Error, Result};
use draw::{Captions, Question, Questions, Set};
use step::SCALE;

/// Fewest questions that a source's captions must make.
const FEWEST: usize = 100;
/// The inverse temperature that training begins with.
const FIRST_SCALE: f32 = 20.0;

/// What a training tells.
#[derive(Debug)]
pub enum FuseEvent {
    /// Vectors are being computed: of what, how many, of how many.
    Vectors(String, usize, usize),
    /// Questions that a source's captions make.
    Questions(String, usize),
    /// The step, of how many, the mean loss of the last ones.
    Loss(usize, usize, f32),
}

/// Who follows a training.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// Told what goes on.
    pub tell: &'w dyn Fn(FuseEvent),
    /// Asked whether to stop.
    pub stop: &'w Stop<'w>,
}

/// Trains a fuser and writes it to the configuration's file.
///
/// # Errors
/// Data, model or file cannot be read or written; captions that make too little to learn from; the loss is no number;
/// or the user stops it.
pub fn train_fuser(config: &FuseTrainConfig, watch: Watch<'_>) -> Result<()> {
    let encoder = tuwen_hub::open(&config.model)?;
    let mut samples = Vec::new();
    for set in &config.train {
        samples.extend(read_set(set)?);
    }
    let samples = first_captions(samples, &config.sources);
    let (set, sides) = read(config, &encoder, &samples, watch)?;
    if set.images.len() < config.optim.batch.max(3) * set.dim {
        let found = samples.len();
        let what = format!("{found} pictures to learn from are fewer than `optim.batch`");
        return Err(Error::config(&config.out, what));
    }
    let fuser = FuserConfig {
        name: config.name.clone(),
        model: encoder.fingerprint().to_owned(),
        dim: encoder.dim(),
        role: config.role,
        network: config.network,
    };
    let mut rng = Rng::new(&[config.seed, 21]);
    let sides = sides.as_ref().map(|[image, text]| [image, text]);
    let mut weights = fuser.first_values(sides, || rng.normal());
    weights.0.insert(SCALE.into(), Array { shape: vec![1], data: vec![FIRST_SCALE.ln()] });
    let tell = |step, loss| (watch.tell)(FuseEvent::Loss(step, config.optim.steps, loss));
    let learns = |name: &str| !is_measured(name);
    let learning =
        Learning { schedule: &config.optim, learns: &learns, stop: watch.stop, tell: &tell };
    let mut rng = Rng::new(&[config.seed, 22]);
    learn(learning, &mut weights, |weights, _| {
        let learning = Fuser::learning(fuser.clone(), weights)?;
        let batch = match config.role {
            Role::Items => set.items(config, &mut rng),
            Role::Queries => set.queries(config, &mut rng),
        };
        Ok(step::gradients(&learning, &batch, weights.0[SCALE].data[0]))
    })?;
    weights.0.remove(SCALE);
    write(config, &fuser, &weights)
}

fn write(config: &FuseTrainConfig, fuser: &FuserConfig, weights: &Arrays) -> Result<()> {
    if let Some(folder) = config.out.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let json = serde_json::to_string(fuser).expect("numbers and names");
    let header = BTreeMap::from([(FUSER_KEY.to_owned(), json)]);
    // Under a name of its own until it is whole, which is nobody's.
    let name = config.out.file_name().unwrap_or_default().to_string_lossy();
    let part = config.out.with_file_name(format!(".{name}.{}.part", std::process::id()));
    arrays::write(weights, Precision::F32, &header, &part)?;
    std::fs::rename(&part, &config.out).map_err(|e| Error::io(&config.out, e))
}

/// The vectors that are learned from, and both sides as queries where queries are joined.
fn read(
    config: &FuseTrainConfig,
    encoder: &CpuEncoder,
    samples: &[Sample],
    watch: Watch<'_>,
) -> Result<(Set, Option<[Side; 2]>)> {
    let tell = |what: &str, done, all| {
        go_on(watch.stop)?;
        (watch.tell)(FuseEvent::Vectors(what.to_owned(), done, all));
        Ok(())
    };
    std::fs::create_dir_all(&config.cache).map_err(|e| Error::io(&config.cache, e))?;
    let source = vectors::Source { encoder, cache: &config.cache, tell: &tell };
    let dim = encoder.dim();
    let images = source.pictures(samples)?;
    let with_pieces = config.role == Role::Items && config.pieces > 0.0;
    let pieces = if with_pieces { source.pieces(samples)? } else { Vec::new() };
    let captions = captions(config, source, samples)?;
    let mut set = Set { dim, images, pieces, captions, questions: Vec::new() };
    if config.role == Role::Items {
        return Ok((set, None));
    }
    let texts: Vec<f32> =
        set.captions.iter().flat_map(|captions| captions.vectors.iter().copied()).collect();
    let sides = [&set.images, &texts].map(|vectors| Side::of(vectors, &set.images, dim));
    set.questions = questions(config, source, samples, watch)?;
    Ok((set, Some(sides)))
}

fn captions(
    config: &FuseTrainConfig,
    source: vectors::Source<'_>,
    samples: &[Sample],
) -> Result<Vec<Captions>> {
    let mut all = Vec::new();
    let texts = relation::texts(samples);
    for wanted in &config.sources {
        let Some(list) = texts.get(&*wanted.name) else {
            let there: Vec<&str> = texts.keys().copied().collect();
            let what = format!(
                "no captions have the source `{}`; those of [[train]] have {}",
                wanted.name,
                there.join(", ")
            );
            return Err(Error::config(&config.out, what));
        };
        let mut of = vec![Vec::new(); samples.len()];
        for (at, text) in list.iter().enumerate() {
            text.images.iter().for_each(|&image| of[image].push(at));
        }
        let words: Vec<&str> = list.iter().map(|text| text.words).collect();
        let vectors = source.texts(&wanted.name, &words)?;
        let words = words.into_iter().map(number).collect();
        all.push(Captions { share: wanted.share, of, words, vectors });
    }
    Ok(all)
}

/// The questions that the captions of each source make.
fn questions(
    config: &FuseTrainConfig,
    source: vectors::Source<'_>,
    samples: &[Sample],
    watch: Watch<'_>,
) -> Result<Vec<Questions>> {
    let mut all = Vec::new();
    for wanted in &config.sources {
        let captions: Vec<Vec<&str>> =
            samples.iter().map(|sample| own(sample, &wanted.name)).collect();
        let language = Language::of(captions.iter().flatten().copied());
        let changes = changes(&language.cut(&captions), language.rule());
        (watch.tell)(FuseEvent::Questions(wanted.name.clone(), changes.len()));
        if changes.len() < FEWEST {
            let found = changes.len();
            let what = format!(
                "the captions `{}` make {found} questions, of {FEWEST} that are needed: give more pictures",
                wanted.name
            );
            return Err(Error::config(&config.out, what));
        }
        let phrases: BTreeSet<&[String]> = changes.iter().map(|change| &*change.phrase).collect();
        let phrases: Vec<&[String]> = phrases.into_iter().collect();
        let words: Vec<String> = phrases.iter().map(|phrase| language.joined(phrase)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let vectors = source.texts(&format!("{}-phrases", wanted.name), &words)?;
        let question = |change: &Change| {
            let place = phrases.binary_search(&&*change.phrase);
            let phrase = place.expect("each phrase is among them");
            Question { from: change.from, to: change.to, phrase }
        };
        let questions: Vec<Question> = changes.iter().map(question).collect();
        let mut right: HashMap<(usize, usize), HashSet<usize>> = HashMap::new();
        for Question { from, to, phrase } in &questions {
            right.entry((*from, *phrase)).or_default().insert(*to);
        }
        all.push(Questions { share: wanted.share, all: questions, vectors, right });
    }
    Ok(all)
}

/// A picture's captions of a source.
fn own<'s>(sample: &'s Sample, source: &str) -> Vec<&'s str> {
    let own = sample.captions.iter().filter(|caption| caption.source == source);
    own.map(|caption| &*caption.text).collect()
}
