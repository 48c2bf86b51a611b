//! The text cleaning that comes before CLIP's byte pairs.
//!
//! Source: `basic_clean` and `whitespace_clean` in OpenAI's `simple_tokenizer.py`, which call
//! ftfy 6.3 (<https://github.com/rspeer/python-ftfy>) and Python's `html.unescape`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::mojibake;

/// What happens to a text before a tokenizer from a file sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cleaning {
    /// It becomes lower case (SigLIP).
    #[default]
    Lower,
    /// Nothing: what is to be done, the file says (transformers).
    AsIs,
    /// Repaired, unescaped, white space collapsed (open_clip's `whitespace`, its default).
    Whitespace,
    /// That, and lower case (open_clip's `lower`).
    WhitespaceLower,
    /// That, and no ASCII punctuation (open_clip's `canonicalize`).
    Canonicalize,
}

impl Cleaning {
    /// The cleaned text.
    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Self::Lower => text.to_lowercase(),
            Self::AsIs => text.to_owned(),
            Self::Whitespace => collapse(&basic(text)),
            Self::WhitespaceLower => clean(text),
            Self::Canonicalize => {
                let text = basic(text).replace('_', " ");
                let kept: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
                collapse(&kept.to_lowercase())
            }
        }
    }
}

/// Repairs, unescapes, collapses white space and lower-cases.
pub(super) fn clean(text: &str) -> String {
    collapse(&basic(text)).to_lowercase()
}

/// Repairs and unescapes: OpenAI's `basic_clean`.
fn basic(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains(['&', '\u{1b}']) && !text.contains(is_control) {
        return text.into();
    }
    let mut html = false;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // A `<` says that the text is HTML from here on, whose entities are meant.
        html |= line.contains('<');
        let mut line = line.to_owned();
        loop {
            let repaired = repair(&line, html);
            if repaired == line {
                break;
            }
            line = repaired;
        }
        out.push_str(&line);
    }
    htmlize::unescape(&*htmlize::unescape(out)).into_owned().into()
}

fn collapse(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// One round of ftfy's `fix_text`.
fn repair(text: &str, html: bool) -> String {
    let text = if html { text.to_owned() } else { unescape_whole(text) };
    let text = mojibake::fix(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{80}'..='\u{9f}' => out.push(windows_1252(c)),
            '\u{132}' | '\u{133}' | '\u{149}' | '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}' => {
                out.extend(ligature(c));
            }
            '\u{fb00}'..='\u{fb06}' => out.extend(ligature(c)),
            '\u{3000}' => out.push(' '),
            '\u{ff01}'..='\u{ffef}' => out.extend(c.nfkc()),
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
            '\u{201c}'..='\u{201f}' => out.push('"'),
            _ => out.push(c),
        }
    }
    let text = out.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let text: String = without_escapes(&text).chars().filter(|&c| !is_control(c)).collect();
    text.nfc().collect()
}

/// Entities with a semicolon only: `this&not that` is no entity.
fn unescape_whole(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let name = rest[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '#'));
        let end = name.map(|len| len + 1).filter(|&end| rest[end..].starts_with(';'));
        match end {
            Some(end) if (2..=25).contains(&end) => {
                out.push_str(&unescape_one(&rest[..=end]));
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// One entity; `&EACUTE;`, which HTML does not know, is the capital of `&eacute;`.
fn unescape_one(entity: &str) -> String {
    let found = htmlize::unescape(entity);
    if found == entity && !entity.contains(|c: char| c.is_ascii_lowercase()) {
        let lower = entity.to_ascii_lowercase();
        let capital = htmlize::unescape(&*lower);
        if capital != lower {
            return capital.to_uppercase();
        }
    }
    found.into_owned()
}

/// The letters of a ligature as in ftfy's table: two of them not as Unicode decomposes them.
fn ligature(c: char) -> Vec<char> {
    match c {
        '\u{149}' => vec!['\u{2bc}', 'n'],
        '\u{fb05}' => vec!['\u{17f}', 't'],
        c => c.nfkc().collect(),
    }
}

/// What a C1 control character was meant to be; other characters are what they are.
pub(super) fn windows_1252(c: char) -> char {
    const MEANT: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let meant = (c as usize).checked_sub(0x80).and_then(|place| MEANT.get(place));
    meant.copied().unwrap_or(c)
}

/// Drops a terminal's colour codes.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match rest.strip_prefix(|c: char| c.is_ascii_alphabetic()) {
            Some(rest) => out.push_str(rest),
            None => {
                out.push_str("\u{1b}[");
                out.push_str(part);
            }
        }
    }
    out
}

fn is_control(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}
