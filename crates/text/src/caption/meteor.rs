//! METEOR's normaliser of English (`-norm`), which runs over the tokens of [`super::english`].
//!
//! Denkowski and Lavie, "Meteor Universal" (2014); the behaviour of `meteor-1.5.jar`, written anew. It undoes
//! part of the tokenizer's work: hyphenated words are cut, abbreviations lose their dots.

use std::sync::OnceLock;

use regex::Regex;

/// Letters, as METEOR knows them: those of Western Europe and Cyrillic.
const ALPHA: &str = "A-Za-zŠŽšžŸÀ-ÖØ-öø-žЀ-ӿԀ-ԧꙀ-ꙮ꙾-ꚗᴀ-ᵿ";
/// Abbreviations that keep their dot; the text is in lower case, so that of METEOR's list these are left.
const ABBREVIATIONS: [&str; 5] = ["v", "vs", "i.e", "rev", "e.g"];

/// Replacements in their order.
fn replacements() -> &'static [(Regex, &'static str)] {
    static COMPILED: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let all = [
            // Whatever is neither letter nor digit stands alone, but for dots, quotes, commas and hyphens.
            (r"([^0-9{A}\s.'`,\-‘’])", " $1 "),
            (r"(\D),(\D)", "$1 , $2"),
            (r"(\d),(\D)", "$1 , $2"),
            (r"(\D),(\d)", "$1 , $2"),
            (r"[`‘’]", "'"),
            (r"[“”]|''", " \" "),
            ("–|--", "-"),
            (r"([0-9{A}.])-([0-9{A}])", "$1 $2"),
            // Apostrophes go with what stands behind them inside a word, and alone elsewhere.
            (r"([^{A}])'([^{A}])", "$1 ' $2"),
            (r"([^{A}0-9])'([{A}])", "$1 ' $2"),
            (r"([{A}])'([^{A}])", "$1 ' $2"),
            (r"([{A}])'([{A}])", "$1 '$2"),
            (r"([0-9])'(s)", "$1 '$2"),
        ];
        let compile = |(pattern, by): (&str, &'static str)| {
            let pattern =
                pattern.replace("{A}", ALPHA).replace(r"\D", "[^0-9]").replace(r"\d", "[0-9]");
            (Regex::new(&pattern).expect("a valid pattern"), by)
        };
        all.into_iter().map(compile).collect()
    })
}

/// The tokens that METEOR compares, of those that coco-caption hands to it.
///
/// ```
/// let tokens = ["a", "red-haired", "man", "'s", "u.s.", "flag"].map(String::from);
/// let found = tuwen_text::caption::for_meteor(&tokens);
/// assert_eq!(found, ["a", "red", "haired", "man", "'", "s", "us", "flag"]);
/// ```
pub fn for_meteor(tokens: &[String]) -> Vec<String> {
    let mut line = format!(" {} ", tokens.join(" "));
    for (pattern, by) in replacements() {
        if pattern.is_match(&line) {
            line = pattern.replace_all(&line, *by).into_owned();
        }
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut out = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        match word.strip_suffix('.').filter(|before| !before.is_empty()) {
            None => out.push((*word).to_owned()),
            Some(before) => {
                let next = words.get(at + 1).and_then(|next| next.chars().next());
                let goes_on = next.is_some_and(|c| c.is_ascii_lowercase())
                    || (before == "pp" && next.is_some_and(|c| c.is_ascii_digit()));
                if before.contains('.') && before.contains(char::is_alphabetic) {
                    out.push(word.replace('.', ""));
                } else if ABBREVIATIONS.contains(&before) || goes_on {
                    out.push((*word).to_owned());
                } else {
                    out.extend([before.to_owned(), ".".to_owned()]);
                }
            }
        }
    }
    out
}
