//! The fields of items in SQLite: an inverted table, ordered by field, value and item, so that a comparison
//! is one range of it.

use std::ops::Bound;

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Row, params_from_iter};

use super::value::key;
use super::{Condition, Fields, Items, Terms, Type, Value};

/// `field` names each pair of name and type once. `field_value` has a row for each value of an item: a
/// number, seconds or the key of a text, and how the text was written where that differs. The second index is
/// there for removing an item. `source` is 0 for what an item says itself, the caption for what a picture has
/// from one, so that it goes with the caption and leaves alone what others say too, and -1 for what a person gave it.
pub const TABLES: &str = "
    CREATE TABLE field (
        id   INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        type TEXT NOT NULL CHECK (type IN ('number', 'text', 'date')),
        UNIQUE (name, type)
    ) STRICT;
    CREATE TABLE field_value (
        field INTEGER NOT NULL REFERENCES field(id),
        value ANY NOT NULL,
        item  INTEGER NOT NULL,
        source INTEGER NOT NULL DEFAULT 0,
        shown TEXT,
        PRIMARY KEY (field, value, item, source)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX field_value_by_item ON field_value(item);
    CREATE INDEX field_value_by_source ON field_value(source) WHERE source != 0;
";

/// Adds an item's fields to those it has. A value that it has already is there once.
///
/// # Errors
/// The disk is full or read-only.
pub fn insert_fields(db: &Connection, item: i64, fields: &Fields) -> Result<()> {
    fields.iter().try_for_each(|field| {
        put(db, Owner { item, source: 0 }, &field.name, &field.value).map(drop)
    })
}

/// Whose a value is, and who says it: see [`TABLES`].
pub(super) struct Owner {
    pub(super) item: i64,
    pub(super) source: i64,
}

/// Adds one value; how many rows are new.
pub(super) fn put(
    db: &Connection,
    Owner { item, source }: Owner,
    name: &str,
    value: &Value,
) -> Result<usize> {
    let field = match field_id(db, name, value.kind())? {
        Some(field) => field,
        None => {
            let mut new = db.prepare_cached("INSERT INTO field (name, type) VALUES (?1, ?2)")?;
            new.insert((name, value.kind().name()))?
        }
    };
    let (value, shown) = match value {
        Value::Number(number) => (number_cell(*number), None),
        Value::Date(second) => (Cell::Integer(*second), None),
        Value::Text(text) => {
            let key = key(text);
            let shown = (key != *text).then_some(text.as_str());
            (Cell::Text(key), shown)
        }
    };
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO field_value (field, value, item, source, shown) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute((field, value, item, source, shown))
}

/// Gives a picture what one of its captions says.
///
/// # Errors
/// The disk is full or read-only.
pub fn inherit_fields(db: &Connection, caption: i64, picture: i64) -> Result<()> {
    let mut copy = db.prepare_cached(
        "INSERT OR IGNORE INTO field_value (field, value, item, source, shown) \
         SELECT field, value, ?2, ?1, shown FROM field_value WHERE item = ?1 AND source = 0",
    )?;
    copy.execute([caption, picture]).map(drop)
}

/// Removes what an item says: its own fields, and of a caption what its picture has from it. What a picture has
/// from its captions stays.
///
/// # Errors
/// The disk is full or read-only.
pub fn remove_own_fields(db: &Connection, item: i64) -> Result<()> {
    let own = "DELETE FROM field_value WHERE item = ?1 AND source = 0";
    db.prepare_cached(own)?.execute([item])?;
    let given = "DELETE FROM field_value WHERE source = ?1 AND source != 0";
    db.prepare_cached(given)?.execute([item]).map(drop)
}

/// Removes all fields of an item, which is gone.
///
/// # Errors
/// The disk is full or read-only.
pub fn remove_fields(db: &Connection, item: i64) -> Result<()> {
    remove_own_fields(db, item)?;
    db.prepare_cached("DELETE FROM field_value WHERE item = ?1")?.execute([item]).map(drop)
}

/// All fields of an item, by name and value.
///
/// # Errors
/// The database cannot be read.
pub fn fields_of(db: &Connection, item: i64) -> Result<Fields> {
    read_fields(db, item, "")
}

/// Those that an item says itself.
///
/// # Errors
/// The database cannot be read.
pub fn own_fields_of(db: &Connection, item: i64) -> Result<Fields> {
    read_fields(db, item, "AND source = 0")
}

fn read_fields(db: &Connection, item: i64, which: &str) -> Result<Fields> {
    let mut select = db.prepare_cached(&format!(
        "SELECT name, type, value, shown FROM field_value JOIN field ON field.id = field \
         WHERE item = ?1 {which} ORDER BY name, type, value, source",
    ))?;
    let mut rows = select.query([item])?;
    let mut fields = Fields::default();
    while let Some(row) = rows.next()? {
        let kind = kind(row, 1)?;
        fields.push(row.get_ref(0)?.as_str()?, value(row, kind, 2, 3)?);
    }
    Ok(fields)
}

/// The fields of a database, for a filter over some of its items.
pub struct SqlTerms<'a> {
    db: &'a Connection,
    all: &'a Items,
    keys_of_today: bool,
}

