//! Progress of long commands on standard error: how much of how much, how fast, how long still. Nothing is drawn
//! where standard error is no terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Whether anybody sees it, so that it may cost something to know the total.
pub fn is_seen() -> bool {
    stderr().is_terminal()
}

/// A bar; without a total only what is done and how fast.
pub fn bar(total: Option<usize>, what: &'static str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total as u64),
            "{bar:30} {pos}/{len} {msg}, {per_sec}, {elapsed} gone, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {pos} {msg}, {per_sec}, {elapsed} gone"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("a constant that works"));
    bar.with_message(what)
}
