//! Drawn scenes with captions, made of drawn pictures of single things: training data for a model that knows things
//! and not yet what several of them make together. A `stock` of cut-out things, `grounds` to put them on
//! (`backdrop` draws them), a `layout` that places them sensibly, and `words` that say in both languages what is
//! true of the places. Everything is a function of the seed and the scene's number.

mod backdrop;
mod captions;
mod colours;
mod grounds;
mod layout;
mod scene;
mod stock;
pub mod things;
pub mod words;

pub use captions::Captions;
pub use grounds::Place;
pub use layout::Placed;
pub use scene::{Scene, scene};
pub use stock::{Actor, Stock, Unfit};
