//! Vectors with what each is of, in the layouts of several programs: what `tuwen gallery import` reads, row by row.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::table::{self, TableRows, TableVectors};
use super::{Line, VectorReader, number_of};
use crate::import::tables;
use tuwen_files::{Error, Result};

/// What rows are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of pictures.
    Pictures,
    /// Of texts.
    Texts,
}

/// Vectors of one kind in one file, and what stands beside them.
#[derive(Clone, Debug)]
pub struct Input {
    /// What they are of.
    pub kind: Kind,
    /// The file with vectors.
    pub path: PathBuf,
    labels: Place,
}

/// Where it says what a row is of.
#[derive(Clone, Debug)]
enum Place {
    /// A file with a line for each row.
    Beside(PathBuf),
    /// A table with a row for each.
    Table(PathBuf),
    /// The table that has the vectors.
    Same,
    /// Nowhere; where it could be.
    Missing([PathBuf; 2]),
}

/// Ends of files of vectors that have lines beside them.
const ENDS: [&str; 4] = ["npy", "fbin", "faiss", "index"];

impl Input {
    /// All that a folder or a Parquet file has; nothing where it has no vectors by the names of its files:
    ///
    /// - `images.npy`, `.fbin` or `.faiss` (`.index`) with `images.jsonl` or `.txt`, and `texts.*` the same;
    /// - clip-retrieval's `img_emb/*_N.npy` and `text_emb/*_N.npy` with `metadata/*_N.parquet`;
    /// - Parquet tables with a column of vectors.
    ///
    /// # Errors
    /// A table that cannot be read or has no vectors, a part without its table.
    pub fn all(path: &Path) -> Result<Vec<Self>> {
        if path.is_dir() {
            let of = |kind, name| Self::beside(path, kind, name);
            let found = [of(Kind::Pictures, "images"), of(Kind::Texts, "texts")];
            let found: Vec<Self> = found.into_iter().flatten().collect();
            if !found.is_empty() {
                return Ok(found);
            }
            let mut found = Self::parts(path, Kind::Pictures, "img_emb")?;
            found.extend(Self::parts(path, Kind::Texts, "text_emb")?);
            if !found.is_empty() {
                return Ok(found);
            }
        } else if path.extension().is_none_or(|end| !end.eq_ignore_ascii_case("parquet")) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for kind in [Kind::Pictures, Kind::Texts] {
            for file in tables::files(path) {
                if table::has_vectors(&file, kind)? {
                    found.push(Self { kind, path: file, labels: Place::Same });
                }
            }
        }
        Ok(found)
    }

    fn beside(folder: &Path, kind: Kind, name: &str) -> Option<Self> {
        let at = |end: &str| folder.join(format!("{name}.{end}"));
        let path = ENDS.iter().map(|end| at(end)).find(|path| path.is_file())?;
        let lines = [at("jsonl"), at("txt")];
        let there = lines.iter().find(|path| path.is_file()).cloned();
        let labels = there.map_or(Place::Missing(lines), Place::Beside);
        Some(Self { kind, path, labels })
    }

    /// clip-retrieval's parts, in the order of their numbers.
    fn parts(folder: &Path, kind: Kind, name: &str) -> Result<Vec<Self>> {
        let numbered = |inner: &str, end: &str| -> HashMap<u64, PathBuf> {
            let entries = std::fs::read_dir(folder.join(inner)).into_iter().flatten().flatten();
            let files = entries.map(|entry| entry.path());
            let files = files.filter(|file| file.extension().is_some_and(|e| e == end));
            files.filter_map(|file| Some((number_of(&file)?, file))).collect()
        };
        let tables = numbered("metadata", "parquet");
        let mut parts: Vec<(u64, PathBuf)> = numbered(name, "npy").into_iter().collect();
        parts.sort();
        let part = |(number, path): (u64, PathBuf)| match tables.get(&number) {
            Some(table) => Ok(Self { kind, path, labels: Place::Table(table.clone()) }),
            None => {
                let what = format!(
                    "there is no metadata/metadata_{number}.parquet beside it, which says what it is of"
                );
                Err(Error::data_set(path, what))
            }
        };
        parts.into_iter().map(part).collect()
    }

