//! A set in any format as a stream of [`Sample`]s, in constant memory where the format allows it.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::pairs::{Pair, Pairs, pairs};
use super::{CaptionFile, Format, ImageIndex, chinese_clip, coco, folder, jsonl, parquet, shards};
use crate::encoding::TextFile;
use crate::{Caption, Error, Result, Sample};

/// Pictures with their captions one after the other; after an error the next one follows.
pub type Records = Box<dyn Iterator<Item = Result<Sample>> + Send>;

/// A set as a user names it.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file with captions, a folder, or an archive.
    pub path: PathBuf,
    /// How it is written down.
    pub format: Format,
    /// Where the pictures are, when not beside `path`: a folder or a tar archive.
    pub images: Option<PathBuf>,
    /// Column or key with the picture's name.
    pub image_field: String,
    /// Column or key with the caption.
    pub caption_field: String,
    /// Of a folder, whether the files' names are their captions.
    pub names_are_captions: bool,
}

/// An opened set.
pub struct Opened {
    /// The pictures.
    pub records: Records,
    /// The caption file's encoding, where there is such a file.
    pub text: Option<TextFile>,
}

impl Source {
    /// A set of a known format, with the usual names.
    pub fn new(path: &Path, format: Format) -> Self {
        let fields = CaptionFile::new(path);
        Self {
            path: path.to_path_buf(),
            format,
            images: None,
            image_field: fields.image_field,
            caption_field: fields.caption_field,
            names_are_captions: false,
        }
    }

    /// A set whose format shows in its name and content.
    ///
    /// # Errors
    /// It is not there or looks like no format we know.
    pub fn guess(path: &Path) -> Result<Self> {
        Ok(Self::new(path, guess(path)?))
    }

    /// Opens the set.
    ///
    /// # Errors
    /// Files that are missing or have another structure than the format.
    pub fn open(&self) -> Result<Opened> {
        let plain = |records| Ok(Opened { records, text: None });
        match self.format {
            Format::Folder => plain(folder::records(&self.path, self.names_are_captions)),
            Format::Shards => plain(Box::new(shards::read_shards(&self.path)?.into_iter().map(Ok))),
            Format::ChineseClip => plain(chinese_clip::records(&self.path)?),
            Format::Parquet => plain(parquet::records(self, self.pictures().ok())?),
            Format::Coco => plain(coco::records(&self.path, self.pictures()?)?),
            Format::Flickr | Format::Jsonl | Format::Csv => self.captions(),
        }
    }

    fn captions(&self) -> Result<Opened> {
        let text = TextFile::look(&self.path)?;
        let file = CaptionFile {
            image_field: self.image_field.clone(),
            caption_field: self.caption_field.clone(),
            ..CaptionFile::new(&self.path)
        };
        let open = || pairs(&file, self.format, text.open()?);
        let pairs = if neighbours(open()?) { open()? } else { gathered(open()?) };
        let grouped =
            Grouped { pairs: pairs.peekable(), images: self.pictures()?, path: self.path.clone() };
        Ok(Opened { records: Box::new(grouped), text: Some(text) })
    }

    fn pictures(&self) -> Result<ImageIndex> {
        match &self.images {
            Some(images) => ImageIndex::open(images),
            None => ImageIndex::open(&pictures_beside(&self.path)),
        }
    }
}

/// Where the pictures of a file with captions are when nobody says it: in `ImageData` (the Taidi Cup's)
/// or `images` (our own) beside it, or else right beside it.
pub fn pictures_beside(captions: &Path) -> PathBuf {
    let beside = captions.parent().filter(|parent| !parent.as_os_str().is_empty());
    let beside = beside.unwrap_or(Path::new("."));
    let inner = ["ImageData", "images"].map(|name| beside.join(name));
    inner.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| beside.to_path_buf())
}

/// Whether all captions of each picture stand together. A few bytes for each picture are kept.
fn neighbours(pairs: Pairs) -> bool {
    let (mut seen, mut last) = (HashSet::new(), None);
    pairs.flatten().all(|pair| {
        let hash = *blake3::hash(pair.image.as_bytes()).as_bytes();
        let short: [u8; 12] = *hash.first_chunk().expect("32 bytes");
        let same = last == Some(short);
        last = Some(short);
        same || seen.insert(short)
    })
}

/// The same captions with those of each picture together, in the order in which pictures first
/// appear; for files in another order, which are held in memory.
fn gathered(pairs: Pairs) -> Pairs {
    let (mut places, mut groups) = (HashMap::new(), Vec::<Vec<Result<Pair>>>::new());
    for pair in pairs {
        let place = match &pair {
            Ok(pair) => *places.entry(pair.image.clone()).or_insert(groups.len()),
            Err(_) => groups.len(),
        };
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(pair);
    }
    Box::new(groups.into_iter().flatten())
}

/// Neighbouring captions of the same picture become one sample.
struct Grouped<P: Iterator> {
    pairs: std::iter::Peekable<P>,
    images: ImageIndex,
    path: PathBuf,
}

impl<P: Iterator<Item = Result<Pair>>> Iterator for Grouped<P> {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.pairs.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error)),
        };
        let caption = |text: String| Caption { text, source: String::new() };
        let mut captions = vec![caption(first.caption)];
        let same = |next: &Result<Pair>| next.as_ref().is_ok_and(|next| next.image == first.image);
        while let Some(Ok(pair)) = self.pairs.next_if(same) {
            captions.push(caption(pair.caption));
        }
        let Some(image) = self.images.find(&first.image) else {
            return Some(Err(missing(&self.path, first.line, &first.image)));
        };
        let id = Path::new(&first.image).with_extension("").to_string_lossy().into_owned();
        Some(Ok(Sample { id, image, captions, split: first.split, metadata: first.metadata }))
    }
}

/// A caption without its picture.
pub(super) fn missing(path: &Path, line: usize, name: &str) -> Error {
    Error::record(path, line, format!("there is no picture `{name}`"))
}

fn guess(path: &Path) -> Result<Format> {
    if path.is_dir() {
        let has = |end: &str| {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(end))
        };
        return Ok(match () {
            () if chinese_clip::is_set(path) => Format::ChineseClip,
            () if has(".tar") => Format::Shards,
            () if !parquet::files(path).is_empty() => Format::Parquet,
            () => Format::Folder,
        });
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match &*extension {
        "csv" | "tsv" => return Ok(Format::Csv),
        "tar" => return Ok(Format::Shards),
        "parquet" => return Ok(Format::Parquet),
        "json" => return Ok(Format::Coco),
        _ if jsonl::is_name(path) => return Ok(Format::Jsonl),
        _ => {}
    }
    let mut first = String::new();
    TextFile::look(path)?.open()?.read_line(&mut first).map_err(|e| Error::io(path, e))?;
    match first.split(['\t', ' ']).next() {
        _ if jsonl::is_object(&first) => Ok(Format::Jsonl),
        Some(key) if key.contains('#') => Ok(Format::Flickr),
        _ => Err(Error::data_set(path, "its format does not show: give --from FORMAT")),
    }
}
