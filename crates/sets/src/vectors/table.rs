//! Parquet tables with a column of vectors, a list of numbers in each row, and columns that say what a row is of: as
//! clip-retrieval, img2dataset and LAION name them ([`labels`]). One batch of rows is in memory.

mod labels;

pub(super) use labels::TableRows;

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::{LogicalType, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{DataType, DoubleType, FixedLenByteArrayType, FloatType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;

use super::{Kind, unit};
use crate::import::parquet::{check_pages, guarded, open_file};
use tuwen_files::{Error, Result};

/// Names of columns with vectors of pictures, in the order in which they count.
const OF_PICTURES: [&str; 12] = [
    "image_embedding",
    "image_embeddings",
    "img_emb",
    "img_embedding",
    "clip_embedding",
    "embedding",
    "embeddings",
    "emb",
    "vector",
    "vectors",
    "feature",
    "features",
];
/// The same of texts.
const OF_TEXTS: [&str; 6] = [
    "text_embedding",
    "text_embeddings",
    "text_emb",
    "txt_emb",
    "caption_embedding",
    "caption_emb",
];
/// Rows that are read at a time.
const BATCH: usize = 256;
/// Values of a vector, and of one page: more than any model or writer has.
const WIDEST: usize = 1 << 16;
const PAGE: u32 = 1 << 27;

/// Whether a table has vectors of that kind.
///
/// # Errors
/// It cannot be read, or has no vectors of any kind.
pub(super) fn has_vectors(path: &Path, kind: Kind) -> Result<bool> {
    let file = open_file(path)?;
    let [pictures, texts] = [Kind::Pictures, Kind::Texts].map(|kind| column(&file, kind));
    if pictures.is_none() && texts.is_none() {
        let names: Vec<String> = columns(&file).iter().map(|c| c.path().string()).collect();
        let what = format!(
            "no column of vectors is among {names:?}; a list of numbers named `embedding`, `image_embedding` or \
             `text_embedding` is needed"
        );
        return Err(Error::data_set(path, what));
    }
    Ok(if kind == Kind::Pictures { pictures } else { texts }.is_some())
}

fn columns(file: &SerializedFileReader<File>) -> &[ColumnDescPtr] {
    file.metadata().file_metadata().schema_descr().columns()
}

/// The column of vectors: lists of numbers under one of the names.
fn column(file: &SerializedFileReader<File>, kind: Kind) -> Option<usize> {
    let names: &[&str] = if kind == Kind::Pictures { &OF_PICTURES } else { &OF_TEXTS };
    let is = |column: &ColumnDescPtr, name: &str| {
        let half = || {
            column.type_length() == 2 && column.logical_type_ref() == Some(&LogicalType::Float16)
        };
        let numbers = match column.physical_type() {
            Physical::FLOAT | Physical::DOUBLE => true,
            Physical::FIXED_LEN_BYTE_ARRAY => half(),
            _ => false,
        };
        numbers
            && column.max_rep_level() == 1
            && column.path().parts()[0].eq_ignore_ascii_case(name)
    };
    names.iter().find_map(|name| columns(file).iter().position(|column| is(column, name)))
}

/// A column of vectors, read batch by batch.
pub(super) struct TableVectors {
    path: PathBuf,
    file: SerializedFileReader<File>,
    column: usize,
    rows: usize,
    dim: usize,
    /// Groups of rows that were opened.
    groups: usize,
    reader: Option<Typed>,
    batch: Vec<f32>,
    /// Of the batch, values that were given away.
    given: usize,
    /// Rows that were given away.
    read: usize,
}

/// A reader of the column's own type.
enum Typed {
    F32(ColumnReaderImpl<FloatType>),
    F64(ColumnReaderImpl<DoubleType>),
    F16(ColumnReaderImpl<FixedLenByteArrayType>),
}

impl TableVectors {
    /// Opens a file and compares what its table of contents says of the column.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Self> {
        let file = open_file(path)?;
        let wrong = |what: String| Error::data_set(path, what);
        let column = column(&file, kind).ok_or_else(|| wrong("no column of vectors".into()))?;
        let name = columns(&file)[column].path().string();
        let (mut rows, mut values) = (0u64, 0u64);
        for group in file.metadata().row_groups() {
            rows += u64::try_from(group.num_rows()).unwrap_or(0);
            values += u64::try_from(group.column(column).num_values()).unwrap_or(0);
        }
        let dim = values.checked_div(rows).unwrap_or(0);
        if dim == 0 || dim * rows != values || dim as usize > WIDEST {
            return Err(wrong(format!(
                "`{name}` has {values} values in {rows} rows: each row needs as many as the others, at most {WIDEST}"
            )));
        }
        let (path, rows, dim) = (path.to_path_buf(), rows as usize, dim as usize);
        let (groups, reader, batch, given, read) = (0, None, Vec::new(), 0, 0);
        Ok(Self { path, file, column, rows, dim, groups, reader, batch, given, read })
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Width of a vector, D.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The next row as a unit vector (D); whether there was one.
    pub(super) fn next(&mut self, row: &mut Vec<f32>) -> Result<bool> {
        while self.given == self.batch.len() {
            if !self.refill()? {
                return match self.read == self.rows {
                    true => Ok(false),
                    false => Err(Error::data_set(
                        &self.path,
                        format!("{} rows, its table of contents says {}", self.read, self.rows),
                    )),
                };
            }
        }
        row.clear();
        row.extend_from_slice(&self.batch[self.given..self.given + self.dim]);
        self.given += self.dim;
        unit(row)
            .map_err(|what| Error::data_set(&self.path, format!("row {} is {what}", self.read)))?;
        self.read += 1;
        Ok(true)
    }

    /// Reads a batch; false behind the last.
    fn refill(&mut self) -> Result<bool> {
        let (path, dim, before) = (self.path.clone(), self.dim, self.read);
        let wrong = |what: String| Error::data_set(&path, what);
        if self.reader.is_none() {
            if self.groups == self.file.num_row_groups() {
                return Ok(false);
            }
            let (file, group, column) = (&self.file, self.groups, self.column);
            self.groups += 1;
            let open = || typed(&path, file, group, column);
            self.reader = Some(guarded(&path, open)?.map_err(|e| wrong(e.to_string()))?);
        }
        let reader = self.reader.as_mut().expect("just opened");
        let read = || match reader {
            Typed::F32(reader) => some(reader, dim, before, |&value| value),
            Typed::F64(reader) => some(reader, dim, before, |&value| value as f32),
            Typed::F16(reader) => some(reader, dim, before, |value| {
                let bytes = value.data().try_into().unwrap_or([0xff; 2]);
                half::f16::from_le_bytes(bytes).to_f32()
            }),
        };
        self.batch = guarded(&self.path, read)?.map_err(wrong)?;
        self.given = 0;
        if self.batch.is_empty() {
            self.reader = None;
        }
        Ok(true)
    }
}

fn typed(
    path: &Path,
    file: &SerializedFileReader<File>,
    group: usize,
    column: usize,
) -> parquet::errors::Result<Typed> {
    let rows = file.get_row_group(group)?;
    let (start, len) = rows.metadata().column(column).byte_range();
    check_pages(path, start, len).map_err(ParquetError::General)?;
    let pages = Box::new(Pages(rows.get_column_page_reader(column)?));
    let what = columns(file)[column].clone();
    Ok(match what.physical_type() {
        Physical::FLOAT => Typed::F32(ColumnReaderImpl::new(what, pages)),
        Physical::DOUBLE => Typed::F64(ColumnReaderImpl::new(what, pages)),
        _ => Typed::F16(ColumnReaderImpl::new(what, pages)),
    })
}

/// Up to [`BATCH`] rows, each of `dim` values; none behind the last.
fn some<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    dim: usize,
    before: usize,
    value: impl Fn(&T::T) -> f32,
) -> Result<Vec<f32>, String> {
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let read = reader.read_records(BATCH, Some(&mut defined), Some(&mut repeated), &mut values);
    let (rows, found, levels) = read.map_err(|e| e.to_string())?;
    // A row begins where nothing is repeated, and a value that is null, or a list that is, has a level and no value.
    let begins = |(at, level): (usize, &i16)| (*level == 0) != at.is_multiple_of(dim);
    if let Some(at) = repeated.iter().enumerate().position(begins) {
        return Err(format!("row {} has not {dim} values, as others have", before + at / dim));
    }
    if found != levels || found != rows * dim {
        let last = before + rows;
        return Err(format!(
            "of rows {before} to {last} one has not {dim} values, or one that is null"
        ));
    }
    Ok(values.iter().map(value).collect())
}

/// Pages of a column, none of which claims more values than can be.
struct Pages(Box<dyn PageReader>);

impl Iterator for Pages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        match self.0.get_next_page()? {
            Some(page) if page.num_values() > PAGE => Err(ParquetError::General(format!(
                "a page of {} values, at most {PAGE} are read",
                page.num_values()
            ))),
            page => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.0.skip_next_page()
    }
}
