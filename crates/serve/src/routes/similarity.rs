//! `POST /v1/similarity`: how alike texts, pictures and items are, as cosines.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_encode::Encoder;
use tuwen_index::exact;

use crate::State;
use crate::extract::{Body, Json};
use crate::hits::cosine;
use crate::openapi::Thing;
use crate::problem::Problem;
use crate::routes::given::{Given, Many};
use crate::routes::inputs::{Input, check_count, embed_all, matrix};
use crate::settings::Limits;

/// Pairs, or rows and columns; up to 256 things in all.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SimilarityRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[schemars(with = "Option<Vec<(Thing, Thing)>>", length(min = 1, max = 128))]
    pairs: Option<Many<(Given, Given)>>,
    #[schemars(with = "Option<Vec<Thing>>", length(min = 1, max = 256))]
    rows: Option<Many<Given>>,
    /// The rows themselves where there are none.
    #[schemars(with = "Option<Vec<Thing>>", length(min = 1, max = 255))]
    columns: Option<Many<Given>>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/similarity`: a cosine for each pair, or for each row and column.
pub(crate) async fn similarity(
    From(state): From<State>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let open = state.shelf(wanted.gallery.as_deref())?.current();
    let (inputs, height) = inputs(&state.settings.limits, wanted)?;
    let encoder = open.engine.shared_encoder();
    let vectors = matrix(&embed_all(&state, encoder, &open, inputs).await?);
    let (dim, model) = (encoder.dim(), encoder.name());
    let Some(height) = height else {
        let pair = |pair: &[f32]| cosine(exact::score(&pair[..dim], &pair[dim..]));
        let scores: Vec<f32> = vectors.chunks_exact(2 * dim).map(pair).collect();
        return Ok(Json(json!({ "model": model, "scores": scores })).into_response());
    };
    let (rows, columns) = match vectors.split_at(height * dim) {
        (rows, []) => (rows, rows),
        both => both,
    };
    let width = columns.len() / dim;
    let mut scores = vec![0.0; height * width];
    exact::scores(rows, columns, dim, &mut scores, width);
    scores.iter_mut().for_each(|score| *score = cosine(*score));
    let scores: Vec<&[f32]> = scores.chunks_exact(width).collect();
    Ok(Json(json!({ "model": model, "scores": scores })).into_response())
}

/// What is to be embedded: pairs one after the other, or rows, whose number comes with them, and then columns.
pub(crate) fn inputs(
    limits: &Limits,
    wanted: Wanted,
) -> Result<(Vec<Input>, Option<usize>), Problem> {
    match (wanted.pairs, wanted.rows, wanted.columns) {
        (Some(pairs), None, None) => {
            check_count(limits, "pairs", 2 * pairs.count)?;
            let named = |(at, (left, right))| {
                [(format!("pairs[{at}][0]"), left), (format!("pairs[{at}][1]"), right)]
            };
            let all = pairs.kept.into_iter().enumerate().flat_map(named);
            let all = all.map(|(name, given)| Input::of_given(limits, name, given));
            Ok((all.collect::<Result<_, _>>()?, None))
        }
        (None, Some(rows), columns) => {
            let height = rows.count;
            // In all, so that two lists are not twice the limit.
            let all = height + columns.as_ref().map_or(0, |columns| columns.count);
            check_count(limits, "rows and columns", all)?;
            let mut inputs = Input::list(limits, "rows", rows)?;
            if let Some(columns) = columns {
                inputs.append(&mut Input::list(limits, "columns", columns)?);
            }
            Ok((inputs, Some(height)))
        }
        _ => {
            let cure = "give either `pairs`, or `rows` and perhaps `columns`";
            Err(Problem::value(format!("there is nothing to compare: {cure}")))
        }
    }
}
