//! How a run is asked for, and what it tells.

use crate::validate::Reports;

/// What a run tells its audience.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something to know.
    Note(String),
    /// The data are read.
    Data {
        /// Pictures to learn from.
        train: usize,
        /// Pictures to measure on.
        valid: usize,
    },
    /// How many of the model's parameters are trainable.
    Trainable {
        /// Of trainable arrays, adapters included.
        trainable: usize,
        /// Of the whole model.
        all: usize,
    },
    /// Features of a frozen image tower are being computed; the share that is done.
    Caching(f32),
    /// The loop begins at `step` of `steps`.
    Start {
        /// The first step.
        step: usize,
        /// The last one.
        steps: usize,
    },
    /// A step is done.
    Step {
        /// Its number, from 1.
        step: usize,
        /// Its loss.
        loss: f32,
        /// Pictures of a second.
        speed: f64,
    },
    /// Recall has been measured; at step 0 that of the start.
    Valid {
        /// The step.
        step: usize,
        /// By source of captions.
        reports: &'a Reports,
        /// The same of the labelled sets; empty where there are none.
        named: &'a Reports,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Go on though the data are not those of the checkpoint.
    pub changed_data: bool,
}
