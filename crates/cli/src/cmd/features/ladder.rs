//! `tuwen features ladder CONFIG`: from colour histograms to towers, one table.

mod config;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use tuwen_eval::evaluate;
use tuwen_sets::import::{DataSet, read};
use tuwen_space::bench::Contender;
use tuwen_space::config::{Method, MethodConfig};
use tuwen_space::deep::Given;
use tuwen_space::{Chain, Features, Pairs, Space, Step};

use super::images::Images;
use super::pictures::{Named, Unread, Watch};
use super::texts::Texts;
use crate::cmd::stop_flag;
use crate::output::{Force, OutputFile};
use crate::query::TextArgs;
use crate::terminal::{note, say};
use crate::{progress, stop};
use config::{Config, Rung};

/// Measure pairs of picture and text features on a captioned set, each with its common space, in one table
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  tuwen features ladder configs/features/flickr8k-cn.toml --markdown ladder.md\n\n\
    The configuration names a part to learn from, one to measure on, and the rungs."
)]
pub struct Args {
    /// The configuration: two parts of a set, and rungs
    config: PathBuf,
    /// Only these rungs, by name
    #[arg(long)]
    rung: Vec<String>,
    /// Write the table as Markdown as well
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
    #[command(flatten)]
    force: Force,
}

/// A part of the set: its pictures, all captions, and the picture of each.
struct Part {
    pictures: Vec<Named>,
    texts: Vec<String>,
    of: Vec<usize>,
}

/// Rows of both parts.
type Rows = [Features; 2];

/// One rung's numbers.
#[derive(Serialize)]
struct Row {
    name: String,
    /// Values of a picture's, of a text's row and of a code.
    widths: [usize; 3],
    /// Percent at 1, 5 and 10.
    text_to_image: [f64; 3],
    image_to_text: [f64; 3],
    mean_recall: f64,
    median_rank: [f64; 2],
    /// To learn and to measure, without the features.
    seconds: f64,
}

/// Computes, learns, measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let plan = |path: &PathBuf| OutputFile::plan(path, &[&args.config], args.force);
    let markdown = args.markdown.as_ref().map(plan).transpose()?;
    let config = Config::load(&args.config)?;
    let rungs = config.chosen(&args.rung)?;
    let parts = [part(&config.train)?, part(&config.valid)?];
    let flag = stop_flag("stopping; rungs that are measured were printed")?;
    let stop = move || flag.load(Relaxed);
    let mut ladder = Ladder { args, parts, stop: &stop, images: Vec::new(), texts: Vec::new() };
    let [train, valid] = &ladder.parts;
    if !args.json {
        say!(
            "{}: learned from {} pictures with {} captions, measured on {} with {}",
            config.name,
            train.pictures.len(),
            train.texts.len(),
            valid.pictures.len(),
            valid.texts.len()
        );
        say!("{}", line("", "text -> image, R@1 5 10", "image -> text, R@1 5 10", "mean", "s"));
    }
    let mut rows = Vec::new();
    for rung in rungs {
        let Some(row) = ladder.rung(rung)? else { return Ok(ExitCode::from(stop::CODE)) };
        if !args.json {
            let three = |r: [f64; 3]| format!("{:.1} {:.1} {:.1}", r[0], r[1], r[2]);
            let (a, b) = (three(row.text_to_image), three(row.image_to_text));
            let (mean, seconds) =
                (format!("{:.1}", row.mean_recall), format!("{:.1}", row.seconds));
            say!("{}", line(&row.name, &a, &b, &mean, &seconds));
        }
        rows.push(row);
    }
    if args.json {
        say!("{}", serde_json::json!({ "set": config.name, "rungs": rows }));
    }
    if let Some(file) = markdown {
        file.write(as_markdown(&rows).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, a: &str, b: &str, mean: &str, seconds: &str) -> String {
    format!("{name:<52}{a:>26}{b:>26}{mean:>8}{seconds:>8}")
}

fn as_markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| rung | values | text to image R@1 | R@5 | R@10 | image to text R@1 | R@5 | R@10 | mean |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let three = |r: [f64; 3]| r.map(|value| format!("{value:.1}")).join(" | ");
        let [images, texts, _] = row.widths;
        text += &format!(
            "| {} | {images} + {texts} | {} | {} | {:.1} |\n",
            row.name,
            three(row.text_to_image),
            three(row.image_to_text),
            row.mean_recall
        );
    }
    text
}

fn part(set: &DataSet) -> Result<Part> {
    let samples = read(set)?;
    let mut found = Part { pictures: Vec::new(), texts: Vec::new(), of: Vec::new() };
    for (at, sample) in samples.into_iter().enumerate() {
        found.of.extend(sample.captions.iter().map(|_| at));
        found.texts.extend(sample.captions.into_iter().map(|caption| caption.text));
        found.pictures.push(Named { name: sample.id, source: sample.image });
    }
    Ok(found)
}

struct Ladder<'a> {
    args: &'a Args,
    parts: [Part; 2],
    stop: &'a (dyn Fn() -> bool + Sync),
    /// What was computed, for rungs that share it.
    images: Vec<(Images, Rows)>,
    texts: Vec<(Texts, Rows)>,
}

