//! One comparison as conditions on typed values: what it means, stated once. The database turns a
//! condition into a range of its index; the tests ask each value.

use std::ops::Bound;

use super::Period;
use super::value::{Type, Value, key, number};

/// A set of values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Numbers between two bounds.
    Number(Bound<f64>, Bound<f64>),
    /// Seconds of a half-open range.
    Date {
        /// The first one, where there is a first.
        from: Option<i64>,
        /// The one behind the last.
        to: Option<i64>,
    },
    /// Texts between two bounds, as [`key`].
    Text(Bound<String>, Bound<String>),
    /// Texts that begin with a text, both as [`key`].
    StartsWith(String),
    /// Texts that contain a text, both as [`key`].
    Contains(String),
}

impl Condition {
    /// The type of the values.
    pub fn kind(&self) -> Type {
        match self {
            Self::Number(..) => Type::Number,
            Self::Date { .. } => Type::Date,
            Self::Text(..) | Self::StartsWith(_) | Self::Contains(_) => Type::Text,
        }
    }

    /// Whether a value is in the set.
    ///
    /// ```
    /// use tuwen_index::filter::{Condition, Value};
    /// let dogs = Condition::Contains("dog".into());
    /// assert!(dogs.accepts(&Value::Text("Hotdog".into())));
    /// assert!(!dogs.accepts(&Value::Number(1.0)));
    /// ```
    pub fn accepts(&self, value: &Value) -> bool {
        use std::ops::RangeBounds;
        match (self, value) {
            (Self::Number(from, to), Value::Number(number)) => (*from, *to).contains(number),
            (Self::Date { from, to }, Value::Date(second)) => {
                from.is_none_or(|from| from <= *second) && to.is_none_or(|to| *second < to)
            }
            (Self::Text(from, to), Value::Text(text)) => {
                (from.as_ref(), to.as_ref()).contains(&key(text))
            }
            (Self::StartsWith(start), Value::Text(text)) => key(text).starts_with(start),
            (Self::Contains(part), Value::Text(text)) => key(text).contains(part),
            _ => false,
        }
    }
}

/// A value as it stands in a filter, with all it could mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    number: Option<f64>,
    date: Option<Period>,
    text: String,
}

impl Literal {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim();
        Self { number: number(text), date: Period::parse(text), text: key(text) }
    }

    /// Whether it can be a value of that type.
    pub(super) fn is(&self, kind: Type) -> bool {
        match kind {
            Type::Number => self.number.is_some(),
            Type::Date => self.date.is_some(),
            Type::Text => true,
        }
    }
}

/// The values from one literal to another, both included, of one type or of all that both can be.
pub(super) fn between(from: &Literal, to: &Literal, kind: Option<Type>) -> Vec<Condition> {
    range(Some((from, true)), Some((to, true)), kind)
}

/// The values above and below literals; the flags say whether these belong to them. Of a date that is not
/// exact, all of it belongs, or none.
pub(super) fn range(
    from: Option<(&Literal, bool)>,
    to: Option<(&Literal, bool)>,
    kind: Option<Type>,
) -> Vec<Condition> {
    let ends = [from, to];
    let wanted = |of: Type| {
        kind.is_none_or(|kind| kind == of) && ends.iter().flatten().all(|(one, _)| one.is(of))
    };
    let mut conditions = Vec::new();
    if wanted(Type::Number) {
        let [from, to] = ends.map(|end| bound(end, |one| one.number));
        conditions.push(Condition::Number(from, to));
    }
    if wanted(Type::Date) {
        let date = |one: &Literal| one.date.unwrap_or(Period { start: 0, end: 0 });
        let from = from.map(|(one, inside)| if inside { date(one).start } else { date(one).end });
        let to = to.map(|(one, inside)| if inside { date(one).end } else { date(one).start });
        conditions.push(Condition::Date { from, to });
    }
    // A field that may hold anything: what is greater than 12 is a number, not any word behind "12".
    let is_equality = matches!(ends, [Some((from, true)), Some((to, true))] if from == to);
    if wanted(Type::Text) && (conditions.is_empty() || is_equality) {
        let [from, to] = ends.map(|end| bound(end, |one| Some(one.text.clone())));
        conditions.push(Condition::Text(from, to));
    }
    conditions
}

fn bound<T>(end: Option<(&Literal, bool)>, value: impl Fn(&Literal) -> Option<T>) -> Bound<T> {
    let Some((literal, inside)) = end else { return Bound::Unbounded };
    match value(literal) {
        Some(value) if inside => Bound::Included(value),
        Some(value) => Bound::Excluded(value),
        None => Bound::Unbounded,
    }
}
