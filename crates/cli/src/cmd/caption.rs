//! `tuwen caption PATH...`

mod talked;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use serde_json::json;
use tuwen_caption::{Control, Way};
use tuwen_encode::{CpuEncoder, builtin};
use tuwen_image::{Limits, Preprocess, RgbImage, read_file};
use tuwen_retrieve::FileName;
use tuwen_retrieve::describe::{Ask, Describer, Made};
use tuwen_retrieve::walk::{Failure, Found, Walk};

use crate::endpoint::EndpointArgs;
use crate::indexed::left_out;
use crate::query::{TextArgs, Usage, in_words, open_model};
use crate::terminal::{note, say};
use crate::walk::WalkArgs;

/// Pictures that are described at a time.
const AT_A_TIME: usize = 16;

/// Say in words what pictures show, in English and Chinese
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen caption dog.jpg\n  tuwen caption photos --lang zh --json > captions.jsonl\n  \
    tuwen caption dog.jpg --candidates 5 --rerank\n  tuwen caption dog.jpg --sample 5 --seed 3 --temperature 0.8\n  \
    tuwen caption photos --lang en --sidecar      # writes dog.txt beside dog.jpg where there is none\n  \
    tuwen caption photos --endpoint http://localhost:11434/v1 --endpoint-model qwen3-vl\n\n\
    A small decoder makes the captions, from what the model's image tower sees: it is often wrong, in well-formed \
    sentences.\nIts words are those of Flickr8k's captions: people, dogs, sports, the open air. docs/captions.md says how \
    good it is.\nA BLIP that captions (Salesforce/blip-image-captioning-base) is a model of its own: --model FOLDER, in English."
)]
pub struct Args {
    /// Pictures, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    walk: WalkArgs,
    /// A language: `en` or `zh`; give several. All that the decoder speaks when none is given
    #[arg(long = "lang", value_name = "LANGUAGE")]
    languages: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// The decoder's folder, from `tuwen captions train`; without it the one that belongs to the model
    #[arg(long, value_name = "DIR")]
    decoder: Option<PathBuf>,
    #[command(flatten)]
    endpoint: EndpointArgs,
    /// Write each picture's captions into a file of its name with `.txt`; one that is there is left as it is
    #[arg(long)]
    sidecar: bool,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// How captions are chosen.
#[derive(Clone, clap::Args)]
pub struct Choice {
    /// Captions that grow side by side, up to 64; 1 takes the most probable word each time
    #[arg(long, default_value_t = 3, conflicts_with = "sample")]
    beam: usize,
    /// Draw so many captions instead, up to 64
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// With --sample: below 1 for more probable words
    #[arg(long, default_value_t = 1.0, requires = "sample")]
    temperature: f32,
    /// With --sample: only the most probable words that have this probability together
    #[arg(long, default_value_t = 0.9, requires = "sample")]
    nucleus: f32,
    /// With --sample: the same seed, the same captions
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Show so many captions of each language, with the logarithms of their probabilities: the best one when not
    /// given, with --sample all that were drawn. The best has the largest logarithm over its words' number to the
    /// power of --length (with --rerank: and four times its cosine)
    #[arg(long)]
    candidates: Option<usize>,
    /// Let the dual encoder have a say in which is best
    #[arg(long)]
    rerank: bool,
    /// Fewest words
    #[arg(long, default_value_t = Control::default().least)]
    min_words: usize,
    /// Most words
    #[arg(long, default_value_t = Control::default().most)]
    max_words: usize,
    /// No run of so many words is said twice; 0 lets all be
    #[arg(long, default_value_t = Control::default().no_repeat)]
    no_repeat: usize,
    /// Captions compare by log-probability over length to this power; 0 prefers short ones
    #[arg(long, default_value_t = Control::default().length)]
    length: f32,
}

impl Choice {
    /// Captions of each language.
    fn shown(&self) -> usize {
        self.candidates.or(self.sample).unwrap_or(1)
    }

