//! A text into what the index keeps, a query into what is looked for.
//!
//! The index has two columns. `signs` are all signs of the text in their order, so that what is found does
//! not depend on how somebody cuts words: 喜欢 is 喜 beside 欢, `A7` is in `A7M4`, `iphone 15` in
//! `iPhone15`. `words` are those that say more than their signs, so that a text where they are words comes
//! before one where the same characters meet by chance.

use std::collections::HashSet;

use crate::signs::{Script, runs, signs};
use crate::{chinese, english, fold};

/// What the index keeps of a text. No token has a space or a sign of a query's syntax in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Words of several signs, several times where they stand several times.
    pub words: Vec<String>,
    /// All signs, in their order.
    pub signs: Vec<String>,
}

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Each once, in their order.
    pub words: Vec<Word>,
}

/// A word of a query: a text has it where it has one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The word itself, where it has several signs.
    pub word: Option<String>,
    /// Signs that stand side by side: the word's own, and those of its other forms.
    pub phrases: Vec<Vec<String>>,
}

/// Words that a query may have; what is behind them is left out. A longer text is no query but a document.
const WORDS: usize = 64;

/// The tokens of a document.
///
/// ```
/// let tokens = tuwen_text::for_index("索尼A7M4相機");
/// assert_eq!(tokens.words, ["索尼", "a7m4", "相机"]);
/// assert_eq!(tokens.signs, ["索", "尼", "a", "7", "m", "4", "相", "机"]);
/// ```
pub fn for_index(text: &str) -> Tokens {
    let text = fold(text);
    let mut tokens = Tokens::default();
    for (kind, run) in runs(&text) {
        let before = tokens.signs.len();
        tokens.signs.extend(signs(kind, run).map(str::to_owned));
        match kind {
            Script::Han => {
                let words = chinese::cut(run).into_iter().flat_map(chinese::parts);
                tokens.words.extend(words.filter(|w| is_several(w)).map(str::to_owned));
            }
            Script::Mixed if tokens.signs.len() > before + 1 => tokens.words.push(run.to_owned()),
            Script::Mixed | Script::Single => {}
        }
    }
    tokens
}

/// The words of a query.
///
/// ```
/// let query = tuwen_text::for_query("喜欢 dogs");
/// assert_eq!(query.words[0].word.as_deref(), Some("喜欢"));
/// assert_eq!(query.words[0].phrases, [["喜", "欢"]]);
/// assert_eq!(query.words[1].phrases, [["dogs"], ["dog"]]);
/// ```
pub fn for_query(text: &str) -> Query {
    // A query is short; of a document that somebody pastes only its beginning is looked at.
    const LONGEST: usize = 4096;
    let text: String = text.chars().take(LONGEST).collect();
    let text = fold(&text);
    let mut query = Query::default();
    let mut known = HashSet::new();
    for (kind, run) in runs(&text) {
        let words = match kind {
            Script::Han => chinese::cut(run),
            Script::Single => signs(kind, run).collect(),
            Script::Mixed => vec![run],
        };
        for word in words {
            if query.words.len() < WORDS && known.insert(word.to_owned()) {
                query.words.push(asked(kind, word));
            }
        }
    }
    query
}

fn asked(kind: Script, word: &str) -> Word {
    let own: Vec<String> = signs(kind, word).map(str::to_owned).collect();
    let whole = (own.len() > 1).then(|| word.to_owned());
    let others = if own.len() == 1 { english::forms(word) } else { Vec::new() };
    let phrases = std::iter::once(own).chain(others.into_iter().map(|form| vec![form])).collect();
    Word { word: whole, phrases }
}

/// The signs that must stand side by side, for "exact words". As long as it is wanted: it is one phrase.
///
/// ```
/// assert_eq!(tuwen_text::for_phrase("\"iPhone 15\""), ["iphone", "15"]);
/// ```
pub fn for_phrase(text: &str) -> Vec<String> {
    const LONGEST: usize = 4096;
    let text: String = text.chars().take(LONGEST).collect();
    let text = fold(&text);
    runs(&text).flat_map(|(kind, run)| signs(kind, run)).map(str::to_owned).collect()
}

fn is_several(word: &str) -> bool {
    word.chars().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_mixed_tokens_are_whole_and_in_parts() {
        for (text, words, signs) in [
            ("A7M4", "a7m4", "a 7 m 4"),
            ("12345", "", "12345"),
            ("iPhone15", "iphone15", "iphone 15"),
            ("ILCE-7M4", "7m4", "ilce 7 m 4"),
            ("F2.8", "f2", "f 2 8"),
            ("Café ＡＢＣ", "", "cafe abc"),
            ("🐶狗👍🏽", "", "🐶 狗 👍"),
            ("ひらがな", "", "ひ ら が な"),
            ("don't", "", "don t"),
            ("", "", ""),
            ("，。！?*\"^-", "", ""),
        ] {
            let tokens = for_index(text);
            assert_eq!(
                (tokens.words.join(" "), tokens.signs.join(" ")),
                (words.into(), signs.into())
            );
        }
    }

    #[test]
    fn tokens_have_no_spaces_and_no_syntax() {
        let all: String = (0..=0x3_ffff).filter_map(char::from_u32).collect();
        let tokens = for_index(&all);
        for token in tokens.words.iter().chain(&tokens.signs) {
            let is_token = |c: char| !c.is_ascii() || c.is_ascii_digit() || c.is_ascii_lowercase();
            assert!(!token.is_empty() && token.chars().all(is_token), "{token:?}");
            assert!(!token.contains(char::is_whitespace), "{token:?}");
        }
    }

    #[test]
    fn long_texts_take_their_time_and_long_queries_are_cut() {
        let text = "一只金毛犬在海边的沙滩上奔跑索尼A7M4相机我喜欢猫一".repeat(4000);
        let start = std::time::Instant::now();
        let tokens = for_index(&text);
        let time = start.elapsed();
        println!("{} characters in {time:.1?}", text.chars().count());
        assert!(tokens.signs.len() > 100_000);
        assert!(time.as_secs() < 5, "{time:?}");
        assert_eq!(for_query(&"a1 b2 狗 猫 ".repeat(9000)).words.len(), 4);
        let many: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
        assert_eq!(for_query(&many.join(" ")).words.len(), 64);
    }
}
