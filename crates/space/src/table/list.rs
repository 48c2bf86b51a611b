//! Lines of text: `.list`, `.txt`, `.csv`, `.tsv`. Fields are separated by tabs where a line has any, else by commas,
//! else by blanks; empty lines are passed over.

use std::io::BufRead;
use std::path::Path;

use super::Table;
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

fn fields(line: &str) -> Vec<&str> {
    let by = |sign: char| line.split(sign).map(str::trim).collect();
    match (line.contains('\t'), line.contains(',')) {
        (true, _) => by('\t'),
        (_, true) => by(','),
        _ => line.split_whitespace().collect(),
    }
}

/// Calls `each` with the number and the fields of every line.
fn lines(path: &Path, mut each: impl FnMut(usize, Vec<&str>) -> Result<()>) -> Result<()> {
    for (at, line) in TextFile::look(path)?.open()?.lines().enumerate() {
        let line = line.map_err(|e| Error::io(path, e))?;
        if !line.trim().is_empty() {
            each(at + 1, fields(&line))?;
        }
    }
    Ok(())
}

/// One column, counted from 1, as it is written.
pub(super) fn column(path: &Path, column: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    lines(path, |number, fields| {
        let field = column.checked_sub(1).and_then(|at| fields.get(at));
        let Some(field) = field.filter(|field| !field.is_empty()) else {
            let what = format!("there is no column {column}: the line has {}", fields.len());
            return Err(Error::record(path, number, what));
        };
        found.push((*field).to_owned());
        Ok(())
    })?;
    Ok(found)
}

/// All columns as numbers, or one of them.
pub(super) fn numbers(path: &Path, only: Option<usize>) -> Result<Table> {
    let mut found = Table { rows: 0, columns: 0, values: Vec::new() };
    lines(path, |number, mut fields| {
        if let Some(column) = only {
            fields =
                column.checked_sub(1).and_then(|at| fields.get(at)).copied().into_iter().collect();
        }
        if fields.is_empty() || (found.rows > 0 && fields.len() != found.columns) {
            let what = format!("{} fields; {} are wanted", fields.len(), found.columns.max(1));
            return Err(Error::record(path, number, what));
        }
        found.columns = fields.len();
        found.rows += 1;
        for field in fields {
            let value: f64 = field
                .parse()
                .map_err(|_| Error::record(path, number, format!("\"{field}\" is no number")))?;
            found.values.push(value);
        }
        Ok(())
    })?;
    Ok(found)
}
