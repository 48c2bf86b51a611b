//! `tuwen data scenes`

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use tuwen_files::encoding::TextFile;
use tuwen_files::staged::StagedFolder;
use tuwen_image::{Limits, decode, encode_jpeg};
use tuwen_sets::Sample;
use tuwen_sets::import::{self, DataSet};
use tuwen_sets::scenes::{Actor, Captions, Stock, Unfit, scene};

use crate::number;
use crate::output::StagedOutput;
use crate::progress;
use crate::terminal::{note, say};

/// Quality of the JPEG files that are written.
const QUALITY: u8 = 90;
/// Scenes that are in memory at once.
const TOGETHER: usize = 64;

/// From what, and how many.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tuwen data scenes configs/data/scenes.toml runs/scenes\n  \
    tuwen data scenes my-clip-art.toml scenes --count 1000 --size 256 --seed 7\n\n\
    The configuration names sets of drawn pictures as `tuwen train` does ([[sets]]), each picture on \
    transparent or white ground and named in English by its first caption; what the things of scenes are \
    called is known for about 570 of them. The new folder holds the pictures and scenes.jsonl with the \
    fields file, en, zh (a plain caption), en2 and zh2 (another wording).")]
pub struct Args {
    /// A TOML file: the sets of pictures, and count, size and seed where not given here
    config: PathBuf,
    /// The new folder
    output: PathBuf,
    /// How many scenes
    #[arg(long, value_parser = number::whole(1..=number::MANY))]
    count: Option<usize>,
    /// Width and height in pixels
    #[arg(long, value_parser = clap::value_parser!(u32).range(64..=2048))]
    size: Option<u32>,
    /// Which scenes
    #[arg(long)]
    seed: Option<u64>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "six_thousand")]
    count: usize,
    #[serde(default = "usual_size")]
    size: u32,
    #[serde(default = "usual_seed")]
    seed: u64,
    /// Ids of pictures that are not what their name says, such as an orange colour named `orange`.
    #[serde(default)]
    leave_out: HashSet<String>,
    sets: Vec<DataSet>,
}

fn six_thousand() -> usize {
    6000
}

fn usual_size() -> u32 {
    224
}

fn usual_seed() -> u64 {
    42
}

impl Config {
    /// Reads the file; its paths become those that the program sees, and the command line's numbers count.
    fn load(args: &Args) -> Result<Self> {
        let path = &args.config;
        let text = TextFile::read(path)?;
        let mut config: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for set in &mut config.sets {
            let captions = set.captions.iter_mut().map(|captions| &mut captions.file);
            let files = [&mut set.images].into_iter().chain(&mut set.ids).chain(captions);
            files.for_each(|file| *file = folder.join(&file));
        }
        config.count = args.count.unwrap_or(config.count);
        config.size = args.size.unwrap_or(config.size);
        config.seed = args.seed.unwrap_or(config.seed);
        let shown = path.display();
        match () {
            () if config.sets.is_empty() => {
                bail!("{shown}: `sets` is empty: give one set at least")
            }
            () if !(1..=number::MANY).contains(&(config.count as u64)) => {
                bail!("{shown}: `count` is {}, it must be from 1 to {}", config.count, number::MANY)
            }
            () if !(64..=2048).contains(&config.size) => {
                bail!("{shown}: `size` is {}, it must be from 64 to 2048", config.size)
            }
            () => Ok(config),
        }
    }

    /// What the sets are read from.
    fn inputs(&self) -> Vec<&Path> {
        self.sets.iter().map(|set| set.images.as_path()).collect()
    }
}

/// What became of the pictures of the sets.
#[derive(Default)]
struct Counts {
    unnamed: usize,
    with_ground: usize,
    left_out: usize,
}

