//! Text: tokens as the models take them (`token`), sentences around labels (`prompt`), tokens for measuring captions
//! (`caption`), and the analyser of full-text search: a text -> the [`Tokens`] that an index keeps, a query -> the
//! [`Query`] that is looked for. The index (`tuwen_index::fulltext`) knows both and nothing of languages.
//!
//! `fold` makes one form of what is the same (case, accents, full width, traditional characters), `signs`
//! cuts a text into what cannot be cut further, `chinese` finds words as jieba does, `dictionary` with a user's own
//! beside them, `english` knows plurals,
//! `analyser` puts them together.
//!
//! ```
//! use tuwen_text::token::Tokens;
//!
//! let (ids, lost) = Tokens::WordPiece { fold_width: false }.encode("一只狗在雪地里", 6)?;
//! assert_eq!((ids.len(), lost), (6, 3));
//! assert_eq!(tuwen_text::fold("Ｃafé 我喜歡貓"), "cafe 我喜欢猫");
//! # Ok::<(), tuwen_files::Error>(())
//! ```

mod analyser;
pub mod caption;
mod chinese;
mod dictionary;
mod english;
mod fold;
pub mod prompt;
mod signs;
pub mod token;
mod units;
mod visible;

pub use analyser::{Query, Tokens, Word, for_index, for_phrase, for_query};
pub use dictionary::{Dictionary, words};
pub use fold::{fold, simplify};
pub use units::units;
pub use visible::visible;
