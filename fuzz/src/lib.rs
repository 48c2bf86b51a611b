//! What the fuzz targets share: a folder in memory, and reading a set to its end.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use tuwen_sets::import::{Format, Source};

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// Writes `bytes` under a name into this process's own folder; returns its path.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| {
            let memory = Path::new("/dev/shm");
            let parent = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
            tempfile::tempdir_in(parent).expect("a folder")
        });
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    })
}

/// Reads a set to its end, pictures included.
pub fn read_all(path: &Path, format: Format) {
    let Ok(opened) = Source::new(path, format).open() else { return };
    for sample in opened.records.take(1000).flatten() {
        let _ = sample.image.read();
    }
}
