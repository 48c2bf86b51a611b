//! Which files of a folder are tables of Parquet, whether or not they can be read.

use std::path::{Path, PathBuf};

/// The `.parquet` files of a folder, of its `data`, or of its `metadata`; none where there are none.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let of = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")));
        files.sort();
        files
    };
    let folders = [path.to_path_buf(), path.join("data"), path.join("metadata")];
    folders.into_iter().map(of).find(|files| !files.is_empty()).unwrap_or_default()
}
