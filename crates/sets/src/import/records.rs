//! A set in any format as a stream of [`Sample`]s, in constant memory where the format allows it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::guess::guess;
use super::images::id_of;
use super::pairs::{Opened as OpenedPairs, Pair, Pairs, pairs};
use super::{CaptionFile, Format, ImageIndex, chinese_clip, coco, folder, list, parquet, shards};
use crate::{Caption, Sample};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_files::{Error, Result};

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
    /// How its texts are encoded, where the user says it.
    pub encoding: Option<Encoding>,
}

/// An opened set.
pub struct Opened {
    /// The pictures.
    pub records: Records,
    /// The caption file's encoding, where there is such a file.
    pub text: Option<TextFile>,
    /// Which columns or keys were chosen, in words, where there was a choice.
    pub choice: Option<String>,
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
            encoding: None,
        }
    }

    /// A set whose format shows in its name and content.
    ///
    /// ```
    /// use tuwen_sets::import::{Format, Source};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("captions.csv");
    /// std::fs::write(&path, "image,caption\ndog.jpg,a dog in the snow\ndog.jpg,一只狗\n")?;
    /// # std::fs::write(folder.path().join("dog.jpg"), b"\xff\xd8\xff")?;
    /// let source = Source::guess(&path)?;
    /// assert_eq!(source.format, Format::Csv);
    /// let sample = source.open()?.records.next().expect("a picture")?;
    /// assert_eq!(sample.id, "dog");
    /// assert_eq!(sample.captions[1].text, "一只狗");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// It is not there or looks like no format we know.
    pub fn guess(path: &Path) -> Result<Self> {
        Self::guess_as(path, None)
    }

    /// The same of a set whose encoding the user may say.
    ///
    /// # Errors
    /// As [`Source::guess`].
    pub fn guess_as(path: &Path, encoding: Option<Encoding>) -> Result<Self> {
        let (path, format) = guess(path, encoding)?;
        Ok(Self { encoding, ..Self::new(&path, format) })
    }

    /// Opens the set.
    ///
    /// # Errors
    /// Files that are missing or have another structure than the format.
    pub fn open(&self) -> Result<Opened> {
        let plain = |records| Ok(Opened { records, text: None, choice: None });
        match self.format {
            Format::Folder => plain(folder::records(&self.path, self.names_are_captions)),
            Format::Shards => plain(Box::new(shards::read_shards(&self.path)?.into_iter())),
            Format::List => plain(list::records(self)?),
            Format::ChineseClip => plain(chinese_clip::records(&self.path, self.encoding)?),
            Format::Parquet => plain(parquet::records(self, self.pictures().ok())?),
            Format::Coco => plain(coco::records(&self.path, self.pictures()?)?),
            _ => self.captions(),
        }
    }

    fn captions(&self) -> Result<Opened> {
        let text = TextFile::look_as(&self.path, self.encoding)?;
        let file = CaptionFile {
            image_field: self.image_field.clone(),
            caption_field: self.caption_field.clone(),
            ..CaptionFile::new(&self.path)
        };
        let images = Arc::new(self.pictures()?);
        let is_picture = |name: &str| images.find(name).is_ok_and(|found| found.is_some());
        let open = || -> Result<OpenedPairs> {
            let opened = pairs(&file, self.format, text.open()?, &is_picture)?;
            Ok(OpenedPairs { pairs: plainly(opened.pairs, images.clone()), ..opened })
        };
        let opened = open()?;
        let choice = opened.choice.clone();
        let pairs = if neighbours(opened.pairs) { open()?.pairs } else { gathered(open()?.pairs) };
        let ids = HashMap::new();
        let grouped = Grouped { pairs: pairs.peekable(), images, path: self.path.clone(), ids };
        Ok(Opened { records: Box::new(grouped), text: Some(text), choice })
    }

    /// Where the pictures are that files name.
    pub(super) fn pictures(&self) -> Result<ImageIndex> {
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

/// The same captions with one name for each picture, however its rows write it.
fn plainly(pairs: Pairs, images: Arc<ImageIndex>) -> Pairs {
    let mut last = (String::new(), String::new());
    Box::new(pairs.map(move |pair| {
        let mut pair = pair?;
        if last.0 != pair.image {
            last = (pair.image.clone(), images.plain_name(&pair.image));
        }
        pair.image.clone_from(&last.1);
        Ok(pair)
    }))
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
    images: Arc<ImageIndex>,
    path: PathBuf,
    /// The name that each id was made of.
    ids: HashMap<String, String>,
}

impl<P: Iterator<Item = Result<Pair>>> Iterator for Grouped<P> {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.pairs.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error)),
        };
        let caption = |text: String, id: Option<String>| Caption { id, ..Caption::new(text) };
        let mut captions = vec![caption(first.caption, first.text_id)];
        let same = |next: &Result<Pair>| next.as_ref().is_ok_and(|next| next.image == first.image);
        while let Some(Ok(pair)) = self.pairs.next_if(same) {
            captions.push(caption(pair.caption, pair.text_id));
        }
        let image = match self.images.find(&first.image) {
            Ok(Some(image)) => image,
            Ok(None) => return Some(Err(missing(&self.path, first.line, &first.image))),
            Err(error) => return Some(Err(error)),
        };
        let id = id_of(&first.image);
        if let Some(before) = self.ids.insert(id.clone(), first.image.clone()) {
            let what = format!(
                "the pictures `{before}` and `{}` have the same id, `{id}`: rename one",
                first.image
            );
            return Some(Err(Error::record(&self.path, first.line, what)));
        }
        Some(Ok(Sample { id, image, captions, split: first.split, metadata: first.metadata }))
    }
}

/// A caption without its picture.
pub(super) fn missing(path: &Path, line: usize, name: &str) -> Error {
    Error::record(path, line, format!("there is no picture `{name}`"))
}
