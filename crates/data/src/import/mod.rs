//! Captioned sets from the formats of the field, one file per format, all giving [`Sample`]s.

mod chinese_clip;
mod classes;
mod coco;
mod flickr;
mod folder;
mod images;
mod jsonl;
mod lmdb;
mod pairs;
mod parquet;
mod records;
mod shards;
mod table;

pub use classes::{ClassSet, read_labels};
pub use images::{ImageIndex, archive_pictures, is_image_name};
pub use pairs::{Pair, Pairs, Text, pairs};
pub use records::{Opened, Records, Source, pictures_beside};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::encoding::TextFile;
use crate::{Error, Result, Sample};

/// A data set as a configuration names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// How the captions are written down.
    pub format: Format,
    /// A folder or a tar archive of pictures; for `shards` and `parquet` one file or a folder of them,
    /// for `folder` and `chinese-clip` the set's folder.
    pub images: PathBuf,
    /// The files with captions, for the formats that have such files.
    #[serde(default)]
    pub captions: Vec<CaptionFile>,
    /// Keeps only the pictures of these splits (`train`, `val`, …), where the format says which is which;
    /// all where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<String>,
    /// Keeps only the pictures listed here, one id a line, in this order; a list of file names does, too.
    #[serde(default)]
    pub ids: Option<PathBuf>,
    /// Share of the set that each epoch of training takes.
    #[serde(default = "whole")]
    pub share: f32,
}

fn whole() -> f32 {
    1.0
}

/// The supported formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `ID.jpg#0<TAB>caption` lines (Flickr8k, Flickr30k, Flickr8k-CN).
    Flickr,
    /// One JSON object a line.
    Jsonl,
    /// CSV or TSV with a header.
    Csv,
    /// Webdataset tar archives: `key.jpg` beside `key.txt` or `key.json`.
    Shards,
    /// A folder of pictures, captions in a `.txt` file beside each.
    Folder,
    /// Chinese-CLIP's folder of `SPLIT_imgs.tsv` and `SPLIT_texts.jsonl`.
    ChineseClip,
    /// Parquet tables with the pictures inside, as Hugging Face's hub has them, or with their names.
    Parquet,
    /// COCO's captions, or Karpathy's splits, in one JSON file.
    Coco,
}

impl Format {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("flickr", Self::Flickr),
        ("jsonl", Self::Jsonl),
        ("csv", Self::Csv),
        ("shards", Self::Shards),
        ("folder", Self::Folder),
        ("chinese-clip", Self::ChineseClip),
        ("coco", Self::Coco),
        ("parquet", Self::Parquet),
    ];
}

/// A file with captions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionFile {
    /// The file; one that does not exist is looked for inside the archive of pictures.
    pub file: PathBuf,
    /// Name of this set of captions, such as `en`.
    pub source: String,
    /// The column or key with the picture's name (`csv`, `jsonl`).
    #[serde(default = "default_image_field")]
    pub image_field: String,
    /// The column or key with the caption, or a list of captions (`csv`, `jsonl`).
    #[serde(default = "default_caption_field")]
    pub caption_field: String,
}

impl CaptionFile {
    /// A file with the usual field names.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            source: String::new(),
            image_field: default_image_field(),
            caption_field: default_caption_field(),
        }
    }
}

fn default_image_field() -> String {
    "image".into()
}

fn default_caption_field() -> String {
    "caption".into()
}

/// Names of the picture's column or key, where the user gives none.
const IMAGE_NAMES: [&str; 8] =
    ["image", "image_id", "image_name", "file_name", "filename", "image_path", "filepath", "图片"];
/// The same of the caption's.
const CAPTION_NAMES: [&str; 8] =
    ["caption", "captions", "text", "sentence", "title", "description", "描述", "标题"];

/// Reads a data set and joins captions with pictures.
///
/// # Errors
/// A file that cannot be read or parsed, or a caption whose picture is missing.
pub fn read(set: &DataSet) -> Result<Vec<Sample>> {
    let mut samples = match set.format {
        Format::Flickr | Format::Jsonl | Format::Csv => join(set)?,
        Format::Coco => {
            let mut samples = Vec::new();
            for file in &set.captions {
                let images = Some(set.images.clone());
                let source = Source { images, ..Source::new(&file.file, set.format) };
                let mut found = source.open()?.records.collect::<Result<Vec<_>>>()?;
                let captions = found.iter_mut().flat_map(|sample| &mut sample.captions);
                captions.for_each(|caption| caption.source.clone_from(&file.source));
                samples.append(&mut found);
            }
            samples
        }
        format => {
            let source = Source { format, ..Source::guess(&set.images)? };
            let records = source
                .open()?
                .records
                .filter(|s| s.as_ref().map_or(true, |sample| !sample.captions.is_empty()));
            records.collect::<Result<_>>()?
        }
    };
    if !set.splits.is_empty() {
        samples = of_splits(samples, set)?;
    }
    if let Some(list) = &set.ids {
        let text = TextFile::read(list)?;
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        samples = select(samples, lines.filter(|(_, id)| !id.is_empty()), list)?;
    }
    if samples.is_empty() {
        return Err(match &set.ids {
            Some(list) => Error::data_set(list, "no picture is listed"),
            None => Error::data_set(&set.images, "no picture with a caption was found"),
        });
    }
    Ok(samples)
}

/// The pictures of the splits that are asked for.
fn of_splits(mut samples: Vec<Sample>, set: &DataSet) -> Result<Vec<Sample>> {
    let found: BTreeSet<String> = samples.iter().filter_map(|s| s.split.clone()).collect();
    if let Some(unknown) = set.splits.iter().find(|split| !found.contains(*split)) {
        let what = match found.is_empty() {
            true => format!("no picture says its split, so none is of `{unknown}`: use `ids`"),
            false => format!("there is no split `{unknown}`, only {found:?}"),
        };
        return Err(Error::data_set(set.captions.first().map_or(&set.images, |c| &c.file), what));
    }
    samples.retain(|sample| sample.split.as_ref().is_some_and(|s| set.splits.contains(s)));
    Ok(samples)
}

fn join(set: &DataSet) -> Result<Vec<Sample>> {
    let images = ImageIndex::open(&set.images)?;
    let mut builder = images::SampleBuilder::default();
    for file in &set.captions {
        for pair in pairs(file, set.format, images.text(&file.file)?)? {
            builder.add(&images, pair?, &file.source);
        }
    }
    builder.finish(set.ids.is_some())
}

fn select<'a>(
    samples: Vec<Sample>,
    ids: impl Iterator<Item = (usize, &'a str)>,
    list: &Path,
) -> Result<Vec<Sample>> {
    let mut by_id: std::collections::HashMap<String, Sample> =
        samples.into_iter().map(|sample| (sample.id.clone(), sample)).collect();
    let (mut selected, mut missing) = (Vec::new(), Vec::new());
    for (line, id) in ids {
        // An id may have dots: as it is first, then as a file's name.
        let stem = Path::new(id).with_extension("");
        match by_id.remove(id).or_else(|| by_id.remove(&*stem.to_string_lossy())) {
            Some(sample) => selected.push(sample),
            None => missing.push((line, id)),
        }
    }
    let Some((line, id)) = missing.first() else { return Ok(selected) };
    let (lost, all) = (missing.len(), selected.len() + missing.len());
    let what = format!(
        "no picture with a caption has the id `{id}`, or it is listed twice; so it is with {lost} of the \
         {all} listed ids"
    );
    Err(Error::record(list, *line, what))
}
