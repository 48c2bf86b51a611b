//! An explanation for people at a terminal.

use tuwen_explain::render::{range, share};

use super::Shown;
use crate::terminal::say;
use crate::words::counted;

/// From light to dark on paper, and so from little to much on a dark terminal.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// The score, the words, and the map in signs.
pub fn print(shown: &Shown<'_>) {
    let found = shown.explanation;
    let [pictures, texts] = found.calls;
    let of = match shown.against {
        Some(against) => format!("{:?} rather than {against:?}: {:+.4}", shown.text, found.score),
        None => format!("{:?}: {:.4}", shown.text, found.score),
    };
    let kind = if shown.score == "cosine" { "" } else { shown.score };
    let kind = if kind.is_empty() { String::new() } else { format!(" {kind},") };
    say!(
        "{of} ({},{kind} {}; {} and {} through the model)",
        shown.model,
        found.method.name(),
        counted(pictures, "picture"),
        counted(texts, "text")
    );
    if let Some(quality) = super::quality(found) {
        say!("{quality}");
    }
    if !found.words.is_empty() {
        let by = if found.words_by == found.method { "" } else { ", each left out" };
        say!("words{by}:");
    }
    for word in &found.words {
        say!("  {:+.4}  {}", word.weight, word.text);
    }
    let ends = range(&found.map);
    say!("parts, from {:.4} (blank) to {:.4} (@):", ends[0], ends[1]);
    // A map of superpixels is finer than a terminal.
    let step = found.across.div_ceil(28);
    for y in (0..found.across).step_by(step) {
        let line: String = (0..found.across)
            .step_by(step)
            .flat_map(|x| {
                let shade = share(found.map[y * found.across + x], ends) * 9.0;
                [SHADES[shade.round() as usize]; 2]
            })
            .collect();
        say!("  {line}");
    }
}
