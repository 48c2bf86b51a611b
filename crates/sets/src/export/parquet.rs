//! Parquet as Hugging Face's hub lays out sets of pictures: `data/SPLIT-00000-of-00001.parquet` with
//! the columns `id`, `image` (`{bytes, path}`), `captions` (a list of strings) and `text_ids` (the same, of
//! texts that have ids).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::Format;
use crate::Sample;
use tuwen_files::{Error, Result};

const SCHEMA: &str = "message schema {
    optional binary id (STRING);
    optional group image { optional binary bytes; optional binary path (STRING); }
    optional group captions (LIST) { repeated group list { optional binary element (STRING); } }
    optional group text_ids (LIST) { repeated group list { optional binary element (STRING); } }
}";
const CAPTION_SCHEMA: &str = "message schema {
    optional binary image_path (STRING);
    optional binary caption (STRING);
}";
const CAPTION_ROWS: usize = 100_000;
/// What `datasets` reads the columns' meaning from.
const FEATURES: &str = r#"{"info": {"features": {"id": {"dtype": "string", "_type": "Value"}, "image": {"_type": "Image"}, "captions": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}, "text_ids": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}}}}"#;
/// Bytes and rows of a row group: readers hold one.
const GROUP_BYTES: usize = 32 << 20;
const GROUP_ROWS: usize = 1000;

pub(super) struct Parquet {
    folder: PathBuf,
    splits: BTreeMap<String, Table>,
}

struct Table {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    rows: Rows,
    bytes: usize,
}

/// Columns of the next row group.
#[derive(Default)]
struct Rows {
    ids: Vec<ByteArray>,
    images: Vec<ByteArray>,
    names: Vec<ByteArray>,
    captions: Lists,
    text_ids: Lists,
}

/// A column of lists.
#[derive(Default)]
struct Lists {
    values: Vec<ByteArray>,
    /// Of each entry: 3 there, 2 not there; of a row without entries: 1 an empty list, 0 none at all.
    defined: Vec<i16>,
    /// 0 for the first of a row, 1 for those behind.
    repeated: Vec<i16>,
}

impl Lists {
    fn add<'t>(&mut self, row: Option<impl Iterator<Item = Option<&'t str>>>) {
        let empty = i16::from(row.is_some());
        let mut count = 0;
        for entry in row.into_iter().flatten() {
            self.values.extend(entry.map(|text| ByteArray::from(text.as_bytes().to_vec())));
            self.defined.push(2 + i16::from(entry.is_some()));
            self.repeated.push(i16::from(count > 0));
            count += 1;
        }
        if count == 0 {
            self.defined.push(empty);
            self.repeated.push(0);
        }
    }

    fn column(&self) -> Column<'_> {
        (&self.values, &self.defined, Some(&self.repeated))
    }
}

impl Parquet {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let folder = folder.join("data");
        std::fs::create_dir(&folder).map_err(|e| Error::io(&folder, e))?;
        Ok(Self { folder, splits: BTreeMap::new() })
    }
}

impl Format for Parquet {
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        let split = sample.split.as_deref().unwrap_or("train");
        if !self.splits.contains_key(split) {
            let legal = super::file_name(split);
            let path = self.folder.join(format!("{legal}-00000-of-00001.parquet"));
            self.splits.insert(split.to_owned(), Table::create(path)?);
        }
        let table = self.splits.get_mut(split).expect("just inserted");
        table.add(sample, name, bytes)
    }

    fn finish(&mut self) -> Result<()> {
        std::mem::take(&mut self.splits).into_values().try_for_each(Table::finish)
    }
}

