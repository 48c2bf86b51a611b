//! A set's embeddings, written row by row into a folder under a temporary name.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{fbin, npy};
use crate::Sample;
use crate::export::{CaptionTable, Numbers};
use tuwen_files::staged::StagedFolder;
use tuwen_files::{Error, Result};

/// Whose files to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `img_emb/img_emb_0.npy`, `text_emb/text_emb_0.npy` and `metadata/metadata_0.parquet`, a row for
    /// each caption.
    ClipRetrieval,
    /// `img_feat.jsonl` and `txt_feat.jsonl` with the numbers that `data convert` gives, the set's own where
    /// it has such, a text of several pictures once; and `ids.csv`.
    ChineseClip,
    /// `images.fbin` and `texts.fbin`, with the ids in `images.txt` and `texts.txt` (of a text, its
    /// picture's).
    Fbin,
}

impl Layout {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("clip-retrieval", Self::ClipRetrieval),
        ("chinese-clip", Self::ChineseClip),
        ("fbin", Self::Fbin),
    ];
}

/// Writes a set's embeddings.
pub struct VectorWriter {
    layout: Layout,
    images: Rows,
    texts: Rows,
    ids: Ids,
    image_numbers: Numbers<()>,
    text_numbers: Numbers<(String, String)>,
    pictures: usize,
    captions: usize,
    folder: StagedFolder,
}

/// What says which row is which item.
enum Ids {
    Table(CaptionTable),
    Csv(Lines),
    Lists([Lines; 2]),
}

impl VectorWriter {
    /// Begins a folder that is not there yet. `dim` is D.
    ///
    /// # Errors
    /// The folder holds something, is being written by another, or cannot be made.
    pub fn create(folder: &Path, layout: Layout, dim: usize) -> Result<Self> {
        let folder = StagedFolder::create(folder)?;
        let at = |name: &str| folder.path().join(name);
        let rows = |name: &str, format| Rows::create(at(name), format, dim);
        let (images, texts, ids) = match layout {
            Layout::ClipRetrieval => (
                rows("img_emb/img_emb_0.npy", RowFormat::Npy)?,
                rows("text_emb/text_emb_0.npy", RowFormat::Npy)?,
                Ids::Table(CaptionTable::create(at("metadata/metadata_0.parquet"))?),
            ),
            Layout::ChineseClip => {
                let mut ids = Lines::create(at("ids.csv"))?;
                ids.write(b"image_id,image\n")?;
                let texts = rows("txt_feat.jsonl", RowFormat::Jsonl("text_id"))?;
                (rows("img_feat.jsonl", RowFormat::Jsonl("image_id"))?, texts, Ids::Csv(ids))
            }
            Layout::Fbin => {
                let lists = [Lines::create(at("images.txt"))?, Lines::create(at("texts.txt"))?];
                (
                    rows("images.fbin", RowFormat::Fbin)?,
                    rows("texts.fbin", RowFormat::Fbin)?,
                    Ids::Lists(lists),
                )
            }
        };
        let (image_numbers, text_numbers) = (Numbers::default(), Numbers::default());
        let (pictures, captions) = (0, 0);
        Ok(Self {
            layout,
            images,
            texts,
            ids,
            image_numbers,
            text_numbers,
            pictures,
            captions,
            folder,
        })
    }

    /// Writes one picture's vector (D) and its captions' (N x D).
    ///
    /// # Errors
    /// The layout has no place for it, or the disk fails ([`Error::Io`]).
    pub fn write(&mut self, sample: &Sample, image: &[f32], texts: &[f32]) -> Result<()> {
        let rows = texts.chunks_exact(image.len());
        let pairs = self.layout == Layout::ClipRetrieval;
        if pairs && sample.captions.is_empty() {
            let what = "it has no caption; clip-retrieval's rows are pairs";
            return Err(Error::data_set(&sample.id, what));
        }
        self.pictures += 1;
        let number = self.image_numbers.free(Some(&sample.id));
        for _ in 0..if pairs { sample.captions.len() } else { 1 } {
            self.images.add(image, number)?;
        }
        for (row, caption) in rows.zip(&sample.captions) {
            let (number, is_new) = match &caption.id {
                Some(id) => self.text_numbers.of((id.clone(), caption.text.clone()), Some(id)),
                None => (self.text_numbers.free(None), true),
            };
            if is_new || self.layout != Layout::ChineseClip {
                self.captions += 1;
                self.texts.add(row, number)?;
            }
        }
        match &mut self.ids {
            Ids::Table(table) => {
                sample.captions.iter().try_for_each(|caption| table.add(&sample.id, &caption.text))
            }
            Ids::Csv(lines) => {
                let id = sample.id.replace('"', "\"\"");
                lines.write(format!("{number},\"{id}\"\n").as_bytes())
            }
            Ids::Lists([images, texts]) => {
                let line = format!("{}\n", sample.id.replace(['\n', '\r'], " "));
                images.write(line.as_bytes())?;
                sample.captions.iter().try_for_each(|_| texts.write(line.as_bytes()))
            }
        }
    }

