//! Captioned sets in the formats of the field, one file per format, written from [`Sample`]s one at a
//! time: into a folder under a temporary name, which is renamed when all is there.

mod chinese_clip;
mod coco;
mod lines;
#[cfg_attr(not(feature = "lmdb"), path = "no_lmdb.rs")]
mod lmdb;
mod numbers;
#[cfg_attr(not(feature = "parquet"), path = "no_parquet.rs")]
mod parquet;
mod shards;

pub(crate) use numbers::Numbers;
pub(crate) use parquet::CaptionTable;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Sample;
use tuwen_files::staged::StagedFolder;
use tuwen_files::{Error, Result};

/// A format to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `captions.csv` (`image,caption,split`) and `images/`.
    Csv,
    /// `captions.jsonl`, a line for each picture, and `images/`.
    Jsonl,
    /// `captions.txt` with `ID.jpg#0<TAB>caption`, and `images/`.
    Flickr,
    /// The Taidi Cup's `ImageWordData.csv` (`image_id,caption`) and `ImageData/`.
    Taidi,
    /// Pictures with a `.txt` file beside each.
    Folder,
    /// COCO's captions in `annotations.json`, and `images/`.
    Coco,
    /// Chinese-CLIP's `SPLIT_imgs.tsv` and `SPLIT_texts.jsonl`, and `ids.csv`, because the format
    /// demands numbers.
    ChineseClip,
    /// The same as the LMDBs that Chinese-CLIP trains on, `lmdb/SPLIT/{imgs,pairs}`, with
    /// `SPLIT_texts.jsonl` and `ids.csv`.
    ChineseClipLmdb,
    /// Webdataset tar archives.
    Shards,
    /// Parquet with the pictures inside, as Hugging Face's hub has it.
    Parquet,
}

impl Target {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("csv", Self::Csv),
        ("jsonl", Self::Jsonl),
        ("flickr", Self::Flickr),
        ("taidi", Self::Taidi),
        ("folder", Self::Folder),
        ("coco", Self::Coco),
        ("chinese-clip", Self::ChineseClip),
        ("chinese-clip-lmdb", Self::ChineseClipLmdb),
        ("shards", Self::Shards),
        ("parquet", Self::Parquet),
    ];
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Pictures.
    pub pictures: usize,
    /// Captions.
    pub captions: usize,
    /// Pictures without a caption that the file of captions does not name: a reader of it finds fewer.
    pub unnamed: usize,
}

/// One format's part of the work.
trait Format {
    /// Writes a picture under `name` (`ID.jpg`), with its captions.
    fn write(&mut self, sample: &Sample, name: &str, bytes: &[u8]) -> Result<()>;

    /// Writes what belongs at the end.
    fn finish(&mut self) -> Result<()>;
}

/// Writes a set.
pub struct Writer {
    format: Box<dyn Format>,
    target: Target,
    names: HashSet<String>,
    /// Texts with an id, for formats that know none.
    texts: HashSet<(String, String)>,
    written: Written,
    folder: StagedFolder,
}

impl Writer {
    /// Begins a set in a folder that is not there yet.
    ///
    /// ```
    /// use tuwen_sets::export::{Target, Writer};
    /// use tuwen_sets::{Caption, ImageSource, Sample};
    ///
    /// # let home = tempfile::tempdir()?;
    /// # let folder = home.path().join("set");
    /// let mut writer = Writer::create(&folder, Target::Csv)?;
    /// let sample = Sample {
    ///     id: "dog".into(),
    ///     image: ImageSource::File("dog.jpg".into()),
    ///     captions: vec![Caption::new("a dog")],
    ///     split: None,
    ///     metadata: Default::default(),
    /// };
    /// writer.write(&sample, b"\xff\xd8\xff the picture's file")?;
    /// assert_eq!(writer.finish()?.captions, 1);
    /// assert!(folder.join("captions.csv").is_file());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The folder holds something, is being written by another, or cannot be made.
    pub fn create(folder: &Path, target: Target) -> Result<Self> {
        let folder = StagedFolder::create(folder)?;
        let temporary = folder.path();
        let format: Box<dyn Format> = match target {
            Target::ChineseClip => Box::new(chinese_clip::ChineseClip::create(temporary, false)?),
            Target::ChineseClipLmdb => {
                Box::new(chinese_clip::ChineseClip::create(temporary, true)?)
            }
            Target::Coco => Box::new(coco::Coco::create(temporary)?),
            Target::Parquet => Box::new(parquet::Parquet::create(temporary)?),
            Target::Shards => Box::new(shards::Shards::create(temporary)),
            lines => Box::new(lines::Lines::create(temporary, lines)?),
        };
        let (names, texts, written) = (HashSet::new(), HashSet::new(), Written::default());
        Ok(Self { format, target, names, texts, written, folder })
    }

