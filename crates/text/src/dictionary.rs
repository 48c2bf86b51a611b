//! Words of a text, cut with a dictionary of the user's own beside the one inside.

use std::collections::HashMap;

use crate::signs::{Script, runs, signs};
use crate::{chinese, fold};

/// Most words of a user's dictionary.
const WORDS: usize = 1_000_000;

/// A user's words of Chinese, as jieba's `userdict.txt` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// By their first character: the characters behind it, and the cost in 1/2048.
    words: HashMap<char, Vec<(String, u32)>>,
}

impl Dictionary {
    /// Reads `WORD [FREQUENCY] [PART OF SPEECH]` lines, divided by blanks. A word without a frequency is as likely as it
    /// must be to stand as one word, which is what jieba's `suggest_freq` gives.
    ///
    /// # Errors
    /// A line has no word of Chinese characters alone, or a frequency that is no whole number: it is named.
    ///
    /// ```
    /// use tuwen_text::{Dictionary, words};
    ///
    /// let own = Dictionary::parse("图文检索\n雪地里 9000 n\n")?;
    /// assert_eq!(words("图文检索", &Dictionary::default()), ["图文", "检索"]);
    /// assert_eq!(words("图文检索", &own), ["图文检索"]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        for (at, line) in text.lines().enumerate() {
            let mut parts = line.split_whitespace();
            let Some(written) = parts.next() else { continue };
            let wrong = |what: &str| Err(format!("line {}: `{written}` {what}", at + 1));
            if at >= WORDS {
                return wrong("is behind the most words that a dictionary may have, 1,000,000");
            }
            let word = fold(written);
            if !runs(&word).eq([(Script::Han, word.as_str())]) {
                return wrong(
                    "is no word of Chinese characters alone; others are words as they are",
                );
            }
            let cost = match parts.next().map(str::parse::<u64>) {
                None => Self::default().parts_cost(&word).saturating_sub(1),
                Some(Ok(frequency)) => chinese::cost_of(frequency),
                Some(Err(_)) => return wrong("has a frequency that is no whole number"),
            };
            let mut signs = word.chars();
            let first = signs.next().expect("a run is not empty");
            found.words.entry(first).or_default().push((signs.as_str().to_owned(), cost));
        }
        Ok(found)
    }

    /// The words that a text begins with: their lengths in bytes, and costs.
    pub(crate) fn prefixes<'d>(&'d self, text: &'d str) -> impl Iterator<Item = (usize, u32)> + 'd {
        let mut rest = text.chars();
        let first = rest.next();
        let group = first.and_then(|first| self.words.get(&first)).into_iter().flatten();
        let (rest, head) = (rest.as_str(), first.map_or(0, char::len_utf8));
        group
            .filter(|(word, _)| rest.starts_with(word.as_str()))
            .map(move |(word, cost)| (head + word.len(), *cost))
    }

    /// What a word costs when it is cut by the dictionary inside.
    fn parts_cost(&self, word: &str) -> u32 {
        chinese::cut_with(word, self).1
    }
}

/// The words of a text in one form ([`fold`]): Chinese as jieba cuts it, runs of letters and digits of other scripts
/// as they are. No word holds a blank or punctuation.
///
/// ```
/// use tuwen_text::{Dictionary, words};
///
/// let none = Dictionary::default();
/// assert_eq!(words("一只狗 A dog, running!", &none), ["一只", "狗", "a", "dog", "running"]);
/// assert!(words("，。!?", &none).is_empty());
/// ```
pub fn words(text: &str, dictionary: &Dictionary) -> Vec<String> {
    let text = fold(text);
    let mut found = Vec::new();
    for (kind, run) in runs(&text) {
        match kind {
            Script::Han => {
                found.extend(chinese::cut_with(run, dictionary).0.into_iter().map(str::to_owned));
            }
            Script::Single => found.extend(signs(kind, run).map(str::to_owned)),
            Script::Mixed => found.push(run.to_owned()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_words_are_kept_together_and_weighed() {
        let none = Dictionary::default();
        let text = "中国科学院计算所毕业";
        let before = words(text, &none);
        let own = Dictionary::parse("计算所毕业\n\n  科学院 3 n\n").expect("a dictionary");
        assert_ne!(words(text, &own), before);
        assert_eq!(words(text, &own).last().map(String::as_str), Some("计算所毕业"));
        // Traditional characters are the same word.
        let own = Dictionary::parse("圖文檢索").expect("a dictionary");
        assert_eq!(words("图文检索好", &own), ["图文检索", "好"]);
        assert_eq!(words("", &own), Vec::<String>::new());
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, what) in [
            ("好\nA7相机 3", "line 2: `A7相机`"),
            ("狗 many", "line 1: `狗` has a frequency"),
            ("，", "line 1"),
        ] {
            let error = Dictionary::parse(text).expect_err("wrong");
            assert!(error.contains(what), "{error}");
        }
    }
}
