//! Ranks after heads, or the matching head that a model brings along, have looked again at the first items of each query,
//! both ways.

mod own;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_eval::{Captioned, Ranked, rerank};
use tuwen_matching::{Heads, Patches, Question};
use tuwen_retrieve::rerank::{By, Stage, heads_of, matches_itself};
use tuwen_sets::{Sample, relation};
use tuwen_train::fitted;

use self::own::{Matches, Own};
use super::Args;
use crate::progress;
use crate::query::{Usage, open_model};
use crate::terminal::note;

/// Pictures or texts whose tokens are computed together.
const BATCH: usize = 64;

/// The stages that were asked for, of those that can be measured.
pub fn stages(args: &Args) -> Result<Vec<Stage>> {
    let stages = args.again.stages()?;
    if let Some(By::Endpoint(url)) = stages.iter().map(|stage| &stage.by).find(is_endpoint) {
        bail!(Usage(format!(
            "--rerank {url}: an address reads captions, which are what is asked with here"
        )));
    }
    if !stages.is_empty() && args.model.len() != 1 {
        bail!(Usage("--rerank reads the tokens of one model: give one --model".into()));
    }
    Ok(stages)
}

fn is_endpoint(by: &&By) -> bool {
    matches!(by, By::Endpoint(_))
}

/// A set as those see it who look again.
pub struct Again<'s> {
    /// Heads on stored patches, where a stage asks for such.
    heads: Option<Asking>,
    /// The model's own matching head, where that is the one.
    own: Option<Own<'s>>,
}

/// A set as heads see it.
struct Asking {
    heads: Heads<'static>,
    photos: Vec<Patches>,
    /// By source of captions, in the order of its texts.
    questions: BTreeMap<String, Vec<Question>>,
}

impl<'s> Again<'s> {
    /// Computes what stays of a set: patches and words for heads, tokens for a model's own head.
    ///
    /// # Errors
    /// Heads of another model, or a picture that cannot be read.
    pub fn new(args: &Args, stages: &[Stage], samples: &'s [Sample]) -> Result<Self> {
        let model = &args.model[0];
        let encoder = open_model(model, &args.text_args)?.with_dataset_text(args.dataset_text);
        let itself = matches_itself(&encoder, model, args.again.heads.as_deref());
        let by_heads = |stage: &Stage| !itself || stage.by != By::Itm;
        let heads = match stages.iter().any(by_heads) {
            true => Some(Asking::new(args, &encoder, stages, samples, itself)?),
            false => None,
        };
        let own = itself.then(|| Own::new(encoder, samples)).transpose()?;
        Ok(Self { heads, own })
    }

    /// Puts the first items of each query into their new order, and says how long that took.
    ///
    /// # Errors
    /// A picture cannot be read again.
    pub fn look(
        &self,
        source: &str,
        set: Captioned<'_>,
        ranked: &mut [Vec<Ranked>; 2],
        stages: &[Stage],
    ) -> Result<()> {
        let captions = set.captions();
        for stage in stages {
            let start = Instant::now();
            let cosine = |text: usize, image: usize| cosine(set, text, image);
            let matches = match &self.own {
                Some(own) if stage.by != By::Late => {
                    own.matches(source, ranked, stage.first, cosine)?
                }
                _ => Matches::new(),
            };
            let looking = Looking { again: self, source, set, matches: &matches, by: &stage.by };
            let [to_images, to_texts] = &mut *ranked;
            rerank(to_images, set.truth, stage.first, |text, images| looking.text(text, images));
            let each = |queries: usize| start.elapsed().as_secs_f64() * 1e3 / queries.max(1) as f64;
            let both = if matches.is_empty() { "" } else { ", the other way included" };
            note!(
                "{source}: {:.2} ms a caption for {} pictures each (all threads{both})",
                each(to_images.len()),
                stage.first
            );
            rerank(to_texts, &captions, stage.first, |image, texts| looking.image(image, texts));
        }
        Ok(())
    }
}

/// A stage at work.
struct Looking<'l> {
    again: &'l Again<'l>,
    source: &'l str,
    set: Captioned<'l>,
    matches: &'l Matches,
    by: &'l By,
}

