//! Features of texts: `vocabulary` counts words, `bag` weighs them, `topics` are LDA's, `word2vec` learns vectors of words
//! and `vectors` reads those of other programs, `sentence` makes a text's vector of its words'. [`TextModel`] is any of
//! them, fitted on one part and applied to others.
//!
//! ```
//! use tuwen_features::text::{TextFeature, Kept, TextModel, Weighting};
//!
//! let texts = ["a dog runs", "a cat sleeps", ""].map(str::to_owned);
//! let kept = Kept { least_texts: 1, most: 100 };
//! let model = TextModel::fit(&texts, "", &TextFeature::Bag(Weighting::Counts), kept, &|| false)?;
//! assert_eq!(model.columns(), ["a", "cat", "dog", "runs", "sleeps"]);
//! let rows = model.apply(&["a cat, a dog".to_owned()])?;
//! assert_eq!(rows.values, [2.0, 1.0, 1.0, 0.0, 0.0]);
//! # Ok::<(), tuwen_features::Error>(())
//! ```

mod bag;
mod model;
mod sentence;
mod special;
pub mod topics;
pub mod vectors;
mod vocabulary;
mod window;
pub mod word2vec;

pub use bag::Weighting;
pub use model::{Source, TextFeature, TextModel};
pub use sentence::SMOOTH;
pub use vocabulary::{Kept, Vocabulary};