    /// Writes one picture, whose file is `bytes`, with its captions.
    ///
    /// # Errors
    /// Two pictures would get the same file name, the format has no place for it, or the disk
    /// fails ([`Error::Io`]) or the format cannot say what the set says ([`Error::Target`]): after these
    /// two nothing more can be written.
    pub fn write(&mut self, sample: &Sample, bytes: &[u8]) -> Result<()> {
        let name = format!("{}.{}", file_name(&sample.id), extension(bytes));
        // Some disks hold `A.jpg` and `a.jpg` for the same.
        if !self.names.insert(name.to_lowercase()) {
            let what = format!("two pictures would be called `{name}`: rename one");
            return Err(Error::data_set(&sample.id, what));
        }
        self.one_picture_each(sample)?;
        self.format.write(sample, &name, bytes)?;
        self.written.pictures += 1;
        let rows =
            matches!(self.target, Target::Csv | Target::Jsonl | Target::Flickr | Target::Taidi);
        self.written.unnamed += usize::from(rows && sample.captions.is_empty());
        self.written.captions += sample.captions.len();
        Ok(())
    }

    /// Refuses a text of several pictures for a format that cannot say so: it would become several.
    fn one_picture_each(&mut self, sample: &Sample) -> Result<()> {
        if !matches!(self.target, Target::Flickr | Target::Taidi | Target::Folder) {
            return Ok(());
        }
        for caption in &sample.captions {
            let Some(id) = &caption.id else { continue };
            if !self.texts.insert((id.clone(), caption.text.clone())) {
                return Err(Error::Target(format!(
                    "the text {id} (\"{}\") belongs to several pictures, which this format cannot say: \
                     convert to chinese-clip, csv, jsonl, coco, shards or parquet",
                    caption.text
                )));
            }
        }
        Ok(())
    }

    /// What was written until now.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Completes the set and gives it its name.
    ///
    /// # Errors
    /// The disk fails.
    pub fn finish(mut self) -> Result<Written> {
        self.format.finish()?;
        self.folder.finish()?;
        Ok(self.written)
    }
}

/// An id as a file name: folders become part of it.
fn file_name(id: &str) -> String {
    let legal = |c: char| if "/\\:*?\"<>|\0\n\r\t#".contains(c) { '_' } else { c };
    let name: String = id.trim().chars().map(legal).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}

/// The extension that the bytes deserve, whatever the file was called.
fn extension(bytes: &[u8]) -> &'static str {
    match ::image::guess_format(bytes) {
        Ok(::image::ImageFormat::Png) => "png",
        Ok(::image::ImageFormat::WebP) => "webp",
        Ok(::image::ImageFormat::Gif) => "gif",
        Ok(::image::ImageFormat::Bmp) => "bmp",
        Ok(::image::ImageFormat::Tiff) => "tif",
        _ => "jpg",
    }
}

fn file(path: &Path) -> Result<BufWriter<File>> {
    File::create(path).map(BufWriter::new).map_err(|e| Error::io(path, e))
}

fn close(file: &mut BufWriter<File>, path: &Path) -> Result<()> {
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(|e| Error::io(path, e))
}
