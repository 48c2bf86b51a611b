//! A folded text into runs of letters, digits and characters, and these into signs: what cannot be cut
//! further and is found by itself. `a7m4` is one run of four signs, `我喜欢猫` one of four.

/// What a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Chinese characters: words have no spaces between them.
    Han,
    /// Kana, symbols of pictures: each is a sign, words are not looked for.
    Single,
    /// Letters and digits of all other scripts.
    Mixed,
}

/// The script of a character; `None` for spaces, punctuation and what only changes the sign before it.
fn script(c: char) -> Option<Script> {
    match c {
        '\u{4e00}'..='\u{9fff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{20000}'..='\u{323af}'
        | '〇'
        | '々' => Some(Script::Han),
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' => Some(Script::Single),
        // Skin tones.
        '\u{1f3fb}'..='\u{1f3ff}' => None,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' => {
            Some(Script::Single)
        }
        c if c.is_alphanumeric() => Some(Script::Mixed),
        // Vowel signs belong to the word around them.
        c if !c.is_ascii() && unicode_normalization::char::is_combining_mark(c) => {
            ('\u{0900}'..='\u{1cff}').contains(&c).then_some(Script::Mixed)
        }
        _ => None,
    }
}

/// The runs of a folded text.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = (Script, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| script(c).is_none());
        let kind = script(rest.chars().next()?)?;
        let end = rest.find(|c| script(c) != Some(kind)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        rest = behind;
        Some((kind, run))
    })
}

/// The signs of a run.
pub(crate) fn signs(kind: Script, run: &str) -> impl Iterator<Item = &str> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match kind {
            Script::Mixed => {
                let is_digit = first.is_numeric();
                rest.find(|c: char| c.is_numeric() != is_digit).unwrap_or(rest.len())
            }
            Script::Han | Script::Single => first.len_utf8(),
        };
        let (sign, behind) = rest.split_at(end);
        rest = behind;
        Some(sign)
    })
}
