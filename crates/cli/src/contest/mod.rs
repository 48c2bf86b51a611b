//! The Taidi Cup 2024, problem B: the contest's folder as it is handed out, its tables in any
//! encoding, and the two result files.
//!
//! 附件1 trains (`ImageWordData.csv`), 附件2 asks for pictures (`word_test.csv`, `image_data.csv`),
//! 附件3 for texts (`image_test.csv`, `word_data.csv`).

#[cfg(test)]
mod damaged_results;
mod validate;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use csv::{ReaderBuilder, StringRecord};

pub use validate::validate;

use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};
use tuwen_sets::import::Watched;

/// Answers to each query.
pub const RANKS: usize = 5;

/// One of the two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Words ask for pictures: 附件2, `result1.csv`.
    Words,
    /// Pictures ask for words: 附件3, `result2.csv`.
    Pictures,
}

impl Task {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Words, Self::Pictures];

    /// Its part of the contest's folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Words => "附件2",
            Self::Pictures => "附件3",
        }
    }

    /// The tables of the queries and of what is searched, each with its columns.
    fn tables(self) -> [(&'static str, &'static [&'static str]); 2] {
        match self {
            Self::Words => {
                [("word_test.csv", &["text_id", "caption"]), ("image_data.csv", &["image_id"])]
            }
            Self::Pictures => {
                [("image_test.csv", &["image_id"]), ("word_data.csv", &["text_id", "caption"])]
            }
        }
    }

    /// The result file.
    pub fn result(self) -> &'static str {
        match self {
            Self::Words => "result1.csv",
            Self::Pictures => "result2.csv",
        }
    }

    /// Its header.
    pub fn header(self) -> [&'static str; 3] {
        match self {
            Self::Words => ["text_id", "similarity_ranking", "result_image_id"],
            Self::Pictures => ["image_id", "similarity_ranking", "result_text_id"],
        }
    }
}

/// A row of a table: an id, and the words of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A picture's file name, or a text's id.
    pub id: String,
    /// Empty for a picture.
    pub text: String,
}

/// A task's tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Who asks.
    pub queries: Vec<Row>,
    /// What is searched.
    pub gallery: Vec<Row>,
    /// Where the pictures are.
    pub images: PathBuf,
    /// Encodings and what is wrong with the texts, for people.
    pub remarks: Vec<String>,
}

impl Tables {
    /// Reads a task's part of the contest's folder `root`.
    ///
    /// # Errors
    /// A table that is missing, has other columns or no rows, or the same id twice.
    pub fn read(root: &Path, task: Task) -> Result<Self> {
        let folder = root.join(task.folder());
        let mut remarks = Vec::new();
        let [queries, gallery] = task.tables();
        let queries = read_table(&folder.join(queries.0), queries.1, &mut remarks)?;
        let gallery = read_table(&folder.join(gallery.0), gallery.1, &mut remarks)?;
        if queries.is_empty() {
            let path = folder.join(task.tables()[0].0);
            return Err(Error::data_set(path, "it has a header and no queries behind it"));
        }
        if gallery.len() < RANKS {
            let what =
                format!("it has {} rows, and each query needs {RANKS} answers", gallery.len());
            return Err(Error::data_set(&folder, what));
        }
        let images = folder.join("ImageData");
        let images = if images.is_dir() { images } else { folder };
        Ok(Self { queries, gallery, images, remarks })
    }
}

fn read_table(path: &Path, columns: &[&str], remarks: &mut Vec<String>) -> Result<Vec<Row>> {
    let text = TextFile::look(path)?;
    let name = path.display();
    if text.encoding != tuwen_files::encoding::Encoding::UTF_8 {
        remarks.push(format!("{name} is read as {}", text.encoding));
    }
    remarks.extend(text.remarks().into_iter().map(|remark| format!("{name}: {remark}")));
    let (watched, open_quote) = Watched::new(text.open()?, b',');
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(watched);
    let header = reader.headers().map_err(|e| Error::record(path, 1, e.to_string()))?.clone();
    let place = |wanted: &str| {
        header.iter().position(|found| found.trim() == wanted).ok_or_else(|| {
            let found: Vec<&str> = header.iter().collect();
            Error::record(path, 1, format!("no column `{wanted}`; the header has {found:?}"))
        })
    };
    let places = columns.iter().map(|column| place(column)).collect::<Result<Vec<usize>>>()?;
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    for record in reader.records() {
        let record: StringRecord = record.map_err(|e| {
            let line = e.position().map_or(0, |p| p.line() as usize);
            Error::record(path, line, e.to_string())
        })?;
        let line = record.position().map_or(0, |p| p.line() as usize);
        if record.len() != header.len() {
            let (found, wanted) = (record.len(), header.len());
            let what = format!("{found} fields, the header has {wanted}: quote a text with commas");
            return Err(Error::record(path, line, what));
        }
        let field = |at: usize| record.get(places[at]).unwrap_or("").to_owned();
        let id = field(0).trim().to_owned();
        if id.is_empty() || !seen.insert(id.clone()) {
            let what = format!("the id `{id}` is empty or there twice");
            return Err(Error::record(path, line, what));
        }
        let text = if places.len() > 1 { field(1) } else { String::new() };
        rows.push(Row { id, text });
    }
    match open_quote.load(Ordering::Relaxed) {
        0 => Ok(rows),
        line => Err(Error::record(path, line, "a quote that is opened here is never closed")),
    }
}

/// A result file: UTF-8 without a byte order mark, lines that end in LF, the queries in the order of their
/// table, ranks 1 to 5. `answers[i]` are positions in the gallery, best first.
///
/// # Panics
/// When there are not five answers for each query.
pub fn result(task: Task, tables: &Tables, answers: &[Vec<usize>]) -> String {
    assert_eq!(answers.len(), tables.queries.len(), "answers for each query");
    let mut out = task.header().join(",") + "\n";
    for (query, answers) in tables.queries.iter().zip(answers) {
        assert_eq!(answers.len(), RANKS, "five answers");
        for (rank, &answer) in answers.iter().enumerate() {
            let id = quoted(&tables.gallery[answer].id);
            out += &format!("{},{},{id}\n", quoted(&query.id), rank + 1);
        }
    }
    out
}

fn quoted(id: &str) -> String {
    if id.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", id.replace('"', "\"\""))
    } else {
        id.to_owned()
    }
}
