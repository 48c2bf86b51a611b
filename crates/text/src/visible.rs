//! Signs that nobody sees and that come along when text is copied: byte order marks, soft hyphens, spaces without a
//! width, marks of direction.

use std::borrow::Cow;

/// Neither joiners, which emoji and some scripts are made of, nor selectors of a variant.
const HIDDEN: [char; 20] = [
    '\u{ad}', '\u{61c}', '\u{180e}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}',
    '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}', '\u{2061}', '\u{2062}', '\u{2063}', '\u{2064}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// A text without such signs.
///
/// ```
/// assert_eq!(tuwen_text::visible("\u{feff}dog\u{ad}house\u{200b}"), "doghouse");
/// assert_eq!(tuwen_text::visible("👩\u{200d}🚀"), "👩\u{200d}🚀");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c == '\u{feff}' || HIDDEN.contains(&c);
    match !text.is_ascii() && text.contains(hidden) {
        true => Cow::Owned(text.chars().filter(|&c| !hidden(c)).collect()),
        false => Cow::Borrowed(text),
    }
}