impl<'a> SqlTerms<'a> {
    /// `all` are the items of the kind that is searched.
    pub fn new(db: &'a Connection, all: &'a Items) -> Self {
        Self { db, all, keys_of_today: true }
    }

    /// The same of a gallery whose keys of texts an older program wrote, which kept traditional characters:
    /// each text of a field is compared.
    pub fn of_older(db: &'a Connection, all: &'a Items) -> Self {
        Self { db, all, keys_of_today: false }
    }

    fn compared(&self, field: &str, condition: &Condition) -> Result<Items> {
        let Some(id) = field_id(self.db, field, Type::Text)? else { return Ok(Items::new()) };
        let sql = "SELECT value, shown, item FROM field_value WHERE field = ?1";
        let mut select = self.db.prepare_cached(sql)?;
        let mut rows = select.query([id])?;
        let mut items = Items::new();
        while let Some(row) = rows.next()? {
            if condition.accepts(&value(row, Type::Text, 0, 1)?) {
                items.insert(row.get::<_, i64>(2)? as u64);
            }
        }
        Ok(items)
    }

    /// The items in the rows of a field that a condition of SQL selects.
    fn rows(&self, field: &str, kind: Type, filter: &str, values: Vec<Cell>) -> Result<Items> {
        let Some(id) = field_id(self.db, field, kind)? else { return Ok(Items::new()) };
        let sql = format!("SELECT item FROM field_value WHERE field = ?1{filter}");
        let mut select = self.db.prepare_cached(&sql)?;
        let values = std::iter::once(Cell::Integer(id)).chain(values);
        let mut rows = select.query(params_from_iter(values))?;
        let mut ids: Vec<u64> = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get::<_, i64>(0)? as u64);
        }
        // Items come in the order of values; a set is filled several times as fast in its own order.
        ids.sort_unstable();
        ids.dedup();
        let mut items = Items::new();
        // They ascend, so that nothing is refused.
        items.append(ids).map_or_else(|_| Ok(Items::new()), |_| Ok(items))
    }
}

impl Terms for SqlTerms<'_> {
    type Error = rusqlite::Error;

    fn all(&self) -> Result<Items> {
        Ok(self.all.clone())
    }

    fn having(&self, field: &str) -> Result<Items> {
        let mut items = Items::new();
        for kind in [Type::Number, Type::Text, Type::Date] {
            items |= self.rows(field, kind, "", Vec::new())?;
        }
        Ok(items)
    }

    fn matching(&self, field: &str, condition: &Condition) -> Result<Items> {
        let kind = condition.kind();
        if kind == Type::Text && !self.keys_of_today {
            return self.compared(field, condition);
        }
        let (filter, values) = match condition {
            Condition::Number(from, to) => bounds(from.map(number_cell), to.map(number_cell)),
            Condition::Date { from, to } => {
                let from = from.map_or(Bound::Unbounded, Bound::Included);
                let to = to.map_or(Bound::Unbounded, Bound::Excluded);
                bounds(from.map(Cell::Integer), to.map(Cell::Integer))
            }
            Condition::Text(from, to) => {
                bounds(from.clone().map(Cell::Text), to.clone().map(Cell::Text))
            }
            Condition::StartsWith(start) => {
                let to =
                    behind(start).map_or(Bound::Unbounded, |to| Bound::Excluded(Cell::Text(to)));
                bounds(Bound::Included(Cell::Text(start.clone())), to)
            }
            Condition::Contains(part) => {
                (" AND instr(value, ?2) > 0".into(), vec![Cell::Text(part.clone())])
            }
        };
        self.rows(field, kind, &filter, values)
    }
}