    /// Completes the files and gives the folder its name. Returns pictures and captions.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(mut self) -> Result<[usize; 2]> {
        self.images.finish()?;
        self.texts.finish()?;
        match &mut self.ids {
            Ids::Table(table) => table.finish()?,
            Ids::Csv(lines) => lines.close()?,
            Ids::Lists(lists) => lists.iter_mut().try_for_each(Lines::close)?,
        }
        self.folder.finish()?;
        Ok([self.pictures, self.captions])
    }
}

/// One file of vectors, written row by row: `.npy` or `.fbin`, as its name says.
pub struct VectorFile(Rows);

impl VectorFile {
    /// Begins a file of vectors of `dim` values.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: PathBuf, dim: usize) -> Result<Self> {
        let is_npy = path.extension().is_some_and(|end| end == "npy");
        let format = if is_npy { RowFormat::Npy } else { RowFormat::Fbin };
        Rows::create(path, format, dim).map(Self)
    }

    /// Adds a row (D).
    ///
    /// # Errors
    /// The disk fails.
    pub fn add(&mut self, row: &[f32]) -> Result<()> {
        self.0.add(row, 0)
    }

    /// Completes the file; how many rows it has.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(mut self) -> Result<usize> {
        self.0.finish().map(|()| self.0.rows)
    }
}

/// How rows are written down.
#[derive(Clone, Copy)]
enum RowFormat {
    Npy,
    Fbin,
    /// With the name of the id's key.
    Jsonl(&'static str),
}

/// A file of vectors.
struct Rows {
    lines: Lines,
    format: RowFormat,
    rows: usize,
    dim: usize,
}

impl Rows {
    fn create(path: PathBuf, format: RowFormat, dim: usize) -> Result<Self> {
        let mut rows = Self { lines: Lines::create(path)?, format, rows: 0, dim };
        let header = rows.header();
        rows.lines.write(&header)?;
        Ok(rows)
    }

    fn header(&self) -> Vec<u8> {
        match self.format {
            RowFormat::Npy => npy::header(self.rows, self.dim),
            RowFormat::Fbin => fbin::header(self.rows, self.dim),
            RowFormat::Jsonl(_) => Vec::new(),
        }
    }

    /// Adds a row; `number` is its id where the file has ids.
    fn add(&mut self, row: &[f32], number: u64) -> Result<()> {
        self.rows += 1;
        if let RowFormat::Jsonl(key) = self.format {
            // Not by `json!`, which would make doubles of the values.
            let feature = serde_json::to_string(row).expect("numbers");
            let line = format!("{{\"{key}\": {}, \"feature\": {feature}}}\n", number);
            return self.lines.write(line.as_bytes());
        }
        row.iter().try_for_each(|value| self.lines.write(&value.to_le_bytes()))
    }

    /// Writes the number of rows where it belongs.
    fn finish(&mut self) -> Result<()> {
        let header = self.header();
        let (path, file) = (&self.lines.path, &mut self.lines.file);
        let begin = file.seek(SeekFrom::Start(0));
        begin.and_then(|_| file.write_all(&header)).map_err(|e| Error::io(path, e))?;
        self.lines.close()
    }
}

/// A file that knows its name.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self> {
        let folder = path.parent().expect("inside the folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| Error::io(&self.path, e))
    }

    fn close(&mut self) -> Result<()> {
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        flushed.map_err(|e| Error::io(&self.path, e))
    }
}
