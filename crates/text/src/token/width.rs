//! Full-width letters and digits, which East Asian keyboards write, as plain ones.

use std::borrow::Cow;

/// `ＤＯＧ１` to `DOG1`: NFKC for letters and digits alone. Full-width punctuation stays: it is what
/// Chinese texts are written with, and vocabularies have it.
pub fn fold_width(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_wide) { text.chars().map(plain).collect() } else { text.into() }
}

/// Whether folding would change a text.
pub fn has_wide(text: &str) -> bool {
    text.chars().any(is_wide)
}

fn is_wide(c: char) -> bool {
    matches!(c, '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ')
}

fn plain(c: char) -> char {
    /// From the full-width block to ASCII.
    const STEP: u32 = 0xfee0;
    if is_wide(c) { char::from_u32(u32::from(c) - STEP).unwrap_or(c) } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    #[test]
    fn letters_and_digits_become_plain_and_nothing_else() {
        assert_eq!(fold_width("ＤＯＧ，ｄｏｇ１２３！狗"), "DOG，dog123！狗");
        assert!(matches!(fold_width("a plain dog，狗"), Cow::Borrowed(_)));
        for c in ('\u{ff00}'..='\u{ffef}').filter(|&c| is_wide(c)) {
            assert_eq!(plain(c).to_string(), c.nfkc().collect::<String>());
        }
    }
}
