//! HTML and SVG, for the pages of the program and the reports of training: escaped text, the head of a page, and
//! charts ([`Chart`], [`Scatter`]).
//!
//! ```
//! let page = tuwen_markup::page_start("A & B", "h1{color:green}") + &tuwen_markup::escape("<cats & dogs>");
//! assert!(page.contains("<title>A &amp; B</title>") && page.ends_with("&lt;cats &amp; dogs&gt;"));
//! ```

mod chart;
mod scatter;

pub use chart::{Chart, ChartType, Layout, Series, histogram, stacked};
pub use scatter::{Dot, Scatter, scatters};

/// Stands in the head of every page, and says by which program it was written.
pub const PAGE_MARK: &str = "<meta name=\"generator\" content=\"tuwen\">";
/// Stands inside an SVG that is a file of its own, right behind its first tag.
pub const SVG_MARK: &str = "<!-- generator: tuwen -->";

/// Text as it may stand in an element or in a quoted attribute. Characters that no document may contain
/// (escape sequences, other control characters) become U+FFFD.
///
/// ```
/// assert_eq!(tuwen_markup::escape("<cats & dogs>"), "&lt;cats &amp; dogs&gt;");
/// ```
pub fn escape(text: &str) -> String {
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

/// The beginning of a page up to its heading, which is its title; `style` is CSS.
///
/// ```
/// let page = tuwen_markup::page_start("A & B", "h1{color:green}");
/// assert!(page.contains("<title>A &amp; B</title><style>h1{color:green}</style>"));
/// ```
pub fn page_start(title: &str, style: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\">{PAGE_MARK}\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title>\
         <style>{style}</style><h1>{0}</h1>\n",
        escape(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_an_element() {
        assert_eq!(escape("<a href='x\">&狗"), "&lt;a href=&#39;x&quot;&gt;&amp;狗");
        assert_eq!(escape("a\u{1b}]0;x\u{7}\n"), "a\u{fffd}]0;x\u{fffd}\n");
    }
}