    /// Files of which one is needed and none is there, which would say what the rows are of.
    pub fn lacks(&self) -> Option<&[PathBuf; 2]> {
        match &self.labels {
            Place::Missing(paths) => Some(paths),
            _ => None,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// A file cannot be read, is of another structure, or is not as long as its head says.
    pub fn open(&self) -> Result<Rows> {
        let vectors = match &self.labels {
            Place::Same => Vectors::Table(Box::new(TableVectors::open(&self.path, self.kind)?)),
            _ => Vectors::File(VectorReader::open(&self.path)?),
        };
        let labels = match (&self.labels, &vectors) {
            (Place::Missing([first, second]), _) => {
                let what = format!("neither {} nor {} is there", first.display(), second.display());
                return Err(Error::data_set(&self.path, what));
            }
            (Place::Beside(lines), Vectors::File(reader)) if reader.ids().is_some() => {
                let all = Lines::open(lines)?.by_id()?;
                Labels::ById {
                    path: lines.clone(),
                    all,
                    ids: reader.ids().unwrap_or_default().to_vec(),
                    at: 0,
                }
            }
            (Place::Beside(lines), _) => Labels::Lines(Lines::open(lines)?),
            (Place::Table(table), _) => Labels::Table(Box::new(TableRows::open(table, self.kind)?)),
            (Place::Same, _) => Labels::Table(Box::new(TableRows::open(&self.path, self.kind)?)),
        };
        let of_pairs = matches!(labels, Labels::Table(_)) && self.kind == Kind::Pictures;
        Ok(Rows { path: self.path.clone(), vectors, labels, seen: of_pairs.then(HashSet::new) })
    }
}

enum Vectors {
    File(VectorReader),
    Table(Box<TableVectors>),
}

enum Labels {
    Lines(Lines),
    Table(Box<TableRows>),
    ById { path: PathBuf, all: HashMap<i64, Line>, ids: Vec<i64>, at: usize },
}

impl Labels {
    fn next(&mut self) -> Result<Option<Line>> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Table(rows) => rows.next(),
            Self::ById { path, all, ids, at } => {
                let Some(id) = ids.get(*at) else { return Ok(None) };
                *at += 1;
                let line = all.remove(id).ok_or_else(|| {
                    let what =
                        format!("no line is left for the id {id} of row {} (from 0)", *at - 1);
                    Error::data_set(&*path, what)
                })?;
                Ok(Some(line))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Lines(lines) => &lines.path,
            Self::Table(rows) => rows.path(),
            Self::ById { path, .. } => path,
        }
    }
}

/// An open input.
pub struct Rows {
    path: PathBuf,
    vectors: Vectors,
    labels: Labels,
    /// Pictures that came, where rows are pairs: a picture stands there once for each caption.
    seen: Option<HashSet<u128>>,
}

impl Rows {
    /// Width of a vector, D.
    pub fn dim(&self) -> usize {
        match &self.vectors {
            Vectors::File(reader) => reader.dim(),
            Vectors::Table(table) => table.dim(),
        }
    }

    /// How many rows there are; of pairs there are fewer pictures.
    pub fn len(&self) -> usize {
        match &self.vectors {
            Vectors::File(reader) => reader.rows(),
            Vectors::Table(table) => table.rows(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether rows are pairs, of which each picture comes once.
    pub fn is_of_pairs(&self) -> bool {
        self.seen.is_some()
    }

    /// Where the last line stands, for what is wrong with it.
    pub fn place(&self) -> String {
        let path = self.labels.path().display();
        match &self.labels {
            Labels::Lines(lines) => format!("{path}: line {}", lines.number),
            Labels::Table(rows) => format!("{path}: row {}", rows.number()),
            Labels::ById { at, .. } => format!("{path}: the line of row {}", at.saturating_sub(1)),
        }
    }

    /// The next row as a unit vector (D), and what it is of; nothing behind the last.
    ///
    /// # Errors
    /// A file cannot be read, a row is zero or not a number, or there are more lines than rows, or fewer.
    pub fn next(&mut self, row: &mut Vec<f32>) -> Result<Option<Line>> {
        loop {
            let has_row = match &mut self.vectors {
                Vectors::File(reader) => reader.next(row)?,
                Vectors::Table(table) => table.next(row)?,
            };
            let line = match (has_row, self.labels.next()?) {
                (true, Some(line)) => line,
                (false, None) => return Ok(None),
                (true, None) => return Err(self.uneven("fewer")),
                (false, Some(_)) => return Err(self.uneven("more")),
            };
            let is_new = match &mut self.seen {
                Some(seen) => seen.insert(short(line.path.as_bytes())),
                None => true,
            };
            // A pair without words is of its picture alone.
            let has_words = line.text.as_deref().is_none_or(|text| !text.trim().is_empty());
            if is_new && has_words {
                return Ok(Some(line));
            }
        }
    }

    fn uneven(&self, what: &str) -> Error {
        let what = format!("it has {what} lines than {} has rows", self.path.display());
        Error::data_set(self.labels.path(), what)
    }
}

fn short(name: &[u8]) -> u128 {
    let hash = *blake3::hash(name).as_bytes();
    u128::from_le_bytes(*hash.first_chunk().expect("32 bytes"))
}
