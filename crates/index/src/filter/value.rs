//! What a field of an item holds: a number, a text or a date.

use std::fmt;

use serde::Serialize;

use super::date::{Period, date_text};
use super::known::Known;

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Compared by size.
    Number,
    /// Compared as [`key`], in the order of code points.
    Text,
    /// Compared as time.
    Date,
}

impl Type {
    /// As it stands in the database and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Date => "date",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A finite number.
    Number(f64),
    /// A text as it was written.
    Text(String),
    /// Seconds since 1970 of the clock on the wall, see [`Period`].
    Date(i64),
}

impl Value {
    /// The value that a caption file's text looks like. A number with leading zeros is a text (a code,
    /// not a size), and a date has at least a day.
    ///
    /// ```
    /// use tuwen_index::filter::Value;
    /// assert_eq!(Value::from_text("12.5"), Value::Number(12.5));
    /// assert_eq!(Value::from_text("007"), Value::Text("007".into()));
    /// assert!(matches!(Value::from_text("2020-05-17"), Value::Date(_)));
    /// ```
    pub fn from_text(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix('-').unwrap_or(text);
        let has_zeros = bare.len() > 1 && bare.starts_with('0') && !bare.starts_with("0.");
        if let Some(number) = number(text).filter(|_| !has_zeros && !text.starts_with('+')) {
            return Self::Number(number);
        }
        match Period::parse(text) {
            Some(Period { start, end }) if end - start <= 86_400 => Self::Date(start),
            _ => Self::Text(text.into()),
        }
    }

    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            Self::Number(_) => Type::Number,
            Self::Text(_) => Type::Text,
            Self::Date(_) => Type::Date,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Date(second) => f.write_str(&date_text(*second)),
        }
    }
}

/// A finite number in plain writing; not `inf` or `nan`, which are words.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    let looks = text.bytes().all(plain) && text.bytes().any(|b| b.is_ascii_digit());
    // -0 would be another key than 0.
    looks.then(|| text.parse().ok())?.filter(|number: &f64| number.is_finite()).map(|n| n + 0.0)
}

/// A text as it is compared: without regard to case, full-width signs as plain ones, composed accents, and
/// simplified characters for traditional ones.
///
/// ```
/// assert_eq!(tuwen_index::filter::key("ＳＯＮＹ 貓"), "sony 猫");
/// assert_eq!(tuwen_index::filter::key("E\u{301}té"), "été");
/// ```
pub fn key(text: &str) -> String {
    tuwen_text::simplify(&folded(text))
}

/// The name of a field as it is compared: without regard to case, full-width signs as plain ones.
///
/// ```
/// assert_eq!(tuwen_index::filter::folded("ＳＯＮＹ α7"), "sony α7");
/// ```
pub fn folded(text: &str) -> String {
    text.chars().map(plain).flat_map(char::to_lowercase).collect()
}

/// The plain form of a full-width sign.
pub(super) fn plain(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    }
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Lower-case name.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// All that is known of one item; a name may stand several times (`tag`).
///
/// ```
/// use tuwen_index::filter::{Fields, Value};
/// let mut fields = Fields::default();
/// fields.number("width", 640.0);
/// fields.text("tag", "狗");
/// fields.text("tag", " ");
/// fields.push("Price", Value::from_text("12.5"));
/// assert_eq!(fields.iter().count(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fields(Vec<Field>);

/// Longest name of a field and longest text of a value, in characters: a caption file may hold anything,
/// and what is longer is no value that anybody filters by.
const LONGEST: usize = 1000;

impl Fields {
    /// Adds a value. A text of spaces, a number that is not finite and a name that is empty say nothing,
    /// and are left out; a text is cut at 1,000 characters.
    pub fn push(&mut self, name: &str, value: Value) {
        let name: String = folded(name.trim()).chars().take(LONGEST).collect();
        let value = match value {
            Value::Text(text) => Value::Text(text.trim().chars().take(LONGEST).collect()),
            // -0 would be another key than 0.
            Value::Number(number) => Value::Number(number + 0.0),
            value => value,
        };
        let says_nothing = match &value {
            Value::Text(text) => text.is_empty(),
            Value::Number(number) => !number.is_finite(),
            Value::Date(_) => false,
        };
        if !name.is_empty() && !says_nothing {
            self.0.push(Field { name, value });
        }
    }

    /// Adds a text of a caption file: as a value of the field's type where tuwen knows the field (a text
    /// that is none is left out), else as what it looks like. The field of a text that was left out, for a note.
    ///
    /// ```
    /// use tuwen_index::filter::Fields;
    /// let mut fields = Fields::default();
    /// assert!(fields.push_as_known("date", "2020-05-17").is_none());
    /// assert_eq!(fields.push_as_known("日期", "soon").map(|known| known.name), Some("date"));
    /// ```
    pub fn push_as_known(&mut self, name: &str, text: &str) -> Option<&'static Known> {
        let name = folded(name.trim());
        let Some(known) = super::known::find(&name) else {
            self.push(&name, Value::from_text(text));
            return None;
        };
        let is_read = match known.kind {
            Type::Text => {
                self.text(known.name, text);
                true
            }
            Type::Number => {
                number(text.trim()).map(|number| self.number(known.name, number)).is_some()
            }
            Type::Date => Period::parse(text).map(|period| self.date(period.start)).is_some(),
        };
        (!is_read && !text.trim().is_empty()).then_some(known)
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: f64) {
        self.push(name, Value::Number(value));
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.push(name, Value::Text(value.into()));
    }

    /// Adds the item's date, in seconds since 1970 of the clock on the wall, and its year, month, day and hour.
    pub fn date(&mut self, second: i64) {
        self.push("date", Value::Date(second));
        let text = date_text(second);
        let parts = text.split(['-', 'T', ':']).zip(["year", "month", "day", "hour"]);
        for (part, name) in parts {
            part.parse().into_iter().for_each(|number| self.number(name, number));
        }
    }

    /// The values in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// The values of one name.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.iter().filter(move |field| field.name == name).map(|field| &field.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_typed_by_their_looks() {
        for text in ["12", "-3.5", "0", "0.5", "1e3"] {
            assert_eq!(Value::from_text(text).kind(), Type::Number, "{text}");
        }
        for text in ["007", "+1", "inf", "nan", "1-2", "", "e", "-", ".", "1e999", "2020-05"] {
            assert_eq!(Value::from_text(text).kind(), Type::Text, "{text}");
        }
        for text in ["2020-05-17", "2020:05:17 10:11:12", "2020/5/1 10:00"] {
            assert_eq!(Value::from_text(text).kind(), Type::Date, "{text}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let mut fields = Fields::default();
        fields.number("a", f64::NAN);
        fields.text("b", "\u{3000} ");
        fields.text(" ", "x");
        fields.text("Ｃ", &"长".repeat(5000));
        assert_eq!(fields.iter().count(), 1);
        assert_eq!(fields.of("c").next().map(|v| v.to_string().chars().count()), Some(1000));
    }
}
