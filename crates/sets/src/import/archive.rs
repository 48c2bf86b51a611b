//! The members of a tar archive, and where they lie.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::ImageSource;
use tuwen_files::{Error, Result, file};

/// Members of a tar archive fill whole blocks of this many bytes.
const TAR_BLOCK: u64 = 512;
/// Bytes that a compressed archive may have inside, all in all and of one member: it is held in memory.
const UNPACKED: u64 = 2 << 30;
const MEMBER: u64 = 256 << 20;

/// Whether a file is a tar archive, compressed or not, by its name.
pub(super) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)) && !name.starts_with("._")
}

/// Every regular member with its position, in order, but for what macOS and others add of their own
/// (`._*`, hidden files).
pub(super) fn members(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let mut file = file::open(path)?;
    let mut start = [0; 2];
    let gzip = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    let all = if gzip { compressed(path)? } else { plain(path)? };
    Ok(all.into_iter().filter(|(name, _)| !is_hidden(name)).collect())
}

/// Whether a member is hidden or somebody's resource fork.
fn is_hidden(name: &str) -> bool {
    let mut parts = name.split('/').filter(|part| *part != ".");
    parts.any(|part| (part.starts_with('.') && part != "..") || part == "__MACOSX")
}

fn plain(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let mut archive = tar::Archive::new(file);
    let (mut members, mut end) = (Vec::new(), 0u64);
    for entry in archive.entries_with_seek().map_err(|e| Error::io(path, e))? {
        let entry = entry.map_err(|e| Error::io(path, e))?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let (offset, len) = (entry.raw_file_position(), entry.size());
            end =
                offset.saturating_add(len).checked_next_multiple_of(TAR_BLOCK).unwrap_or(u64::MAX);
            members.push((name, ImageSource::Tar { path: path.to_path_buf(), offset, len }));
        }
    }
    if end > length {
        let what = format!("the archive is cut: it has {length} of at least {end} bytes");
        return Err(Error::data_set(path, what));
    }
    Ok(members)
}

/// A compressed archive has no place to read one member from: all are in memory.
fn compressed(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(std::io::BufReader::new(file)));
    let (mut members, mut total) = (Vec::new(), 0u64);
    for entry in archive.entries().map_err(|e| Error::io(path, e))? {
        let mut entry = entry.map_err(|e| Error::io(path, e))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        total = total.saturating_add(entry.size());
        if entry.size() > MEMBER || total > UNPACKED {
            let what = format!(
                "`{name}` has {} bytes, all until it {total}: of one {MEMBER} are held in memory, of all \
                 {UNPACKED}; unpack the archive with gunzip first",
                entry.size()
            );
            return Err(Error::data_set(path, what));
        }
        let mut bytes = Vec::new();
        let read = (&mut entry).take(MEMBER).read_to_end(&mut bytes);
        let read = read.map_err(|e| Error::io(path, e))? as u64;
        if read < entry.size() {
            return Err(Error::data_set(path, format!("the archive is cut inside `{name}`")));
        }
        members.push((name, ImageSource::Bytes(bytes.into())));
    }
    Ok(members)
}

/// Every picture of a tar archive by its name there.
///
/// # Errors
/// The archive is damaged.
pub fn archive_pictures(path: &Path) -> Result<Vec<(String, ImageSource)>> {
    let mut members = members(path)?;
    members.retain(|(name, _)| super::is_image_name(Path::new(name)));
    Ok(members)
}
