//! Hits that are nearly the same as an earlier one, folded behind it.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_retrieve::Ranked;
use tuwen_retrieve::alike::{ALIKE, repeats};

use crate::State;
use crate::alike::{thousandths, vectors_of};
use crate::problem::Problem;
use crate::routes::find::FUSED;
use crate::shelf::Open;

/// Whether hits are folded.
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
#[serde(untagged, expecting = "`fold` is true, false or a similarity")]
pub(crate) enum Fold {
    /// From 0.95 on, or not at all.
    Whether(bool),
    /// From this similarity on.
    From(#[schemars(range(min = 0.8, max = 1.0))] f32),
}

impl Default for Fold {
    fn default() -> Self {
        Self::Whether(false)
    }
}

impl Fold {
    /// The least similarity; nothing where hits are not folded.
    pub fn least(self) -> Result<Option<f32>, Problem> {
        match self {
            Self::Whether(whether) => Ok(whether.then_some(ALIKE)),
            Self::From(similarity) => thousandths("fold", similarity).map(|_| Some(similarity)),
        }
    }
}

/// The best hits without those that are nearly the same as an earlier one, and for that one which these are. It is
/// the same list for every page, as long as a fused one.
pub(crate) async fn fold(
    state: &State,
    open: &Arc<Open>,
    ranked: Ranked,
    least: f32,
) -> Result<(Ranked, HashMap<i64, Vec<i64>>), Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let mut items = ranked.items;
        items.truncate(FUSED);
        let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
        let (vectors, dim) = (vectors_of(&open, &ids)?, open.engine.encoder().dim());
        let repeats = repeats(&vectors, dim, least);
        let mut folded: HashMap<i64, Vec<i64>> = HashMap::new();
        for (&id, first) in ids.iter().zip(&repeats) {
            if let Some(first) = first {
                folded.entry(ids[*first]).or_default().push(id);
            }
        }
        let kept = items.into_iter().zip(&repeats).filter(|(_, first)| first.is_none());
        let items: Vec<_> = kept.map(|(item, _)| item).collect();
        Ok((Ranked { total: items.len(), items }, folded))
    };
    state.reads.run(work).await
}
