//! Who looks again at the hits that were found, before they become a page.

use std::collections::HashMap;
use std::sync::Arc;

use tuwen_index::Modality;
use tuwen_retrieve::rerank::{Again, By, Moved, Stage, parse_stages};
use tuwen_retrieve::{Ranked, RankedItem, Search};

use crate::State;
use crate::problem::Problem;
use crate::routes::find::FUSED;
use crate::routes::search::{Sort, Wanted};
use crate::shelf::Open;

/// Who looks again.
pub(crate) fn stages(
    wanted: &Wanted,
    modality: Modality,
    remarks: &mut Vec<String>,
) -> Result<Vec<Stage>, Problem> {
    let given = wanted.rerank.as_deref().filter(|rerank| !rerank.trim().is_empty());
    let Some(given) = given else { return Ok(Vec::new()) };
    let refuse = |what: &str| Err(Problem::value(format!("rerank: {what}")));
    if modality == Modality::Text {
        return refuse("texts are not looked at again: search pictures, or leave it away");
    }
    if wanted.sort == Sort::Date {
        return refuse("the newest first is another order: leave away `sort` or this");
    }
    let stages = parse_stages(given).map_err(|error| Problem::value(error.to_string()))?;
    if stages.iter().any(|stage| matches!(stage.by, By::Endpoint(_))) {
        return refuse("the server asks no other addresses: give late, itm or both");
    }
    if let Some(stage) = stages.iter().find(|stage| stage.first > FUSED) {
        return refuse(&format!("{} items are too many: {FUSED} are the limit", stage.first));
    }
    if wanted.query.as_deref().is_none_or(|words| words.trim().is_empty()) {
        remarks.push("nobody looked again, for there are no words to look for".into());
        return Ok(Vec::new());
    }
    Ok(stages)
}

/// What is looked again with.
pub(crate) struct Looked {
    pub vector: Arc<[f32]>,
    pub words: Option<String>,
    pub rerank: Vec<Stage>,
    pub modality: Modality,
}

/// The items in their new order, and where they were.
pub(crate) async fn look_again(
    state: &State,
    open: &Arc<Open>,
    ranked: Ranked,
    looked: Looked,
    remarks: &mut Vec<String>,
) -> Result<(Ranked, HashMap<i64, Moved>), Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let Looked { vector, words, rerank, modality } = looked;
        let search = Search { rerank, ..Search::all(modality, ranked.items.len()) };
        let found = open.engine.look_again(&ranked, words.as_deref(), &vector, &search)?;
        Ok((ranked.total, found))
    };
    let (total, (again, said)) = state.reads.run(work).await?;
    remarks.extend(said);
    let item = |again: &Again| RankedItem { id: again.id, score: Some(again.score) };
    let items = again.iter().map(item).collect();
    let moved = again.into_iter().filter_map(|again| Some((again.id, again.moved?))).collect();
    Ok((Ranked { items, total }, moved))
}
