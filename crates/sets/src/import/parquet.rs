//! Parquet as Hugging Face's hub lays out sets of pictures (<https://huggingface.co/docs/hub/datasets-image>):
//! a column with the picture, `{bytes, path}` or the bytes alone or the name of a file, and one with a
//! caption or a list of them. clip-retrieval's metadata (`image_path`, `caption`) are such tables too.

mod lengths;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};

use super::images::id_of;
use super::records::{Records, Source};
use super::tables::files;
use super::{CaptionFile, ImageIndex, fields};
use crate::{Caption, ImageSource, Sample};
use tuwen_files::{Error, Result, file};

/// Names of the id's column.
const IDS: [&str; 4] = ["id", "key", "image_id", "img_id"];

/// The rows of all files, as pictures with captions. One row group of one file is in memory.
pub(super) fn records(source: &Source, images: Option<ImageIndex>) -> Result<Records> {
    let mut files = files(&source.path).into_iter();
    let Some(first) = files.next() else {
        return Err(Error::data_set(&source.path, "there is no .parquet file"));
    };
    let (source, images) = (source.clone(), Arc::new(images));
    // A foreign schema is told at once; of the files behind, each for itself.
    let first = Table::open(&first, &source, images.clone())?;
    let others = files.flat_map(move |path| -> Records {
        match Table::open(&path, &source, images.clone()) {
            Ok(table) => Box::new(table),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    Ok(Box::new(first.chain(others)))
}

/// The rows of one file, whatever others there are.
pub(super) fn of_file(source: &Source, images: &Arc<Option<ImageIndex>>) -> Result<Records> {
    Ok(Box::new(Table::open(&source.path, source, images.clone())?))
}

struct Table {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    columns: Columns,
    images: Arc<Option<ImageIndex>>,
    /// From the file's name, `train-00000-of-00002.parquet`.
    split: Option<String>,
    group: usize,
    rows: std::vec::IntoIter<Row>,
    row: usize,
}

struct Columns {
    image: String,
    caption: Option<String>,
    id: Option<String>,
    text_id: Option<String>,
}

impl Table {
    fn open(path: &Path, source: &Source, images: Arc<Option<ImageIndex>>) -> Result<Self> {
        let reader = open_file(path)?;
        let fields = reader.metadata().file_metadata().schema().get_fields();
        let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        let columns = Columns::find(source, &names)
            .map_err(|e| Error::data_set(path, format!("Parquet: {e}")))?;
        let stem = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let split = stem.split_once("-0").map(|(split, _)| split.to_owned());
        let (path, rows) = (path.to_path_buf(), Vec::new().into_iter());
        Ok(Self { path, reader, columns, images, split, group: 0, rows, row: 0 })
    }

    /// Reads the next group of rows; false behind the last.
    fn refill(&mut self) -> Result<bool> {
        if self.group == self.reader.num_row_groups() {
            return Ok(false);
        }
        let group = self.group;
        self.group += 1;
        let no = |e: ParquetError| Error::data_set(&self.path, format!("row group {group}: {e}"));
        let mut file = File::open(&self.path).map_err(|e| Error::io(&self.path, e))?;
        let read = || -> parquet::errors::Result<Vec<Row>> {
            let rows = self.reader.get_row_group(group)?;
            for column in rows.metadata().columns() {
                let (start, len) = column.byte_range();
                lengths::check_pages(&mut file, start, len).map_err(ParquetError::General)?;
            }
            rows.get_row_iter(None)?.collect()
        };
        self.rows = guarded(&self.path, read)?.map_err(no)?.into_iter();
        Ok(true)
    }

    fn sample(&self, row: Row) -> Result<Sample> {
        let mut fields: BTreeMap<String, Field> = row.into_columns().into_iter().collect();
        let wrong = |what: &str| Err(Error::record(&self.path, self.row, what));
        let Some((image, name)) = fields.remove(&self.columns.image).and_then(picture) else {
            return wrong("it has no picture");
        };
        let caption = self.columns.caption.as_ref().and_then(|name| fields.remove(name));
        let mut captions: Vec<Caption> = captions(caption).into_iter().map(Caption::new).collect();
        let ids = self.columns.text_id.as_ref().and_then(|name| fields.remove(name));
        for (caption, id) in captions.iter_mut().zip(ids.map(scalars).unwrap_or_default()) {
            caption.id = id;
        }
        let given = self.columns.id.as_ref().and_then(|name| fields.remove(name)).and_then(scalar);
        let counted = || {
            format!("{}-{}", self.path.file_stem().unwrap_or_default().to_string_lossy(), self.row)
        };
        let id = given.or_else(|| name.as_deref().map(id_of)).unwrap_or_else(counted);
        let image = match (image, &name) {
            (Some(bytes), _) => ImageSource::Bytes(bytes.into()),
            (None, Some(name)) => match self.find(name)? {
                Some(image) => image,
                None => return wrong(&format!("there is no picture `{name}`")),
            },
            (None, None) => return wrong("its picture is empty"),
        };
        let split = fields.remove("split").and_then(scalar).or_else(|| self.split.clone());
        let metadata =
            fields.into_iter().filter_map(|(name, field)| Some((name, scalar(field)?))).collect();
        Ok(Sample { id, image, captions, split, metadata })
    }

    /// clip-retrieval writes the path that it read.
    fn find(&self, name: &str) -> Result<Option<ImageSource>> {
        let beside = match self.images.as_ref() {
            Some(images) => images.find(name)?,
            None => None,
        };
        Ok(beside.or_else(|| Path::new(name).is_file().then(|| ImageSource::File(name.into()))))
    }
}

impl Iterator for Table {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                self.row += 1;
                return Some(self.sample(row));
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Opens a file whose table of contents can be what it claims.
///
/// # Errors
/// It is none, or is damaged.
pub(crate) fn open_file(path: &Path) -> Result<SerializedFileReader<File>> {
    let mut file = file::open(path)?;
    let no = |e: &dyn std::fmt::Display| Error::data_set(path, format!("Parquet: {e}"));
    lengths::check_footer(&mut file).map_err(|e| no(&e))?;
    guarded(path, || SerializedFileReader::new(file))?.map_err(|e| no(&e))
}

/// Whether every page of a column has a header that can be what it claims.
///
/// # Errors
/// In words, what is wrong; or the file cannot be read.
pub(crate) fn check_pages(path: &Path, start: u64, len: u64) -> Result<(), String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    lengths::check_pages(&mut file, start, len)
}

/// The library panics on many damaged files; that is an error of the file, and its other row groups
/// may be sound. Nothing of what `read` touched is used after a panic but the reader, which only knows
/// the file and its table of contents.
pub(crate) fn guarded<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T> {
    let read = std::panic::AssertUnwindSafe(read);
    std::panic::catch_unwind(read)
        .map_err(|_| Error::data_set(path, "the file is damaged: its library gave up on it"))
}

impl Columns {
    fn find(source: &Source, names: &[&str]) -> Result<Self, String> {
        let wanted = CaptionFile {
            image_field: source.image_field.clone(),
            caption_field: source.caption_field.clone(),
            ..CaptionFile::new(&source.path)
        };
        let none = |asked: &str| format!("no column `{asked}`; its columns are {names:?}");
        let image = fields::image_places(names, &wanted).first().map(|&at| names[at].to_owned());
        let image = image.ok_or_else(|| none(&source.image_field))?;
        let caption = fields::caption_place(names, &wanted).map(|at| names[at].to_owned());
        if caption.is_none() && !fields::CAPTIONS.contains(&&*source.caption_field) {
            return Err(none(&source.caption_field));
        }
        let id = IDS.iter().find(|id| names.contains(id) && **id != image);
        let text_id = fields::text_id_place(names).map(|at| names[at].to_owned());
        Ok(Self { image, caption, id: id.map(|&id| id.to_owned()), text_id })
    }
}

/// The bytes of a picture, where they are there, and its name, where it has one.
fn picture(field: Field) -> Option<(Option<Vec<u8>>, Option<String>)> {
    match field {
        Field::Bytes(bytes) => Some((Some(bytes.data().to_vec()), None)),
        Field::Str(name) => Some((None, Some(name))),
        Field::Group(row) => {
            let (mut bytes, mut name) = (None, None);
            for (key, field) in row.into_columns() {
                match (&*key, field) {
                    ("bytes", Field::Bytes(found)) => bytes = Some(found.data().to_vec()),
                    ("path", Field::Str(path)) if !path.is_empty() => name = Some(path),
                    _ => {}
                }
            }
            Some((bytes, name))
        }
        _ => None,
    }
}

/// A caption or several; of `{"raw": …}`, as Karpathy's sets have them, the raw one.
fn captions(field: Option<Field>) -> Vec<String> {
    match field {
        Some(Field::Str(text)) => vec![text],
        Some(Field::ListInternal(list)) => {
            list.elements().iter().cloned().flat_map(|field| captions(Some(field))).collect()
        }
        Some(Field::Group(row)) => {
            let mut texts = row.into_columns().into_iter().filter(|(name, _)| name == "raw");
            captions(texts.next().map(|(_, field)| field))
        }
        _ => Vec::new(),
    }
}

/// One or several.
fn scalars(field: Field) -> Vec<Option<String>> {
    match field {
        Field::ListInternal(list) => list.elements().iter().cloned().map(scalar).collect(),
        one => vec![scalar(one)],
    }
}

/// A field that is one word or number, as text.
pub(crate) fn scalar(field: Field) -> Option<String> {
    match field {
        Field::Null | Field::Bytes(_) | Field::Group(_) | Field::ListInternal(_) => None,
        Field::Str(text) => Some(text),
        other => Some(other.to_string()),
    }
}
