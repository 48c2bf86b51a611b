//! One file per subcommand: arguments, library calls, output.

pub mod classify;
pub mod completions;
pub mod data;
pub mod demo;
pub mod embed;
pub mod eval;
pub mod index;
pub mod model;
pub mod runs;
pub mod score;
pub mod search;
pub mod taidi;
pub mod train;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::terminal::note;

/// Parses one of a few names; `--help` lists them.
fn by_name<T: Copy + Send + Sync>(
    names: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let value =
        |typed: String| names.iter().find(|(name, _)| *name == typed).map(|&(_, value)| value);
    PossibleValuesParser::new(names.iter().map(|&(name, _)| name))
        .map(move |typed| value(typed).expect("the parser let no other through"))
}

/// A flag that Ctrl-C sets; `what` tells the user what happens then.
fn stop_flag(what: &'static str) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        note!("{what}");
        flag.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}
