//! Operations on ragged rows with their backward passes, and a tape over them: what every network is written in.
//!
//! A [`Value`] is rows of a matrix, those of several sequences one behind the other without padding. [`Tape`] has
//! the operations: each computes its result at once and, where something learns, remembers how gradients go back.
//! `layers` are the weights that operations take, `grads` the sums of their gradients over the chunks of a batch,
//! in one order on any number of threads.
//!
//! ```
//! use tuwen_nn::{Linear, Rows, Tape, grads};
//!
//! let weight = [1.0, 2.0, 3.0, 4.0];
//! let rows = Rows::Floats(weight.as_slice().into());
//! let layer = Linear::new("w".into(), &[2, 2], rows, None, Default::default(), None).learning(true);
//! let mut tape = Tape::recording();
//! let x = tape.leaf(vec![1.0, 1.0], 2, true);
//! let y = tape.linear(&x, &layer);
//! assert_eq!(y[..], [3.0, 7.0]);
//! let (weights, dx) = grads::collect(vec![tape], |tape, grads| {
//!     tape.backward(vec![(&y, vec![1.0, 0.0])], grads).take(&x)
//! });
//! assert_eq!(weights.0["w"].data, [1.0, 1.0, 0.0, 0.0]);
//! assert_eq!(dx, [Some(vec![1.0, 2.0])]);
//! ```

mod arrays;
mod cache;
mod executor;
pub mod grads;
mod helpers;
mod layers;
pub mod math;
mod ops;
mod tape;
mod value;

pub use arrays::{Array, Arrays, Missing};
pub use cache::Cache;
pub use executor::{Columns, Executor, ExecutorError, Matrix, Memory, Tap, Taps};
pub use helpers::with_helpers;
pub use layers::{
    Activation, Adapter, Factor, Fetched, Linear, Named, Norm, Rows, StoredRows, Table, Weight,
};
pub use ops::{
    Answers, Attended, Attention, AttentionMap, BatchNorm, Behind, Bend, Convolution, Grid,
    Padding, Pairs, Part, Patches, Sequence, Spans, Window,
};
pub use tape::{LeafGradients, Tape};
pub use value::Value;
