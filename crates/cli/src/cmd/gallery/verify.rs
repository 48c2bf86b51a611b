//! `tuwen gallery verify`

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Result;
use tuwen_index::Gallery;

use crate::cmd::stop_flag;
use crate::gallery::GalleryArg;
use crate::progress;
use crate::terminal::say;

/// Which gallery.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen gallery verify --json")]
pub struct Args {
    #[command(flatten)]
    gallery: GalleryArg,
    /// Print what is wrong as JSON
    #[arg(long)]
    json: bool,
}

/// Reads all and says what is wrong.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stop = stop_flag("stopping")?;
    let gallery = Gallery::open(&args.gallery.place().folder)?;
    let bar = progress::bar(Some(100), "% read");
    let wrong = gallery.verify(&|share| {
        bar.set_position((100.0 * share) as u64);
        !stop.load(Ordering::Relaxed)
    })?;
    bar.finish_and_clear();
    if args.json {
        say!("{}", serde_json::to_string(&wrong)?);
    } else if wrong.is_empty() {
        say!("every file is as it was written");
    }
    for wrong in wrong.iter().filter(|_| !args.json) {
        let cure = match wrong.derived {
            true => {
                "nothing is lost: it is made of other files, and `tuwen gallery compact` makes it anew"
            }
            false => "make the gallery anew with `tuwen index PATH --rebuild`",
        };
        say!("{}: {}; {cure}", wrong.path.display(), wrong.what);
    }
    let is_well = wrong.is_empty() && !stop.load(Ordering::Relaxed);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
