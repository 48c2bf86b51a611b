//! A decoder that says what a picture shows, on a frozen image tower's rows, which are computed once and kept
//! (`heads::cache`). First it learns what people said (`words`, `draw`, `step`), then, where that is asked for, what its
//! captions are worth (`reward`). `measure` chooses the best weights on pictures that are held out. What a run needs to
//! go on is kept whenever it measures: the same command takes it up and gives the same weights.

mod baselines;
mod config;
mod draw;
pub mod measure;
mod reward;
mod run;
mod step;
pub mod words;

use tuwen_eval::captions::Report;

pub use config::{CaptionsTrainConfig, RewardConfig, Shape, Source, WordsConfig};
pub use run::train_captions;

use crate::stop::Stop;

/// File name of a decoder's configuration in its folder.
pub const CONFIG_FILE: &str = "decoder.json";
/// File name of its weights.
pub const WEIGHTS_FILE: &str = "decoder.safetensors";

/// What a training tells.
#[derive(Debug)]
pub enum CaptionsEvent {
    /// Rows are being computed: of what, how many, of how many.
    Rows(String, usize, usize),
    /// The run is taken up at this step.
    GoesOn(usize),
    /// The last steps: the mean of the loss or the reward, the step, of how many, the number.
    Loss(&'static str, usize, usize, f32),
    /// CIDEr-D on the pictures that are held out, by language; whether it is the best so far.
    HeldOut(usize, Vec<(String, f64)>, bool),
    /// On the validation pictures: whose captions, the language, how they are cut, all numbers.
    Measured(&'static str, String, &'static str, Box<Report>),
}

/// Who follows a training.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// Told what goes on.
    pub tell: &'w (dyn Fn(CaptionsEvent) + Sync),
    /// Asked whether to stop.
    pub stop: &'w Stop<'w>,
}
