//! Finds the picture that a caption names, in a folder or in a tar archive, by file name or stem.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::archive::members;
use super::{CaptionFile, Text};
use crate::ImageSource;
use tuwen_files::encoding::{TextFile, decode};
use tuwen_files::{Error, Result};

/// Whether a file name has the extension of a picture format we decode.
pub fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    EXTENSIONS.contains(&&*extension)
}

/// Extensions of pictures, the usual first.
const EXTENSIONS: [&str; 11] =
    ["jpg", "png", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "jpe", "jfif"];

/// A picture's id: its name without the extension of a picture. What else stands behind a dot belongs to
/// the name, as in `Fig. 2` and `1.5`.
pub fn id_of(name: &str) -> String {
    let path = Path::new(name);
    match is_image_name(path) {
        true => path.with_extension("").to_string_lossy().into_owned(),
        false => name.to_owned(),
    }
}

/// Where each picture of a folder or archive lies.
pub struct ImageIndex {
    root: PathBuf,
    /// Archive members by full path, by file name and by id, in one form of Unicode; empty for a folder.
    members: HashMap<String, Member>,
    archive: bool,
}

enum Member {
    One(ImageSource),
    /// Two that have nothing but this name in common.
    Several(String, String),
}

impl ImageIndex {
    /// Opens a folder, or reads the table of contents of a tar archive.
    ///
    /// # Errors
    /// `path` is neither, or the archive is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let archive = !path.is_dir();
        let mut index = Self { root: path.to_path_buf(), members: HashMap::new(), archive };
        if archive {
            let all = members(path)?;
            for (name, source) in &all {
                if let Some(file) = Path::new(name).file_name().and_then(|f| f.to_str()) {
                    index.short(id_of(file), name, source);
                    index.short(file.to_owned(), name, source);
                }
            }
            for (name, source) in all {
                // The whole name is nobody else's; of two members of one name the last one counts in tar.
                index.members.insert(one_form(&id_of(&name)), Member::One(source.clone()));
                index.members.insert(one_form(&name), Member::One(source));
            }
        }
        Ok(index)
    }

    fn short(&mut self, short: String, name: &str, source: &ImageSource) {
        use std::collections::hash_map::Entry;
        match self.members.entry(one_form(&short)) {
            Entry::Vacant(place) => drop(place.insert(Member::One(source.clone()))),
            Entry::Occupied(mut place) => match place.get() {
                Member::One(other) if other != source => {
                    place.insert(Member::Several(short, name.to_owned()));
                }
                _ => {}
            },
        }
    }

    /// The picture a caption names: a path below the folder, or a member of the archive. Backslashes, a
    /// leading `./`, the folder's own name and both forms of Unicode are understood.
    ///
    /// # Errors
    /// The name is that of several members of the archive.
    pub fn find(&self, name: &str) -> Result<Option<ImageSource>> {
        let slashed = name.replace('\\', "/");
        let mut names = vec![name];
        let plain = slashed.trim_start_matches("./");
        names.extend((plain != name).then_some(plain));
        if self.archive {
            return names.into_iter().find_map(|name| self.member(name).transpose()).transpose();
        }
        // The folder's own name before the picture's, and a full path into the folder.
        let own = self.root.file_name().and_then(|own| own.to_str());
        let inner = own.and_then(|own| plain.strip_prefix(own)?.strip_prefix('/'));
        let full = Path::new(plain).strip_prefix(&self.root).ok().and_then(Path::to_str);
        names.extend(inner);
        names.extend(full.filter(|_| self.root.is_absolute()));
        Ok(names.into_iter().find_map(|name| self.file(name)))
    }

    /// The name under which a picture is found, so that `./a.jpg`, `a.jpg` and the folder's own name before
    /// it are one picture; the name as it is where there is none.
    pub(super) fn plain_name(&self, name: &str) -> String {
        let slashed = name.replace('\\', "/");
        let mut plain = slashed.as_str();
        while let Some(rest) = plain.strip_prefix("./") {
            plain = rest.trim_start_matches('/');
        }
        // A file whose own name has such characters.
        let exact = plain != name && !self.archive && self.root.join(name).is_file();
        if exact && !name.starts_with("./") {
            return name.to_owned();
        }
        let own = self.root.file_name().and_then(|own| own.to_str());
        let inner = own.and_then(|own| plain.strip_prefix(own)?.strip_prefix('/'));
        match inner.filter(|inner| {
            !self.archive && self.file(plain).is_none() && self.file(inner).is_some()
        }) {
            Some(inner) => inner.to_owned(),
            None => plain.to_owned(),
        }
    }

    fn member(&self, name: &str) -> Result<Option<ImageSource>> {
        match self.members.get(&one_form(name)) {
            None => Ok(None),
            Some(Member::One(source)) => Ok(Some(source.clone())),
            Some(Member::Several(short, other)) => {
                let what = format!(
                    "several members are called `{short}`, `{other}` among them: name the picture by \
                     its whole path in the archive"
                );
                Err(Error::data_set(&self.root, what))
            }
        }
    }

    fn file(&self, name: &str) -> Option<ImageSource> {
        // A name such as `../x` or `/x` points out of the set.
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || name.is_empty() {
            return None;
        }
        let as_it_is = |name: &str| {
            // With an id instead of a name: added, not replaced, because an id may have dots.
            let with = |end: String| self.root.join(format!("{name}{end}"));
            let ends = EXTENSIONS.iter().map(|end| format!(".{end}"));
            let upper = EXTENSIONS.iter().map(|end| format!(".{}", end.to_uppercase()));
            let ends = std::iter::once(String::new()).chain(ends).chain(upper);
            ends.map(with).find(|path| path.is_file())
        };
        let path = as_it_is(name).or_else(|| {
            let forms = [one_form(name), name.nfd().collect()];
            forms.into_iter().filter(|form| form != name).find_map(|form| as_it_is(&form))
        });
        path.map(ImageSource::File)
    }

    /// A text file beside the pictures, or a member of their archive, as UTF-8.
    pub(super) fn text(&self, file: &CaptionFile) -> Result<Text> {
        let path = &file.file;
        // A configuration's paths begin with its own folder, which no member knows.
        let ends = (0..path.components().count())
            .map(|skip| path.components().skip(skip).collect::<PathBuf>());
        let mut members =
            ends.filter_map(|end| match self.members.get(&one_form(&end.to_string_lossy()))? {
                Member::One(member) => Some(member),
                Member::Several(..) => None,
            });
        match members.next() {
            Some(member) if !path.exists() => {
                let text = decode(&member.read()?).map_err(|e| Error::data_set(path, e))?;
                Ok(Box::new(Cursor::new(text)))
            }
            _ => {
                let text = TextFile::look_as(path, file.encoding)?;
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

/// Composed Unicode: a file system may keep `é` as two characters, a caption file as one.
fn one_form(name: &str) -> String {
    name.nfc().collect()
}
