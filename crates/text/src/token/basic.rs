//! BERT's basic tokenizer: cleaning, lower case, accents, punctuation and CJK splitting.
//!
//! Source: google-research/bert `tokenization.py`, as in Chinese-CLIP's
//! <https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/bert_tokenizer.py>.

use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// Splits `text` into lower-cased words, punctuation marks and single CJK characters.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in clean(text).split_whitespace() {
        split_punctuation(&strip_accents(&token.to_lowercase()), &mut words);
    }
    words
}

/// Drops control characters, turns every space into ' ' and sets CJK characters apart.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            out.push(' ');
            continue;
        }
        match get_general_category(c) {
            _ if matches!(c, '\0' | '\u{fffd}') => {}
            Category::Control | Category::Format => {}
            Category::SpaceSeparator => out.push(' '),
            _ if is_cjk(c) => out.extend([' ', c, ' ']),
            _ => out.push(c),
        }
    }
    out
}

fn strip_accents(token: &str) -> String {
    if token.is_ascii() {
        return token.to_owned();
    }
    token.nfd().filter(|&c| get_general_category(c) != Category::NonspacingMark).collect()
}

fn split_punctuation(token: &str, words: &mut Vec<String>) {
    let mut word = String::new();
    for c in token.chars() {
        if is_punctuation(c) || c.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if !c.is_whitespace() {
                words.push(c.to_string());
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
}

/// All ASCII that is neither letter, digit nor space counts, `$` and `^` too.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            get_general_category(c),
            Category::ConnectorPunctuation
                | Category::DashPunctuation
                | Category::OpenPunctuation
                | Category::ClosePunctuation
                | Category::InitialPunctuation
                | Category::FinalPunctuation
                | Category::OtherPunctuation
        )
}

/// The ideograph blocks; kana and hangul are written with spaces or as words of their own.
fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x4e00..=0x9fff | 0x3400..=0x4dbf | 0x20000..=0x2a6df | 0x2a700..=0x2b73f
        | 0x2b740..=0x2b81f | 0x2b820..=0x2ceaf | 0xf900..=0xfaff | 0x2f800..=0x2fa1f)
}
