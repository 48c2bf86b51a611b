//! Captioned sets from the formats of the field, one file per format, all giving [`Sample`]s.

mod classes;
mod flickr;
mod images;
mod jsonl;
mod shards;
mod table;

pub use classes::{ClassSet, read_labels};
pub use flickr::read_flickr;
pub use images::{ImageIndex, is_image_name};
pub use jsonl::read_jsonl;
pub use shards::read_shards;
pub use table::read_table;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Sample};

/// A data set as a configuration names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// How the captions are written down.
    pub format: Format,
    /// A folder or a tar archive of pictures; for `shards` one archive or a folder of them.
    pub images: PathBuf,
    /// The files with captions. Not used by `shards`.
    #[serde(default)]
    pub captions: Vec<CaptionFile>,
    /// Keeps only the pictures listed here, one id a line, in this order.
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
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `ID.jpg#0<TAB>caption` lines (Flickr8k, Flickr30k, Flickr8k-CN).
    Flickr,
    /// One JSON object a line.
    Jsonl,
    /// CSV or TSV with a header.
    Csv,
    /// Webdataset tar archives: `key.jpg` beside `key.txt` or `key.json`.
    Shards,
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

/// What a reader found in one caption file: picture name and caption, in file order.
pub type Pairs = Vec<(String, String)>;

/// Reads a data set and joins captions with pictures.
///
/// # Errors
/// A file that cannot be read or parsed, or a caption whose picture is missing.
pub fn read(set: &DataSet) -> Result<Vec<Sample>> {
    let mut samples = match set.format {
        Format::Shards => read_shards(&set.images)?,
        Format::Flickr => join(set, read_flickr)?,
        Format::Jsonl => join(set, read_jsonl)?,
        Format::Csv => join(set, read_table)?,
    };
    if let Some(list) = &set.ids {
        let text = std::fs::read_to_string(list).map_err(|e| Error::io(list, e))?;
        samples = select(samples, text.lines().map(str::trim).filter(|id| !id.is_empty()), list)?;
    }
    if samples.is_empty() {
        return Err(Error::data_set(&set.images, "no picture with a caption was found"));
    }
    Ok(samples)
}

fn join(
    set: &DataSet,
    reader: impl Fn(&CaptionFile, &str) -> Result<Pairs>,
) -> Result<Vec<Sample>> {
    let images = ImageIndex::open(&set.images)?;
    let mut builder = images::SampleBuilder::default();
    for file in &set.captions {
        let text = images.read_text(&file.file)?;
        for (name, text) in reader(file, text.trim_start_matches('\u{feff}'))? {
            builder.add(&images, &name, text, &file.source);
        }
    }
    builder.finish(set.ids.is_some())
}

fn select<'a>(
    samples: Vec<Sample>,
    ids: impl Iterator<Item = &'a str>,
    list: &Path,
) -> Result<Vec<Sample>> {
    let mut by_id: std::collections::HashMap<String, Sample> =
        samples.into_iter().map(|sample| (sample.id.clone(), sample)).collect();
    ids.enumerate()
        .map(|(line, id)| {
            by_id.remove(id).ok_or_else(|| {
                Error::record(
                    list,
                    line + 1,
                    format!("no picture with a caption has the id `{id}`"),
                )
            })
        })
        .collect()
}
