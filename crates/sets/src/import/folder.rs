//! A folder of pictures, with captions in a `.txt` file of the same name, from the file's own name,
//! or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::images::{id_of, is_image_name};
use super::records::Records;
use crate::{Caption, ImageSource, Sample};
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

/// Pictures by name, those in folders inside too; the id is the path below `root`, without extension.
pub(super) fn records(root: &Path, names_are_captions: bool) -> Records {
    let base = root.to_path_buf();
    Box::new(paths(root).map(move |path| sample(&base, &path?, names_are_captions)))
}

/// Where they lie, in an order that is the same on every machine.
pub(super) fn paths(root: &Path) -> impl Iterator<Item = Result<PathBuf>> + Send + use<> {
    let base = root.to_path_buf();
    let place = root.canonicalize().unwrap_or_else(|_| base.clone());
    let entries = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    // A link that leads out of the folder is none of its pictures, and may lead through the whole disk.
    let stays = move |entry: &walkdir::DirEntry| {
        !entry.path_is_symlink()
            || entry.depth() == 0
            || entry.path().canonicalize().is_ok_and(|real| real.starts_with(&place))
    };
    let entries = entries.filter_entry(stays);
    entries.filter_map(move |entry| match entry {
        Ok(entry) if !entry.file_type().is_file() || !is_image_name(entry.path()) => None,
        Ok(entry) => Some(Ok(entry.into_path())),
        Err(error) => Some(Err(Error::data_set(&base, error.to_string()))),
    })
}

/// A picture below `root` with what stands beside it.
pub(super) fn sample(root: &Path, path: &Path, names_are_captions: bool) -> Result<Sample> {
    let inner = path.strip_prefix(root).unwrap_or(path);
    let id = id_of(&inner.to_string_lossy());
    let beside = path.with_extension("txt");
    let mut texts = Vec::new();
    if beside.is_file() {
        let mut text = String::new();
        let mut reader = TextFile::look(&beside)?.open()?;
        std::io::Read::read_to_string(&mut reader, &mut text).map_err(|e| Error::io(&beside, e))?;
        texts = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    } else if names_are_captions {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        texts.push(stem.replace(['_', '-'], " ").trim().to_owned());
    }
    let captions = texts.into_iter().map(Caption::new).collect();
    let image = ImageSource::File(path.to_path_buf());
    Ok(Sample { id, image, captions, split: None, metadata: BTreeMap::new() })
}
