//! A set's embeddings, written row by row into a folder under a temporary name.

use std::path::Path;

use super::Line;
use super::files::{Lines, RowFormat, Rows};
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
    /// `images.npy` and `texts.npy`, with JSON lines ([`Line`]) beside them: what galleries are exported to and imported
    /// from, and what parts of a set are written as.
    Npy,
}

impl Layout {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("clip-retrieval", Self::ClipRetrieval),
        ("chinese-clip", Self::ChineseClip),
        ("fbin", Self::Fbin),
        ("npy", Self::Npy),
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
    Lines([Lines; 2]),
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
            Layout::Npy => {
                let lines = [Lines::create(at("images.jsonl"))?, Lines::create(at("texts.jsonl"))?];
                let [images, texts] =
                    [rows("images.npy", RowFormat::Npy)?, rows("texts.npy", RowFormat::Npy)?];
                (images, texts, Ids::Lines(lines))
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
            Ids::Lines([images, texts]) => {
                images.write(Line::of_picture(sample).json().as_bytes())?;
                let line = |caption| Line::of_caption(sample, caption).json();
                sample.captions.iter().try_for_each(|caption| texts.write(line(caption).as_bytes()))
            }
        }
    }

    /// Completes the files and gives the folder its name. Returns pictures and captions.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(self) -> Result<[usize; 2]> {
        self.finish_with(|_, _| Ok(()))
    }

    /// The same; `last` puts something beside the completed files before the folder gets its name.
    ///
    /// # Errors
    /// As [`Self::finish`], and those of `last`.
    pub fn finish_with(
        mut self,
        last: impl FnOnce(&Path, [usize; 2]) -> Result<()>,
    ) -> Result<[usize; 2]> {
        self.images.finish()?;
        self.texts.finish()?;
        match &mut self.ids {
            Ids::Table(table) => table.finish()?,
            Ids::Csv(lines) => lines.close()?,
            Ids::Lists(lines) | Ids::Lines(lines) => lines.iter_mut().try_for_each(Lines::close)?,
        }
        let written = [self.pictures, self.captions];
        last(self.folder.path(), written)?;
        self.folder.finish()?;
        Ok(written)
    }
}
