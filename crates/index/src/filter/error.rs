//! What can be wrong with a filter, and where.

use super::Type;

/// What can be wrong with a filter. Columns count characters from 1; `place` is the filter around it with a
/// mark before the column, which stands right also where characters are two columns wide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is longer than a person writes.
    #[error("the filter has {chars} characters, {limit} are the limit: divide it")]
    TooLong {
        /// Its length.
        chars: usize,
        /// The limit.
        limit: usize,
    },
    /// Parentheses or NOTs within each other.
    #[error(
        "filter, column {column}: more than {limit} parentheses or NOTs within each other ({place}): \
         write AND and OR side by side"
    )]
    TooDeep {
        /// Where.
        column: usize,
        /// The limit.
        limit: usize,
        /// The filter around it.
        place: String,
    },
    /// Something else was expected there.
    #[error("filter, column {column}: found {found}, expected {expected} ({place})")]
    Syntax {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
        /// What could stand there, with the cure.
        expected: String,
        /// The filter around it.
        place: String,
    },
    /// A value of another type than its field.
    #[error(
        "filter, column {column}: {field} is a {kind}, {value:?} is not: write {example} ({place})"
    )]
    ValueType {
        /// Where.
        column: usize,
        /// The field.
        field: String,
        /// Its type.
        kind: Type,
        /// The value.
        value: String,
        /// A value of that type.
        example: &'static str,
        /// The filter around it.
        place: String,
    },
    /// An operator of texts for a field that has none.
    #[error(
        "filter, column {column}: {operator} compares texts, {field} is a {kind}: \
         use =, !=, <, <=, >, >=, IN or BETWEEN ({place})"
    )]
    OperatorType {
        /// Where.
        column: usize,
        /// The operator.
        operator: &'static str,
        /// The field.
        field: String,
        /// Its type.
        kind: Type,
        /// The filter around it.
        place: String,
    },
    /// A field that is neither tuwen's own nor any item's.
    #[error("no item of the gallery has the field `{field}`:{meant} There are {listed}")]
    UnknownField {
        /// The field.
        field: String,
        /// The question whether a name that is near was meant; empty where none is.
        meant: String,
        /// The fields that there are.
        listed: String,
    },
}

/// Characters shown on either side.
const AROUND: usize = 30;

/// The filter around a column, with a mark before it.
pub(super) fn place(filter: &[char], column: usize) -> String {
    let at = column.saturating_sub(1).min(filter.len());
    let (from, to) = (at.saturating_sub(AROUND), (at + AROUND).min(filter.len()));
    let text = |part: &[char]| -> String {
        // A line break or a control character would tear the message.
        part.iter().map(|&c| if c.is_control() { ' ' } else { c }).collect()
    };
    let (before, after) = (text(&filter[from..at]), text(&filter[at..to]));
    let dots = |cut: bool| if cut { "…" } else { "" };
    format!("{}{before}▶{after}{}", dots(from > 0), dots(to < filter.len()))
}
