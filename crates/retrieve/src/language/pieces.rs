//! A line in pieces between spaces, and what a piece with a key says as a condition of the filter's language.

use tuwen_index::filter::{KNOWN, field_name};

/// A piece of the line between spaces.
pub(super) struct Piece {
    pub minus: bool,
    /// What stands before the first colon, and whether the rest was in quotation marks.
    pub key: Option<String>,
    pub value: String,
    pub quoted: bool,
}

impl Piece {
    /// Its key, where it looks like a field's: letters, and a value behind them that is no address.
    pub fn unknown(&self) -> Option<String> {
        let key = self.key.as_ref().filter(|_| !self.value.is_empty())?;
        let is_word =
            key.chars().count() >= 2 && key.chars().all(|c| c.is_alphabetic() || c == '_');
        let (name, others) = (field_name(key), ["ext", "before", "after", "kind", "image", "like"]);
        let is_known = others.contains(&&*name) || KNOWN.iter().any(|known| known.name == name);
        (is_word && !is_known && !self.value.starts_with("//")).then(|| key.clone())
    }

    /// Its key, where that is a letter away from a field's name and somebody seems to mean that.
    pub fn misspelt(&self) -> Option<(String, &'static str)> {
        let key = self.key.as_ref().filter(|_| !self.value.is_empty())?;
        let others = ["ext", "before", "after", "kind", "image", "like"];
        let mut names = KNOWN.iter().flat_map(|known| [known.name, known.chinese]).chain(others);
        let least = if key.is_ascii() { 4 } else { 2 };
        let is_word = key.chars().count() >= least && key.chars().all(char::is_alphabetic);
        let field = names.find(|name| is_word && is_slip(key, name))?;
        Some((key.clone(), field))
    }
}

/// Whether one letter was forgotten, added or mistaken, or two stand in the wrong order.
fn is_slip(written: &str, meant: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (written.chars().collect(), meant.chars().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a[start..].iter().rev().zip(b[start..].iter().rev());
    let end = rest.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    match (a, b) {
        ([x, y], [u, v]) => x == v && y == u,
        _ => a.len().max(b.len()) == 1,
    }
}

/// A condition of the filter's language; nothing where the key is no known field.
pub(super) fn condition(key: &str, value: &str, quoted: bool) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let value = value.replace('"', "\\\"");
    match key {
        "before" | "早于" => return Some(format!("date < {value}")),
        "after" | "晚于" => return Some(format!("date > {value}")),
        _ => {}
    }
    let name = if key == "ext" { "extension".to_owned() } else { field_name(key) };
    KNOWN.iter().find(|known| known.name == name)?;
    if quoted {
        return Some(format!("{name} = \"{value}\""));
    }
    for operator in [">=", "<=", ">", "<", "!="] {
        if let Some(value) = value.strip_prefix(operator) {
            return Some(format!("{name} {operator} \"{value}\"").replace("\"\"", ""));
        }
    }
    if let Some((from, to)) = value.split_once("..") {
        return Some(match (from.is_empty(), to.is_empty()) {
            (false, false) => format!("{name} BETWEEN \"{from}\" AND \"{to}\""),
            (false, true) => format!("{name} >= \"{from}\""),
            _ => format!("{name} <= \"{to}\""),
        });
    }
    let values: Vec<String> = value
        .split([',', '，', '、'])
        .filter(|v| !v.is_empty())
        .map(|v| format!("\"{v}\""))
        .collect();
    (!values.is_empty()).then(|| format!("{name} IN ({})", values.join(", ")))
}

/// The pieces of a line. A quotation mark that is never closed is text.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut rest = text.trim_start();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (minus, body) = match rest.strip_prefix(['-', '－', '−']) {
            Some(body) if !body.starts_with(char::is_whitespace) && !body.is_empty() => {
                (true, body)
            }
            _ => (false, rest),
        };
        let (key, body) = keyed_body(body);
        let (value, quoted, behind) = value(body);
        if !value.is_empty() || key.is_some() {
            pieces.push(Piece { minus, key, value, quoted });
        }
        rest = behind.trim_start();
    }
    pieces
}

/// What stands before a colon, and what behind.
fn keyed_body(body: &str) -> (Option<String>, &str) {
    let word = body.split(char::is_whitespace).next().unwrap_or_default();
    match word.find([':', '：']) {
        Some(at) if at > 0 && opening(body).is_none() => {
            let colon = body[at..].chars().next().map_or(1, char::len_utf8);
            (Some(body[..at].to_lowercase()), &body[at + colon..])
        }
        _ => (None, body),
    }
}

/// The mark that closes what the text opens with.
fn opening(text: &str) -> Option<(usize, char)> {
    let first = text.chars().next()?;
    let close = match first {
        '"' => '"',
        '“' => '”',
        '「' => '」',
        '«' => '»',
        _ => return None,
    };
    Some((first.len_utf8(), close))
}

/// A value, whether it was in quotation marks, and what follows it.
fn value(body: &str) -> (String, bool, &str) {
    if let Some((open, close)) = opening(body)
        && let Some(end) = body[open..].find(close)
    {
        let inner = body[open..open + end].trim();
        if !inner.is_empty() {
            return (inner.to_owned(), true, &body[open + end + close.len_utf8()..]);
        }
    }
    let end = body.find(char::is_whitespace).unwrap_or(body.len());
    (body[..end].to_owned(), false, &body[end..])
}
