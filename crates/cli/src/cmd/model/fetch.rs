//! `tuwen model fetch`

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tuwen_hub::{Cache, Fetcher, Progress, Settings, Site};

use crate::terminal::{self, say};

/// What to fetch.
#[derive(clap::Args)]
#[command(
    after_help = "HF_ENDPOINT (a mirror), HF_HOME or HF_HUB_CACHE (the cache's place), HF_TOKEN \
    and HF_HUB_OFFLINE work as in HF's own programs; MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN \
    for ModelScope."
)]
pub struct Args {
    /// A name of `tuwen model list`, or ORG/NAME
    name: String,
    /// Where from
    #[arg(long, default_value = "hf", value_parser = ["hf", "modelscope"])]
    from: String,
}

/// Fetches.
pub fn run(args: &Args) -> Result<()> {
    let site = if args.from == "hf" { Site::HuggingFace } else { Site::ModelScope };
    // What has arrived is kept however the program ends.
    let never = AtomicBool::new(false);
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(
        "{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    )?);
    let current = Mutex::new(String::new());
    let tell = |progress: Progress<'_>| {
        let mut current = current.lock().expect("nobody panics with it");
        if *current != progress.file {
            progress.file.clone_into(&mut current);
            bar.set_message(terminal::safe(progress.file).into_owned());
            bar.set_length(progress.total);
            bar.reset_eta();
        }
        bar.set_position(progress.done);
    };
    let fetcher = Fetcher::new(Settings::from_env(site), Cache::from_env(), &never, &tell);
    let folder = fetcher.fetch(&args.name)?;
    bar.finish_and_clear();
    // Whether it is a model is said now and not when it is first used.
    if tuwen_hub::open_captioner(&args.name)?.is_some() {
        say!("{} lies in {}", args.name, folder.display());
        say!("it captions, with `tuwen caption PICTURE --model {}`", args.name);
        return Ok(());
    }
    tuwen_hub::open(&args.name)?;
    say!("{} lies in {}", args.name, folder.display());
    say!("use it with `--model {}`", args.name);
    Ok(())
}
