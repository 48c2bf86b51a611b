//! Pictures that come as bytes and not as files of the user: they are kept in the gallery's own folder `uploads`,
//! their captions in a file beside them, so that a gallery that is built anew finds both.

use std::io::Write;
use std::path::{Path, PathBuf};

use tuwen_index::filter::key;
use tuwen_index::{Gallery, Modality, NewItem};

use super::{Line, NewPicture, modified_ns, texts};
use crate::origin::{bytes_of, path_of};
use crate::picture::Fitted;
use crate::spelling::misleads;
use crate::{Error, Result};

/// The folder, in the gallery's.
pub const UPLOADS: &str = "uploads";
/// The file of captions in it: JSON lines with `image` and `caption`.
pub const UPLOAD_CAPTIONS: &str = "captions.jsonl";
/// Bytes of a name, so that every file system takes it with a number behind it.
const LONGEST: usize = 120;

/// A picture that is to be kept.
pub struct Upload<'a> {
    /// What its sender calls it.
    pub name: &'a str,
    /// The encoded picture.
    pub bytes: &'a [u8],
    /// The same, read.
    pub fitted: Fitted,
    /// Its vector (D).
    pub vector: Vec<f32>,
    /// A caption with its vector (D).
    pub caption: Option<(String, Vec<f32>)>,
    /// Tags.
    pub tags: Vec<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The item.
    pub id: i64,
    /// Whether the gallery did not have this picture.
    pub is_new: bool,
}

impl Upload<'_> {
    /// Keeps the picture as a file and as an item. One whose content the gallery has is that item: it gets the
    /// caption and the tags, and is found again where it was excluded.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn keep(self, gallery: &Gallery) -> Result<Kept> {
        let same = gallery.with_hash(&self.fitted.hash)?;
        let known = same.into_iter().find(|item| item.modality == Modality::Image);
        let there = known.as_ref().map(|item| path_of(&item.origin)).filter(|path| path.is_file());
        let (place, written) = match there {
            Some(path) => (path, None),
            // Also of an item whose file somebody has removed: the sender may do the same with its own.
            None => {
                let path = self.write(&gallery.folder().join(UPLOADS))?;
                (path.clone(), Some(path))
            }
        };
        let known = known.map(|item| item.id);
        let kept = self.store(gallery, &place, known, written.is_some());
        if let (Err(_), Some(path)) = (&kept, written) {
            // No item is there for it.
            let _ = std::fs::remove_file(path);
        }
        kept
    }

    /// The item of that content, where the gallery has all that the upload would bring: its file, the caption and the
    /// tags; so that nothing needs to be written.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn known(
        gallery: &Gallery,
        hash: &[u8; 32],
        caption: Option<&str>,
        tags: &[String],
    ) -> Result<Option<i64>> {
        let same = gallery.with_hash(hash)?;
        let Some(item) = same.into_iter().find(|item| item.modality == Modality::Image) else {
            return Ok(None);
        };
        let given: Vec<String> = gallery.given_tags(item.id)?.iter().map(|t| key(t)).collect();
        let is_all = path_of(&item.origin).is_file()
            && tags.iter().all(|tag| given.contains(&key(tag)))
            && gallery.excluded()?.binary_search(&item.id).is_err();
        Ok(match caption {
            _ if !is_all => None,
            Some(text) if !has_caption(gallery, item.id, text)? => None,
            _ => Some(item.id),
        })
    }

    /// `moved` says that the file of a known item lies elsewhere now.
    fn store(
        &self,
        gallery: &Gallery,
        place: &Path,
        known: Option<i64>,
        moved: bool,
    ) -> Result<Kept> {
        let captions = gallery.folder().join(UPLOADS).join(UPLOAD_CAPTIONS);
        let caption = self.caption.as_ref().map(|(text, vector)| {
            let image = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (Line { image: Some(image), text: text.clone(), ..Line::default() }, vector)
        });
        let before = std::fs::metadata(&captions).map_or(0, |data| data.len());
        let done = gallery.transaction(|gallery| {
            let id = match known {
                Some(id) => {
                    if moved {
                        let item = self.item(place);
                        gallery.relocate(id, &item.origin, item.size, item.mtime_ns)?;
                    }
                    id
                }
                None => gallery.insert(&self.item(place))?,
            };
            gallery.restore(id)?;
            for tag in &self.tags {
                gallery.add_tag(id, tag)?;
            }
            if let Some((line, vector)) = &caption
                && !has_caption(gallery, id, &line.text)?
            {
                append(&captions, place, line).map_err(|e| tuwen_index::Error::Unwritable {
                    path: captions.clone(),
                    what: e.to_string(),
                })?;
                gallery.insert(&texts::item(bytes_of(&captions), line, Some(id), vector))?;
            }
            Ok(id)
        });
        if done.is_err() {
            take_back(&captions, before);
        }
        Ok(Kept { id: done?, is_new: known.is_none() })
    }

    fn item(&self, path: &Path) -> NewItem {
        let mtime_ns = std::fs::metadata(path).map_or(0, |data| modified_ns(&data));
        let Fitted { hash, size, is_reduced, description, .. } = &self.fitted;
        let (bytes, hash, size) = (self.bytes.len() as u64, *hash, *size);
        NewPicture { path, bytes, mtime_ns, hash, size, is_reduced: *is_reduced, description }
            .item(&self.vector)
    }

    /// Writes the file under its name, whole or not at all; where that is taken, in a folder with a number, so that it is still
    /// called as its sender calls it.
    fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let folder = folder.canonicalize().map_err(|e| Error::io(folder, e))?;
        let name = upload_name(self.name, self.bytes);
        let numbered = (2..).map(|number: u64| folder.join(number.to_string()));
        let mut folders = std::iter::once(folder.clone()).chain(numbered);
        let is_free = |folder: &PathBuf| folder.join(&name).symlink_metadata().is_err();
        let folder = folders.find(is_free).expect("numbers do not end");
        std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
        let path = folder.join(&name);
        // Whoever has the gallery's lock is alone here.
        tuwen_files::file::replace(&path, self.bytes)?;
        Ok(path)
    }
}

