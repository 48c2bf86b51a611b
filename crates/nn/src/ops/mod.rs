//! The operations, each forward with its backward pass next to it.

mod attention;
mod elements;
mod grid;
mod late;
mod linear;
mod loss;
mod pictures;
mod places;
mod rows;
mod words;

pub use attention::{Attended, Attention, AttentionMap, Part, Sequence};
pub use grid::{BatchNorm, Convolution, Grid};
pub use loss::Pairs;
pub use pictures::Patches;
pub use rows::Spans;
pub use words::Answers;
