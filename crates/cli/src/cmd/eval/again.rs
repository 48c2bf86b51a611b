//! Ranks after heads have looked again at the first items of each query, both ways.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use rayon::prelude::*;
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_eval::{Captioned, Ranked, rerank};
use tuwen_matching::{Heads, Patches, Question};
use tuwen_retrieve::rerank::{By, Stage, heads_of};
use tuwen_sets::{Sample, relation};
use tuwen_train::fitted;

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

/// A set as heads see it.
pub struct Again {
    heads: Heads<'static>,
    photos: Vec<Patches>,
    /// By source of captions, in the order of its texts.
    questions: BTreeMap<String, Vec<Question>>,
}

impl Again {
    /// Computes the tokens of a set.
    ///
    /// # Errors
    /// Heads of another model, or a picture that cannot be read.
    pub fn new(args: &Args, stages: &[Stage], samples: &[Sample]) -> Result<Self> {
        let model = &args.model[0];
        let encoder = open_model(model, &args.text_args)?.with_dataset_text(args.dataset_text);
        let heads = heads_of(&encoder, model, args.again.heads.as_deref())?;
        let lacks = |stage: &Stage| match stage.by {
            By::Itm | By::Both => heads.config().itm.is_none(),
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
                some.par_iter().map(|s| fitted(&encoder, s)).collect::<tuwen_files::Result<_>>()?;
            let found = encoder.image_tokens(&pictures)?;
            let rows = |span: &std::ops::Range<usize>| {
                &found.tokens.values[span.start * found.width..span.end * found.width]
            };
            photos.extend(heads.store(&found.tokens.spans.iter().map(rows).collect::<Vec<_>>())?);
            bar.inc(some.len() as u64);
        }
        let mut questions = BTreeMap::new();
        for (source, list) in texts {
            let words: Vec<&str> = list.iter().map(|text| text.words).collect();
            let mut own = Vec::with_capacity(words.len());
            for some in words.chunks(BATCH) {
                own.extend(asked(&encoder, &heads, some)?);
                bar.inc(some.len() as u64);
            }
            questions.insert(source.to_owned(), own);
        }
        bar.finish_and_clear();
        Ok(Self { heads, photos, questions })
    }

    /// Puts the first items of each query into their new order, and says how long that took.
    pub fn look(
        &self,
        source: &str,
        set: Captioned<'_>,
        ranked: &mut [Vec<Ranked>; 2],
        stages: &[Stage],
    ) {
        let questions = &self.questions[source];
        let [to_images, to_texts] = ranked;
        let captions = set.captions();
        let row = |all: &[f32], at: usize| all[at * set.dim..][..set.dim].to_vec();
        let cosine = |text: usize, image: usize| -> f32 {
            row(set.texts, text).iter().zip(row(set.images, image)).map(|(a, b)| a * b).sum()
        };
        for stage in stages {
            let start = Instant::now();
            rerank(to_images, set.truth, stage.first, |text, images| {
                let photos: Vec<&Patches> = images.iter().map(|&at| &self.photos[at]).collect();
                let by = |by: &By| self.of_text(by, &questions[text], &photos);
                let cosines: Vec<f32> = images.iter().map(|&at| cosine(text, at)).collect();
                self.scores(&stage.by, &cosines, &by)
            });
            let each = |queries: usize| start.elapsed().as_secs_f64() * 1e3 / queries.max(1) as f64;
            note!(
                "{source}: {:.2} ms a caption for {} pictures each (all threads)",
                each(to_images.len()),
                stage.first
            );
            rerank(to_texts, &captions, stage.first, |image, texts| {
                let by = |by: &By| -> Vec<f32> {
                    let one = |&text: &usize| {
                        let found = self.of_text(by, &questions[text], &[&self.photos[image]]);
                        found.first().copied().unwrap_or(f32::NEG_INFINITY)
                    };
                    texts.iter().map(one).collect()
                };
                let cosines: Vec<f32> = texts.iter().map(|&at| cosine(at, image)).collect();
                self.scores(&stage.by, &cosines, &by)
            });
        }
    }

    fn of_text(&self, by: &By, question: &Question, photos: &[&Patches]) -> Vec<f32> {
        let found = match by {
            By::Itm => self.heads.matches(question, photos),
            _ => self.heads.late(question, photos),
        };
        // A text without words says nothing of any photo.
        if found.is_empty() { vec![0.0; photos.len()] } else { found }
    }

    /// A head's scores with its share of the cosines; of both, the sum of each one's by mean and deviation.
    fn scores(&self, by: &By, cosines: &[f32], head: &dyn Fn(&By) -> Vec<f32>) -> Vec<f32> {
        let config = self.heads.config();
        let one = |by: &By| -> Vec<f32> {
            let share = match by {
                By::Itm => config.itm.map_or(0.0, |itm| itm.cosine),
                _ => config.late.map_or(0.0, |late| late.cosine),
            };
            head(by).iter().zip(cosines).map(|(score, cosine)| score + share * cosine).collect()
        };
        match by {
            By::Both => {
                let (late, itm) = (standard(one(&By::Late)), standard(one(&By::Itm)));
                late.iter().zip(itm).map(|(a, b)| a + b).collect()
            }
            by => one(by),
        }
    }
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