/// The ends of names of each format; a file gets the first one where its own is none of them.
const ENDS: [(&str, &[&str]); 7] = [
    ("jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("png", &["png", "apng"]),
    ("gif", &["gif"]),
    ("webp", &["webp"]),
    ("bmp", &["bmp", "dib"]),
    ("tiff", &["tif", "tiff"]),
    ("avif", &["avif", "avifs", "heif"]),
];
/// Letters of what can be the end of a name.
const END: usize = 5;

/// The name under which a picture is kept that its sender calls so: harmless, and with the end of what it is. A page
/// (`x.html`) that is a picture too is none here.
///
/// ```
/// let png = b"\x89PNG\r\n\x1a\n";
/// assert_eq!(tuwen_retrieve::upload_name("../狗.PNG", png), "狗.PNG");
/// assert_eq!(tuwen_retrieve::upload_name("x.html", png), "x.png");
/// ```
pub fn upload_name(name: &str, bytes: &[u8]) -> String {
    let name = plain(name);
    let ends = ENDS.iter().find(|(format, _)| tuwen_image::format(bytes) == Some(format));
    let Some((_, ends)) = ends else { return name };
    let is_end = |end: &str| end.len() <= END && end.bytes().all(|b| b.is_ascii_alphanumeric());
    match name.rsplit_once('.') {
        Some((_, end)) if ends.contains(&end.to_ascii_lowercase().as_str()) => name,
        Some((stem, end)) if is_end(end) => format!("{stem}.{}", ends[0]),
        _ => format!("{name}.{}", ends[0]),
    }
}

/// The last part of a name without anything that a file system or a terminal could take for more than a letter.
fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: char| !misleads(c) && !matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let mut plain: String = last.chars().filter(|&c| harmless(c)).collect();
    plain = plain.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']).to_owned();
    while plain.len() > LONGEST {
        // The end says what kind of picture it is.
        plain.remove(0);
    }
    match plain.is_empty() || plain == UPLOAD_CAPTIONS {
        true => "picture".into(),
        false => plain,
    }
}

fn has_caption(gallery: &Gallery, id: i64, text: &str) -> tuwen_index::Result<bool> {
    Ok(gallery.captions_of(id)?.iter().any(|caption| caption.text.as_deref() == Some(text)))
}

/// Cuts off what was written for a change that was not made: half a line would spoil the next one, and a whole one would come
/// back when the gallery is made anew.
fn take_back(file: &Path, before: u64) {
    let cut = std::fs::OpenOptions::new().write(true).open(file).and_then(|file| {
        if file.metadata()?.len() > before {
            file.set_len(before)?;
        }
        file.sync_all()
    });
    // Where there never was a file, nothing is to be cut.
    drop(cut);
}

/// Writes a line as a command that reads captions takes it.
fn append(file: &Path, place: &Path, line: &Line) -> std::io::Result<()> {
    let mut json = serde_json::Map::new();
    json.insert("image".into(), place.to_string_lossy().into());
    json.insert("caption".into(), line.text.as_str().into());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    out.write_all(format!("{}\n", serde_json::Value::Object(json)).as_bytes())?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where a disk was full in the middle of a line.
    #[test]
    fn what_was_begun_for_a_failed_change_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(UPLOAD_CAPTIONS);
        take_back(&file, 0);
        assert!(!file.exists());
        let line = Line { text: "一只狗".into(), ..Line::default() };
        append(&file, Path::new("a.png"), &line).expect("a line");
        let whole = std::fs::read(&file).expect("a file");
        let mut more = whole.clone();
        more.extend(b"{\"image\": \"b.pn");
        std::fs::write(&file, more).expect("half a line");
        take_back(&file, whole.len() as u64);
        assert_eq!(std::fs::read(&file).expect("a file"), whole);
    }

    #[test]
    fn names_of_senders_stay_inside_the_folder() {
        for (given, wanted) in [
            ("dog.jpg", "dog.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\photos\\狗.png", "狗.png"),
            ("..", "picture"),
            ("", "picture"),
            ("a/", "picture"),
            (".hidden.png", "hidden.png"),
            ("a\nb\0.png", "ab.png"),
            ("a\u{202e}gnp.exe", "agnp.exe"),
            ("\u{2067}\u{feff}狗.png", "狗.png"),
            ("captions.jsonl", "picture"),
        ] {
            assert_eq!(plain(given), wanted, "{given:?}");
        }
        let jpeg = b"\xff\xd8\xff\xe0";
        for (given, wanted) in [
            ("x.html", "x.jpg"),
            ("x.JPE", "x.JPE"),
            ("x.png", "x.jpg"),
            ("no end", "no end.jpg"),
            ("12.5 metres", "12.5 metres.jpg"),
            (".html", "html.jpg"),
            ("captions.jsonl", "picture.jpg"),
        ] {
            assert_eq!(upload_name(given, jpeg), wanted, "{given:?}");
        }
        assert_eq!(upload_name("x.html", b"no picture"), "x.html", "nobody keeps that");
        let long = plain(&format!("{}.png", "狗".repeat(100)));
        assert!(long.len() <= LONGEST && long.ends_with("狗.png"), "{long}");
    }
}
