//! `tuwen train init`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use tuwen_data::import::{Format, Source, pictures_beside};
use tuwen_gemm::Precision;
use tuwen_train::TrainConfig;

use super::super::by_name;
use crate::output::{Force, OutputFile};
use crate::terminal::say;

/// The file of a preset, inside the program.
macro_rules! preset {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../configs/train/presets/", $name, ".toml")))
    };
}

/// Everything but the data, by name.
pub const PRESETS: [(&str, &str); 10] = [
    preset!("tiny"),
    preset!("tiny-frozen"),
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
    /// A file with captions
    captions: PathBuf,
    /// A folder or tar archive with the pictures; beside the captions when not given
    #[arg(long)]
    images: Option<PathBuf>,
    /// Pictures to learn from, one id a line; `tuwen data split` writes such lists
    #[arg(long)]
    train_ids: PathBuf,
    /// Pictures to measure on
    #[arg(long)]
    valid_ids: PathBuf,
    /// What to fine-tune, and how
    #[arg(long, default_value = "tiny", value_parser = by_name(&PRESETS))]
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

/// The data of a run.
pub struct Data<'a> {
    /// The file with captions.
    pub captions: &'a Path,
    /// Where the pictures are.
    pub images: &'a Path,
    /// Lists of ids: to learn from, and to measure on.
    pub ids: [&'a Path; 2],
    /// How captions are written down.
    pub format: Format,
}

/// Writes the configuration.
pub fn run(args: &Args) -> Result<ExitCode> {
    let inputs = [&args.captions, &args.train_ids, &args.valid_ids].map(PathBuf::as_path);
    let output = OutputFile::plan(&args.out, &inputs, args.force)?;
    let images = args.images.clone().unwrap_or_else(|| pictures_beside(&args.captions));
    let data = Data {
        captions: &args.captions,
        images: &images,
        ids: [&args.train_ids, &args.valid_ids],
        format: Source::guess(&args.captions)?.format,
    };
    let text = text(args.preset, args.model.as_deref(), &args.run, &data)?;
    output.write(text.as_bytes())?;
    TrainConfig::load(&args.out)?;
    say!(
        "{0}: look at it, then `tuwen train {0} --check` and `tuwen train {0}`",
        args.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A preset with its data.
pub fn text(preset: &str, model: Option<&str>, run: &Path, data: &Data<'_>) -> Result<String> {
    let mut table: toml::Table = preset.parse()?;
    if let Some(model) = model {
        table.insert("start".into(), toml::toml! { model = model }.into());
    }
    let path = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned());
    let part = |ids: &Path| -> toml::Table {
        let format = Format::NAMES.iter().find(|(_, format)| *format == data.format);
        let captions = toml::toml! { source = "captions" };
        let captions = toml::Table::from_iter(
            captions.into_iter().chain([("file".to_owned(), path(data.captions))]),
        );
        [
            ("format".to_owned(), format.expect("all are named").0.into()),
            ("images".to_owned(), path(data.images)),
            ("ids".to_owned(), path(ids)),
            ("captions".to_owned(), vec![captions].into()),
        ]
        .into_iter()
        .collect()
    };
    table.insert("out".into(), path(run));
    if Precision::Bf16.is_here() {
        table.insert("precision".into(), "bf16".into());
    }
    let groups = toml::toml! { captions = [{ sources = [["captions", 1.0]] }] };
    table.extend(groups);
    table.insert("train".into(), vec![part(data.ids[0])].into());
    table.insert("valid".into(), part(data.ids[1]).into());
    let comments = preset.lines().take_while(|line| line.starts_with('#'));
    let comments: String = comments.map(|line| format!("{line}\n")).collect();
    Ok(comments + &toml::to_string(&table)?)
}
