//! Tokens for measuring captions: what `tuwen_eval::captions` counts.
//!
//! English is cut as coco-caption cuts it ([`english`]: `ptb` and `rules`), Chinese into characters
//! ([`characters`]) or words ([`words`]). METEOR has a normaliser of its own behind that ([`for_meteor`]) and
//! compares stems ([`stem`]).

mod meteor;
mod ptb;
mod rules;
mod stem;

pub use meteor::for_meteor;
pub use ptb::english;
pub use stem::stem;

use crate::signs::{Script, runs, signs};
use crate::{chinese, english as plurals, fold};

/// Chinese by characters: each character is a token, and so is each run of letters and of digits. Case, full
/// width and traditional characters are folded, punctuation is left out.
///
/// ```
/// assert_eq!(tuwen_text::caption::characters("穿T恤的小貓，2只。"), ["穿", "t", "恤", "的", "小", "猫", "2", "只"]);
/// ```
pub fn characters(text: &str) -> Vec<String> {
    let text = fold(text);
    runs(&text).flat_map(|(kind, run)| signs(kind, run)).map(str::to_owned).collect()
}

/// Chinese by words, as jieba finds them (see `chinese`); folded as [`characters`] are.
///
/// ```
/// assert_eq!(tuwen_text::caption::words("我喜歡貓。"), ["我", "喜欢", "猫"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    let text = fold(text);
    let of_run = |(kind, run)| match kind {
        Script::Han => chinese::cut(run),
        Script::Single | Script::Mixed => signs(kind, run).collect(),
    };
    runs(&text).flat_map(of_run).map(str::to_owned).collect()
}

/// A lower-case English word with its other forms, singular or plural; some of them no word at all.
///
/// ```
/// assert_eq!(tuwen_text::caption::forms("dogs"), ["dogs", "dog"]);
/// ```
pub fn forms(word: &str) -> Vec<String> {
    std::iter::once(word.to_owned()).chain(plurals::forms(word)).collect()
}
