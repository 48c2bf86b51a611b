//! Full text in SQLite's FTS5: tokens of `tuwen_text` in, items with BM25 scores out.
//!
//! The table keeps tokens and no texts. FTS5's `ascii` tokenizer cuts at spaces only, as tokens have no
//! ASCII signs and it takes every other character for a letter; so what FTS5 sees is what the analyser says.

use std::ops::ControlFlow;

use rusqlite::{Connection, Result};
use tuwen_text::{Query, Tokens, Word};

use crate::filter::Items;
use crate::topk::Hit;

/// The table of tokens; a row's number is its item's.
pub const TABLES: &str = "
    CREATE VIRTUAL TABLE full_text USING fts5(
        words, signs, content = '', contentless_delete = 1, tokenize = 'ascii'
    );
";

/// What an item must have to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match<'q> {
    /// Every word of the query.
    All(&'q Query),
    /// One of them; items with more and rarer ones come first.
    Any(&'q Query),
    /// These signs side by side (`tuwen_text::for_phrase`): "exact words".
    Phrase(&'q [String]),
}

/// Adds an item's tokens; one that has some already gets these instead.
///
/// ```
/// use tuwen_index::fulltext::{self, Match, TABLES};
/// use tuwen_text::{for_index, for_query};
/// let db = rusqlite::Connection::open_in_memory()?;
/// db.execute_batch(TABLES)?;
/// fulltext::insert(&db, 7, &for_index("我喜歡貓"))?;
/// let hits = fulltext::search(&db, Match::All(&for_query("喜欢 猫")), 10, None)?;
/// assert_eq!(hits[0].id, 7);
/// # Ok::<(), rusqlite::Error>(())
/// ```
///
/// # Errors
/// The disk is full or read-only.
pub fn insert(db: &Connection, item: i64, tokens: &Tokens) -> Result<()> {
    remove(db, item)?;
    if tokens.signs.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO full_text (rowid, words, signs) VALUES (?1, ?2, ?3)";
    let mut insert = db.prepare_cached(sql)?;
    insert.execute((item, tokens.words.join(" "), tokens.signs.join(" "))).map(drop)
}

/// Removes an item's tokens, where it has some.
///
/// # Errors
/// The disk is full or read-only.
pub fn remove(db: &Connection, item: i64) -> Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM full_text WHERE rowid = ?1")?;
    remove.execute([item]).map(drop)
}

/// Shows `each` the items that match with their BM25 scores, best first (ties by the lower number), until it has
/// enough. A query without words finds nothing.
///
/// # Errors
/// The database cannot be read, or what `each` ends with.
pub fn visit(
    db: &Connection,
    wanted: Match<'_>,
    mut each: impl FnMut(i64, f32) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let Some(expression) = expression(wanted) else { return Ok(()) };
    let mut select = db.prepare_cached(
        "SELECT rowid, bm25(full_text) AS score FROM full_text WHERE full_text MATCH ?1 \
         ORDER BY score, rowid",
    )?;
    let mut rows = select.query([expression])?;
    while let Some(row) = rows.next()? {
        // SQLite's is the lower the better.
        if each(row.get(0)?, -row.get::<_, f64>(1)? as f32)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The `k` items that match best, of those `allowed` where only some are.
///
/// # Errors
/// The database cannot be read.
pub fn search(
    db: &Connection,
    wanted: Match<'_>,
    k: usize,
    allowed: Option<&Items>,
) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    visit(db, wanted, |id, score| {
        if hits.len() < k && allowed.is_none_or(|allowed| allowed.contains(id as u64)) {
            hits.push(Hit { id: id as u64, score });
        }
        Ok(if hits.len() < k { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(hits)
}

/// All items that match, for a filter.
///
/// # Errors
/// The database cannot be read.
pub fn matching(db: &Connection, wanted: Match<'_>) -> Result<Items> {
    let Some(expression) = expression(wanted) else { return Ok(Items::new()) };
    let mut select =
        db.prepare_cached("SELECT rowid FROM full_text WHERE full_text MATCH ?1 ORDER BY rowid")?;
    let mut rows = select.query([expression])?;
    let mut items = Items::new();
    while let Some(row) = rows.next()? {
        items.insert(row.get::<_, i64>(0)? as u64);
    }
    Ok(items)
}

/// A query in FTS5's language. Everything is quoted, so that no word is an operator.
fn expression(wanted: Match<'_>) -> Option<String> {
    let (query, operator) = match wanted {
        Match::All(query) => (query, " AND "),
        Match::Any(query) => (query, " OR "),
        Match::Phrase(signs) => return (!signs.is_empty()).then(|| phrase("signs", signs)),
    };
    let words: Vec<String> = query.words.iter().map(word).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(operator))
}

fn word(Word { word, phrases }: &Word) -> String {
    let whole = word.iter().map(|word| phrase("words", std::slice::from_ref(word)));
    let signs =
        phrases.iter().filter(|signs| !signs.is_empty()).map(|signs| phrase("signs", signs));
    let forms: Vec<String> = whole.chain(signs).collect();
    match forms.len() {
        0 => String::new(),
        _ => format!("({})", forms.join(" OR ")),
    }
}

fn phrase(column: &str, tokens: &[String]) -> String {
    format!("{{{column}}} : \"{}\"", tokens.join(" ").replace('"', "\"\""))
}
