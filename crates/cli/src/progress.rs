//! Progress of long commands on standard error: how much of how much, how fast, how long still. Nothing is drawn
//! where standard error is no terminal.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};

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

/// Which tenths of some work were told already, where lines are printed and no bar is drawn.
#[derive(Default)]
pub struct Tenths(Mutex<(String, usize)>);

impl Tenths {
    /// Whether `done` of `all` is in a tenth of `what` that was not told before.
    pub fn is_new(&self, what: &str, done: usize, all: usize) -> bool {
        let tenth = done * 10 / all.max(1);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = told.0 != what || told.1 != tenth;
        *told = (what.to_owned(), tenth);
        new
    }
}