/// Bounds as SQL behind the first parameter.
fn bounds(from: Bound<Cell>, to: Bound<Cell>) -> (String, Vec<Cell>) {
    let (mut filter, mut values) = (String::new(), Vec::new());
    let ends = [(from, ">=", ">"), (to, "<=", "<")];
    for (end, inside, outside) in ends {
        let (operator, value) = match end {
            Bound::Included(value) => (inside, value),
            Bound::Excluded(value) => (outside, value),
            Bound::Unbounded => continue,
        };
        values.push(value);
        filter.push_str(&format!(" AND value {operator} ?{}", values.len() + 1));
    }
    (filter, values)
}

/// The first text behind all that begin with `start`, in the order of code points.
fn behind(start: &str) -> Option<String> {
    let mut chars: Vec<char> = start.chars().collect();
    while let Some(last) = chars.pop() {
        // Between the two halves of the planes there are no characters.
        let next =
            if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// A number in as few bytes as SQLite needs; it compares both kinds by their size.
fn number_cell(number: f64) -> Cell {
    const EXACT: f64 = (1u64 << 53) as f64;
    match number.fract() == 0.0 && number.abs() < EXACT {
        true => Cell::Integer(number as i64),
        false => Cell::Real(number),
    }
}

/// The first `k` of some items by the field `date`, the newest first, then those without one by their numbers.
///
/// # Errors
/// The database cannot be read.
pub fn newest(db: &Connection, among: &Items, k: usize) -> Result<Vec<i64>> {
    let (mut left, mut first) = (among.clone(), Vec::new());
    if let Some(id) = field_id(db, "date", Type::Date)? {
        let sql = "SELECT item FROM field_value WHERE field = ?1 ORDER BY value DESC, item";
        let mut select = db.prepare_cached(sql)?;
        let mut rows = select.query([id])?;
        while first.len() < k
            && let Some(row) = rows.next()?
        {
            let item: i64 = row.get(0)?;
            if left.remove(item as u64) {
                first.push(item);
            }
        }
    }
    let more = k - first.len();
    first.extend(left.into_iter().take(more).map(|item| item as i64));
    Ok(first)
}

/// Gives texts that an older program wrote the keys of today.
///
/// # Errors
/// The disk is full or read-only, or the database is damaged.
pub(crate) fn renew_keys(db: &Connection) -> Result<()> {
    let sql = "SELECT field, value, item, source, coalesce(shown, value) FROM field_value \
               JOIN field ON field.id = field WHERE type = 'text'";
    let mut select = db.prepare(sql)?;
    let mut rows = select.query([])?;
    let mut stale: Vec<(i64, String, i64, i64, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        if key(row.get_ref(4)?.as_str()?) != row.get_ref(1)?.as_str()? {
            stale.push((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        }
    }
    // Two spellings of one value of an item become one.
    let mut update = db.prepare(
        "UPDATE OR REPLACE field_value SET value = ?5, shown = ?6 \
         WHERE field = ?1 AND value = ?2 AND item = ?3 AND source = ?4",
    )?;
    for (field, old, item, source, shown) in stale {
        update.execute((field, old, item, source, key(&shown), shown))?;
    }
    Ok(())
}

pub(super) fn field_id(db: &Connection, name: &str, kind: Type) -> Result<Option<i64>> {
    let mut select = db.prepare_cached("SELECT id FROM field WHERE name = ?1 AND type = ?2")?;
    select.query_row((name, kind.name()), |row| row.get(0)).optional()
}

pub(super) fn kind(row: &Row<'_>, at: usize) -> Result<Type> {
    Ok(match row.get_ref(at)?.as_str()? {
        "number" => Type::Number,
        "date" => Type::Date,
        _ => Type::Text,
    })
}

/// The value in a row, from its key and, for a text, how it was written.
pub(super) fn value(row: &Row<'_>, kind: Type, key: usize, shown: usize) -> Result<Value> {
    Ok(match kind {
        Type::Number => Value::Number(match row.get_ref(key)? {
            ValueRef::Integer(number) => number as f64,
            _ => row.get(key)?,
        }),
        Type::Date => Value::Date(row.get(key)?),
        Type::Text => match row.get_ref(shown)? {
            ValueRef::Null => Value::Text(row.get(key)?),
            _ => Value::Text(row.get(shown)?),
        },
    })
}
