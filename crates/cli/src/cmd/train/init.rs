//! `tuwen train init`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tuwen_gemm::Precision;
use tuwen_sets::Sample;
use tuwen_sets::import::{CaptionFile, DataSet, Format, Source, pictures_beside};
use tuwen_train::{TrainConfig, read_set, seen_from};

use super::super::by_name;
use crate::output::{Force, OutputFile};
use crate::query::Usage;
use crate::terminal::say;

/// The file of a preset, inside the program.
macro_rules! preset {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../configs/train/presets/", $name, ".toml")))
    };
}

/// Everything but the data, by name.
pub const PRESETS: [(&str, &str); 10] = [
    preset!("small"),
    preset!("small-frozen"),
    preset!("chinese-clip-rn50"),
    preset!("chinese-clip-b16"),
    preset!("chinese-clip-b16-lora"),
    preset!("chinese-clip-b16-frozen"),
    preset!("chinese-clip-l14-lora"),
    preset!("chinese-clip-h14-frozen"),
    preset!("clip-b32"),
    preset!("siglip2-b16"),
];

/// Which preset for which data.
#[derive(clap::Args)]
pub struct Args {
    /// A file with captions (CSV, TSV, JSONL, Flickr, COCO or Karpathy JSON), a folder of pictures,
    /// Chinese-CLIP's folder, tar shards, or Parquet
    set: PathBuf,
    /// Its format, when name and content do not show it
    #[arg(long, value_parser = by_name(&Format::NAMES))]
    from: Option<Format>,
    /// A folder or tar archive with the pictures; beside the captions when not given
    #[arg(long)]
    images: Option<PathBuf>,
    /// Column or key with the picture's name, when not one of the usual
    #[arg(long)]
    image_field: Option<String>,
    /// Column or key with the caption, when not one of the usual
    #[arg(long)]
    caption_field: Option<String>,
    /// Pictures to learn from, one id a line; `tuwen data split` writes such lists. Not needed where the
    /// set says its splits itself
    #[arg(long, requires = "valid_ids")]
    train_ids: Option<PathBuf>,
    /// Pictures to measure on
    #[arg(long, requires = "train_ids")]
    valid_ids: Option<PathBuf>,
    /// What to fine-tune, and how
    #[arg(long, default_value = "small", value_parser = by_name(&PRESETS))]
    preset: &'static str,
    /// Another model to start from: a name of `tuwen model list`, a folder, or a .pt file
    #[arg(long)]
    model: Option<String>,
    /// The run's folder
    #[arg(long, default_value = "run")]
    run: PathBuf,
    /// The configuration to write
    #[arg(long, default_value = "train.toml")]
    out: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// What a run learns from, and what it is measured on.
pub struct Sets {
    /// Behind each other.
    pub train: Vec<DataSet>,
    /// One set.
    pub valid: DataSet,
}

/// Writes the configuration.
pub fn run(args: &Args) -> Result<ExitCode> {
    let inputs = [Some(&args.set), args.train_ids.as_ref(), args.valid_ids.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    let output = OutputFile::plan(&args.out, &inputs, args.force)?;
    let source = source(args)?;
    let whole = whole_set(&source);
    let sets = match (&args.train_ids, &args.valid_ids) {
        (Some(train), Some(valid)) => {
            let part = |ids: &PathBuf| DataSet { ids: Some(ids.clone()), ..whole.clone() };
            Sets { train: vec![part(train)], valid: part(valid) }
        }
        _ => own_splits(&source, &whole)?,
    };
    let wanted = Wanted { preset: args.preset, model: args.model.clone(), ..Wanted::default() };
    write(&output, &wanted, &args.run, &sets)?;
    say!(
        "{0}: look at it, then `tuwen train {0} --check` and `tuwen train {0}`",
        args.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Whether the pictures of a format lie with their captions.
fn is_one_thing(format: Format) -> bool {
    matches!(
        format,
        Format::Shards | Format::Folder | Format::List | Format::ChineseClip | Format::Parquet
    )
}

fn source(args: &Args) -> Result<Source> {
    let source = match args.from {
        Some(format) => Source::new(&args.set, format),
        None => Source::guess(&args.set)?,
    };
    let given = [
        ("--images", args.images.is_some()),
        ("--image-field", args.image_field.is_some()),
        ("--caption-field", args.caption_field.is_some()),
    ];
    let alone = is_one_thing(source.format);
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given && alone) {
        let (set, format) = (args.set.display(), source.format.name());
        bail!(Usage(format!("{flag}: {set} is of the format {format}, which has no such thing")));
    }
    let images = args.images.clone().unwrap_or_else(|| pictures_beside(&source.path));
    Ok(Source {
        images: (!alone).then_some(images),
        image_field: args.image_field.clone().unwrap_or(source.image_field),
        caption_field: args.caption_field.clone().unwrap_or(source.caption_field),
        ..source
    })
}

/// The set as a configuration names it, with all its pictures.
fn whole_set(source: &Source) -> DataSet {
    let Some(images) = &source.images else { return DataSet::new(source.format, &source.path) };
    let captions = CaptionFile {
        source: tuwen_train::SOURCE.into(),
        image_field: source.image_field.clone(),
        caption_field: source.caption_field.clone(),
        ..CaptionFile::new(&source.path)
    };
    DataSet { captions: vec![captions], ..DataSet::new(source.format, images) }
}

/// The parts of a set that says which picture is in which.
fn own_splits(source: &Source, whole: &DataSet) -> Result<Sets> {
    let records = source.open()?.records.flatten();
    let found: BTreeSet<String> = records.filter_map(|sample| sample.split).collect();
    // Karpathy's `restval` is learned from by everybody.
    let train = ["train", "restval"].into_iter().filter(|&name| found.contains(name));
    let train: Vec<&str> = train.collect();
    let valid = ["val", "valid", "validation", "dev", "eval", "test"];
    let valid = valid.into_iter().find(|&name| found.contains(name));
    let (false, Some(valid)) = (train.is_empty(), valid) else {
        let name = source.path.display();
        let splits = found.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let splits = if splits.is_empty() { "none".to_owned() } else { splits };
        bail!(
            "{name} does not say what to learn from and what to measure on (its splits: {splits}): divide it \
             by `tuwen data split {name} --out split`, then give --train-ids split/train.ids and --valid-ids \
             split/val.ids"
        );
    };
    say!("learns from the set's split {}, measures on {valid}", train.join(" and "));
    let part = |split: &str| DataSet { split: Some(split.to_owned()), ..whole.clone() };
    Ok(Sets { train: train.into_iter().map(part).collect(), valid: part(valid) })
}

/// What a person wants otherwise than a preset has it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The preset's text.
    pub preset: &'static str,
    /// The model to start from.
    pub model: Option<String>,
    /// Passes over the data.
    pub epochs: Option<usize>,
    /// Pictures of a step.
    pub batch: Option<usize>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { preset: PRESETS[0].1, model: None, epochs: None, batch: None }
    }
}

/// Writes a configuration for sets whose paths are those that the program sees, to a file that is not
/// there yet.
pub fn write(output: &OutputFile, wanted: &Wanted, run: &Path, sets: &Sets) -> Result<()> {
    let train = sets.train.iter().map(read_set).collect::<tuwen_files::Result<Vec<_>>>()?.concat();
    // Ids that are missing are told now.
    read_set(&sets.valid)?;
    let text = text(wanted, output.path(), run, sets, &train)?;
    output.write(text.as_bytes())?;
    TrainConfig::load(output.path())?;
    Ok(())
}

fn text(wanted: &Wanted, file: &Path, run: &Path, sets: &Sets, train: &[Sample]) -> Result<String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut table: toml::Table = wanted.preset.parse()?;
    if let Some(model) = &wanted.model {
        let model = typed_model(folder, model)?;
        table.insert("start".into(), toml::toml! { model = model }.into());
    }
    table.insert("out".into(), typed(folder, run)?.into());
    if Precision::Bf16.is_here() {
        table.insert("precision".into(), "bf16".into());
    }
    fit(&mut table, wanted, train.len())?;
    let sources: BTreeSet<&str> =
        train.iter().flat_map(|sample| &sample.captions).map(|c| &*c.source).collect();
    let sources = sources
        .into_iter()
        .map(|source| toml::Value::from(vec![source.into(), toml::Value::from(1.0)]));
    let mut group = toml::Table::new();
    group.insert("sources".into(), sources.collect::<Vec<_>>().into());
    table.insert("captions".into(), vec![group].into());
    let learned = sets.train.iter().map(|set| part(folder, set)).collect::<Result<Vec<_>>>()?;
    table.insert("train".into(), learned.into());
    table.insert("valid".into(), part(folder, &sets.valid)?.into());
    let comments = wanted.preset.lines().take_while(|line| line.starts_with('#'));
    let comments: String = comments.map(|line| format!("{line}\n")).collect();
    Ok(format!(
        "{comments}# Paths are relative to the folder of this file.\n{}",
        toml::to_string(&table)?
    ))
}

