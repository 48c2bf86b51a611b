//! A bag of words beside a text tower: a row for each token, and the mean of a text's rows. What a word
//! means for pictures is learned there directly, while the tower keeps what it knows of language.

use tuwen_nn::{Rows, math};
use tuwen_text::token::unpadded;

use crate::arrays::Arrays;
use crate::layers::Weights;
use crate::{ModelConfig, Result};

/// The table's name.
const NAME: &str = "text.words.weight";

/// The table, (V, K). Texts are lists of ids, unpadded or padded with 0 at the end; the first id and the last
/// are no words.
pub struct BagOfWords<'a> {
    table: Rows<'a>,
    width: usize,
}

impl<'a> BagOfWords<'a> {
    /// The table, where the architecture has one.
    ///
    /// # Errors
    /// It is missing.
    pub fn find(config: &ModelConfig, weights: &dyn Weights<'a>) -> Result<Option<Self>> {
        let find = || Ok(Self { table: weights.rows(NAME)?.1, width: config.words });
        (config.words > 0).then(find).transpose()
    }

    /// K.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds a token's row to `out`, (K).
    pub(super) fn add(&self, id: usize, out: &mut [f32]) {
        self.table.add(id, out);
    }

    /// # Shapes
    /// `texts`: B. Returns (B, K), zeros for a text without a word.
    fn means(&self, texts: &[&[u32]]) -> Vec<f32> {
        let mut out = vec![0.0; texts.len() * self.width];
        for (out, ids) in out.chunks_exact_mut(self.width).zip(texts) {
            let words = inner(ids);
            words.iter().for_each(|&id| self.table.add(id as usize, out));
            out.iter_mut().for_each(|value| *value /= words.len().max(1) as f32);
        }
        out
    }

    /// A tower's features, each with the mean of its text's words behind it.
    ///
    /// # Shapes
    /// `features`: (B, W); `texts`: B. Returns (B, W + K).
    pub fn beside(&self, features: &[f32], texts: &[&[u32]]) -> Vec<f32> {
        let (means, width) = (self.means(texts), features.len() / texts.len().max(1));
        let rows = features.chunks_exact(width.max(1)).zip(means.chunks_exact(self.width));
        rows.flat_map(|(feature, mean)| feature.iter().chain(mean).copied()).collect()
    }

    /// How much each id's row adds along a direction of the mean, (K); 0 for those that are no words.
    pub(super) fn shares(&self, ids: &[u32], direction: &[f32]) -> Vec<f32> {
        let words = inner(ids);
        let of = |&id: &u32| {
            let mut row = vec![0.0; self.width];
            self.table.add(id as usize, &mut row);
            math::dot(&row, direction) / words.len().max(1) as f32
        };
        let mut shares = vec![0.0; ids.len()];
        shares.iter_mut().skip(1).zip(words).for_each(|(share, id)| *share = of(id));
        shares
    }

    /// The table's gradient, from that of what [`Self::beside`] gave.
    pub fn backward(&self, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        let mut grads = Arrays::default();
        let dtable = grads.slot(NAME, &[self.table.len() / self.width, self.width]);
        let wide = dfeatures.len() / texts.len().max(1);
        for (ids, grad) in texts.iter().zip(dfeatures.chunks_exact(wide.max(1))) {
            let words = inner(ids);
            let share = 1.0 / words.len().max(1) as f32;
            let grad: Vec<f32> =
                grad[wide - self.width..].iter().map(|grad| grad * share).collect();
            for &id in words {
                math::add(&mut dtable[id as usize * self.width..][..self.width], &grad);
            }
        }
        grads
    }
}

/// A text's ids without the first and the last.
fn inner(ids: &[u32]) -> &[u32] {
    let ids = unpadded(ids);
    ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default()
}
