//! English as coco-caption cuts it: the Penn Treebank's tokens, in lower case, without punctuation.
//!
//! coco-caption runs Stanford's `PTBTokenizer -preserveLines -lowerCase` (CoreNLP 3.4.1) and takes away 18
//! signs of punctuation (<https://github.com/salaniz/pycocoevalcap>, `tokenizer/ptbtokenizer.py`). This is
//! written anew from the Treebank's conventions and from what that program answers: at each place the longest
//! of the [`rules`](super::rules) counts, with what it must see behind the token, and of equals the first.
//! `tests/golden/captions/ptb.tsv` holds its answers.
//!
//! Where we differ: 1. a caption is looked at alone, while `PTBTokenizer` sees the next line of the file, which
//! matters where a caption ends with one letter and a dot; 2. tokens with a space inside (`1 1/2`) are several;
//! 3. only SGML tags without spaces are tokens; 4. a token of more than 1,024 bytes is several.

use super::rules::{Class, rules};

/// What coco-caption takes away; brackets are in lower case by then and stay, as `-lrb-`.
const PUNCTUATION: [&str; 14] =
    ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";", "\""];

/// Cuts a caption. Empty where there is nothing but punctuation and characters that CoreNLP does not know
/// (pictures such as 🐶).
///
/// ```
/// let tokens = tuwen_text::caption::english("The man's dog can't run, in the U.S.!");
/// assert_eq!(tokens, ["the", "man", "'s", "dog", "ca", "n't", "run", "in", "the", "u.s."]);
/// ```
pub fn english(text: &str) -> Vec<String> {
    // A line's end is what many rules look for.
    let line = text.replace(['\n', '\r'], " ") + "\n";
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        let plain = plain_word(rest);
        let length = if plain > 0 { plain } else { longest(rest, first) };
        if length == 0 {
            at += first.len_utf8();
            continue;
        }
        let (token, _) = rest.split_at(length);
        tokens.extend(normal(token).split_whitespace().map(str::to_owned));
        at += length;
    }
    tokens.retain(|token| !PUNCTUATION.contains(&&**token));
    tokens
}

/// The length of a word that no rule can do more about: small letters up to a space, which nearly all are.
fn plain_word(rest: &str) -> usize {
    let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
    let is_cut = ["cannot", "gonna", "gotta", "lemme", "gimme", "wanna"].contains(&&rest[..end]);
    if rest[end..].starts_with([' ', '\n']) && !is_cut { end } else { 0 }
}

/// How far ahead rules look, in bytes: longer tokens are no language, and would take the square of their length.
const AHEAD: usize = 1024;

/// The length of the token that the text begins with; none of a space and of what is not known.
fn longest(rest: &str, first: char) -> usize {
    let class = Class::of(first);
    let rest = &rest[..rest.floor_char_boundary(AHEAD)];
    let mut best = [0, 0];
    for rule in rules().iter().filter(|rule| rule.may_begin(class)) {
        if let Some(found) = rule.find(rest).filter(|found| found[0] > best[0]) {
            best = found;
        }
    }
    best[1]
}

/// A token as the Treebank writes it, in lower case.
fn normal(token: &str) -> String {
    if token.len() > 1 && token.chars().all(|c| c == '-') {
        return if token.len() < 5 { "--".into() } else { token.into() };
    }
    if token.starts_with('.') && token.chars().all(|c| c == '.' || c == ' ' || c == '\u{a0}') {
        return if token.len() > 1 { "...".into() } else { token.into() };
    }
    let is_cut_off = is_cut_off(token);
    let mut out = String::with_capacity(token.len());
    for c in token.chars() {
        match c {
            '(' => out.push_str("-lrb-"),
            ')' => out.push_str("-rrb-"),
            '{' if token.len() == 1 => out.push_str("-lcb-"),
            '}' if token.len() == 1 => out.push_str("-rcb-"),
            '[' if token.len() == 1 => out.push_str("-lsb-"),
            ']' if token.len() == 1 => out.push_str("-rsb-"),
            '\u{ad}' => {}
            '’' | '‘' | '´' | '‛' if is_cut_off => out.push('\''),
            '‹' | '›' => out.push('\''),
            '“' | '”' | '«' | '»' => out.push_str("''"),
            '–' | '—' | '―' => out.push_str("--"),
            '…' => out.push_str("..."),
            '¢' => out.push_str("cents"),
            '£' => out.push('#'),
            '¤' | '€' | '₠' => out.push('$'),
            '¼' => out.push_str("1/4"),
            '½' => out.push_str("1/2"),
            '¾' => out.push_str("3/4"),
            '⅓' => out.push_str("1/3"),
            '⅔' => out.push_str("2/3"),
            c => out.extend(c.to_lowercase()),
        }
    }
    for (entity, sign) in [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "''"),
        ("&apos;", "'"),
        ("&nbsp;", ""),
    ] {
        if out.contains(entity) {
            out = out.replace(entity, sign);
        }
    }
    out
}

/// Whether a token is a quote, or what the Treebank cuts off a word: `'s`, `n't`. Only there it writes other
/// apostrophes as `'`.
fn is_cut_off(token: &str) -> bool {
    let is_quote = |c: char| "'’‘‛`".contains(c);
    let lower = token.to_lowercase();
    let rest = lower.trim_start_matches(['\'', '’', '´']);
    let is_clitic = ["s", "m", "d", "re", "ve", "ll"].contains(&rest) && rest.len() < lower.len();
    let is_not = lower.starts_with('n') && lower.ends_with('t') && lower.chars().count() == 3;
    is_clitic || (is_not && lower.contains(is_quote)) || token.chars().all(is_quote)
}
