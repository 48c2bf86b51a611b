//! `POST /v1/classify`: which of some labels a picture is, as `tuwen classify` says it.

use std::collections::HashSet;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_encode::Encoder;
use tuwen_eval::classify::{classifier, ranking};
use tuwen_text::prompt::Templates;

use crate::State;
use crate::extract::{Body, Json, check_text};
use crate::fetch;
use crate::openapi::{PICTURE, WORDS};
use crate::problem::{Problem, ProblemType};
use crate::routes::given::few;
use crate::routes::inputs::probability;
use crate::routes::parts::of_item;

/// A picture, sent or of the gallery, and what it may be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ClassifyRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A picture as a data URI, `data:image/png;base64,…`, or one that is kept: `picture:ID`.
    #[schemars(regex(pattern = PICTURE))]
    image: Option<String>,
    /// An item's id.
    like: Option<i64>,
    /// Each once.
    #[schemars(length(min = 1, max = 100), inner(regex(pattern = WORDS)))]
    #[serde(deserialize_with = "few")]
    labels: Vec<String>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `POST /v1/classify`: labels by falling probability.
pub(crate) async fn classify(
    From(state): From<State>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    check(&state, &wanted.labels)?;
    let open = state.shelf(wanted.gallery.as_deref())?.current();
    let encoder = open.engine.shared_encoder();
    let picture = match (&wanted.image, wanted.like) {
        (Some(uri), None) => {
            let bytes = fetch::picture(&state, "image", uri).await?;
            state.embedder.picture(encoder, "image".into(), bytes).await?.vector.clone()
        }
        (None, Some(id)) => of_item(&state, &open, id).await?.1,
        _ => return Err(Problem::value("give either `image`, a picture, or `like`, an item's id")),
    };
    let prompts = |label: &String| Templates::Auto.prompts(label);
    let prompts: Vec<Vec<String>> = wanted.labels.iter().map(prompts).collect();
    let embedded = state.embedder.texts(encoder, &prompts.concat()).await?;
    let mut rest = embedded.iter();
    let vectors = prompts.iter().map(|prompts| {
        let own = rest.by_ref().take(prompts.len());
        own.flat_map(|one| one.vector.iter().copied()).collect::<Vec<f32>>()
    });
    let weights = classifier(&vectors.collect::<Vec<_>>(), encoder.dim());
    let probabilities = probability(encoder)?.of(&picture, &weights);
    let label = |at| json!({ "label": wanted.labels[at], "probability": probabilities[at] });
    let labels: Vec<_> = ranking(&probabilities).into_iter().map(label).collect();
    Ok(Json(json!({ "labels": labels })).into_response())
}

fn check(state: &State, labels: &[String]) -> Result<(), Problem> {
    let (limits, given) = (&state.settings.limits, labels.len());
    if given == 0 {
        return Err(Problem::value("labels: there is none; give what the picture may be"));
    }
    if given > limits.labels {
        let detail = format!("labels: there are {given}, {} are the limit", limits.labels);
        return Err(Problem::new(ProblemType::TooLarge, detail));
    }
    let mut seen = HashSet::new();
    for label in labels {
        check_text(limits, "labels", label)?;
        if label.trim().is_empty() {
            return Err(Problem::value("labels: one is empty; give a word"));
        }
        if !seen.insert(label) {
            return Err(Problem::value(format!("labels: {label:?} is given twice")));
        }
    }
    Ok(())
}
