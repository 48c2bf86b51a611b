//! One file per subcommand: arguments, library calls, output.

pub mod ask;
pub mod caption;
pub mod captions;
pub mod classify;
pub mod completions;
pub mod data;
pub mod demo;
pub mod embed;
pub mod eval;
pub mod explain;
pub mod features;
pub mod fields;
pub mod fuse;
pub mod gallery;
pub mod heads;
pub mod index;
pub mod mcp;
pub mod model;
pub mod runs;
pub mod score;
pub mod search;
pub mod serve;
pub mod space;
pub mod taidi;
pub mod train;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::stop;

/// Parses one of a few names; `--help` lists them.
fn by_name<T: Copy + Send + Sync>(
    names: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let value =
        |typed: String| names.iter().find(|(name, _)| *name == typed).map(|&(_, value)| value);
    PossibleValuesParser::new(names.iter().map(|&(name, _)| name))
        .map(move |typed| value(typed).expect("the parser let no other through"))
}

/// A flag that the first Ctrl-C raises; `what` tells the user what happens then. A command that does not ask
/// for it is ended at once.
fn stop_flag(what: &'static str) -> Result<Arc<AtomicBool>> {
    Ok(stop::flag(what))
}
