//! What the fields of a gallery hold: counts for each value of a field, and which fields there are.

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, Result, Row};
use serde::Serialize;

use super::sql::{field_id, kind, value};
use super::{Items, Type, Value};

/// A value and the number of items that have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facet {
    /// In one of its spellings, where they differ in case.
    pub value: Value,
    /// Items that have it.
    pub items: u64,
}

/// The `most` values of a field that most items have, or most of the items `within`: more items first,
/// then by value.
///
/// # Errors
/// The database cannot be read.
pub fn facet(
    db: &Connection,
    field: &str,
    within: Option<&Items>,
    most: usize,
) -> Result<Vec<Facet>> {
    let mut facets: Vec<Facet> = Vec::new();
    for kind in [Type::Number, Type::Date, Type::Text] {
        let Some(id) = field_id(db, field, kind)? else { continue };
        let mut counted = match within {
            None => counts(db, id, kind)?,
            Some(items) => counts_within(db, id, kind, items)?,
        };
        facets.append(&mut counted);
    }
    // Stable: the database gave equal counts in the order of their values.
    facets.sort_by_key(|facet| std::cmp::Reverse(facet.items));
    facets.truncate(most);
    Ok(facets)
}

fn counts(db: &Connection, field: i64, kind: Type) -> Result<Vec<Facet>> {
    let mut select = db.prepare_cached(
        "SELECT value, min(coalesce(shown, value)), count(DISTINCT item) FROM field_value \
         WHERE field = ?1 GROUP BY value ORDER BY value",
    )?;
    let facet = |row: &Row<'_>| {
        let items = row.get::<_, i64>(2)? as u64;
        Ok(Facet { value: value(row, kind, 0, 1)?, items })
    };
    select.query_map([field], facet)?.collect()
}

fn counts_within(db: &Connection, field: i64, kind: Type, within: &Items) -> Result<Vec<Facet>> {
    let mut select = db.prepare_cached(
        "SELECT value, item, shown FROM field_value WHERE field = ?1 ORDER BY value, item",
    )?;
    let mut rows = select.query([field])?;
    let mut facets: Vec<Facet> = Vec::new();
    let (mut key, mut before) = (Cell::Null, 0);
    while let Some(row) = rows.next()? {
        let item = row.get::<_, i64>(1)?;
        if !within.contains(item as u64) {
            continue;
        }
        match facets.last_mut() {
            // What several captions of a picture say counts once.
            Some(last) if is_same(&key, row.get_ref(0)?) => last.items += u64::from(item != before),
            _ => {
                key = row.get(0)?;
                facets.push(Facet { value: value(row, kind, 0, 2)?, items: 1 });
            }
        }
        before = item;
    }
    Ok(facets)
}

/// Whether a cell is the same key; nothing is copied where it is.
fn is_same(key: &Cell, cell: ValueRef<'_>) -> bool {
    ValueRef::from(key) == cell
}

/// A field and what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldSummary {
    /// Its name.
    pub name: String,
    /// The type of these values.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Items that have such a value.
    pub items: u64,
}

/// All fields that items have, or those `within` them, by name; one whose values are of several types stands
/// several times.
///
/// # Errors
/// The database cannot be read.
pub fn fields(db: &Connection, within: Option<&Items>) -> Result<Vec<FieldSummary>> {
    let mut names = db.prepare_cached("SELECT id, name, type FROM field ORDER BY name, type")?;
    let mut select = db.prepare_cached("SELECT item FROM field_value WHERE field = ?1")?;
    let mut rows = names.query([])?;
    let mut summaries = Vec::new();
    while let Some(row) = rows.next()? {
        // Several times as fast as SQLite's count(DISTINCT), which sorts in a table of its own.
        let items = select.query_map([row.get::<_, i64>(0)?], |row| row.get(0));
        let mut items = items?.collect::<Result<Vec<i64>>>()?;
        items.sort_unstable();
        items.dedup();
        items.retain(|&item| within.is_none_or(|within| within.contains(item as u64)));
        if !items.is_empty() {
            let (name, items) = (row.get(1)?, items.len() as u64);
            summaries.push(FieldSummary { name, kind: kind(row, 2)?, items });
        }
    }
    Ok(summaries)
}