impl Table {
    fn create(path: PathBuf) -> Result<Self> {
        let features = KeyValue::new("huggingface".to_owned(), FEATURES.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Pictures are compressed already, and no two are alike.
            .set_column_compression("image.bytes".into(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled("image.bytes".into(), false)
            .set_column_statistics_enabled(
                "image.bytes".into(),
                parquet::file::properties::EnabledStatistics::None,
            )
            .set_key_value_metadata(Some(vec![features]))
            .build();
        let writer = writer(&path, SCHEMA, properties)?;
        Ok(Self { path, writer, rows: Rows::default(), bytes: 0 })
    }

    fn add(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()> {
        let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        self.rows.ids.push(text(&sample.id));
        self.rows.images.push(ByteArray::from(bytes.to_vec()));
        self.rows.names.push(text(name));
        self.rows.captions.add(Some(sample.captions.iter().map(|caption| Some(&*caption.text))));
        let ids = sample.captions.iter().map(|caption| caption.id.as_deref());
        self.rows.text_ids.add(ids.clone().any(|id| id.is_some()).then_some(ids));
        self.bytes += bytes.len();
        if self.bytes > GROUP_BYTES || self.rows.ids.len() == GROUP_ROWS {
            return self.flush().map_err(|e| failed(&self.path, e));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let [ones, twos] = [1, 2].map(|level| vec![level; rows.ids.len()]);
        let columns = [
            (&rows.ids, &ones, None),
            (&rows.images, &twos, None),
            (&rows.names, &twos, None),
            rows.captions.column(),
            rows.text_ids.column(),
        ];
        row_group(&mut self.writer, &columns)
    }

    fn finish(mut self) -> Result<()> {
        if !self.rows.ids.is_empty() {
            self.flush().map_err(|e| failed(&self.path, e))?;
        }
        close(self.writer, &self.path)
    }
}

/// clip-retrieval's metadata: a row for each caption.
pub(crate) struct CaptionTable {
    path: PathBuf,
    writer: Option<SerializedFileWriter<File>>,
    columns: [Vec<ByteArray>; 2],
}

impl CaptionTable {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let folder = path.parent().expect("inside a folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = Some(writer(&path, CAPTION_SCHEMA, properties)?);
        Ok(Self { path, writer, columns: Default::default() })
    }

    pub(crate) fn add(&mut self, image: &str, caption: &str) -> Result<()> {
        for (column, text) in self.columns.iter_mut().zip([image, caption]) {
            column.push(ByteArray::from(text.as_bytes().to_vec()));
        }
        if self.columns[0].len() == CAPTION_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let columns = std::mem::take(&mut self.columns);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let ones = vec![1; columns[0].len()];
        let columns = [(&columns[0], &ones, None), (&columns[1], &ones, None)];
        row_group(writer, &columns).map_err(|e| failed(&self.path, e))
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        self.flush()?;
        match self.writer.take() {
            Some(writer) => close(writer, &self.path),
            None => Ok(()),
        }
    }
}

fn writer(
    path: &Path,
    schema: &str,
    properties: WriterProperties,
) -> Result<SerializedFileWriter<File>> {
    let schema = parse_message_type(schema).expect("a constant, used in every test");
    let file = File::create(path).map_err(|e| Error::io(path, e))?;
    SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
        .map_err(|e| failed(path, e))
}

/// A column's values, and for each place of it how much is there, and whether it continues a list.
type Column<'a> = (&'a Vec<ByteArray>, &'a Vec<i16>, Option<&'a [i16]>);

fn row_group(
    writer: &mut SerializedFileWriter<File>,
    columns: &[Column],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (values, defined, repeated) in columns {
        let mut column = group.next_column()?.expect("as many as in the schema");
        column.typed::<ByteArrayType>().write_batch(values, Some(defined), *repeated)?;
        column.close()?;
    }
    group.close()?;
    Ok(())
}

fn close(writer: SerializedFileWriter<File>, path: &Path) -> Result<()> {
    let file = writer.into_inner().map_err(|e| failed(path, e))?;
    file.sync_all().map_err(|e| Error::io(path, e))
}

fn failed(path: &Path, error: ParquetError) -> Error {
    Error::io(path, std::io::Error::other(error))
}