    /// What is asked of a decoder.
    pub fn ask(&self, languages: Vec<String>) -> Ask {
        let way = match self.sample {
            Some(count) => {
                Way::Nucleus { count, temperature: self.temperature, share: self.nucleus }
            }
            // Refused.
            None if self.beam == 0 => Way::Beams(0),
            // Candidates are found by as many beams.
            None => Way::Beams(self.beam.max(self.shown())),
        };
        let control = Control {
            least: self.min_words,
            most: self.max_words,
            no_repeat: self.no_repeat,
            length: self.length,
        };
        let (candidates, rerank, seed) = (self.shown(), self.rerank, self.seed);
        Ask { languages, way, control, candidates, rerank, seed }
    }
}

/// Describes and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    if let Some(chat) = args.endpoint.open()? {
        talked::questions(args)?;
        let (files, failed) = pictures(args)?;
        return talked::describe(args, &chat, &files, failed);
    }
    let ask = args.choice.ask(args.languages.clone());
    let (encoder, describer) = opened(args)?;
    describer.check(&ask)?;
    let preprocess = describer.preprocess(encoder.as_ref())?;
    let (files, mut failed) = pictures(args)?;
    let mut described = 0;
    for some in files.chunks(AT_A_TIME) {
        let one = |file: &Found| {
            let picture = read(preprocess, &file.path)?;
            Ok(describer.describe(encoder.as_ref(), &picture, &ask)?)
        };
        let found: Vec<Result<Vec<Made>>> = some.par_iter().map(one).collect();
        for (file, made) in some.iter().zip(found) {
            match made {
                Ok(made) => {
                    failed |= !show(args, &describer, &file.path, &made)?;
                    described += 1;
                }
                Err(error) => {
                    note!("skipped {}", in_words(&error));
                    failed |= file.named;
                }
            }
        }
    }
    Ok(if described == 0 || failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The pictures, and whether one that was named is not there.
fn pictures(args: &Args) -> Result<(Vec<Found>, bool)> {
    let (paths, missing): (Vec<PathBuf>, Vec<PathBuf>) =
        args.paths.iter().cloned().partition(|path| path.exists());
    for path in &missing {
        note!("skipped {}: there is no such file or folder", path.display());
    }
    let walk = Walk::of(&paths, &args.walk.rules(), &AtomicBool::new(false), &|_| {})?;
    for Failure { file, reason, .. } in &walk.failed {
        note!("skipped {file}: {reason}");
    }
    for line in left_out(&walk.left_out) {
        note!("{line}");
    }
    if walk.files.is_empty() {
        bail!("there are no pictures in {}", args.paths[0].display());
    }
    let failed = !missing.is_empty() || walk.failed.iter().any(|failure| failure.named);
    Ok((walk.files, failed))
}

/// Who describes, and the dual encoder whose rows it reads, unless it is a captioning model that is whole in itself.
fn opened(args: &Args) -> Result<(Option<CpuEncoder>, Describer)> {
    if let Some(describer) = Describer::open_whole(&args.model)? {
        if let Some(decoder) = &args.decoder {
            bail!(Usage(format!(
                "--decoder {}: `{}` is a captioning model with a decoder of its own; give one of both",
                decoder.display(),
                args.model
            )));
        }
        return Ok((None, describer));
    }
    let encoder = open_model(&args.model, &args.text_args)?;
    let describer = Describer::open(&encoder, &args.model, args.decoder.as_deref())?;
    Ok((Some(encoder), describer))
}

fn read(preprocess: &Preprocess, path: &Path) -> Result<RgbImage> {
    let limits = Limits::default();
    let fitted = read_file(path, limits).and_then(|bytes| preprocess.decode(&bytes, limits));
    fitted.with_context(|| path.display().to_string())
}

/// Shows captions; whether they were written too, where that was asked for.
fn show(args: &Args, describer: &Describer, path: &Path, made: &[Made]) -> Result<bool> {
    let mut written = true;
    if args.sidecar
        && let Err(error) = write_beside(path, made.iter().map(|made| made.text.as_str()))
    {
        note!("not written: {}", in_words(&error));
        written = false;
    }
    if args.json {
        let mut line = serde_json::to_value(FileName::from(path))?;
        line["captions"] = json!(made);
        line["decoder"] = json!(describer.name());
        say!("{line}");
        return Ok(written);
    }
    say!("{}", path.display());
    let details = args.choice.shown() > 1 || args.choice.rerank;
    for Made { language, text, log_prob, cosine, .. } in made {
        let cosine = cosine.map_or(String::new(), |cosine| format!(", cosine {cosine:.3}"));
        let details = if details { format!("  ({log_prob:.2}{cosine})") } else { String::new() };
        say!("  {language}  {text}{details}");
    }
    Ok(written)
}

/// Writes `NAME.txt` beside a picture, a caption a line; a file that is there is somebody's.
fn write_beside<'a>(picture: &Path, texts: impl Iterator<Item = &'a str>) -> Result<()> {
    let path = picture.with_extension("txt");
    let text: String = texts.flat_map(|text| [text, "\n"]).collect();
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    match opened {
        Ok(mut file) => {
            use std::io::Write;
            file.write_all(text.as_bytes()).with_context(|| path.display().to_string())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            note!("{}: it is there and stays as it is", path.display());
            Ok(())
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}
