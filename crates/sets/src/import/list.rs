//! A list of files, one a line: pictures, with captions in a `.txt` file beside each where there is one, and tar
//! shards. Relative paths begin at the list's own folder, or at the one that was named for pictures.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::records::{Records, Source, missing};
use super::{folder, is_image_name, shards};
use crate::Sample;
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

/// Its lines with their numbers, from 1.
pub(super) fn lines(path: &Path) -> Result<Vec<(usize, String)>> {
    let mut lines = Vec::new();
    for (number, line) in TextFile::look(path)?.open()?.lines().enumerate() {
        let line = line.map_err(|e| Error::record(path, number + 1, e.to_string()))?;
        let line = line.trim();
        if !line.is_empty() {
            lines.push((number + 1, line.to_owned()));
        }
    }
    Ok(lines)
}

/// Whether a line names an archive.
pub(super) fn is_archive(line: &str) -> bool {
    shards::is_archive(Path::new(line))
}

/// Whether a file's first line is one of a list.
pub(super) fn is_line(line: &str) -> bool {
    let path = Path::new(line.trim());
    is_image_name(path) || shards::is_archive(path)
}

/// All that the lines name; an archive that cannot be read is one bad record.
pub(super) fn records(source: &Source) -> Result<Records> {
    let place = Place::of(source);
    let open = move |line| match place.open(&line) {
        Ok(records) => records,
        Err(error) => Box::new(std::iter::once(Err(error))),
    };
    Ok(Box::new(lines(&source.path)?.into_iter().flat_map(open)))
}

/// Where a list is, and where what it names begins.
pub(super) struct Place {
    list: PathBuf,
    root: PathBuf,
    names_are_captions: bool,
}

impl Place {
    pub(super) fn of(source: &Source) -> Self {
        let beside = source.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new(".")).to_path_buf();
        Self {
            list: source.path.clone(),
            root: source.images.clone().unwrap_or(beside),
            names_are_captions: source.names_are_captions,
        }
    }

    /// What a line names.
    ///
    /// # Errors
    /// A damaged archive.
    pub(super) fn open(&self, (number, line): &(usize, String)) -> Result<Records> {
        match is_archive(line) {
            true => shards::named(&self.root.join(line), plain(line)),
            false => Ok(Box::new(std::iter::once(self.picture(*number, line)))),
        }
    }

    fn picture(&self, number: usize, line: &str) -> Result<Sample> {
        let path = self.root.join(plain(line));
        if !is_image_name(&path) {
            let what = format!("`{line}` is neither a picture nor a tar archive by its name");
            return Err(Error::record(&self.list, number, what));
        }
        if !path.is_file() {
            return Err(missing(&self.list, number, line));
        }
        folder::sample(&self.root, &path, self.names_are_captions)
    }
}

fn plain(line: &str) -> &str {
    line.trim_start_matches("./")
}
