//! Metrics of retrieval, classification and captions: pure functions on embeddings, tokens and truth. They know
//! nothing of models or files.
//!
//! Convention (open_clip's): a query's rank is the best rank of any of its true items; equal scores
//! go to the lower gallery position; the number of ties at a true item is reported.
//!
//! ```
//! // Two pictures and three texts on the axes of a plane; the last text describes the other picture.
//! let images = [1.0, 0.0, 0.0, 1.0];
//! let texts = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
//! let report = tuwen_eval::evaluate(&images, &texts, 2, &[vec![0], vec![1], vec![0]]);
//! assert_eq!(report.image_to_text.recall[0], 100.0);
//! ```

pub mod assign;
pub mod captions;
pub mod classify;
pub mod compare;
pub mod conventions;
pub mod fuse;
pub mod labelled;
mod metrics;
mod ranks;
mod recall;
mod rerank;

pub use metrics::{Ask, CUTOFFS, Direction, MAP_CUTOFF};
pub use ranks::{Ranked, Ranking, Ties, rank, rank_all, top};
pub use recall::{Captioned, Classified, Report, by_class, evaluate};
pub use rerank::rerank;
