//! `tuwen taidi train`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Target, write};
use tuwen_encode::{CONFIG_FILE, WEIGHTS_FILE, builtin};

use super::super::train;

/// What to fine-tune.
#[derive(clap::Args)]
pub struct Args {
    /// The contest's folder, after `tuwen taidi prepare`
    root: PathBuf,
    /// Where to start: a name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Times that each picture is seen
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Pictures of a step
    #[arg(long, default_value_t = 128)]
    batch: usize,
}

/// Writes the start and the configuration where they are not, and trains.
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
    let start = folder.join("start");
    if !start.join(CONFIG_FILE).is_file() {
        let (config, checkpoint) = tuwen_hub::checkpoint(&args.model)?;
        write(&config, &&checkpoint, Target::Tuwen, Precision::F32, &start)?;
    }
    let path = folder.join("train.toml");
    if !path.is_file() {
        let text = preset(args, &folder, &start);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    println!("the configuration is {}", path.display());
    train::run(&train::Args::new(path))?;
    Ok(())
}

/// Small steps: a model that knows pictures and words forgets them at the rates it was made with.
fn preset(args: &Args, folder: &Path, start: &Path) -> String {
    let quoted =
        |path: PathBuf| toml::Value::String(path.to_string_lossy().into_owned()).to_string();
    let table = quoted(args.root.join("附件1/ImageWordData.csv"));
    let images = quoted(args.root.join("附件1/ImageData"));
    let part = |name: &str| {
        let ids = quoted(folder.join("split").join(format!("{name}.ids")));
        format!(
            "format = \"csv\"\nimages = {images}\nids = {ids}\ncaptions = [{{ file = {table}, source = \"taidi\" }}]\n"
        )
    };
    format!(
        "# Taidi Cup 2024 B, fine-tuning from {}.\nout = {}\nmodel = {}\nseed = 42\nepochs = {}\nbatch = {}\n\
         context = 52\ntoken_mask = 0.05\nvalidate_every = 100\ncheckpoint_every = 100\n\
         captions = [{{ sources = [[\"taidi\", 1.0]] }}]\n\n[start]\nweights = {}\n\n\
         [augment]\ncrop_scale = 0.7\nflip = 0.5\ncolour = 0.1\n\n[loss]\nkind = \"contrastive\"\n\
         smoothing = 0.1\n\n[optim]\nimage_lr = 1e-5\nlayer_decay = 0.8\ntext_lr = 2e-5\nembed_lr = 2e-4\n\
         heads_lr = 5e-5\nweight_decay = 0.1\nbetas = [0.9, 0.98]\nwarmup = 20\nclip = 1.0\nema = 0.98\n\n\
         [[train]]\n{}\n[valid]\n{}",
        args.model,
        quoted(folder.join("run")),
        quoted(start.join(CONFIG_FILE)),
        args.epochs,
        args.batch,
        quoted(start.join(WEIGHTS_FILE)),
        part("train"),
        part("val"),
    )
}
