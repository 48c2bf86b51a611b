//! `tuwen gallery copy FROM TO`

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_index::Gallery;
use tuwen_index::store::Copied;
use tuwen_qdrant::{Codes, Making};

use crate::query::Usage;
use crate::store::{Care, StorePlace, short, transfer};
use crate::terminal::{note, say};
use crate::words::counted;

/// From where to where.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen gallery copy .tuwen qdrant://localhost:6334/photos\n  \
    tuwen gallery copy qdrant://localhost:6334/photos copy\n  \
    tuwen gallery copy .tuwen qdrant://localhost:6334/photos --delete --shards 6 --replicas 2\n\n\
    Items keep their numbers, vectors their bits. What is there already is known by its checksum and is not sent again, so \
    that the same command goes on with a copy that was stopped and brings an old one up to date. At the end all is read back \
    and compared. Pictures stay where they are, and so do fused vectors and cells (`tuwen index --fuse`, `tuwen gallery \
    compact` make them anew). A server that asks for a key finds it in TUWEN_QDRANT_API_KEY; qdrants:// encrypts.")]
pub struct Args {
    /// A gallery's folder, or qdrant://HOST:6334/COLLECTION
    from: StorePlace,
    /// The same; what is missing is made
    to: StorePlace,
    /// Remove from the copy what is not in FROM any more
    #[arg(long)]
    delete: bool,
    /// Write into a store that has items of its own, in the place of those of the same number
    #[arg(long)]
    force: bool,
    /// A new collection's parts, which lie on different machines; Qdrant's choice when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    shards: Option<u32>,
    /// On how many machines each part of a new collection lies
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    replicas: Option<u32>,
    /// How a new collection is searched: by 8 bits a value, by one (from some 1,000 values a vector on), or by f32 alone.
    /// What is found is scored from f32 either way
    #[arg(long, value_enum, default_value_t = CodesArg::Int8)]
    codes: CodesArg,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum CodesArg {
    Int8,
    Bits,
    None,
}

#[derive(Serialize)]
struct Summary {
    items: u64,
    sent: u64,
    unchanged: u64,
    removed: u64,
    surplus: u64,
    checksum: String,
}

/// Copies, reads back and compares. A signal ends it at any time: what was stored stays, and the next run goes on.
pub fn run(args: &Args) -> Result<ExitCode> {
    let is_new = args.shards.is_some() || args.replicas.is_some();
    if is_new && matches!(args.to, StorePlace::Folder(_)) {
        bail!(Usage("--shards and --replicas are for a collection of Qdrant as TO".into()));
    }
    let from = args.from.open()?;
    let care = Care { delete: args.delete, force: args.force };
    let copied = match &args.to {
        StorePlace::Folder(folder) => {
            let gallery = Gallery::open_for_writing(folder, &from.model()?)?;
            let copied = transfer(&*from, &gallery, care, &|| true)?;
            gallery.finish()?;
            copied
        }
        StorePlace::Qdrant(address) => {
            let codes = match args.codes {
                CodesArg::Int8 => Codes::Int8,
                CodesArg::Bits => Codes::Bits,
                CodesArg::None => Codes::None,
            };
            let making = Making { shards: args.shards, replicas: args.replicas, codes };
            let store = tuwen_qdrant::open_for_writing(address, &from.model()?, &making)?;
            transfer(&*from, &*store, care, &|| true)?
        }
    };
    print(args, &copied)?;
    Ok(if copied.surplus > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(args: &Args, copied: &Copied) -> Result<()> {
    let Copied { items, sent, unchanged, removed, surplus, digest } = *copied;
    let checksum = digest.as_ref().map(short).unwrap_or_default();
    if args.json {
        let summary = Summary { items, sent, unchanged, removed, surplus, checksum };
        say!("{}", serde_json::to_string(&summary)?);
    } else {
        say!(
            "{}: {sent} sent, {unchanged} there already, {removed} removed; read back and equal, checksum {checksum}",
            counted(items as usize, "item")
        );
    }
    if surplus > 0 {
        note!(
            "note: the copy has {} that FROM has not; --delete removes them",
            counted(surplus as usize, "item")
        );
    }
    Ok(())
}
