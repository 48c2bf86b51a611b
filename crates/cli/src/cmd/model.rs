//! `tuwen model list | info | convert`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tuwen_data::Encoder;
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{CONFIG_FILE, Checkpoint, WEIGHTS_FILE, builtin};

/// List, describe or convert models
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen model info tuwen-tiny\n  \
    tuwen model convert clip_cn_vit-b-16.pt chinese-clip-b16")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Models that need no file
    List,
    /// Architecture and fingerprint of a model
    Info {
        /// tuwen-tiny, a model folder, or a .pt file
        #[arg(default_value = builtin::BUILT_IN)]
        model: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a model of others as a model folder of ours, which `tuwen train` can start from
    Convert {
        /// A folder as transformers saves it, or a .pt file of OpenAI or cn_clip
        input: PathBuf,
        /// The new folder
        output: PathBuf,
        /// Type of the stored values
        #[arg(long, default_value = "f16", value_parser = ["f16", "f32"])]
        precision: String,
    },
}

/// Lists, describes or converts.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Convert { input, output, precision } => {
            let precision = if precision == "f32" { Precision::F32 } else { Precision::F16 };
            convert(input, output, precision)?;
        }
        Command::List => {
            println!("{}  inside this program, Chinese and English", builtin::BUILT_IN);
            println!("or a folder that `tuwen train` made");
            println!(
                "or CLIP and Chinese-CLIP with a ViT: a folder with config.json and weights as"
            );
            println!("  transformers saves them, or a .pt file of OpenAI or cn_clip");
        }
        Command::Info { model, json } => {
            let encoder = builtin::open(model)?;
            if *json {
                println!("{}", serde_json::to_string_pretty(encoder.config())?);
                return Ok(ExitCode::SUCCESS);
            }
            let config = encoder.config();
            println!("name         {}", encoder.name());
            println!("fingerprint  {}", encoder.fingerprint());
            println!("parameters   {:.1} million", encoder.parameters() as f64 / 1e6);
            println!("embedding    {} values", encoder.dim());
            let tower = |t: &tuwen_encode::TowerConfig| {
                format!("{} layers, width {}, {} heads", t.layers, t.width, t.heads)
            };
            println!("image tower  {}, patches of {}", tower(&config.image), config.patch);
            println!("text tower   {}, up to {} tokens", tower(&config.text), config.context);
            let p = &config.preprocess;
            println!("pictures     {0}x{0}, {1:?}, {2:?}", p.size, p.geometry, p.filter);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn convert(input: &Path, output: &Path, precision: Precision) -> Result<()> {
    let (config, checkpoint) = Checkpoint::open(input)?;
    let name = |path: &Path| path.display().to_string();
    std::fs::create_dir_all(output).with_context(|| name(output))?;
    let weights = output.join(WEIGHTS_FILE);
    if weights.exists() {
        bail!("{} exists already: remove it first, or give another folder", name(&weights));
    }
    arrays::write(&checkpoint.to_arrays(&config)?, precision, &BTreeMap::new(), &weights)?;
    let file = output.join(CONFIG_FILE);
    let json = serde_json::to_string_pretty(&config)?;
    std::fs::write(&file, json).with_context(|| name(&file))?;
    println!("{}: {} written to {}", name(input), config.name, name(output));
    Ok(())
}
