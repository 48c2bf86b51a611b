//! What a gallery holds.

use serde::{Deserialize, Serialize};

use crate::filter::Fields;

/// What an item is, and what a search goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// A picture.
    #[default]
    Image,
    /// A text, possibly a caption of a picture.
    Text,
    /// A picture together with its texts: a second vector of a picture ([`crate::Gallery::fuse`]). No item is one.
    Fused,
}

impl Modality {
    /// What a segment's vectors are.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
            Self::Fused => "fused",
        }
    }

    /// What the items are whose vectors these are.
    pub fn of_items(self) -> Self {
        match self {
            Self::Image | Self::Fused => Self::Image,
            Self::Text => Self::Text,
        }
    }

    /// As the table of items has it.
    pub(crate) fn item_name(self) -> &'static str {
        self.of_items().name()
    }
}

/// Who made the vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelId {
    /// A name or folder that opens the model again.
    pub name: String,
    /// Identifies weights and pre-processing.
    pub fingerprint: String,
    /// Width of a vector.
    pub dim: usize,
}

/// An item to be stored.
#[derive(Clone, Debug, Default)]
pub struct NewItem {
    /// What it is.
    pub modality: Modality,
    /// The file it comes from, as the system's bytes.
    pub origin: Vec<u8>,
    /// The words of a text.
    pub text: Option<String>,
    /// The picture that a caption belongs to.
    pub owner: Option<i64>,
    /// Hash of the content.
    pub hash: [u8; 32],
    /// Size of the file in bytes.
    pub size: u64,
    /// Modification time of the file in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Anything else worth keeping, a JSON object.
    pub metadata: String,
    /// What can be asked for in a filter.
    pub fields: Fields,
    /// What full text finds it by.
    pub words: String,
    /// The embedding.
    pub vector: Vec<f32>,
}

/// A stored item, without its vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub modality: Modality,
    /// The file it comes from, as the system's bytes.
    pub origin: Vec<u8>,
    /// The words of a text.
    pub text: Option<String>,
    /// The picture that a caption belongs to.
    pub owner: Option<i64>,
    /// Hash of the content.
    pub hash: Vec<u8>,
    /// Size of the file in bytes.
    pub size: u64,
    /// Modification time of the file in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Anything else worth keeping, a JSON object.
    pub metadata: String,
    /// Whether its fields and words are known; not where an older program indexed it.
    pub described: bool,
}
