//! `tuwen taidi train`

use std::path::PathBuf;

use anyhow::{Result, bail};
use tuwen_data::import::Format;

use super::super::by_name;
use super::super::train;
use super::super::train::init::{self, Data};
use crate::number;
use crate::output::{Force, OutputFile};
use crate::terminal::say;

/// What to fine-tune.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, after `tuwen taidi prepare`
    root: PathBuf,
    /// What to fine-tune, and how, as `tuwen train init` has them
    #[arg(long, default_value = "tiny", value_parser = by_name(&init::PRESETS))]
    preset: &'static str,
    /// Another model to start from: a name of `tuwen model list`, a folder, or a .pt file
    #[arg(long)]
    model: Option<String>,
    /// Times that each picture is seen, when not as often as the preset says
    #[arg(long, value_parser = number::whole(1..=number::MANY))]
    epochs: Option<usize>,
    /// Pictures of a step
    #[arg(long, value_parser = number::whole(1..=number::MANY))]
    batch: Option<usize>,
}

/// Writes the configuration where it is not, and trains.
pub fn run(args: &Args) -> Result<()> {
    let folder = args.root.join("tuwen");
    let split = folder.join("split");
    if !split.join("train.ids").is_file() {
        bail!(
            "{} has no split: run `tuwen taidi prepare {}`",
            split.display(),
            args.root.display()
        );
    }
    let path = folder.join("train.toml");
    if !path.is_file() {
        let part = args.root.join("附件1");
        let data = Data {
            captions: &part.join("ImageWordData.csv"),
            images: &part.join("ImageData"),
            ids: [&split.join("train.ids"), &split.join("val.ids")],
            format: Format::Csv,
        };
        let text = init::text(args.preset, args.model.as_deref(), &folder.join("run"), &data)?;
        let mut table: toml::Table = text.parse()?;
        for (key, value) in [("epochs", args.epochs), ("batch", args.batch)] {
            table.extend(value.map(|value| (key.to_owned(), (value as i64).into())));
        }
        let output = OutputFile::plan(&path, &[], Force::default())?;
        output.write(toml::to_string(&table)?.as_bytes())?;
    }
    say!("the configuration is {}", path.display());
    train::run(&train::Args::new(path))?;
    Ok(())
}
