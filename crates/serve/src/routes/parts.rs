//! The parts of a query as one vector: words, what is not wanted, a picture, an item.

use std::sync::Arc;

use tuwen_index::Modality;
use tuwen_retrieve::UNWANTED;
use tuwen_retrieve::gap::{Part, compose, is_mixed};

use crate::State;
use crate::extract::check_text;
use crate::fetch;
use crate::problem::{Problem, ProblemType};
use crate::routes::search::Wanted;
use crate::shelf::Open;

/// Texts that a query is kept away from.
const NOTS: usize = 16;

/// The vector of all parts; nothing where there are none.
pub(crate) async fn vector(
    state: &State,
    open: &Arc<Open>,
    wanted: &Wanted,
    weighted_words: &[(String, f32)],
    remarks: &mut Vec<String>,
) -> Result<Option<Arc<[f32]>>, Problem> {
    let likes: Vec<i64> = wanted.like.iter().chain(&wanted.likes).copied().collect();
    let pictures = usize::from(wanted.image.is_some()) + likes.len();
    let (for_words, for_pictures) = weights(wanted, pictures)?;
    let (encoder, mut parts) = (open.engine.shared_encoder(), Vec::new());
    let mut texts: Vec<(String, f32)> = Vec::new();
    if let Some(query) = &wanted.query {
        check_text(&state.settings.limits, "query", query)?;
        texts.push((query.clone(), for_words));
    }
    for (text, weight) in weighted_words {
        texts.push((text.clone(), for_words * weight));
    }
    if wanted.not.len() > NOTS {
        let given = wanted.not.len();
        return Err(Problem::value(format!("not: there are {given} texts, {NOTS} are the limit")));
    }
    for text in &wanted.not {
        check_text(&state.settings.limits, "not", text)?;
        if text.trim().is_empty() {
            return Err(Problem::value("not: the text is empty"));
        }
        texts.push((text.clone(), UNWANTED));
    }
    let (words, of_words): (Vec<String>, Vec<f32>) = texts.into_iter().unzip();
    for (embedded, weight) in state.embedder.texts(encoder, &words).await?.iter().zip(of_words) {
        remarks.extend(embedded.remarks.iter().map(ToString::to_string));
        parts.push(Part::words(embedded.vector.clone(), weight));
    }
    if let Some(uri) = &wanted.image {
        let bytes = fetch::picture(state, "image", uri).await?;
        let embedded = state.embedder.picture(encoder, "image".into(), bytes).await?;
        parts.push(Part::picture(embedded.vector.clone(), for_pictures));
    }
    for id in likes {
        let (side, vector) = of_item(state, open, id).await?;
        parts.push(Part { vector, weight: for_pictures, side });
    }
    if parts.is_empty() {
        return Ok(None);
    }
    if !is_mixed(&parts) {
        return Ok(Some(compose(&parts, None)?.into()));
    }
    let open = Arc::clone(open);
    let work = move || Ok(compose(&parts, open.engine.between()?)?.into());
    state.reads.run(work).await.map(Some)
}

/// What words and what each picture count.
fn weights(wanted: &Wanted, pictures: usize) -> Result<(f32, f32), Problem> {
    let share = wanted.image_weight.unwrap_or(0.5);
    if !(0.0..=1.0).contains(&share) {
        return Err(Problem::value(format!("image_weight: {share} is not between 0 and 1")));
    }
    Ok(match (wanted.query.is_some(), pictures) {
        (true, 1..) => (1.0 - share, share / pictures as f32),
        _ => (1.0, 1.0),
    })
}

/// What an item is, and its vector.
pub(crate) async fn of_item(
    state: &State,
    open: &Arc<Open>,
    id: i64,
) -> Result<(Modality, Vec<f32>), Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let gallery = open.engine.gallery();
        match gallery.item(id)? {
            Some(item) => Ok((item.modality, gallery.vector(item.id)?)),
            None => Err(no_item(id)),
        }
    };
    state.reads.run(work).await
}

/// There is no such item.
pub(crate) fn no_item(id: i64) -> Problem {
    let detail = format!("there is no item {id} in this gallery: take the `id` of a hit");
    Problem::new(ProblemType::NotFound, detail)
}
