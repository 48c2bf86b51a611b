//! One form for what people take for the same: lower case, no accents, plain width, simplified characters.

use unicode_normalization::UnicodeNormalization;

/// Pairs of codes, sorted: a traditional character and its simplified one (OpenCC's, and Unihan's;
/// `scripts/golden/words.py`).
/// Where several are simplified to one (後, 后), they become the same here: more is found, nothing is lost.
static SIMPLIFIED: &[u8] = include_bytes!("simplified.bin");

/// The form in which texts are compared.
///
/// ```
/// assert_eq!(tuwen_text::fold("Ｃafé 我喜歡貓"), "cafe 我喜欢猫");
/// ```
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    // Only the accents of Latin, Greek and Cyrillic: other scripts' marks are vowels or other letters.
    let plain = lower.nfkd().filter(|c| !('\u{300}'..='\u{36f}').contains(c));
    plain.nfc().flat_map(char::to_lowercase).map(simplified).collect()
}

/// A text with its accents composed (NFC) and its traditional characters simplified, and else as it is.
///
/// ```
/// assert_eq!(tuwen_text::simplify("Cafe\u{301} 臺灣"), "Café 台湾");
/// ```
pub fn simplify(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.nfc().map(simplified).collect()
}

fn simplified(c: char) -> char {
    let Ok(code) = u16::try_from(c as u32) else { return c };
    if code < 0x3400 {
        return c;
    }
    let (pairs, _) = SIMPLIFIED.as_chunks::<4>();
    let of = |pair: &[u8; 4]| u16::from_le_bytes([pair[0], pair[1]]);
    let found = pairs.binary_search_by_key(&code, of).ok().map(|at| pairs[at]);
    let found = found.map(|pair| u32::from(u16::from_le_bytes([pair[2], pair[3]])));
    found.and_then(char::from_u32).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_has_one_form() {
        for (text, wanted) in [
            ("Ａ７Ｍ４", "a7m4"),
            ("Café ÀÉÎÕÜ", "cafe aeiou"),
            ("İstanbul", "istanbul"),
            ("ﬁne ①", "fine 1"),
            ("後面 裡裏 臺灣 颱風 乾淨 頭髮 旅遊 為爲", "后面 里里 台湾 台风 干净 头发 旅游 为为"),
            ("著名 乾隆", "着名 干隆"),
            ("が한글 हिन्दी", "が한글 हिन्दी"),
            ("", ""),
        ] {
            assert_eq!(fold(text), wanted, "{text}");
            assert_eq!(fold(wanted), wanted, "again");
        }
    }
}
