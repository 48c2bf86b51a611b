//! Whether a result file is what the contest takes. Each problem names line and cure.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::{RANKS, Tables, Task};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_files::{Error, Result, file};

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => out.write_str(&self.what),
            line => write!(out, "line {line}: {}", self.what),
        }
    }
}

/// All problems of `path` as the result of `task` over `tables`; none when it is right.
///
/// # Errors
/// The file cannot be read.
pub fn validate(path: &Path, task: Task, tables: &Tables) -> Result<Vec<Problem>> {
    let mut check = Check {
        task,
        queries: tables.queries.iter().enumerate().map(|(at, row)| (&*row.id, at)).collect(),
        gallery: tables.gallery.iter().map(|row| &*row.id).collect(),
        problems: Vec::new(),
        blocks: vec![Block::default(); tables.queries.len()],
        last: None,
    };
    check.bytes(path)?;
    let text = TextFile::look(path)?;
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.open()?);
    let header = reader.headers().map_err(|e| Error::record(path, 1, e.to_string()))?;
    let found: Vec<&str> = header.iter().collect();
    if found != task.header() {
        let what = format!("the header is {found:?}: it must be `{}`", task.header().join(","));
        check.add(1, what);
        return Ok(check.problems);
    }
    for record in reader.records() {
        match record {
            Ok(record) => check.row(&record),
            Err(e) => {
                let line = e.position().map_or(0, |p| p.line() as usize);
                check.add(line, format!("{e}: write the row again"));
            }
        }
    }
    check.complete(tables);
    Ok(check.problems)
}

/// The rows of one query.
#[derive(Clone, Default)]
struct Block {
    rows: usize,
    answers: HashSet<String>,
}

struct Check<'t> {
    task: Task,
    queries: HashMap<&'t str, usize>,
    gallery: HashSet<&'t str>,
    problems: Vec<Problem>,
    blocks: Vec<Block>,
    /// The query of the row before.
    last: Option<usize>,
}

impl Check<'_> {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.problems.push(Problem { line, what: what.into() });
    }

    /// Encoding and line ends.
    fn bytes(&mut self, path: &Path) -> Result<()> {
        let bytes = file::read(path, file::DOCUMENT)?;
        let text = TextFile::look(path)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            self.add(1, "it begins with a byte order mark: save it as UTF-8 without BOM");
        }
        if text.encoding != Encoding::UTF_8 || text.malformed > 0 {
            self.add(0, format!("it is {}: save it as UTF-8", text.encoding));
        }
        if let Some(at) = bytes.windows(2).position(|pair| pair == b"\r\n") {
            let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
            self.add(line, "the line ends in CR LF: lines must end in LF");
        }
        if bytes.last().is_some_and(|&byte| byte != b'\n') {
            self.add(0, "the last line has no end: add LF");
        }
        Ok(())
    }

    fn row(&mut self, record: &StringRecord) {
        let line = record.position().map_or(0, |p| p.line() as usize);
        let [query, rank, answer] = match record.iter().collect::<Vec<_>>()[..] {
            [query, rank, answer] => [query, rank, answer],
            _ => {
                let what = format!("{} fields: there must be 3", record.len());
                return self.add(line, what);
            }
        };
        let Some(&at) = self.queries.get(query) else {
            let what =
                format!("there is no query `{query}` in {}: remove the row", self.task.folder());
            return self.add(line, what);
        };
        let before = self.blocks[at].rows;
        if before == 0 && self.last.is_some_and(|last| last > at) {
            self.add(
                line,
                format!("`{query}` comes too late: keep the order of the queries' table"),
            );
        } else if before > 0 && self.last != Some(at) {
            self.add(line, format!("the rows of `{query}` are apart: put them together"));
        }
        let wanted = before + 1;
        if wanted > RANKS {
            self.add(line, format!("`{query}` has more than {RANKS} rows: remove this one"));
        } else if rank != wanted.to_string() {
            self.add(line, format!("the rank is `{rank}`: here it must be {wanted}"));
        }
        if !self.gallery.contains(answer) {
            let what = format!(
                "there is no `{answer}` in {}: answer with what is there",
                self.task.folder()
            );
            self.add(line, what);
        }
        let block = &mut self.blocks[at];
        block.rows += 1;
        let fresh = block.answers.insert(answer.to_owned());
        self.last = Some(at);
        if !fresh {
            self.add(line, format!("`{answer}` answers `{query}` twice: the five must differ"));
        }
    }

    /// What is missing.
    fn complete(&mut self, tables: &Tables) {
        let short = tables.queries.iter().zip(&self.blocks).filter(|(_, block)| block.rows < RANKS);
        let short: Vec<(String, usize)> =
            short.map(|(row, block)| (row.id.clone(), block.rows)).collect();
        for (query, rows) in short {
            self.add(0, format!("`{query}` has {rows} of {RANKS} rows: add the others"));
        }
    }
}
