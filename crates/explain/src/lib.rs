//! Why a picture and a text score as they do: maps over the picture's parts and weights of the text's words, and how
//! far these can be trusted.
//!
//! `attention` and `gradient` are maps as pure functions of what one backward pass through a tower told
//! ([`tuwen_encode::Trace`]); `perturb`, `shapley`, `owen` and `fixlip` ask a game ([`PictureGame`], [`TextGame`]) for scores of
//! pictures and texts with parts hidden (`hide`, `regions`, whose superpixels `pieces` makes whole), and `unseen` asks
//! what their fits say of scores that they were not made of; [`explain()`] chooses between them (`subject`). What is no inner
//! product, as a matching head's score, is a [`Judge`] that is asked by hiding alone (`hiding`, `judge`), and a caption's
//! words are explained one by one (`said`). `faithful` measures what they say, `render` shows it. Formulas are in the
//! modules, with their papers.
//!
//! ```
//! use tuwen_encode::{Encoder, builtin};
//! use tuwen_explain::{Method, Settings, explain};
//! use tuwen_image::{Picture, RgbImage};
//!
//! let encoder = builtin::open()?;
//! let red = RgbImage::from_fn(64, 64, |x, _| if x < 32 { [200, 20, 20].into() } else { [255; 3].into() });
//! let square = encoder.preprocess().fit(&Picture::Rgb(red));
//! let found = explain(&encoder, &square, "a red wall", &Settings::new(Method::Legrad))?;
//! assert_eq!((found.map.len(), found.words.len()), (14 * 14, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apart;
pub mod attention;
mod cividis;
mod error;
mod explain;
pub mod faithful;
mod fast;
pub mod fixlip;
mod game;
pub mod gradient;
mod hide;
mod hiding;
mod judge;
mod method;
pub mod owen;
pub mod perturb;
mod pieces;
mod regions;
pub mod render;
mod said;
mod settings;
pub mod shapley;
pub mod solve;
mod subject;
mod unseen;
mod watch;

pub use apart::words_apart;
pub use error::{Error, Result};
pub use explain::{
    Explanation, MOST_WORDS, Rivals, Word, explain, explain_against, explain_direction,
    explains_direction,
};
pub use game::{Mask, PictureGame, TextGame, dots};
pub use hide::{Fill, Words, mixed};
pub use judge::{Judge, Judged, explain_judge};
pub use method::Method;
pub use regions::Regions;
pub use said::{LogProbs, SaidWord, explain_said};
pub use settings::{MOST_SAMPLES, Settings};
pub use watch::Watch;
