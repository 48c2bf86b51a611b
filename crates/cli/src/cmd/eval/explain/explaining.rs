//! How far many explanations are, counted in the scores that they ask for: one method asks for a thousand times as many as
//! another, and a single explanation may take minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tuwen_explain::{Settings, Watch, Words};

use crate::progress::Long;

/// All explanations of one measurement.
pub struct Explaining {
    progress: Arc<Long>,
    /// What the explanations that are made asked for, or might have.
    done: AtomicUsize,
}

impl Explaining {
    /// Of each of some texts by each of some methods, so many times.
    pub fn new(what: &'static str, methods: &[Settings], texts: &[&str], times: usize) -> Self {
        let of_method =
            |settings| texts.iter().map(move |text| asked(settings, text)).sum::<usize>();
        let all = times * methods.iter().map(of_method).sum::<usize>();
        Self { progress: Arc::new(Long::new(what, all)), done: AtomicUsize::new(0) }
    }

    /// The same settings, of which this is told.
    pub fn watched(&self, settings: &Settings) -> Settings {
        let progress = Arc::clone(&self.progress);
        let watch = Watch::new(move |batch| {
            progress.step(batch);
            true
        });
        Settings { watch, ..settings.clone() }
    }

    /// One more is made.
    pub fn done(&self, settings: &Settings, text: &str) {
        let own = asked(settings, text);
        self.progress.reach(self.done.fetch_add(own, Ordering::Relaxed) + own);
    }
}

/// A pass of the whole picture, and what hides.
fn asked(settings: &Settings, text: &str) -> usize {
    1 + settings.asks(Words::new(text).len()).iter().sum::<usize>()
}
