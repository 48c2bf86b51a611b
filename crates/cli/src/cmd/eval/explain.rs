//! `tuwen eval explain`

mod explaining;
mod faith;
mod pointing;
mod sane;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tuwen_encode::{CpuEncoder, Encoder, builtin};
use tuwen_explain::faithful::Mean;
use tuwen_explain::{Fill, Method, Settings};
use tuwen_image::{Limits, RgbImage};

use crate::cmd::by_name;
use crate::cmd::explain::How;
use crate::number;
use crate::query::{TextArgs, Usage, open_model};
use crate::terminal::{note, say};
use explaining::Explaining;

/// Measure explanations: what becomes of a score where the parts that a map names are hidden or shown first
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tuwen eval explain --images flickr8k-val.tar --ids val.ids --captions captions.en.txt \\\n    \
    --method legrad --method occlusion\n  \
    tuwen eval explain --images photos --captions photos/captions.csv --pictures 4 --method fixlip \\\n    \
    --method lime --samples 128\n  \
    tuwen eval explain --scenes configs/data/scenes.toml --pictures 200\n\n\
    A map's order alone counts for insertion and deletion: a random order and the middle of the picture stand beside the \
    methods. `probability` is that of the right caption among those of all pictures that are measured, with the model's own \
    scale; intervals are bootstrap ones of 95% over pictures. With --scenes: whether a map's largest value lies on the thing \
    that is named, in drawn scenes of several things of which every pixel is known.")]
