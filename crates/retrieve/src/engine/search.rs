//! What an engine is opened with, what it is asked, and what it answers.

use std::path::PathBuf;

use serde::Serialize;
use tuwen_index::filter::Filter;
use tuwen_index::{Item, Modality};

use crate::indexing::made_by;
use crate::origin::path_of;
use crate::query::Remark;
use crate::rerank::{Moved, Stage};
use crate::words::Words;
use crate::{Device, FileName, LongText, Products};

/// How a gallery is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The model's name, folder or file; the gallery knows its own.
    pub model: Option<String>,
    /// What happens to texts beyond the model's context.
    pub long_text: LongText,
    /// What is multiplied: of the same weights, whose vectors are nearly the same, so that a gallery takes any.
    pub products: Products,
    /// Where the model's towers run.
    pub device: Device,
    /// The folder of the heads that rerank; the model's own where none is named.
    pub heads: Option<PathBuf>,
    /// The file of a fuser that joins words and a picture of a query; without it the gap between them is taken away.
    pub combiner: Option<PathBuf>,
}

/// An item that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// 1 is the best.
    pub rank: usize,
    /// Cosine similarity, the fused score, or that of who looked last; nothing where there was no query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Number of the item in the gallery.
    pub id: i64,
    /// What it is.
    #[serde(rename = "kind")]
    pub modality: Modality,
    /// The file it comes from.
    #[serde(flatten)]
    pub file: FileName,
    /// The words of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The picture of a caption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<i64>,
    /// The decoder that made a caption, where no person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// Where it was before somebody looked again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranked: Option<Moved>,
}

impl Hit {
    /// An item that was found at a rank.
    pub(crate) fn of(item: Item, rank: usize, score: Option<f32>) -> Self {
        Self {
            rank,
            score,
            id: item.id,
            modality: item.modality,
            file: path_of(&item.origin).as_path().into(),
            owner: item.owner,
            made_by: made_by(&item),
            text: item.text,
            reranked: None,
        }
    }
}

/// What is searched among, and how.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is to be found.
    pub modality: Modality,
    /// How many hits.
    pub k: usize,
    /// Only items that this is true of.
    pub filter: Option<Filter>,
    /// How the words of items count.
    pub words: Words,
    /// Only items that have each of these as it stands.
    pub phrases: Vec<String>,
    /// Who looks again at the first items, one after the other.
    pub rerank: Vec<Stage>,
    /// Whether the best are wanted for certain, where a gallery is so large that searches look into cells.
    pub exact: bool,
}

impl Search {
    /// The `k` best of all items of a modality.
    pub fn all(modality: Modality, k: usize) -> Self {
        let (filter, words) = (None, Words::Ignored);
        let (phrases, rerank, exact) = (Vec::new(), Vec::new(), false);
        Self { modality, k, filter, words, phrases, rerank, exact }
    }
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// What a user should know about how the query was read.
    pub remarks: Vec<Remark>,
}

/// An item of a search, before anything is read about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedItem {
    /// The item.
    pub id: i64,
    /// None where there was no query.
    pub score: Option<f32>,
}

impl From<tuwen_index::Hit> for RankedItem {
    fn from(hit: tuwen_index::Hit) -> Self {
        Self { id: hit.id as i64, score: Some(hit.score) }
    }
}

/// The items of a search in their order, before anything is read about them.
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    /// Best first, at most as many as were asked for.
    pub items: Vec<RankedItem>,
    /// How many there would be if all were asked for.
    pub total: usize,
}
