//! The operations, each forward with its backward pass next to it.

mod attention;
mod convolution;
mod elements;
mod gates;
mod grid;
mod late;
mod linear;
mod loss;
mod pictures;
mod places;
mod pools;
mod rows;
mod window;
mod words;

pub use attention::{Attended, Attention, AttentionMap, Part, Sequence};
pub use convolution::{BatchNorm, Behind, Convolution};
pub use gates::Bend;
pub use grid::Grid;
pub use loss::Pairs;
pub use pictures::Patches;
pub use rows::Spans;
pub use window::{Padding, Window};
pub use words::Answers;
