//! Captioned sets from the formats of the field, one file per format, all giving [`crate::Sample`]s.

mod archive;
mod captions;
mod chinese_clip;
mod classes;
mod coco;
pub(crate) mod fields;
mod flickr;
mod folder;
mod guess;
mod images;
mod jsonl;
mod labels;
mod list;
mod lmdb;
mod pairs;
#[cfg_attr(not(feature = "parquet"), path = "no_parquet.rs")]
pub(crate) mod parquet;
mod part;
mod quotes;
mod read;
mod records;
mod shards;
mod table;
pub(crate) mod tables;

pub use archive::archive_pictures;
pub use captions::{Line, captions};
pub use classes::{ClassSet, read_labels};
pub use images::{ImageIndex, id_of as picture_id, is_image_name};
pub use pairs::{Opened as OpenedPairs, Pair, Pairs, Probe, Text, pairs};
pub use part::{Listed, Portion, Portioned};
pub use quotes::Watched;
pub use read::{read, read_all};
pub use records::{Opened, Records, Source, pictures_beside};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use tuwen_files::encoding::Encoding;

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
    /// Keeps only the pictures listed here, one id a line, in this order.
    #[serde(default)]
    pub ids: Option<PathBuf>,
    /// Keeps only this split of a set that has several.
    #[serde(default)]
    pub split: Option<String>,
    /// Keeps only this part of a labelled set, whose other parts are for measuring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Share of the set that each epoch of training takes.
    #[serde(default = "whole")]
    pub share: f32,
    /// Whether a teacher (`loss.teacher`) is heard about this set's pictures.
    #[serde(default = "yes")]
    pub taught: bool,
}

impl DataSet {
    /// All of a set.
    pub fn new(format: Format, images: &Path) -> Self {
        let (images, captions) = (images.to_path_buf(), Vec::new());
        Self {
            format,
            images,
            captions,
            ids: None,
            split: None,
            part: None,
            share: whole(),
            taught: true,
        }
    }
}

/// A part of a set whose pictures have labels ([`CaptionFile::names`]), or none. Which one a picture is of
/// follows from its id and its label alone, so that nobody needs lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// To learn from.
    Train,
    /// A fifth of the pictures of every label that is learned.
    Seen,
    /// All pictures of a tenth of the labels.
    Unseen,
}

impl Part {
    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 3] =
        [("train", Self::Train), ("seen", Self::Seen), ("unseen", Self::Unseen)];
}

fn whole() -> f32 {
    1.0
}

fn yes() -> bool {
    true
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
    /// One JSON array of `{"image", "caption"}`, as LAVIS, ALBEF and BLIP have it.
    Lavis,
    /// A list of pictures and tar shards, a path a line.
    List,
}

impl Format {
    /// Whether it is one file with a caption in each line, row or object, whose pictures lie elsewhere: what
    /// `pairs` reads.
    pub fn is_caption_file(self) -> bool {
        matches!(self, Self::Flickr | Self::Jsonl | Self::Csv | Self::Lavis)
    }

    /// The name that users type.
    pub fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, format)| *format == self);
        known.expect("every format has a name").0
    }

    /// All of them, by the names that users type.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("flickr", Self::Flickr),
        ("jsonl", Self::Jsonl),
        ("csv", Self::Csv),
        ("shards", Self::Shards),
        ("folder", Self::Folder),
        ("chinese-clip", Self::ChineseClip),
        ("coco", Self::Coco),
        ("lavis", Self::Lavis),
        ("parquet", Self::Parquet),
        ("list", Self::List),
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
    /// The file's encoding, where it should not be guessed.
    #[serde(default)]
    pub encoding: Option<Encoding>,
    /// A set of [`crate::names`]: what stands where the caption is expected is a label of it, and its names
    /// become the captions, of the sources `SOURCE-en`, `-zh`, `-en-kind` and `-zh-kind`. Each is one text,
    /// however many pictures it is true of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
}

impl CaptionFile {
    /// A file with the usual field names.
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            source: String::new(),
            image_field: default_image_field(),
            caption_field: default_caption_field(),
            encoding: None,
            names: None,
        }
    }
}

fn default_image_field() -> String {
    "image".into()
}

fn default_caption_field() -> String {
    "caption".into()
}
