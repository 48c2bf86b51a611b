//! One line of text as a query, as people type it into a search box: `海滩 -people year:2020..2023 "birthday cake"`.
//!
//! | written | means |
//! |---|---|
//! | `dog on grass` | words |
//! | `-people`, `-"a crowd"`, `－人群` | keep that away |
//! | `2:红色` | a word that counts twice (0.1 to 10) |
//! | `"birthday cake"`, `“生日”` | words, and only items that have exactly these, side by side |
//! | `year:2020`, `width:>=2000`, `year:2020..2023`, `tag:狗,猫` | a field has that value, is in the range, is one of these |
//! | `-folder:backup` | the field has no such value |
//! | `before:2024-05`, `after:2020`, `ext:jpg`, `文件夹:旅行` | by date; other names of fields |
//! | `kind:text`, `image:17`, `image:dog.jpg` | captions instead of pictures; like item 17; like that file |
//! | `kind:fused` | pictures, each together with its texts |
//!
//! Only known fields filter; any other colon is text. Texts under evaluation never come through here.

use tuwen_index::Modality;
use tuwen_index::filter::{Filter, KNOWN, field_name};

use crate::{Error, Result};

/// Weights that a word may have.
const WEIGHTS: std::ops::RangeInclusive<f32> = 0.1..=10.0;

/// A line that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The words that count once, in their order.
    pub words: String,
    /// Words with weights of their own.
    pub weighted: Vec<(String, f32)>,
    /// What is not wanted.
    pub not: Vec<String>,
    /// What items must have as it stands.
    pub phrases: Vec<String>,
    /// Only items that this is true of.
    pub filter: Option<Filter>,
    /// What is to be found, where the line says so.
    pub modality: Option<Modality>,
    /// Items that the hits are like.
    pub like: Vec<i64>,
    /// Files of pictures that the hits are like.
    pub images: Vec<String>,
    /// What stands before a colon, is no field and looks like one, with that field: it was read as words.
    pub misspelt: Vec<(String, &'static str)>,
    /// What stands before a colon as a field does, and is like none: it was read as words too.
    pub unknown: Vec<String>,
}

/// A piece of the line between spaces.
struct Piece {
    minus: bool,
    /// What stands before the first colon, and whether the rest was in quotation marks.
    key: Option<String>,
    value: String,
    quoted: bool,
}

