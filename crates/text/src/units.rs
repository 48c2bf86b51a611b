//! The words of a text as places in it: what an explanation gives weights to and leaves out.

use std::ops::Range;

use crate::chinese;

/// The bytes of each word: what stands between white space, a run of Chinese cut into its words; signs without a
/// letter or digit belong to the word before them. All that is no white space is in one of them.
///
/// ```
/// let text = "Two dogs, 一只狗在跑。";
/// let words: Vec<&str> = tuwen_text::units(text).into_iter().map(|at| &text[at]).collect();
/// assert_eq!(words, ["Two", "dogs,", "一只", "狗", "在", "跑。"]);
/// ```
pub fn units(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // Where a run begins, and whether it is one of Chinese.
    let mut run: Option<(usize, bool)> = None;
    let ends = text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]);
    for (at, c) in ends {
        let kind = c.filter(|c| !c.is_whitespace()).map(is_han);
        if kind == run.map(|(_, han)| han) {
            continue;
        }
        if let Some((start, han)) = run {
            take(text, start..at, han, &mut found);
        }
        run = kind.map(|han| (at, han));
    }
    found
}

fn take(text: &str, run: Range<usize>, han: bool, found: &mut Vec<Range<usize>>) {
    if han {
        let mut at = run.start;
        for word in chinese::cut(&text[run]) {
            found.push(at..at + word.len());
            at += word.len();
        }
        return;
    }
    let says = |c: char| c.is_alphanumeric();
    // Signs in front of the first letter stay with the word that follows, unless one stands right before.
    let signs = text[run.clone()].find(says).unwrap_or(run.len());
    let mut start = run.start;
    if let Some(last) = found.last_mut().filter(|last| signs > 0 && last.end == run.start) {
        last.end = run.start + signs;
        start = last.end;
    }
    match found.last_mut() {
        _ if start == run.end => {}
        // Signs alone, behind white space.
        Some(last) if signs == run.len() => last.end = run.end,
        _ => found.push(start..run.end),
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        units(text).into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn every_sign_belongs_to_a_word() {
        assert_eq!(words("a  dog - and (a) ball !"), ["a", "dog -", "and", "(a)", "ball !"]);
        assert_eq!(words("iPhone15手机,很好"), ["iPhone15", "手机,", "很", "好"]);
        assert_eq!(words("…"), ["…"]);
        assert_eq!(words(" \t\n"), Vec::<&str>::new());
    }

    #[test]
    fn words_do_not_overlap_and_leave_only_white_space() {
        for text in ["草地上奔跑的狗 (running).", "x,y 一,二", "🐶狗 🐱", "\u{301}a\u{200b}b"]
        {
            let found = units(text);
            let mut at = 0;
            for word in &found {
                assert!(word.start >= at && text[at..word.start].trim().is_empty(), "{text}");
                at = word.end;
            }
            assert!(text[at..].trim().is_empty(), "{text}");
        }
    }
}
