//! Finds the picture that a caption names, in a folder or in a tar archive, by file name or stem.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

use super::{Pair, Text};
use crate::encoding::TextFile;
use crate::{Caption, Error, ImageSource, Result, Sample};

/// Whether a file name has the extension of a picture format we decode.
pub fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    matches!(
        extension.as_str(),
        "jpg" | "jpeg" | "jpe" | "jfif" | "png" | "webp" | "gif" | "bmp" | "tif" | "tiff"
    )
}

/// Where each picture of a folder or archive lies.
pub struct ImageIndex {
    root: PathBuf,
    /// Archive members by full path and by file name; empty for a folder.
    members: HashMap<String, ImageSource>,
    archive: bool,
}

impl ImageIndex {
    /// Opens a folder, or reads the table of contents of a tar archive.
    ///
    /// # Errors
    /// `path` is neither, or the archive is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let mut members = HashMap::new();
        let archive = !path.is_dir();
        if archive {
            for (name, source) in tar_members(path)? {
                if let Some(file) = Path::new(&name).file_name().and_then(|f| f.to_str()) {
                    members.insert(file.to_owned(), source.clone());
                    let stem = Path::new(file).with_extension("");
                    members.entry(stem.to_string_lossy().into_owned()).or_insert(source.clone());
                }
                members.insert(name, source);
            }
        }
        Ok(Self { root: path.to_path_buf(), members, archive })
    }

    /// The picture a caption names: a path below the folder, or a member of the archive.
    pub fn find(&self, name: &str) -> Option<ImageSource> {
        if self.archive {
            return self.members.get(name).cloned();
        }
        // A name such as `../x` or `/x` points out of the set.
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return None;
        }
        // With an id instead of a name: added, not replaced, because an id may have dots.
        let with = |end: &str| self.root.join(format!("{name}{end}"));
        let ends = ["", ".jpg", ".png", ".jpeg", ".webp", ".gif", ".bmp", ".tif"];
        ends.into_iter().map(with).find(|path| path.is_file()).map(ImageSource::File)
    }
}

impl ImageIndex {
    /// A text file beside the pictures, or a member of their archive, as UTF-8.
    pub(super) fn text(&self, path: &Path) -> Result<Text> {
        // A configuration's paths begin with its own folder, which no member knows.
        let mut ends = (0..path.components().count())
            .map(|skip| path.components().skip(skip).collect::<PathBuf>());
        match ends.find_map(|end| self.members.get(&*end.to_string_lossy())) {
            Some(member) if !path.exists() => {
                let text = String::from_utf8(member.read()?).map_err(|_| {
                    Error::data_set(path, "the archive's member is not UTF-8; take it out first")
                })?;
                Ok(Box::new(Cursor::new(text.trim_start_matches('\u{feff}').to_owned())))
            }
            _ => {
                let text = TextFile::look(path)?;
                if text.malformed > 0 {
                    let what = format!(
                        "{} byte sequences mean nothing in its encoding, {}; `tuwen data convert` \
                         reads it all the same, with a mark in their place",
                        text.malformed, text.encoding
                    );
                    return Err(Error::record(path, text.malformed_line.unwrap_or(1), what));
                }
                text.open()
            }
        }
    }
}

/// Members of a tar archive fill whole blocks of this many bytes.
const TAR_BLOCK: u64 = 512;

/// Every regular member of a tar archive with its position, in order.
pub(super) fn tar_members(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let mut archive = tar::Archive::new(file);
    let (mut members, mut end) = (Vec::new(), 0);
    for entry in archive.entries_with_seek().map_err(|e| Error::io(path, e))? {
        let entry = entry.map_err(|e| Error::io(path, e))?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let (offset, len) = (entry.raw_file_position(), entry.size());
            end = (offset + len).next_multiple_of(TAR_BLOCK);
            members.push((name, ImageSource::Tar { path: path.to_path_buf(), offset, len }));
        }
    }
    if end > length {
        let what = format!("the archive is cut: it has {length} of at least {end} bytes");
        return Err(Error::data_set(path, what));
    }
    Ok(members)
}

/// Every picture of a tar archive by its name there.
///
/// # Errors
/// The archive is damaged.
pub fn archive_pictures(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let mut members = tar_members(path)?;
    members.retain(|(name, _)| is_image_name(Path::new(name)));
    Ok(members)
}

/// Collects captions by picture, in the order in which pictures first appear.
#[derive(Default)]
pub(super) struct SampleBuilder {
    samples: Vec<Sample>,
    position: HashMap<String, usize>,
    missing: Vec<String>,
}

impl SampleBuilder {
    pub(super) fn add(&mut self, images: &ImageIndex, pair: Pair, source: &str) {
        let caption = Caption { text: pair.caption, source: source.to_owned() };
        let name = &*pair.image;
        if let Some(&at) = self.position.get(name) {
            return self.samples[at].captions.push(caption);
        }
        let Some(image) = images.find(name) else {
            return self.missing.push(name.to_owned());
        };
        self.position.insert(name.to_owned(), self.samples.len());
        self.samples.push(Sample {
            id: Path::new(name).with_extension("").to_string_lossy().into_owned(),
            image,
            captions: vec![caption],
            split: pair.split,
            metadata: BTreeMap::new(),
        });
    }

    /// The samples; captions without a picture are an error unless a list of ids selects later.
    pub(super) fn finish(self, selected_later: bool) -> Result<Vec<Sample>> {
        match self.missing.first() {
            Some(name) if !selected_later => Err(Error::data_set(
                name,
                format!(
                    "{} captions name pictures that are not there, this one first; \
                     give the right `images` or a list of `ids`",
                    self.missing.len()
                ),
            )),
            _ => Ok(self.samples),
        }
    }
}
