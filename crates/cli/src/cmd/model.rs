//! `tuwen model list | info`

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use tuwen_data::Encoder;
use tuwen_encode::builtin;

/// List models, or describe one
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen model info tuwen-tiny")]
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
}

/// Lists or describes.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::List => {
            println!("{}  inside this program, Chinese and English", builtin::BUILT_IN);
            println!("or a folder that `tuwen train` made");
            println!(
                "or CLIP and Chinese-CLIP with a ViT: a folder with config.json and weights as"
            );
            println!("  transformers saves them, or a .pt file of OpenAI, open_clip or cn_clip");
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
