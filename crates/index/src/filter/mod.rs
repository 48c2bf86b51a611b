//! Filters: `year >= 2020 AND tag = "狗"` -> a typed [`Filter`] -> the set of items it is true of.
//!
//! `lexer` and `parse` read it, `condition` says what a comparison means, `value` and `date` what an item's
//! fields hold, `known` which fields there are, `picture` fills them, `sql` keeps the fields in SQLite and answers from there, `facet` counts,
//! `unknown` refuses what is no field.
//! Whoever searches asks [`Filter::evaluate`] once and looks at the set while it collects hits.
//!
//! | written | true of items |
//! |---|---|
//! | `year = 2020`, `!=`, `<`, `<=`, `>`, `>=` | with such a value; `!=`: with the field, and no such value |
//! | `date = 2020-05`, `date > 2020` | in May; after the last second of 2020: a date covers what it says |
//! | `tag IN (cat, "狗")`, `year BETWEEN 2019 AND 2021` | with one of the values; both ends included |
//! | `camera CONTAINS sony`, `folder STARTS WITH "/home"` | without regard to case, and to how Chinese is written (貓, 猫) |
//! | `HAS latitude` | with any value of the field |
//! | `NOT …`, `AND`, `OR`, `( … )` | NOT: all other items of the kind that is searched |
//!
//! A comparison is true only of items that have the field. A field with several values (`tag`) is compared
//! value by value, one that fits is enough.

mod condition;
mod date;
mod edits;
mod error;
mod facet;
mod known;
mod lexer;
mod parse;
mod picture;
mod sql;
mod unknown;
mod value;

pub use self::condition::Condition;
pub use self::date::{Period, date_text};
pub use self::edits::{edited, edits_of, insert_edit, remove_edit};
pub use self::error::FilterError;
pub use self::facet::{Facet, FieldSummary, facet, fields};
pub use self::known::{KNOWN, Known, MADE_BY, field_name};
pub use self::picture::PictureFacts;
pub(crate) use self::sql::renew_keys;
pub use self::sql::{
    SqlTerms, TABLES, fields_of, inherit_fields, insert_fields, newest, own_fields_of,
    remove_fields, remove_own_fields,
};
pub use self::value::{Field, Fields, Type, Value, folded, key};

/// A set of items, by their numbers.
pub type Items = roaring::RoaringTreemap;

/// What items are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Everything else.
    Not(Box<Filter>),
    /// The field has a value.
    Has(String),
    /// The field has a value that one of the conditions accepts.
    Compare {
        /// The field's name.
        field: String,
        /// One for each type that the written value can be of; a field of [`KNOWN`] has one type.
        conditions: Vec<Condition>,
    },
}

/// Who knows which items have which values.
pub trait Terms {
    /// Why it may not know.
    type Error;

    /// All items of the kind that is searched.
    ///
    /// # Errors
    /// They cannot be read.
    fn all(&self) -> Result<Items, Self::Error>;

    /// The items with any value of a field.
    ///
    /// # Errors
    /// They cannot be read.
    fn having(&self, field: &str) -> Result<Items, Self::Error>;

    /// The items with a value of a field that a condition accepts.
    ///
    /// # Errors
    /// They cannot be read.
    fn matching(&self, field: &str, condition: &Condition) -> Result<Items, Self::Error>;
}

impl Filter {
    /// Reads a filter.
    ///
    /// ```
    /// use tuwen_index::filter::Filter;
    /// let same = Filter::parse("year >= 2020 AND tag = \"狗\"");
    /// assert_eq!(same, Filter::parse("（Year＞＝２０２０）and 标签＝“狗”"));
    /// let error = Filter::parse("year >= AND tag = x").unwrap_err();
    /// assert!(error.to_string().starts_with("filter, column 9: found AND, expected a value"));
    /// ```
    ///
    /// # Errors
    /// Where it cannot be read, at which column, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// The items it is true of.
    ///
    /// ```
    /// use tuwen_index::filter::{Fields, Filter, SqlTerms, TABLES, insert_fields};
    /// let db = rusqlite::Connection::open_in_memory()?;
    /// db.execute_batch(TABLES)?;
    /// let mut fields = Fields::default();
    /// fields.number("year", 2021.0);
    /// insert_fields(&db, 7, &fields)?;
    /// let all = [7, 8].into_iter().collect();
    /// let found = Filter::parse("year >= 2020").unwrap().evaluate(&SqlTerms::new(&db, &all))?;
    /// assert_eq!(found.iter().collect::<Vec<_>>(), [7]);
    /// # Ok::<(), rusqlite::Error>(())
    /// ```
    ///
    /// # Errors
    /// The values cannot be read.
    pub fn evaluate<T: Terms>(&self, terms: &T) -> Result<Items, T::Error> {
        match self {
            Self::And(parts) => {
                let mut items = terms.all()?;
                for part in parts {
                    if items.is_empty() {
                        break;
                    }
                    items &= part.evaluate(terms)?;
                }
                Ok(items)
            }
            Self::Or(parts) => {
                let mut items = Items::new();
                for part in parts {
                    items |= part.evaluate(terms)?;
                }
                Ok(items)
            }
            Self::Not(part) => Ok(terms.all()? - part.evaluate(terms)?),
            Self::Has(field) => Ok(terms.having(field)? & terms.all()?),
            Self::Compare { field, conditions } => {
                let mut items = Items::new();
                for condition in conditions {
                    items |= terms.matching(field, condition)?;
                }
                Ok(items & terms.all()?)
            }
        }
    }

    /// The names of its fields, for a word about one that no item has.
    pub fn fields(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Has(field) | Self::Compare { field, .. } => vec![field],
        };
        names.sort_unstable();
        names.dedup();
        names
    }
}