impl Line {
    /// Reads a line.
    ///
    /// ```
    /// use tuwen_retrieve::language::Line;
    /// let line = Line::parse("a dog -people 2:红色 year:2020..2023 16:9")?;
    /// assert_eq!((&*line.words, &line.not[..]), ("a dog 16:9", &["people".to_owned()][..]));
    /// assert_eq!(line.weighted, [("红色".to_owned(), 2.0)]);
    /// assert!(line.filter.is_some());
    /// # Ok::<(), tuwen_retrieve::Error>(())
    /// ```
    ///
    /// # Errors
    /// A known field with a value that it cannot have.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut line, mut words, mut conditions) = (Self::default(), Vec::new(), Vec::new());
        for piece in pieces(text) {
            if let Some(key) = &piece.key
                && line.keyed(key, &piece, &mut conditions)?
            {
                continue;
            }
            match piece.misspelt() {
                Some(slip) => line.misspelt.push(slip),
                None => line.unknown.extend(piece.unknown()),
            }
            let whole = match &piece.key {
                Some(key) => format!("{key}:{}", piece.value),
                None => piece.value.clone(),
            };
            match (piece.minus, piece.quoted && piece.key.is_none()) {
                (true, _) => line.not.push(whole),
                (false, true) => {
                    words.push(whole.clone());
                    line.phrases.push(whole);
                }
                (false, false) => words.push(whole),
            }
        }
        line.words = words.join(" ");
        if !conditions.is_empty() {
            let expression = conditions.join(" AND ");
            let filter = Filter::parse(&expression);
            line.filter = Some(filter.map_err(|error| Error::Usage(error.to_string()))?);
        }
        Ok(line)
    }

    /// Whether it is nothing but words.
    pub fn is_plain(&self) -> bool {
        let (words, misspelt) = (self.words.clone(), self.misspelt.clone());
        let unknown = self.unknown.clone();
        *self == Self { words, misspelt, unknown, ..Self::default() }
    }

    /// What was understood otherwise than it may have been meant.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let misspelt = self.misspelt.iter().map(|(written, field)| {
            format!("`{written}:` is no field and was read as words: did you mean `{field}:`?")
        });
        let unknown = self.unknown.iter().map(|written| {
            format!("`{written}:` is no field of this language and was read as words; a `where` has any field")
        });
        misspelt.chain(unknown)
    }

    /// Takes a piece with a key, where the key is known.
    fn keyed(&mut self, key: &str, piece: &Piece, conditions: &mut Vec<String>) -> Result<bool> {
        let Piece { minus, value, quoted, .. } = piece;
        match key {
            "kind" | "类型" if !minus => {
                self.modality = Some(match value.as_str() {
                    "image" | "图" | "图片" => Modality::Image,
                    "text" | "文" | "文字" => Modality::Text,
                    "fused" | "图文" => Modality::Fused,
                    _ => {
                        let known = "it is `image`, `text` or `fused`";
                        return Err(Error::Usage(format!("kind:{value}: {known}")));
                    }
                });
                return Ok(true);
            }
            "image" | "like" if !minus && !value.is_empty() => {
                match value.parse() {
                    Ok(id) if !quoted => self.like.push(id),
                    _ => self.images.push(value.clone()),
                }
                return Ok(true);
            }
            _ => {}
        }
        if let Ok(weight) = key.parse::<f32>()
            && WEIGHTS.contains(&weight)
            && !minus
            && !value.is_empty()
            && !value.chars().all(|c| c.is_ascii_digit())
        {
            self.weighted.push((value.clone(), weight));
            return Ok(true);
        }
        let Some(condition) = condition(key, value, *quoted) else { return Ok(false) };
        conditions.push(if *minus { format!("NOT {condition}") } else { condition });
        Ok(true)
    }
}

impl Piece {
    /// Its key, where it looks like a field's: letters, and a value behind them that is no address.
    fn unknown(&self) -> Option<String> {
        let key = self.key.as_ref().filter(|_| !self.value.is_empty())?;
        let is_word =
            key.chars().count() >= 2 && key.chars().all(|c| c.is_alphabetic() || c == '_');
        let (name, others) = (field_name(key), ["ext", "before", "after", "kind", "image", "like"]);
        let is_known = others.contains(&&*name) || KNOWN.iter().any(|known| known.name == name);
        (is_word && !is_known && !self.value.starts_with("//")).then(|| key.clone())
    }

