//! `tuwen gallery verify`

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Result;
use serde_json::{Value, json};
use tuwen_index::Gallery;
use tuwen_retrieve::fusing;

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
    let fuser = fusing::verify(&gallery).err().map(|error| error.to_string());
    let is_well = wrong.is_empty() && fuser.is_none();
    if args.json {
        let shown = wrong.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let fuser = fuser
            .iter()
            .map(|what| json!({ "path": gallery.folder(), "what": what, "derived": true }));
        say!("{}", Value::from_iter(shown.into_iter().chain(fuser)));
    } else if is_well {
        say!("every file is as it was written");
    } else if let Some(what) = fuser {
        say!("{what}");
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
    let is_well = is_well && !stop.load(Ordering::Relaxed);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
