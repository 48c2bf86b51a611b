//! Progress of long commands on standard error: how much of how much, how fast, how long still. Nothing is drawn
//! where standard error is no terminal; what takes long may print a line for each tenth there ([`Long`]).

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::note;

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

/// What is done in fewer seconds needs no word of how far it is.
const QUICK: f64 = 5.0;

/// How far a long work is: a bar, which is gone with this value, and where no terminal shows it a line for each tenth.
pub struct Long {
    bar: ProgressBar,
    what: &'static str,
    all: usize,
    begun: Instant,
    tenths: Tenths,
}

impl Long {
    /// Of `all` steps.
    pub fn new(what: &'static str, all: usize) -> Self {
        let bar = bar(Some(all), what);
        Self { bar, what, all, begun: Instant::now(), tenths: Tenths::default() }
    }

    /// So many more are done.
    pub fn step(&self, steps: usize) {
        self.reach(self.bar.position() as usize + steps);
    }

    /// So many are done in all, where a part of the work took fewer steps than it might have.
    pub fn reach(&self, done: usize) {
        let done = done.min(self.all);
        self.bar.set_position(done as u64);
        let gone = self.begun.elapsed().as_secs_f64();
        if is_seen() || gone < QUICK || !self.tenths.is_new(self.what, done, self.all) {
            return;
        }
        let left = gone * (self.all - done) as f64 / done.max(1) as f64;
        note!("{done} of {} {}, {gone:.0} s gone, about {left:.0} s left", self.all, self.what);
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
