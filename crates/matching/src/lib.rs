//! Heads that look again at what a dual encoder found: words look at patches (late interaction), and a small network
//! says whether a text and a photo belong together (matching).
//!
//! A dual encoder compares one vector with one vector. These compare the tokens that the vectors were pooled from, and
//! are handed them: nothing here knows a tower. A photo's patches are projected once to 64 values of 8 bits
//! ([`Patches`]), which both heads read.
//!
//! Shapes: P patches, L words, K values of a stored patch.
//!
//! ```
//! use tuwen_matching::{Patches, Room, Words};
//!
//! // Two patches and one word of four values: the word is the second patch's direction.
//! let patches = Patches::new(&[1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0], 4);
//! let words = Words::new(&[0.0, 1.0, 0.0, 0.0], 4, vec![1.0]);
//! let mut room = Room::default();
//! words.best(&patches, &mut room);
//! assert!((room.of_words[0] - 1.0).abs() < 1e-6);
//! assert_eq!(room.of_patches.iter().map(|best| best.round()).collect::<Vec<_>>(), [0.0, 1.0]);
//! ```

mod config;
mod error;
mod first;
mod fuser;
mod heads;
mod itm;
mod kernel;
mod patches;
mod side;
mod weights;

pub use config::{HeadsConfig, Itm, Late, Pooling};
pub use error::{Error, Result};
pub use first::first_values;
pub use fuser::{FUSER_KEY, Fuser, FuserConfig, Network, Role, is_measured};
pub use heads::{Heads, Question, Spanned, spans_of};
pub use itm::{Matcher, Pair};
pub use patches::{Patches, Room, Words};
pub use side::Side;

/// The instructions that late interaction is made of on this processor.
pub fn instructions() -> &'static str {
    kernel::Kernel::best(64).name()
}
