//! Models by name: which there are (`known`), where they lie on this machine (`cache`, shared with
//! HF's own programs), and how they get here (`listing`, `fetch`).
//!
//! Nothing here uses the network but [`Fetcher`], which only `tuwen model fetch` makes.
//!
//! ```
//! use tuwen_encode::Encoder;
//!
//! let encoder = tuwen_hub::open("tuwen-small")?;
//! assert_eq!(encoder.name(), "tuwen-small");
//! # Ok::<(), tuwen_hub::Error>(())
//! ```

mod cache;
mod digest;
mod error;
mod fetch;
mod known;
mod listing;
mod open;
mod settings;

pub use cache::Cache;
pub use error::{Error, Result};
pub use fetch::{Fetcher, Progress};
pub use known::{KNOWN, Known};
pub use listing::Site;
pub use open::{checkpoint, is_name, open, open_captioner};
pub use settings::Settings;
