//! Whether one file is a picture, another medium, or of no interest.

use std::io::Read;
use std::path::Path;

use tuwen_image::{ARCHIVES, FileType, HEAD, file_type};
use tuwen_sets::import::is_image_name;

/// Media without a mark of their own at their beginning, by their extensions.
const BY_NAME: [(&str, &str); 9] = [
    ("tga", "TGA"),
    ("pcx", "PCX"),
    ("pbm", "PNM"),
    ("pgm", "PNM"),
    ("ppm", "PNM"),
    ("pnm", "PNM"),
    ("svgz", "SVG"),
    ("mts", "MPEG"),
    ("m2ts", "MPEG"),
];
const ARCHIVE_NAMES: [&str; 9] = ["zip", "tar", "gz", "tgz", "7z", "rar", "cbz", "cbr", "cbt"];

/// What to do with a regular file in a folder. A picture's name is enough to take it, so that a damaged
/// one is reported; without it the content decides.
pub fn sort(path: &Path) -> std::io::Result<FileType> {
    if is_image_name(path) {
        return Ok(FileType::Picture);
    }
    let found = content(path)?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let extension = extension.unwrap_or_default();
    Ok(match found {
        FileType::Unknown => {
            let known = BY_NAME.iter().find(|(name, _)| *name == extension);
            known.map_or(FileType::Unknown, |(_, kind)| FileType::Unsupported(kind))
        }
        // Every office document is a ZIP, and logs are packed by gzip.
        FileType::Unsupported(name) if ARCHIVES.contains(&name) => {
            match ARCHIVE_NAMES.contains(&extension.as_str()) {
                true => FileType::Unsupported(name),
                false => FileType::Unknown,
            }
        }
        other => other,
    })
}

/// What the beginning of a regular file says.
pub fn content(path: &Path) -> std::io::Result<FileType> {
    let mut head = Vec::with_capacity(HEAD);
    std::fs::File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(file_type(&head))
}
