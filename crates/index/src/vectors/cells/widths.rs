//! How many cells a search looks into, so that it finds the share of the best that was asked for: measured against
//! exact search, for queries of words and for pictures.

use serde::{Deserialize, Serialize};

/// Of how many hits the widths are known.
pub const DEPTHS: [usize; 3] = [10, 100, 1000];
/// Bytes of what is stored.
pub(super) const LEN: usize = 64;

/// A query's kind: those of words lie apart from pictures, and need more cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryKind {
    /// Words.
    Text,
    /// A picture, or another item of the gallery.
    Picture,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Widths {
    /// The larger of two is the newer one.
    #[serde(skip)]
    pub(super) sequence: u32,
    /// The share of the best that is to be found.
    pub target: f32,
    /// Cells for queries of words, and for 10, 100 and 1,000 hits.
    pub text: [u32; 3],
    /// The same for pictures.
    pub picture: [u32; 3],
    /// The share of the 10 best that other queries of words, and pictures, found with it; none where nobody measured.
    #[serde(skip_serializing_if = "unmeasured")]
    pub recall: [Option<f32>; 2],
}

fn unmeasured(recall: &[Option<f32>; 2]) -> bool {
    recall.iter().all(Option::is_none)
}

impl Widths {
    /// What is taken until somebody has measured: a tenth of the cells.
    pub(crate) fn guess(cells: usize) -> Self {
        let some = (cells / 10).clamp(1, cells) as u32;
        let text = [some, some * 2, some * 4].map(|width| width.min(cells as u32));
        Self { sequence: 0, target: 0.0, text, picture: text, recall: [None; 2] }
    }

    /// Cells for `k` hits: between those that were measured by their logarithms.
    pub(crate) fn of(&self, kind: QueryKind, k: f64) -> usize {
        let widths = match kind {
            QueryKind::Text => self.text,
            QueryKind::Picture => self.picture,
        };
        let [low, middle, high] = widths.map(|width| f64::from(width.max(1)).ln());
        let at = (k.max(1.0) / DEPTHS[0] as f64).log10().max(0.0);
        let width = match at {
            ..1.0 => low + (middle - low) * at,
            _ => middle + (high - middle).max(0.0) * (at - 1.0),
        };
        width.exp().round().min(1e9) as usize
    }

    pub(super) fn bytes(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        let recall = self.recall.map(|recall| recall.unwrap_or(f32::NAN).to_bits());
        let words = [self.sequence, self.target.to_bits()];
        let words = words.into_iter().chain(self.text).chain(self.picture).chain(recall);
        for (at, word) in words.enumerate() {
            out[4 + 4 * at..][..4].copy_from_slice(&word.to_le_bytes());
        }
        let check = crc32fast::hash(&out[4..]);
        out[..4].copy_from_slice(&check.to_le_bytes());
        out
    }

    /// None where it was not written as it is.
    pub(super) fn read(bytes: &[u8], cells: usize) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.first_chunk()?;
        let word =
            |at: usize| u32::from_le_bytes(*bytes[4 * at..].first_chunk().expect("64 bytes"));
        if crc32fast::hash(&bytes[4..]) != word(0) || word(1) == 0 {
            return None;
        }
        let three = |at: usize| [0, 1, 2].map(|more| word(at + more).clamp(1, cells as u32));
        let recall = [9, 10].map(|at| Some(f32::from_bits(word(at))).filter(|r| r.is_finite()));
        let target = f32::from_bits(word(2));
        Some(Self { sequence: word(1), target, text: three(3), picture: three(6), recall })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_come_back_and_lie_between_those_measured() {
        let recall = [Some(0.981), None];
        let widths =
            Widths { sequence: 7, target: 0.98, text: [10, 40, 90], picture: [2, 4, 8], recall };
        assert_eq!(Widths::read(&widths.bytes(), 4096), Some(widths));
        let mut torn = widths.bytes();
        torn[20] ^= 1;
        assert_eq!(Widths::read(&torn, 4096), None);
        assert_eq!(Widths::read(&[0; LEN], 4096), None);
        let of = |k: f64| widths.of(QueryKind::Text, k);
        assert_eq!([of(1.0), of(10.0), of(100.0), of(1000.0)], [10, 10, 40, 90]);
        assert!((19..=21).contains(&of(31.6)) && of(10_000.0) > 90);
    }
}
