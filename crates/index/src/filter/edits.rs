//! Values of fields that a person gave an item. They are told from those of its file and of its captions by their
//! source, so that they stay when these are read again.

use rusqlite::{Connection, Result};

use super::sql::{Owner, field_id, put};
use super::{Type, Value, key};

/// What stands in `field_value.source` for such a value.
const BY_HAND: i64 = -1;

/// Gives an item a text as a value of a field; whether it did not have it from a person yet.
///
/// # Errors
/// The disk is full or read-only.
pub fn insert_edit(db: &Connection, item: i64, field: &str, text: &str) -> Result<bool> {
    Ok(put(db, Owner { item, source: BY_HAND }, field, &Value::Text(text.to_owned()))? > 0)
}

/// Takes away what [`insert_edit`] gave; whether there was something.
///
/// # Errors
/// The disk is full or read-only.
pub fn remove_edit(db: &Connection, item: i64, field: &str, text: &str) -> Result<bool> {
    let Some(id) = field_id(db, field, Type::Text)? else { return Ok(false) };
    let sql =
        "DELETE FROM field_value WHERE field = ?1 AND value = ?2 AND item = ?3 AND source = ?4";
    Ok(db.prepare_cached(sql)?.execute((id, key(text), item, BY_HAND))? > 0)
}

/// The texts that a person gave an item for a field.
///
/// # Errors
/// The database cannot be read.
pub fn edits_of(db: &Connection, item: i64, field: &str) -> Result<Vec<String>> {
    let Some(id) = field_id(db, field, Type::Text)? else { return Ok(Vec::new()) };
    let sql = "SELECT coalesce(shown, value) FROM field_value \
               WHERE item = ?1 AND field = ?2 AND source = ?3 ORDER BY value";
    db.prepare_cached(sql)?.query_map((item, id, BY_HAND), |row| row.get(0))?.collect()
}

/// The items that have such texts.
///
/// # Errors
/// The database cannot be read.
pub fn edited(db: &Connection, field: &str) -> Result<Vec<i64>> {
    let Some(id) = field_id(db, field, Type::Text)? else { return Ok(Vec::new()) };
    // The condition of the partial index stands here as it does there.
    let sql = "SELECT DISTINCT item FROM field_value \
               WHERE source = ?2 AND source != 0 AND field = ?1 ORDER BY item";
    db.prepare_cached(sql)?.query_map((id, BY_HAND), |row| row.get(0))?.collect()
}
