//! One spelling of what people name: tags whose accents are written in either way are one tag, and no name has signs that
//! make it look like another.

use unicode_normalization::UnicodeNormalization;

/// Whether a character changes how what stands around it is shown, or is not shown itself: controls, line separators, and
/// the marks of direction of Unicode's bidirectional algorithm, by which `gpj.exe` reads `exe.jpg`
/// (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
pub fn misleads(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}'..='\u{202e}' | '\u{feff}')
}

/// A tag as it is kept: without spaces around it, composed (NFC), so that two spellings of an accent are one tag.
///
/// ```
/// assert_eq!(tuwen_retrieve::tag(" e\u{301}te\u{301}"), "été");
/// ```
pub fn tag(text: &str) -> String {
    text.trim().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misleads_is_no_letter_of_any_script() {
        assert!("a狗é한\u{200d}\u{200c} \u{93f}👍🏽ע".chars().all(|c| !misleads(c)));
        assert!("\n\0\u{85}\u{202e}\u{2067}\u{200f}\u{61c}\u{feff}\u{2028}".chars().all(misleads));
    }
}
