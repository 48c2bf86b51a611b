//! Text to token ids.

mod any;
mod basic;
mod clean;
mod clip_bpe;
mod file;
mod mojibake;
mod unigram;
mod width;
mod window;
mod wordpiece;

pub use any::Tokens;
pub use clean::Cleaning;
pub use clip_bpe::{ClipBpe, END_OF_TEXT, START_OF_TEXT};
pub use file::{FileSettings, FileTokenizer};
pub use width::{fold_width, has_wide};
pub use window::windows;
pub use wordpiece::{CLS, MASK, PAD, SEP, UNK, WordPiece};

/// Token ids of several texts, padded to the longest one.
///
/// ```
/// use tuwen_text::token::{TokenBatch, unpadded};
///
/// let batch = TokenBatch::new(&[vec![101, 4318, 102], vec![101, 102]]);
/// assert_eq!(batch.ids, [101, 4318, 102, 101, 102, 0]);
/// assert_eq!(unpadded(&batch.ids[3..]), [101, 102]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// `B * L` ids, row-major, [`PAD`] behind the end of each text.
    pub ids: Vec<u32>,
    /// B.
    pub rows: usize,
    /// L.
    pub len: usize,
}

impl TokenBatch {
    /// Pads `rows` to a common length, at least 1.
    pub fn new(rows: &[Vec<u32>]) -> Self {
        let len = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut ids = vec![PAD; rows.len() * len];
        for (target, row) in ids.chunks_exact_mut(len).zip(rows) {
            target[..row.len()].copy_from_slice(row);
        }
        Self { ids, rows: rows.len(), len }
    }
}

/// The ids without the padding behind them.
pub fn unpadded(ids: &[u32]) -> &[u32] {
    let len = ids.iter().rposition(|&id| id != PAD).map_or(1, |last| last + 1);
    &ids[..len]
}

/// `first`, as many of the `pieces` as fit into `context` tokens, `last`; and how many pieces were cut.
fn between(first: u32, pieces: &[u32], last: u32, context: usize) -> (Vec<u32>, usize) {
    let kept = pieces.len().min(context.saturating_sub(2));
    let mut ids = Vec::with_capacity(kept + 2);
    ids.push(first);
    ids.extend_from_slice(&pieces[..kept]);
    ids.push(last);
    (ids, pieces.len() - kept)
}
