//! `tuwen taidi train`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tuwen_files::encoding::TextFile;
use tuwen_sets::import::{CaptionFile, DataSet, Format};

use super::super::by_name;
use super::super::train;
use super::super::train::init::{self, Sets, Wanted};
use crate::number;
use crate::output::{Force, OutputFile};
use crate::query::Usage;
use crate::terminal::say;

/// What to fine-tune.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, after `tuwen taidi prepare`
    root: PathBuf,
    /// What to fine-tune, and how, as `tuwen train init` has them; `small` when not given
    #[arg(long, value_parser = by_name(&init::PRESETS))]
    preset: Option<&'static str>,
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
pub fn run(args: &Args) -> Result<ExitCode> {
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
    if path.exists() {
        says_the_same(args, &path)?;
    } else {
        let part = args.root.join("附件1");
        let captions = CaptionFile {
            source: tuwen_train::SOURCE.into(),
            ..CaptionFile::new(&part.join("ImageWordData.csv"))
        };
        let [train, valid] = ["train.ids", "val.ids"].map(|ids| DataSet {
            captions: vec![captions.clone()],
            ids: Some(split.join(ids)),
            ..DataSet::new(Format::Csv, &part.join("ImageData"))
        });
        let (model, epochs, batch) = (args.model.clone(), args.epochs, args.batch);
        let preset = args.preset.unwrap_or(Wanted::default().preset);
        let wanted = Wanted { preset, model, epochs, batch };
        let sets = Sets { train: vec![train], valid };
        let output = OutputFile::plan(&path, &[], Force::default())?;
        init::write(&output, &wanted, &folder.join("run"), &sets)?;
    }
    say!("the configuration is {}", path.display());
    train::run(&train::Args::new(path))
}

/// A configuration that is there decides; a flag that says otherwise would be ignored in silence.
fn says_the_same(args: &Args, path: &Path) -> Result<()> {
    let text = TextFile::read(path)?;
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| anyhow::anyhow!("{}", e.message()))
        .with_context(|| path.display().to_string())?;
    let number = |value: Option<usize>| value.map(|value| toml::Value::Integer(value as i64));
    let folder = path.parent().unwrap_or(Path::new(""));
    let model = args.model.as_ref().map(|model| init::typed_model(folder, model)).transpose()?;
    let model = model.map(toml::Value::String);
    let flags = [
        ("--epochs", "epochs", number(args.epochs)),
        ("--batch", "batch", number(args.batch)),
        ("--model", "start.model", model),
    ];
    let flags =
        flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key.to_owned(), value?)));
    let preset = args.preset.map_or_else(|| Ok(toml::Table::new()), str::parse)?;
    let preset = of_preset(&preset, args).into_iter().map(|(key, value)| ("--preset", key, value));
    for (flag, key, wanted) in flags.chain(preset) {
        let found = key.split('.').try_fold(None, |at: Option<&toml::Value>, part| {
            let table = at.map_or(Some(&table), toml::Value::as_table)?;
            table.get(part).map(Some)
        });
        let found = found.flatten();
        if found != Some(&wanted) {
            let found = found.map_or("nothing".to_owned(), ToString::to_string);
            bail!(Usage(format!(
                "{flag} asks for {key} = {wanted}, and {} has {found}: leave the flag out, change the file, or \
                 remove it and the folder `run` beside it to begin anew",
                path.display()
            )));
        }
    }
    Ok(())
}

/// What tells a preset from the others: keys with their values, but for what `init` fits to a set and what
/// other flags say.
fn of_preset(preset: &toml::Table, args: &Args) -> Vec<(String, toml::Value)> {
    let mut all = Vec::new();
    for (key, value) in preset {
        match value.as_table() {
            Some(table) => {
                all.extend(table.iter().map(|(inner, v)| (format!("{key}.{inner}"), v.clone())));
            }
            None => all.push((key.clone(), value.clone())),
        }
    }
    let fitted =
        ["epochs", "batch", "validate_every", "checkpoint_every", "optim.warmup", "precision"];
    let other = |key: &str| args.model.is_some() && key.starts_with("start.");
    all.retain(|(key, _)| !(fitted.contains(&&**key) || other(key)));
    all
}
