//! A text file with a line for each row of vectors: JSON ([`Line`]) or paths.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::Line;
use tuwen_files::{Error, Result, file};

/// An open file of lines.
pub(super) struct Lines {
    pub(super) path: PathBuf,
    lines: std::io::Lines<BufReader<File>>,
    is_json: bool,
    /// Of the last line, from 1.
    pub(super) number: usize,
}

impl Lines {
    /// Opens a file, JSON where its name ends in `.jsonl`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let lines = BufReader::new(file::open(path)?).lines();
        let is_json = path.extension().is_some_and(|end| end == "jsonl");
        Ok(Self { path: path.to_path_buf(), lines, is_json, number: 0 })
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        self.number += 1;
        let wrong = |what: String| Error::record(&self.path, self.number, what);
        let line = line.map_err(|e| wrong(e.to_string()))?;
        match self.is_json {
            true => serde_json::from_str(&line).map(Some).map_err(|e| wrong(e.to_string())),
            false => Ok(Some(Line { path: line, ..Line::default() })),
        }
    }

    /// All of them by their numbers: the `id` of a line, or where it has none, how many there are before it.
    pub(super) fn by_id(mut self) -> Result<HashMap<i64, Line>> {
        let mut all = HashMap::new();
        while let Some(line) = self.next()? {
            let before = self.number as i64 - 1;
            let id = line.id.as_ref().map_or(Ok(before), |id| id.parse());
            let wrong = |what: String| Error::record(&self.path, self.number, what);
            let id = id.map_err(|_| {
                wrong(format!(
                    "its id is `{}`, faiss' ids are whole numbers",
                    line.id.clone().unwrap_or_default()
                ))
            })?;
            if all.insert(id, line).is_some() {
                return Err(wrong(format!("the id {id} is there twice")));
            }
        }
        Ok(all)
    }
}
