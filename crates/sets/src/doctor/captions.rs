//! What is wrong with words.

use std::path::Path;

use super::{Doctor, Example, Issue};
use crate::Sample;
use crate::import::is_image_name;
use tuwen_text::token::WordPiece;

/// What UTF-8 read as GBK, GBK read as UTF-8 and UTF-8 read as Latin-1 leave behind.
const MOJIBAKE: [&str; 14] = [
    "\u{fffd}",
    "锟斤拷",
    "烫烫烫",
    "鐨勬",
    "涓€",
    "鏄痀",
    "Ã©",
    "Ã¨",
    "â€™",
    "â€œ",
    "Â ",
    "Ã¤",
    "Ã¶",
    "ï»¿",
];

/// Whether training can use a caption.
pub(super) fn is_usable(text: &str, id: &str) -> bool {
    !text.trim().is_empty() && !is_name(text, id)
}

/// Whether the caption is the file's name, or any picture file's.
fn is_name(text: &str, id: &str) -> bool {
    let text = text.trim();
    let bare = |name: &str| Path::new(name).with_extension("").to_string_lossy().to_lowercase();
    let named = is_image_name(Path::new(text)) && !text.contains(char::is_whitespace);
    named || bare(text) == bare(id)
}

/// The first placeholder: a short word in angle brackets.
fn placeholder(text: &str) -> Option<&str> {
    let start = text.find('<')?;
    let len = text[start..].find('>')?;
    let inside = &text[start + 1..start + len];
    let short = (1..=8).contains(&inside.chars().count());
    (short && !inside.contains(char::is_whitespace)).then(|| &text[start..=start + len])
}

impl Doctor {
    pub(super) fn captions(&mut self, sample: &Sample) {
        let id = &sample.id;
        if sample.captions.is_empty() {
            self.note(Issue::NoCaption, || Example::new(&[id], ""));
        }
        for caption in &sample.captions {
            let text = caption.text.trim();
            if text.is_empty() {
                self.note(Issue::EmptyCaption, || Example::new(&[id], ""));
                continue;
            }
            let example = || Example::new(&[id], text);
            if is_name(text, id) {
                self.note(Issue::NameAsCaption, example);
            }
            if placeholder(text).is_some() {
                self.note(Issue::Placeholder, example);
            }
            if MOJIBAKE.iter().any(|mark| text.contains(mark)) {
                self.note(Issue::Mojibake, example);
            }
            let lost = WordPiece::shared().encode(text, self.context).1;
            if lost > 0 {
                self.note(Issue::TooLong, || {
                    Example::new(&[id], format!("{lost} tokens too many"))
                });
            }
            let hash = blake3::hash(text.as_bytes());
            let short = *hash.as_bytes().first_chunk().expect("32 bytes");
            let here = self.seen.len();
            match self.captions.get(&short) {
                Some(&first) if first != here => {
                    let first = self.seen[first].id.clone();
                    self.note(Issue::DuplicateCaption, || Example::new(&[id, &first], text));
                }
                Some(_) => {}
                None => drop(self.captions.insert(short, here)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_placeholders_and_words_are_told_apart() {
        assert!(is_name("Image14001001-0002.jpg", "x") && is_name(" cat_7 ", "cat_7"));
        assert!(!is_name("a photo.jpg of a dog", "x") && !is_name("狗", "x"));
        assert_eq!(placeholder("记者<人名>报道"), Some("<人名>"));
        assert_eq!(placeholder("3 < 4 and 5 > 2"), None);
        assert_eq!(placeholder("a < b"), None);
    }
}
