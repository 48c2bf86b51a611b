//! What is said around a map in words, the same in every kind of file, and how it is broken into lines.

use tuwen_explain::{Explanation, Word};

use super::{Shown, quality};
use crate::words::counted;

/// How the explanation was made, and how far to believe it.
pub fn about(shown: &Shown<'_>) -> String {
    let found = shown.explanation;
    let [pictures, texts] = found.calls;
    let fit = quality(found).map_or_else(String::new, |of| format!(" {of}."));
    format!(
        "{}, {}: {} and {} through the model.{fit} A map says what the model made of the picture, not what is in it.",
        shown.model,
        found.method.name(),
        counted(pictures, "picture"),
        counted(texts, "text")
    )
}

/// What the lines under words mean; nothing where there are no words.
pub fn of_words(found: &Explanation) -> Option<String> {
    let heavier = |one: &&Word, other: &&Word| one.weight.abs().total_cmp(&other.weight.abs());
    let most = found.words.iter().max_by(heavier)?;
    let by = if found.words_by == found.method { "" } else { ", each left out" };
    let against = match found.words.iter().any(|word| word.weight < 0.0) {
        true => ", orange against it",
        false => "",
    };
    Some(format!(
        "Words{by}: blue speaks for the score{against}; the thickest line is {:+.4} ({}).",
        most.weight, most.text
    ))
}

/// Lines of at most `width` as `measure` has it, broken at spaces, and before any sign of scripts that need none.
pub fn wrapped(text: &str, width: f32, mut measure: impl FnMut(&str) -> f32) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for piece in pieces(text) {
        let longer = format!("{line}{piece}");
        if !line.is_empty() && measure(longer.trim_end()) > width {
            lines.push(line.trim_end().to_owned());
            line = piece.trim_start().to_owned();
        } else {
            line = longer;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Words with the space behind them; signs of Chinese one by one.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let mut signs = text.char_indices().peekable();
    while let Some((_, sign)) = signs.next() {
        let Some(&(next, other)) = signs.peek() else { break };
        let ends = sign.is_whitespace() && !other.is_whitespace();
        let alone = other >= WIDE || sign >= WIDE && !other.is_whitespace();
        if ends || alone {
            pieces.push(&text[start..next]);
            start = next;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// From here on scripts have no spaces between words.
const WIDE: char = '\u{2e80}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_between_signs_of_chinese() {
        let lines =
            |text: &str, width: f32| wrapped(text, width, |line| line.chars().count() as f32);
        assert_eq!(lines("a dog on the beach", 8.0), ["a dog on", "the", "beach"]);
        assert_eq!(lines("一只狗 and 海", 4.0), ["一只狗", "and", "海"]);
        assert_eq!(lines("海滩上的狗", 2.0), ["海滩", "上的", "狗"]);
        // What is too wide for any line has one of its own.
        assert_eq!(lines("an extraordinary dog", 8.0), ["an", "extraordinary", "dog"]);
        assert_eq!(lines("", 8.0), [""]);
    }
}