impl Looking<'_> {
    /// A text and pictures.
    fn text(&self, text: usize, images: &[usize]) -> Vec<f32> {
        let cosines: Vec<f32> = images.iter().map(|&image| cosine(self.set, text, image)).collect();
        self.scores(&cosines, &|by| self.of_text(by, text, images))
    }

    /// A picture and texts.
    fn image(&self, image: usize, texts: &[usize]) -> Vec<f32> {
        let cosines: Vec<f32> = texts.iter().map(|&text| cosine(self.set, text, image)).collect();
        let one = |by: &By, text: usize| self.of_text(by, text, &[image])[0];
        self.scores(&cosines, &|by| texts.iter().map(|&text| one(by, text)).collect())
    }

    fn of_text(&self, by: &By, text: usize, images: &[usize]) -> Vec<f32> {
        if *by == By::Itm && self.again.own.is_some() {
            let one = |&image: &usize| self.matches.get(&(text, image)).copied();
            return images.iter().map(|image| one(image).unwrap_or(f32::NEG_INFINITY)).collect();
        }
        let asking = self.again.heads.as_ref().expect("heads where a stage asks for them");
        let photos: Vec<&Patches> = images.iter().map(|&at| &asking.photos[at]).collect();
        let question = &asking.questions[self.source][text];
        let found = match by {
            By::Itm => asking.heads.matches(question, &photos),
            _ => asking.heads.late(question, &photos),
        };
        // A text without words says nothing of any photo.
        if found.is_empty() { vec![0.0; photos.len()] } else { found }
    }

    /// How much the cosine counts beside a head's score.
    fn share(&self, by: &By) -> f32 {
        let config = self.again.heads.as_ref().map(|asking| asking.heads.config());
        let share = match by {
            // A model's own head has added its share.
            By::Itm if self.again.own.is_some() => None,
            By::Itm => config.and_then(|config| Some(config.itm?.cosine)),
            _ => config.and_then(|config| Some(config.late?.cosine)),
        };
        share.unwrap_or(0.0)
    }

    /// A head's scores with its share of the cosines; of both, the sum of each one's by mean and deviation.
    fn scores(&self, cosines: &[f32], head: &dyn Fn(&By) -> Vec<f32>) -> Vec<f32> {
        let one = |by: &By| -> Vec<f32> {
            let share = self.share(by);
            head(by).iter().zip(cosines).map(|(score, cosine)| score + share * cosine).collect()
        };
        match self.by {
            By::Both => {
                let (late, itm) = (standard(one(&By::Late)), standard(one(&By::Itm)));
                late.iter().zip(itm).map(|(a, b)| a + b).collect()
            }
            by => one(by),
        }
    }
}

impl Asking {
    fn new(
        args: &Args,
        encoder: &CpuEncoder,
        stages: &[Stage],
        samples: &[Sample],
        itself: bool,
    ) -> Result<Self> {
        let heads = heads_of(encoder, &args.model[0], args.again.heads.as_deref())?;
        let lacks = |stage: &Stage| match stage.by {
            By::Itm | By::Both => !itself && heads.config().itm.is_none(),
            _ => heads.config().late.is_none(),
        };
        if stages.iter().any(lacks) {
            bail!(Usage(format!(
                "the heads `{}` have no such head: train one",
                heads.config().name
            )));
        }
        let texts = relation::texts(samples);
        let all = samples.len() + texts.values().map(Vec::len).sum::<usize>();
        let bar = progress::bar(Some(all), "pictures' and texts' tokens");
        let mut photos = Vec::with_capacity(samples.len());
        for some in samples.chunks(BATCH) {
            let pictures: Vec<_> =
                some.par_iter().map(|s| fitted(encoder, s)).collect::<tuwen_files::Result<_>>()?;
            let found = encoder.image_tokens(&pictures)?;
            photos.extend(heads.store(&found.rows().collect::<Vec<_>>())?);
            bar.inc(some.len() as u64);
        }
        let mut questions = BTreeMap::new();
        for (source, list) in texts {
            let words: Vec<&str> = list.iter().map(|text| text.words).collect();
            let mut own = Vec::with_capacity(words.len());
            for some in words.chunks(BATCH) {
                own.extend(asked(encoder, &heads, some)?);
                bar.inc(some.len() as u64);
            }
            questions.insert(source.to_owned(), own);
        }
        bar.finish_and_clear();
        Ok(Self { heads, photos, questions })
    }
}

/// The cosine of a text's vector and a picture's.
fn cosine(set: Captioned<'_>, text: usize, image: usize) -> f32 {
    let row = |all: &[f32], at: usize| all[at * set.dim..][..set.dim].to_vec();
    let (text, image) = (row(set.texts, text), row(set.images, image));
    text.iter().zip(image).map(|(a, b)| a * b).sum()
}

/// Mean 0 and deviation 1.
fn standard(scores: Vec<f32>) -> Vec<f32> {
    let count = scores.len().max(1) as f32;
    let mean = scores.iter().sum::<f32>() / count;
    let square = scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / count;
    let inverse = 1.0 / square.sqrt().max(1e-9);
    scores.into_iter().map(|score| (score - mean) * inverse).collect()
}

fn asked(encoder: &CpuEncoder, heads: &Heads<'_>, texts: &[&str]) -> Result<Vec<Question>> {
    let inputs = texts.iter().map(|text| encoder.tokenise(text));
    let found = encoder.text_tokens(&inputs.collect::<tuwen_files::Result<Vec<_>>>()?)?;
    let question = |span: &std::ops::Range<usize>| {
        heads.question(&found.tokens.values[span.start * found.width..span.end * found.width])
    };
    Ok(found.tokens.spans.iter().map(question).collect())
}