/// Numbers that suit a set of so many pictures: a batch for which there are enough of them, and what is
/// counted in steps.
fn fit(table: &mut toml::Table, wanted: &Wanted, pictures: usize) -> Result<()> {
    let number = |table: &toml::Table, key: &str| -> Result<usize> {
        let value = table.get(key).and_then(toml::Value::as_integer);
        Ok(value.with_context(|| format!("the preset has no {key}"))? as usize)
    };
    let epochs = wanted.epochs.map_or_else(|| number(table, "epochs"), Ok)?;
    let usual = number(table, "batch")?;
    // Four steps an epoch at least, as long as each still has 32 pictures.
    let largest = (pictures / 4).max(pictures.min(32)).max(2);
    let batch = wanted.batch.unwrap_or(usual.min(largest));
    if batch < usual && wanted.batch.is_none() {
        say!("batch is {batch}: the preset's {usual} is for more than these {pictures} pictures");
    }
    let steps = epochs * (pictures / batch.max(1)).max(1);
    table.insert("epochs".into(), (epochs as i64).into());
    table.insert("batch".into(), (batch as i64).into());
    for key in ["validate_every", "checkpoint_every"] {
        let every = number(table, key)?;
        let every = if every > steps { (steps / 10).max(1) } else { every };
        table.insert(key.into(), (every as i64).into());
    }
    let optim = table.get_mut("optim").and_then(toml::Value::as_table_mut);
    let optim = optim.context("the preset has no optim")?;
    let warmup = number(optim, "warmup")?.min(steps / 10);
    optim.insert("warmup".into(), (warmup as i64).into());
    Ok(())
}

