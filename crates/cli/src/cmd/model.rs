//! `tuwen model list | fetch | info | convert | mix`

mod convert;
mod fetch;
mod mix;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use tuwen_encode::Encoder;
use tuwen_encode::{Fusion, ModelConfig, Network, Queries, TowerConfig, Vision, builtin};
use tuwen_hub::{Cache, KNOWN, Known};
use tuwen_image::Geometry;

use crate::terminal::say;

/// List, fetch, describe or convert models
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen model fetch chinese-clip-vit-base-patch16\n  \
    tuwen model info chinese-clip-vit-base-patch16\n  \
    tuwen model convert clip_cn_vit-b-16.pt chinese-clip-b16\n  \
    tuwen model convert my-model my-model.pt --precision f32\n  \
    tuwen model mix runs/a runs/b --out soup")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The models that tuwen knows by name, and which of them are here
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model from HF's hub or ModelScope into HF's cache; the same command goes on after a
    /// cut
    Fetch(fetch::Args),
    /// Architecture and fingerprint of a model; of one that is not here, its architecture
    Info {
        /// A name of `tuwen model list`, a folder with weights, or a .pt file
        #[arg(default_value = builtin::BUILT_IN)]
        model: String,
        /// Print the architecture as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a model in another layout: ours, transformers', or cn_clip's and OpenAI's .pt
    Convert(convert::Args),
    /// Average the weights of models that were fine-tuned from the same start (a soup)
    Mix(mix::Args),
}

/// Lists, fetches, describes or converts.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Convert(args) => convert::run(args)?,
        Command::Mix(args) => mix::run(args)?,
        Command::Fetch(args) => fetch::run(args)?,
        Command::List { json } => list(*json)?,
        Command::Info { model, json } => info(model, *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(json: bool) -> Result<()> {
    let cache = Cache::from_env();
    let here = |known: &Known| cache.snapshot(known.repo).is_some();
    if json {
        let entry = |known: &Known| {
            serde_json::json!({
                "name": known.name,
                "repository": known.repo,
                "parameters": known.config().parameters(),
                "dim": known.config().embed_dim,
                "here": here(known),
            })
        };
        say!("{}", serde_json::to_string(&KNOWN.iter().map(entry).collect::<Vec<_>>())?);
        return Ok(());
    }
    let line = |name: &str, config: &ModelConfig, place: &str| {
        let dim = config.embed_dim;
        let size = match config.preprocess.geometry {
            Geometry::Grid(_) => "any shape".to_owned(),
            _ => format!("{} px", config.preprocess.size),
        };
        let millions = config.parameters() as f64 / 1e6;
        say!("{name:38} {millions:5.0} M  {dim:4} values  {size}  {place}");
    };
    line(builtin::BUILT_IN, builtin::open()?.config(), "inside this program, Chinese and English");
    for known in KNOWN {
        let place = if here(known) { "here" } else { known.repo };
        line(known.name, &known.config(), place);
    }
    say!(
        "`tuwen model fetch NAME` brings one here; ORG/NAME of the hub, a folder that transformers,"
    );
    say!("open_clip or `tuwen train` made, and a .pt file of OpenAI or cn_clip work as well");
    Ok(())
}

fn info(model: &str, json: bool) -> Result<()> {
    let (config, fingerprint, torchvision) = match tuwen_hub::open(model) {
        Ok(encoder) => {
            let fingerprint = encoder.fingerprint().to_owned();
            (encoder.config().clone(), fingerprint, encoder.names_torchvision())
        }
        Err(error @ tuwen_hub::Error::Missing { .. }) => {
            let Some(known) = Known::find(model) else { return Err(error.into()) };
            (known.config(), format!("not here: run `tuwen model fetch {}`", known.name), false)
        }
        Err(error) => return Err(error.into()),
    };
    if json {
        serde_json::to_string_pretty(&config)?.lines().for_each(|line| say!("{line}"));
        return Ok(());
    }
    say!("name         {}", config.name);
    say!("fingerprint  {fingerprint}");
    say!("parameters   {:.1} million", config.parameters() as f64 / 1e6);
    say!("embedding    {} values", config.embed_dim);
    say!("image tower  {}", image_tower(&config));
    let tokens = config.long.map_or(config.context, |long| long.context);
    match config.image_only {
        true => say!("text tower   none: its features are for pictures alone"),
        false => say!("text tower   {}, up to {tokens} tokens", tower(&config.text)),
    }
    if let Some(Queries { count, .. }) = config.queries {
        say!("queries      {count} for each picture (--rerank late compares each with a text)");
    }
    if let Some(Fusion { blocks, both_ways, .. }) = config.fusion {
        let count = (0..blocks).filter(|&block| config.looks(block)).count();
        let back = if both_ways { format!(", {count} more at the text") } else { String::new() };
        say!("matching     {count} of {blocks} blocks look at the picture{back} (--rerank itm)");
    }
    let p = &config.preprocess;
    match p.geometry {
        Geometry::Grid(grid) => {
            let (patch, most) = (grid.patch, grid.largest());
            say!("pictures     of any shape, up to {most} patches of {patch}, {:?}", p.filter);
        }
        _ => say!("pictures     {0}x{0}, {1:?}, {2:?}", p.size, p.geometry, p.filter),
    }
    if torchvision {
        say!(
            "             resized as Pillow does; torchvision, which the folder names, differs by 1 of"
        );
        say!("             255 levels at most");
    }
    Ok(())
}

fn image_tower(config: &ModelConfig) -> String {
    match config.vision {
        Vision::ResNet(net) => {
            let blocks: usize = net.blocks.iter().sum();
            format!("ResNet of {blocks} bottlenecks, width {}", config.image.width)
        }
        Vision::Network(net) => {
            let kind = match net {
                Network::Residual { .. } => "ResNet",
                Network::Vgg { .. } => "VGG",
                Network::Inception { .. } => "Inception v3",
                Network::Efficient { .. } => "EfficientNet",
            };
            format!("{kind} of ImageNet, width {}", config.image.width)
        }
        _ => format!("{}, patches of {}", tower(&config.image), config.patch),
    }
}

fn tower(tower: &TowerConfig) -> String {
    format!("{} layers, width {}, {} heads", tower.layers, tower.width, tower.heads)
}

/// `clip.pt` and the like.
fn is_torch_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pt")
}
