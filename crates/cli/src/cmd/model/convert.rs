//! `tuwen model convert`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tuwen_encode::Tokenizer;
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Resized, Target, Trimmed, write};
use tuwen_encode::{Checkpoint, Weights};
use tuwen_files::staged::StagedFolder;
use tuwen_sets::names;
use tuwen_text::token::{ClipBpe, WordPiece};
use tuwen_train::{TrainConfig, read_set};

use super::is_torch_file;
use crate::output::StagedOutput;
use crate::query::Usage;
use crate::terminal::say;

/// A file's name while it is written.
const TORCH_FILE: &str = "model.pt";

/// What to convert into what.
#[derive(clap::Args)]
pub struct Args {
    /// A name of `tuwen model list`, a model folder (ours, transformers', open_clip's) or a .pt file
    /// of OpenAI or cn_clip
    input: String,
    /// The new folder, or a file that ends in .pt: cn_clip's layout for Chinese-CLIP, OpenAI's for
    /// CLIP
    output: PathBuf,
    /// Layout of a folder
    #[arg(long, default_value = "tuwen", value_parser = ["tuwen", "hf"])]
    layout: String,
    /// Type of the stored values; `int8` is 8 bits with a scale for each row, in our own layout alone
    #[arg(long, default_value = "f16", value_parser = ["f32", "f16", "bf16", "int8"])]
    precision: String,
    /// Interpolate the image tower's positions to pictures of this many pixels a side
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8192))]
    image_size: Option<u32>,
    /// Keep only this many tokens of the vocabulary (of a Unigram tokenizer): those of the table of names and
    /// of --vocab-of, every single character, and the likeliest others
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    vocab: Option<u32>,
    /// The configuration (TOML) of a training run whose texts keep all their tokens
    #[arg(long, requires = "vocab")]
    vocab_of: Option<PathBuf>,
    /// Lower-case text and straighten its quotes before it is tokenised, as cn_clip does in training
    /// and evaluation (its API does not); only our own layout remembers it
    #[arg(long)]
    dataset_text: bool,
}

/// Converts.
pub fn run(args: &Args) -> Result<()> {
    let shown = |path: &Path| path.display().to_string();
    let (mut config, checkpoint) = tuwen_hub::checkpoint(&args.input)?;
    let target = match (is_torch_file(&args.output), args.layout.as_str()) {
        (true, _) => Target::Torch,
        (false, "hf") => Target::Hf,
        _ => Target::Tuwen,
    };
    if args.dataset_text && target != Target::Tuwen {
        bail!(Usage("--dataset-text needs our own layout: leave --layout out".into()));
    }
    config.dataset_text |= args.dataset_text;
    let precision = match args.precision.as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        "int8" => Precision::Int8,
        _ => Precision::F16,
    };
    let size = args.image_size.unwrap_or(config.preprocess.size);
    let source = &checkpoint;
    let resized = Resized::new(&config, &source, size).map_err(Usage)?;
    let config = resized.config();
    let trimmed = args.vocab.map(|wanted| trim(args, &checkpoint, &resized, wanted as usize));
    let trimmed = trimmed.transpose()?;
    let (config, weights): (_, &dyn Weights<'static>) = match &trimmed {
        Some(trimmed) => (trimmed.config(), trimmed),
        None => (config, &resized),
    };
    let begin = || StagedFolder::create(&args.output);
    let (_announced, staged) = StagedOutput::begin(&args.output, &[Path::new(&args.input)], begin)?;
    if target == Target::Torch {
        write(config, weights, target, precision, &staged.path().join(TORCH_FILE))?;
        staged.finish_file(TORCH_FILE)?;
    } else {
        write(config, weights, target, precision, staged.path())?;
        if let Some(tokenizer) = checkpoint.tokenizer() {
            let copy = staged.path().join("tokenizer.json");
            let written = match &trimmed {
                Some(trimmed) => std::fs::write(&copy, trimmed.tokenizer()),
                None => std::fs::write(&copy, tokenizer.bytes()?),
            };
            written.with_context(|| shown(&copy))?;
        }
        if target == Target::Hf && config.tokenizer == Tokenizer::WordPiece {
            let vocabulary = staged.path().join("vocab.txt");
            let written = std::fs::write(&vocabulary, WordPiece::vocabulary());
            written.with_context(|| shown(&vocabulary))?;
        }
        if target == Target::Hf && config.tokenizer == Tokenizer::ClipBpe {
            let settings = json!({
                "tokenizer_class": "CLIPTokenizer", "model_max_length": config.context,
                "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
            });
            let settings = ("tokenizer_config.json", settings.to_string());
            for (name, text) in ClipBpe::files().into_iter().chain([settings]) {
                let file = staged.path().join(name);
                std::fs::write(&file, text).with_context(|| shown(&file))?;
            }
        }
        staged.finish()?;
    }
    say!("{}: {} written to {}", args.input, config.name, shown(&args.output));
    Ok(())
}

/// The model with the smaller vocabulary that was asked for.
fn trim<'w>(
    args: &Args,
    checkpoint: &Checkpoint,
    weights: &'w Resized<'w>,
    wanted: usize,
) -> Result<Trimmed<'w>> {
    let tokenizer = checkpoint.tokenizer().ok_or_else(|| {
        Usage(format!("--vocab is for models with a tokenizer.json, {} has none", args.input))
    })?;
    let mut samples = Vec::new();
    if let Some(file) = &args.vocab_of {
        for set in &TrainConfig::load(file)?.train {
            samples.extend(read_set(set)?);
        }
    }
    let learned = samples.iter().flat_map(|sample| &sample.captions).map(|c| c.text.as_str());
    let names = names::sets().filter_map(names::of_set).flatten();
    let texts = learned.chain(names.flat_map(|names| names.words().map(|(_, word)| word)));
    Ok(Trimmed::new(weights.config(), weights, tokenizer, texts, wanted)?)
}