pub struct Args {
    /// A folder or tar archive of pictures
    #[arg(long, required_unless_present = "scenes", requires = "captions")]
    images: Option<PathBuf>,
    /// A file with captions; of several of a picture the first counts
    #[arg(long)]
    captions: Option<PathBuf>,
    /// Only the pictures listed here, one id a line
    #[arg(long)]
    ids: Option<PathBuf>,
    /// A configuration of `tuwen data scenes`: the pointing game on scenes that are drawn now
    #[arg(long, conflicts_with_all = ["images", "captions", "ids", "measure_fill", "steps", "sanity"])]
    scenes: Option<PathBuf>,
    /// So many pictures, drawn by the seed
    #[arg(long, default_value_t = 200, value_parser = number::whole(1..=number::MANY))]
    pictures: usize,
    /// The methods; all that the model can do when not given
    #[arg(long, value_parser = by_name(&Method::NAMES))]
    method: Vec<Method>,
    /// What is filled in where a part is hidden, for measuring; several are measured one after the other
    #[arg(long, value_parser = by_name(&Fill::NAMES))]
    measure_fill: Vec<Fill>,
    /// Pictures between nothing and all hidden
    #[arg(long, default_value_t = 14, value_parser = number::whole(2..=200))]
    steps: usize,
    /// Also: maps of the model with random blocks, one more each time from the last to all, and of pictures with a little
    /// noise; on so many pictures
    #[arg(long, value_name = "PICTURES", value_parser = number::whole(1..=number::MANY))]
    sanity: Option<usize>,
    /// Blocks that chefer goes back through
    #[arg(long, default_value_t = 1, value_parser = number::whole(1..=1000))]
    blocks: usize,
    #[command(flatten)]
    how: How,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// One picture with its text.
pub struct Case {
    pub square: RgbImage,
    pub text: String,
}

/// What is printed.
#[derive(Default, Serialize)]
struct Report {
    model: String,
    pictures: usize,
    /// Milliseconds of one picture's embedding without a backward pass.
    forward_ms: f32,
    /// By what was filled in, then by method.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    faith: BTreeMap<Fill, Vec<faith::Row>>,
    /// The first random block of each model of `sanity`, from 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    random_from: Vec<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sanity: Vec<sane::Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pointing: Vec<pointing::Row>,
}

/// Pictures below which the probability of the right caption among those of all of them says little.
const FEW: usize = 10;

/// What makes the table say less than it seems to.
fn note_few(cases: &[Case]) {
    let count = cases.len();
    if count < FEW {
        note!(
            "note: a right caption among those of {count} is probable whatever is hidden: give {FEW} pictures or more"
        );
    }
    let texts: BTreeSet<&str> = cases.iter().map(|case| case.text.trim()).collect();
    if texts.len() < count {
        note!(
            "note: {} of {count} captions stand for several pictures, and each counts against its own",
            count - texts.len()
        );
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let encoder = open_model(&args.model, &args.text_args)?;
    let methods = methods(args, &encoder)?;
    check_samples(args, &methods)?;
    let mut report = Report { model: encoder.name().to_owned(), ..Report::default() };
    if let Some(config) = &args.scenes {
        let (rows, pictures, forward_ms) = pointing::measure(args, config, &encoder, &methods)?;
        report.pointing = rows;
        report.pictures = pictures;
        report.forward_ms = forward_ms;
    } else {
        let cases = cases(args, &encoder)?;
        note_few(&cases);
        report.pictures = cases.len();
        let squares: Vec<&RgbImage> = cases.iter().map(|case| &case.square).collect();
        report.forward_ms = forward_ms(&encoder, &squares)?;
        let fills = match &args.measure_fill[..] {
            [] => vec![Fill::default()],
            fills => fills.to_vec(),
        };
        let maps = faith::maps(args, &encoder, &methods, &cases)?;
        for fill in fills {
            let rows = faith::measure(args, &encoder, &cases, &maps, fill)?;
            report.faith.insert(fill, rows);
        }
        if let Some(count) = args.sanity {
            let some = &cases[..count.min(cases.len())];
            report.random_from = sane::firsts(encoder.config().image.layers);
            report.sanity = sane::measure(args, &encoder, &methods, some)?;
        }
    }
    match args.json {
        true => say!("{}", serde_json::to_string(&report)?),
        false => print(&report),
    }
    Ok(ExitCode::SUCCESS)
}

/// Those asked for, or all that the model can do.
fn methods(args: &Args, encoder: &CpuEncoder) -> Result<Vec<Method>> {
    if args.method.is_empty() {
        let all = Method::NAMES.iter().map(|&(_, method)| method);
        let can: Vec<_> = all.filter(|method| method.check(encoder.config()).is_ok()).collect();
        if can.is_empty() {
            // The plain one lacks what all lack.
            Method::Occlusion.check(encoder.config())?;
        }
        return Ok(can);
    }
    for method in &args.method {
        method.check(encoder.config()).map_err(crate::cmd::explain::usage)?;
    }
    let mut methods = args.method.clone();
    methods.sort_unstable();
    methods.dedup();
    Ok(methods)
}

/// Whether the samples are enough for the parts, before hours of work.
fn check_samples(args: &Args, methods: &[Method]) -> Result<()> {
    let Settings { samples, cells, .. } = args.how.settings(Method::Shap);
    let parts = cells * cells;
    let least = |method: &Method| match method {
        Method::Shap => 2 * parts,
        Method::Fixlip => parts + 2,
        // Superpixels may be half as many again.
        Method::Lime => parts + parts / 2 + 1,
        _ => 0,
    };
    if let Some(method) = methods.iter().find(|method| least(method) > samples) {
        bail!(Usage(format!(
            "--samples {samples}: {} needs at least {} for the {parts} parts of --cells {}: give more samples or \
             fewer cells",
            method.name(),
            least(method),
            cells
        )));
    }
    Ok(())
}

/// The pictures, drawn by the seed, each with its first caption.
fn cases(args: &Args, encoder: &CpuEncoder) -> Result<Vec<Case>> {
    let images = args.images.clone().context("--images or --scenes is needed")?;
    let set = super::Args::of_set(
        vec![args.model.clone()],
        images,
        args.captions.iter().cloned().collect(),
        args.ids.clone(),
    );
    let mut samples = super::read(&super::set(&set)?)?;
    samples.retain(|sample| sample.captions.iter().any(|c| !c.text.trim().is_empty()));
    tuwen_image::rng::Rng::new(&[args.how.seed, 0xca5e]).shuffle(&mut samples);
    let mut cases = Vec::new();
    for sample in samples {
        if cases.len() == args.pictures {
            break;
        }
        let read = || -> Result<RgbImage> {
            let bytes = sample.image.read()?;
            Ok(encoder.preprocess().decode(&bytes, Limits::default())?)
        };
        let text = sample.captions.iter().map(|c| c.text.trim()).find(|text| !text.is_empty());
        match (read(), text) {
            (Ok(square), Some(text)) => cases.push(Case { square, text: text.to_owned() }),
            (Err(error), _) => note!("skipped {}: {}", sample.id, crate::words::of_error(&error)),
            (_, None) => {}
        }
    }
    if cases.is_empty() {
        bail!(Usage("no picture can be read: there is nothing to measure".into()));
    }
    Ok(cases)
}

/// Of one picture at a time, the median of those that are there, up to 50.
fn forward_ms(encoder: &CpuEncoder, squares: &[&RgbImage]) -> Result<f32> {
    encoder.load()?;
    let mut times = Vec::new();
    for &square in squares.iter().chain(squares).take(50) {
        let begun = Instant::now();
        encoder.encode_images(std::slice::from_ref(square))?;
        times.push(begun.elapsed().as_secs_f32() * 1e3);
    }
    Ok(median(&mut times))
}

/// The middle one.
pub fn median(times: &mut [f32]) -> f32 {
    times.sort_by(f32::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

fn with_interval(mean: Mean) -> String {
    match mean.interval {
        Some([low, high]) => format!("{:+.3} ({low:+.3} to {high:+.3})", mean.mean),
        None => format!("{:+.3} (one picture: no interval)", mean.mean),
    }
}

fn print(report: &Report) {
    say!(
        "{}, {} pictures, a forward of one picture {:.1} ms",
        report.model,
        report.pictures,
        report.forward_ms
    );
    for (fill, rows) in &report.faith {
        say!();
        say!("hidden parts are filled with: {}", name_of(*fill));
        faith::print(rows);
    }
    if !report.sanity.is_empty() {
        say!();
        sane::print(&report.sanity, &report.random_from);
    }
    if !report.pointing.is_empty() {
        say!();
        pointing::print(&report.pointing);
    }
}

fn name_of(fill: Fill) -> &'static str {
    Fill::NAMES.iter().find(|(_, other)| *other == fill).map_or("", |(name, _)| name)
}
