//! Tables of numbers from the files of other programs: features (rows by columns) and labels (one a row).

mod list;
mod mat;
mod npy;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_files::{Error, Result};

/// Numbers, rows by columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// How many rows there are.
    pub rows: usize,
    /// Values of a row.
    pub columns: usize,
    /// Row-major.
    pub values: Vec<f64>,
}

/// Where a table lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `.npy` (f2, f4, f8 and whole numbers), `.mat` (MATLAB v5 to v7), or lines of text whose fields are separated by
    /// tabs, commas or blanks.
    pub file: PathBuf,
    /// The variable of a `.mat` file; may be left out where there is one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The one column to take, counted from 1: of lines of text, where it may hold names, or of a matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl Source {
    /// Reads the table.
    ///
    /// # Errors
    /// The file is missing, damaged, of a structure that is not read, or has no such variable or column.
    pub fn table(&self) -> Result<Table> {
        let found = match extension(&self.file) {
            "npy" => npy::read(&self.file)?,
            "mat" => mat::read(&self.file, self.variable.as_deref())?,
            _ => list::numbers(&self.file, self.column)?,
        };
        if self.variable.is_some() && extension(&self.file) != "mat" {
            return Err(Error::data_set(&self.file, "`variable` is for .mat files alone"));
        }
        if found.rows == 0 || found.columns == 0 {
            return Err(Error::data_set(&self.file, "there is no number inside"));
        }
        match self.column {
            Some(column) if matches!(extension(&self.file), "npy" | "mat") => {
                found.column(&self.file, column)
            }
            _ => Ok(found),
        }
    }

    /// Reads labels, one a row: whole numbers as they are written, or names.
    ///
    /// # Errors
    /// As [`Self::table`], or a label is no whole number and no name.
    pub fn labels(&self) -> Result<Vec<String>> {
        if !matches!(extension(&self.file), "npy" | "mat") {
            return list::column(&self.file, self.column.unwrap_or(1));
        }
        let table = self.table()?;
        if table.columns != 1 && table.rows != 1 {
            let (rows, columns) = (table.rows, table.columns);
            let what =
                format!("labels are one column; this is {rows} x {columns}: say which `column`");
            return Err(Error::data_set(&self.file, what));
        }
        let label = |(at, value): (usize, &f64)| match value.fract() == 0.0 && value.abs() < 1e15 {
            true => Ok(format!("{value}")),
            false => {
                let what = format!("row {}: {value} is no label; a whole number is", at + 1);
                Err(Error::data_set(&self.file, what))
            }
        };
        table.values.iter().enumerate().map(label).collect()
    }
}

impl Table {
    fn column(self, path: &Path, column: usize) -> Result<Self> {
        if column == 0 || column > self.columns {
            let what =
                format!("there is no column {column}: it has {}, counted from 1", self.columns);
            return Err(Error::data_set(path, what));
        }
        let values = self.values.chunks_exact(self.columns).map(|row| row[column - 1]).collect();
        Ok(Self { columns: 1, values, ..self })
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// A `.npy` file of f32, (rows, columns), row by row.
pub fn npy_bytes(values: &[f32], columns: usize) -> Vec<u8> {
    npy::write(values, columns)
}
