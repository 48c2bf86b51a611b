//! A model's own tokenizer: a file of its folder, or inside the program.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use tuwen_files::file;

use super::TOKENIZER_FILE;
use crate::{Error, Result};

/// A `tokenizer.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerFile {
    /// In a folder.
    Path(PathBuf),
    /// Inside the program.
    Inside(&'static [u8]),
}

impl TokenizerFile {
    /// Its content.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes(&self) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Path(path) => {
                Ok(Cow::Owned(file::read(path, file::DOCUMENT).map_err(Error::Data)?))
            }
            Self::Inside(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// What errors call it.
    pub fn path(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            Self::Inside(_) => Path::new(TOKENIZER_FILE),
        }
    }
}