/// A set as a table of a configuration in `folder`, without what is usual.
fn part(folder: &Path, set: &DataSet) -> Result<toml::Table> {
    let mut table = toml::Table::try_from(set)?;
    table.insert("images".into(), typed(folder, &set.images)?.into());
    table.remove("share");
    table.remove("taught");
    if let Some(ids) = &set.ids {
        table.insert("ids".into(), typed(folder, ids)?.into());
    }
    let usual = CaptionFile::new(Path::new(""));
    let captions = set.captions.iter().map(|captions| {
        let mut file = toml::Table::new();
        file.insert("file".into(), typed(folder, &captions.file)?.into());
        file.insert("source".into(), captions.source.clone().into());
        let fields = [
            ("image_field", &captions.image_field, &usual.image_field),
            ("caption_field", &captions.caption_field, &usual.caption_field),
        ];
        for (key, field, _) in fields.into_iter().filter(|(_, field, usual)| field != usual) {
            file.insert(key.into(), field.clone().into());
        }
        Ok(file)
    });
    let captions: Vec<toml::Table> = captions.collect::<Result<_>>()?;
    match captions.is_empty() {
        true => table.remove("captions"),
        false => table.insert("captions".into(), captions.into()),
    };
    Ok(table)
}

/// A model's name or path as a configuration in `folder` has it.
pub fn typed_model(folder: &Path, model: &str) -> Result<String> {
    match tuwen_hub::is_name(model) {
        true => Ok(model.to_owned()),
        false => typed(folder, Path::new(model)),
    }
}

/// A path as a configuration in `folder` names it.
fn typed(folder: &Path, path: &Path) -> Result<String> {
    let seen = seen_from(folder, path);
    let text = seen.to_str().with_context(|| {
        format!("{}: a configuration is UTF-8, which this name is not: rename it", path.display())
    });
    Ok(text?.to_owned())
}