impl Ladder<'_> {
    fn rung(&mut self, rung: &Rung) -> Result<Option<Row>> {
        let images = rung.images().iter().map(|one| self.image_rows(one));
        let images: Option<Vec<Rows>> = images.collect::<Result<_>>()?;
        let texts = rung.texts().iter().map(|one| self.text_rows(one));
        let texts: Option<Vec<Rows>> = texts.collect::<Result<_>>()?;
        let (Some(images), Some(texts)) = (images, texts) else { return Ok(None) };
        let (images, texts) = (beside(images), beside(texts));
        let begin = Instant::now();
        let space = match &rung.learn {
            None => Space::default(),
            Some(method) => match self.learned(rung, method, &images[0], &texts[0])? {
                Some(space) => space,
                None => return Ok(None),
            },
        };
        let unit = |chain: &Chain, rows: &Features| chain.clone().then([Step::Unit]).apply(rows);
        let codes = [unit(&space.image, &images[1]), unit(&space.text, &texts[1])];
        if codes[0].width != codes[1].width {
            anyhow::bail!(
                "{}: pictures have {} values and texts {}: say what to `learn`, or take two sides of one tower",
                rung.name,
                codes[0].width,
                codes[1].width
            );
        }
        let truth: Vec<Vec<usize>> = self.parts[1].of.iter().map(|&at| vec![at]).collect();
        let report = evaluate(&codes[0].values, &codes[1].values, codes[0].width, &truth);
        Ok(Some(Row {
            name: rung.name.clone(),
            widths: [images[0].width, texts[0].width, codes[0].width],
            text_to_image: report.text_to_image.recall,
            image_to_text: report.image_to_text.recall,
            mean_recall: report.mean_recall,
            median_rank: [report.text_to_image.median_rank, report.image_to_text.median_rank],
            seconds: begin.elapsed().as_secs_f64(),
        }))
    }

    /// A space learned from every caption with its picture.
    fn learned(
        &self,
        rung: &Rung,
        method: &Method,
        images: &Features,
        texts: &Features,
    ) -> Result<Option<Space>> {
        let of = &self.parts[0].of;
        let train = Pairs { images: images.pick(of), texts: texts.clone(), labels: of.clone() };
        let config = MethodConfig {
            name: rung.name.clone(),
            learn: method.clone(),
            meanings: None,
            hash: None,
            standard_only: false,
        };
        let contender = Contender { config: &config, meanings: Features::default() };
        let (valid, classes) = (train.pick(&[]), Features::default());
        let given =
            Given { train: &train, valid: &valid, classes: &classes, seed: 1, stop: self.stop };
        match contender.fit(given) {
            Ok((space, _)) => Ok(Some(space)),
            Err(tuwen_space::Error::Stopped) => Ok(None),
            Err(other) => Err(other).with_context(|| rung.name.clone()),
        }
    }

    fn image_rows(&mut self, side: &Images) -> Result<Option<Rows>> {
        if let Some((_, rows)) = self.images.iter().find(|(known, _)| known == side) {
            return Ok(Some(rows.clone()));
        }
        let begin = Instant::now();
        let count = self.parts.iter().map(|part| part.pictures.len()).sum();
        let bar = progress::bar(Some(count), "pictures");
        let before = self.parts[0].pictures.len();
        let (pictures, args) = (&self.parts[0].pictures, &self.args.text_args);
        let Some(fitted) = side.fit(pictures, args, &self.watch(&|_| {}))? else {
            return Ok(None);
        };
        let fitting = begin.elapsed().as_secs_f64();
        let rows = |part: usize| {
            let done = |count: usize| bar.set_position((part * before + count) as u64);
            fitted.rows(&self.parts[part].pictures, &self.watch(&done))
        };
        let (Some(train), Some(valid)) = (rows(0)?, rows(1)?) else { return Ok(None) };
        bar.finish_and_clear();
        let seconds = begin.elapsed().as_secs_f64();
        note!(
            "{}: {fitting:.1} s to learn, {:.1} pictures/s",
            serde_json::to_value(side.kind)?.as_str().unwrap_or_default(),
            count as f64 / (seconds - fitting)
        );
        let rows = [train.features, valid.features];
        self.images.push((side.clone(), rows.clone()));
        Ok(Some(rows))
    }

    fn watch<'w>(&'w self, done: &'w dyn Fn(usize)) -> Watch<'w> {
        Watch { stop: self.stop, done, unread: Unread::Error }
    }

    fn text_rows(&mut self, side: &Texts) -> Result<Option<Rows>> {
        if let Some((_, rows)) = self.texts.iter().find(|(known, _)| known == side) {
            return Ok(Some(rows.clone()));
        }
        let [train, valid] = &self.parts;
        let fitted = side.fit(&train.texts, &self.args.text_args, self.stop)?;
        let Some(fitted) = fitted else { return Ok(None) };
        let rows = [fitted.rows(&train.texts)?, fitted.rows(&valid.texts)?];
        self.texts.push((side.clone(), rows.clone()));
        Ok(Some(rows))
    }
}

/// Several kinds' rows side by side.
fn beside(kinds: Vec<Rows>) -> Rows {
    let mut kinds = kinds.into_iter();
    let first = kinds.next().unwrap_or_default();
    kinds.fold(first, |[a, b], [c, d]| {
        let both = |a: &Features, b: &Features| Features {
            values: (0..a.rows()).flat_map(|at| [a.row(at), b.row(at)].concat()).collect(),
            width: a.width + b.width,
        };
        [both(&a, &c), both(&b, &d)]
    })
}
