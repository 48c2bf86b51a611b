//! A text longer than the context as several that are not: whole sentences where they fit, else
//! clauses, else as many characters as do.

/// Where a text may be cut, from the best to the worst.
#[derive(Clone, Copy)]
enum Cut {
    Sentence,
    Clause,
    Character,
}

/// Cuts `text` into neighbouring windows of which each `fits`, with as much as possible in each.
/// Nothing is lost but white space at the cuts. A single character that does not fit stays alone.
///
/// ```
/// let windows = tuwen_text::token::windows("狗在跑。猫在睡。", |part| part.chars().count() <= 5);
/// assert_eq!(windows, ["狗在跑。", "猫在睡。"]);
/// ```
pub fn windows(text: &str, fits: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut out = Vec::new();
    fill(text, Cut::Sentence, &fits, &mut out);
    out
}

fn fill<'t>(text: &'t str, cut: Cut, fits: &dyn Fn(&str) -> bool, out: &mut Vec<&'t str>) {
    let finer = match cut {
        Cut::Sentence => Some(Cut::Clause),
        Cut::Clause => Some(Cut::Character),
        Cut::Character => None,
    };
    let (mut start, mut end) = (0, 0);
    for next in ends(text, cut) {
        if fits(text[start..next].trim()) {
            end = next;
            continue;
        }
        push(&text[start..end], out);
        (start, end) = (end, next);
        let piece = &text[start..end];
        if let Some(finer) = finer.filter(|_| !fits(piece.trim())) {
            fill(piece, finer, fits, out);
            start = end;
        }
    }
    push(&text[start..end], out);
}

fn push<'t>(piece: &'t str, out: &mut Vec<&'t str>) {
    if !piece.trim().is_empty() {
        out.push(piece.trim());
    }
}

/// The byte positions behind each piece.
fn ends(text: &str, cut: Cut) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        let ends_here = match cut {
            Cut::Sentence => {
                "。！？!?；;\n…".contains(c) || (c == '.' && next.is_none_or(char::is_whitespace))
            }
            Cut::Clause => "，,、：:—".contains(c) || c.is_whitespace(),
            Cut::Character => true,
        };
        if ends_here || next.is_none() {
            ends.push(at + c.len_utf8());
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> bool {
        text.chars().count() <= 12
    }

    #[test]
    fn whole_sentences_stay_together() {
        let found = windows("今天天气好。我们去公园。狗在草地上跑！A cat sat. It slept.", short);
        assert_eq!(
            found,
            ["今天天气好。我们去公园。", "狗在草地上跑！", "A cat sat.", "It slept."]
        );
        assert_eq!(windows("3.5 stars", short), ["3.5 stars"]);
    }

    #[test]
    fn a_long_sentence_is_cut_at_its_clauses_and_then_anywhere() {
        let found = windows("one two three four five, six.", short);
        assert_eq!(found, ["one two", "three four", "five, six."]);
        assert_eq!(
            windows("一二三四五六七八九十一二三四五", short),
            ["一二三四五六七八九十一二", "三四五"]
        );
        assert_eq!(windows(" \n ", short), Vec::<&str>::new());
    }

    #[test]
    fn nothing_is_lost() {
        let text =
            "第一句话很长很长很长很长很长很长，还有第二部分。Second sentence, also long! 尾巴";
        let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let found = windows(text, short);
        assert_eq!(kept(&found.concat()), kept(text));
        assert!(found.iter().all(|window| short(window)));
    }
}
