//! Text inside HTML and SVG.

/// A name or caption as it may stand in an element or in a quoted attribute. What no document may
/// contain (escape sequences, other control characters) is shown as U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_an_element() {
        assert_eq!(escaped("<a href='x\">&狗"), "&lt;a href=&#39;x&quot;&gt;&amp;狗");
        assert_eq!(escaped("a\u{1b}]0;x\u{7}\n"), "a\u{fffd}]0;x\u{fffd}\n");
    }
}
