//! What each row of a table is of: its columns of words and numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::reader::FileReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use serde_json::Value;

use crate::import::fields::{CAPTIONS, IMAGES, places};
use crate::import::parquet::{check_pages, guarded, open_file, scalar};
use crate::vectors::{Kind, Line};
use tuwen_files::{Error, Result};

/// What stands for the name of a file in tables that have none.
const KEYS: [&str; 5] = ["key", "id", "sample_id", "uid", "uuid"];

/// Columns with the name of a row's file, or where none has it, what stands for it; and with its words.
fn labels(names: &[&str]) -> (Option<usize>, Option<usize>) {
    let first = |list: &[&str]| places(names, list[0], list).into_iter().next();
    (first(&IMAGES).or_else(|| first(&KEYS)), first(&CAPTIONS))
}

/// What each row is of.
pub(in crate::vectors) struct TableRows {
    path: PathBuf,
    rows: RowIter<'static>,
    kind: Kind,
    /// Names of the columns with the file's name and the words.
    name: String,
    words: Option<String>,
    number: usize,
}

impl TableRows {
    /// Opens a table by the names of its columns.
    pub(in crate::vectors) fn open(path: &Path, kind: Kind) -> Result<Self> {
        let file = open_file(path)?;
        let wrong = |what: String| Error::data_set(path, what);
        let schema = file.metadata().file_metadata().schema();
        let plain = |field: &&Arc<Type>| field.is_primitive();
        let fields: Vec<Arc<Type>> = schema.get_fields().iter().filter(plain).cloned().collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        let (name, words) = labels(&names);
        let name = name.ok_or_else(|| {
            wrong(format!("none of the columns {names:?} says which file a row is of, such as `image_path` or `url`"))
        })?;
        if kind == Kind::Texts && words.is_none() {
            return Err(wrong(format!(
                "none of the columns {names:?} has the words, such as `caption`"
            )));
        }
        let (name, words) = (names[name].to_owned(), words.map(|at| names[at].to_owned()));
        let schema = Type::group_type_builder(schema.name()).with_fields(fields.clone()).build();
        for group in 0..file.num_row_groups() {
            let columns = file.metadata().row_group(group).columns().iter();
            for column in columns.filter(|c| c.column_path().parts().len() == 1) {
                let (start, len) = column.byte_range();
                check_pages(path, start, len).map_err(wrong)?;
            }
        }
        let open = || {
            let rows = RowIter::from_file_into(Box::new(file));
            schema.and_then(|schema| rows.project(Some(schema)))
        };
        let rows = guarded(path, open)?.map_err(|e| wrong(e.to_string()))?;
        Ok(Self { path: path.to_path_buf(), rows, kind, name, words, number: 0 })
    }

    /// The file.
    pub(in crate::vectors) fn path(&self) -> &Path {
        &self.path
    }

    /// Of the last row, from 1.
    pub(in crate::vectors) fn number(&self) -> usize {
        self.number
    }

    /// What the next row is of.
    pub(in crate::vectors) fn next(&mut self) -> Result<Option<Line>> {
        let rows = &mut self.rows;
        let row = guarded(&self.path, || rows.next())?;
        let Some(row) = row else { return Ok(None) };
        self.number += 1;
        let wrong = |what: String| Error::record(&self.path, self.number, what);
        let row = row.map_err(|e| wrong(e.to_string()))?.into_columns();
        let fields = row.into_iter().filter_map(|(name, field)| Some((name, scalar(field)?)));
        let mut fields: BTreeMap<String, String> = fields.collect();
        let path = fields.remove(&self.name).filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| wrong(format!("its `{}` is empty", self.name)))?;
        if self.kind == Kind::Texts {
            let words = self.words.as_ref().and_then(|words| fields.remove(words));
            let (text, image) = (Some(words.unwrap_or_default()), Some(path.clone()));
            return Ok(Some(Line { path, text, image, ..Line::default() }));
        }
        let metadata = match fields.is_empty() {
            true => Value::Null,
            false => fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
        };
        Ok(Some(Line { path, metadata, ..Line::default() }))
    }
}
