//! One file per subcommand: arguments, library calls, output.

pub mod classify;
pub mod completions;
pub mod data;
pub mod demo;
pub mod embed;
pub mod eval;
pub mod index;
pub mod model;
pub mod score;
pub mod search;
pub mod taidi;
pub mod train;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

/// A flag that Ctrl-C sets; `what` tells the user what happens then.
fn stop_flag(what: &'static str) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        eprintln!("{what}");
        flag.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}
