//! What a run of indexing did.

use std::path::Path;

use serde::Serialize;
use tuwen_index::filter::{Known, Type};

use super::Loss;
use crate::FileName;
use crate::walk::{Failure, LeftOut};

/// What a run of indexing did.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// New pictures.
    pub added: usize,
    /// Pictures whose content changed.
    pub updated: usize,
    /// Pictures that are as they were.
    pub unchanged: usize,
    /// Pictures recognised by their content in another place.
    pub moved: usize,
    /// Pictures and texts that are gone.
    pub removed: usize,
    /// New captions and texts.
    pub texts: usize,
    /// Texts that were added without a picture, and why: theirs is not in the gallery, or two would fit.
    pub texts_alone: Vec<Failure>,
    /// Values of caption files that the fields of their names cannot have, which nothing is found by as fields.
    pub unread_values: Vec<UnreadValues>,
    /// Pictures that stay although they are left out now.
    pub kept: usize,
    /// Pictures that stay although they are gone, because all of their folder are.
    pub missing: Vec<Missing>,
    /// Texts that stay although their file is gone.
    pub texts_without_file: Vec<Missing>,
    /// What was not looked at, and is no failure.
    #[serde(flatten)]
    pub left_out: LeftOut,
    /// What could not be read, and why.
    pub failed: Vec<Failure>,
    /// Places that could not be looked into.
    #[serde(skip)]
    pub unreadable: usize,
    /// What decoding fewer pixels cost, where that was asked for and some were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fast: Option<Loss>,
    /// Pictures of the gallery that were decoded so, now or before.
    pub fast_pictures: usize,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// Values of a caption file that a known field cannot have: a date that is none, a number in words.
#[derive(Debug, Serialize)]
pub struct UnreadValues {
    /// The file of captions.
    #[serde(flatten)]
    pub file: FileName,
    /// The field's name.
    pub field: &'static str,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: Type,
    /// The first such value.
    pub example: String,
    /// How many.
    pub count: usize,
}

impl UnreadValues {
    pub(super) fn first(file: &Path, known: &Known, value: &str) -> Self {
        const SHOWN: usize = 60;
        let example = value.trim().chars().take(SHOWN).collect();
        Self { file: file.into(), field: known.name, kind: known.kind, example, count: 1 }
    }
}

/// Items whose place is gone.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// The folder, or the file of texts.
    #[serde(flatten)]
    pub file: FileName,
    /// How many.
    pub items: usize,
}

impl Missing {
    /// `items` that lay there.
    pub fn new(path: &Path, items: usize) -> Self {
        Self { file: path.into(), items }
    }
}

impl Summary {
    /// Items that came, changed or went.
    pub fn changed(&self) -> usize {
        self.added + self.updated + self.removed + self.texts
    }

    /// Pictures that were embedded.
    pub fn embedded(&self) -> usize {
        self.added + self.updated
    }

    /// Whether all that the user named was done.
    pub fn is_success(&self) -> bool {
        self.missing.is_empty() && !self.failed.iter().any(|failure| failure.named)
    }
}