    /// Its key, where that is a letter away from a field's name and somebody seems to mean that.
    fn misspelt(&self) -> Option<(String, &'static str)> {
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
fn condition(key: &str, value: &str, quoted: bool) -> Option<String> {
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
fn pieces(text: &str) -> Vec<Piece> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn same_filter(line: &str, filter: &str) {
        let found = Line::parse(line).unwrap_or_else(|e| panic!("{line}: {e}")).filter;
        assert_eq!(found, Some(Filter::parse(filter).expect("a filter")), "{line}");
    }

    #[test]
    fn known_fields_filter_and_other_colons_are_text() {
        same_filter("year:2020..2023", "year BETWEEN 2020 AND 2023");
        same_filter("年:2020 标签:狗,猫", "year = 2020 AND tag IN (\"狗\", \"猫\")");
        same_filter("ext:jpg width:>=2000", "extension = \"jpg\" AND width >= 2000");
        same_filter(
            "before:2024-05 -folder:\"old photos\"",
            "date < 2024-05 AND NOT folder = \"old photos\"",
        );
        same_filter("year:2020..", "year >= 2020");
        for text in
            ["16:9 display", "re: hello", "http://a.b/c", "note:x", "a -", "\"open", ":", "tag:"]
        {
            let line = Line::parse(text).expect("text");
            assert_eq!((line.words.as_str(), line.filter), (text, None));
        }
    }

    #[test]
    fn words_minus_weights_and_phrases() {
        let line =
            Line::parse("dog  -people -\"a crowd\" 2:红色 \"birthday cake\" kind:text image:17");
        let line = line.expect("a line");
        assert_eq!(line.words, "dog birthday cake");
        assert_eq!(line.not, ["people", "a crowd"]);
        assert_eq!(
            (line.weighted, line.phrases),
            (vec![("红色".into(), 2.0)], vec!["birthday cake".to_owned()])
        );
        assert_eq!((line.modality, line.like), (Some(Modality::Text), vec![17]));
        let line = Line::parse("image:cow.png image:\"a b.png\"").expect("a line");
        assert_eq!(
            (line.images, line.words),
            (vec!["cow.png".to_owned(), "a b.png".into()], String::new())
        );
        assert_eq!(Line::parse("well-known -").expect("a line").words, "well-known -");
    }

    #[test]
    fn a_misspelt_field_is_text_and_told() {
        for (text, field) in [
            ("yaer:2020 a dog", "year"),
            ("a dog folde:holiday", "folder"),
            ("-widht:200", "width"),
            ("cameraa:sony", "camera"),
            ("文夹件:旅行", "文件夹"),
        ] {
            let line = Line::parse(text).expect("a line");
            assert_eq!(line.misspelt.len(), 1, "{text}");
            let said: Vec<String> = line.remarks().collect();
            assert!(said[0].contains(&format!("did you mean `{field}:`")), "{said:?}");
            assert!(line.filter.is_none());
        }
        for text in ["re: hello", "note:x", "http://a.b", "16:9", "yaer:", "year:2020", "day2:x"] {
            assert!(Line::parse(text).expect("a line").misspelt.is_empty(), "{text}");
        }
        assert!(Line::parse("yaer:2020").expect("a line").is_plain());
    }

    #[test]
    fn an_unknown_field_is_text_and_told() {
        for text in ["colour:red a dog", "-source:web", "来源:网络"] {
            let line = Line::parse(text).expect("a line");
            let said: Vec<String> = line.remarks().collect();
            assert_eq!((said.len(), line.filter), (1, None), "{said:?}");
            assert!(said[0].contains("no field of this language"), "{said:?}");
        }
        for text in
            ["re: hello", "http://a.b", "16:9", "a:b", "year:2020", "2:红色", "tag:,", "-kind:text"]
        {
            assert!(Line::parse(text).expect("a line").unknown.is_empty(), "{text}");
        }
        assert!(Line::parse("colour:red").expect("a line").is_plain());
    }

    #[test]
    fn what_a_field_cannot_have_is_said() {
        for text in ["year:soon", "width:>=wide", "kind:video", "before:yesterday"] {
            let error = Line::parse(text).expect_err(text);
            assert!(matches!(error, Error::Usage(_)), "{text}: {error}");
        }
    }

    #[test]
    fn a_minus_of_any_width_keeps_away() {
        for text in ["狗 -草地", "狗 －草地", "狗 −草地"] {
            let line = Line::parse(text).expect(text);
            assert_eq!(
                (line.words.as_str(), &line.not[..]),
                ("狗", &["草地".to_owned()][..]),
                "{text}"
            );
        }
    }

    #[test]
    fn no_line_is_too_strange() {
        for text in [
            "",
            " ",
            "-",
            "--",
            "-\"",
            "\"\"",
            "“”",
            "a:b:c",
            "year:",
            "-:x",
            "标签:\"",
            "\u{0}",
            "year:2020..2023..",
            "tag:,",
        ] {
            let _ = Line::parse(text);
        }
    }
}