/// Draws the scenes, a few at a time.
pub fn run(args: &Args) -> Result<()> {
    let begun = Instant::now();
    let config = Config::load(args)?;
    let output = &args.output;
    let (_announced, folder) =
        StagedOutput::begin(output, &config.inputs(), || StagedFolder::create(output))?;
    let (stock, counts) = stock(&config)?;
    let [pictures, things] = stock.counts();
    note!(
        "{pictures} pictures of {things} things; {} more have a name that belongs into no scene, {} a ground of \
         their own, {} are left out",
        counts.unnamed,
        counts.with_ground,
        counts.left_out
    );
    if things == 0 {
        bail!(
            "{}: no picture of its sets can be used: their first captions must be English names of things, \
             such as `dog`, and the pictures on transparent or white ground",
            args.config.display()
        );
    }
    let bytes = write(&config, &stock, folder)?;
    let (count, seconds) = (config.count, begun.elapsed().as_secs_f32());
    if args.json {
        let summary = json!({
            "scenes": count, "pictures": pictures, "things": things, "bytes": bytes, "seconds": seconds,
        });
        say!("{summary}");
    } else {
        let megabytes = bytes as f64 / 1e6;
        say!("{}: {count} scenes, {megabytes:.1} MB, {seconds:.1} s", output.display());
        say!(
            "read them with --image-field file and --caption-field en, zh, en2 or zh2: tuwen data stats \
             {0}/scenes.jsonl --images {0} --image-field file --caption-field en",
            output.display()
        );
    }
    Ok(())
}

/// The things of a configuration's sets.
///
/// # Errors
/// The file, or a picture of its sets, cannot be read.
pub fn stock_of(path: &Path) -> Result<Stock> {
    let args = Args {
        config: path.to_path_buf(),
        output: PathBuf::new(),
        count: None,
        size: None,
        seed: None,
        json: false,
    };
    Ok(stock(&Config::load(&args)?)?.0)
}

/// The things of all sets, cut out.
fn stock(config: &Config) -> Result<(Stock, Counts)> {
    let (mut stock, mut counts) = (Stock::default(), Counts::default());
    for set in &config.sets {
        let mut samples = import::read(set)?;
        let before = samples.len();
        samples.retain(|sample| !config.leave_out.contains(&sample.id));
        counts.left_out += before - samples.len();
        let actors: Vec<_> =
            samples.par_iter().map(actor).collect::<Result<Vec<Result<Actor, Unfit>>>>()?;
        for actor in actors {
            match actor {
                Ok(actor) => stock.add(actor),
                Err(Unfit::Name) => counts.unnamed += 1,
                Err(Unfit::Ground) => counts.with_ground += 1,
            }
        }
    }
    Ok((stock, counts))
}

/// The thing of one picture, by its first caption.
fn actor(sample: &Sample) -> Result<Result<Actor, Unfit>> {
    let name = sample.captions.first().map_or("", |caption| &caption.text);
    let thing = match Stock::thing(name) {
        Ok(thing) => thing,
        Err(unfit) => return Ok(Err(unfit)),
    };
    let bytes = sample.image.read().with_context(|| sample.id.clone())?;
    let picture = decode(&bytes, Limits::default()).with_context(|| sample.id.clone())?;
    Ok(Stock::actor(thing, &picture))
}

/// Writes pictures and captions; returns how many bytes they are.
fn write(config: &Config, stock: &Stock, folder: StagedFolder) -> Result<u64> {
    let path = folder.path().to_path_buf();
    let shown = |name: &str| path.join(name).display().to_string();
    let mut lines = Vec::new();
    let mut bytes = 0;
    let bar = progress::bar(Some(config.count), "scenes");
    for first in (0..config.count).step_by(TOGETHER) {
        let end = config.count.min(first + TOGETHER);
        let drawn: Option<Vec<_>> =
            (first..end).into_par_iter().map(|at| draw(config, stock, at)).collect();
        let drawn = drawn.context("the things of the sets go into no scene: give more of them")?;
        for (at, (picture, captions)) in drawn.iter().enumerate() {
            let file = format!("{:06}.jpg", first + at);
            std::fs::write(path.join(&file), picture).with_context(|| shown(&file))?;
            let Captions { english, chinese, english_2, chinese_2 } = captions;
            let line = json!({
                "file": file, "en": english, "zh": chinese, "en2": english_2, "zh2": chinese_2,
            });
            writeln!(lines, "{line}")?;
            bytes += picture.len() as u64;
        }
        bar.inc(drawn.len() as u64);
    }
    bar.finish_and_clear();
    let name = "scenes.jsonl";
    std::fs::write(path.join(name), &lines).with_context(|| shown(name))?;
    folder.finish()?;
    Ok(bytes + lines.len() as u64)
}

fn draw(config: &Config, stock: &Stock, at: usize) -> Option<(Vec<u8>, Captions)> {
    let scene = scene(stock, config.size, config.seed, at as u64)?;
    Some((encode_jpeg(&scene.picture, QUALITY), scene.captions))
}
