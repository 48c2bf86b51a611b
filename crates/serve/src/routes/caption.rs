//! `POST /v1/caption`: what a picture shows, as `tuwen caption` says it.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_caption::Way;
use tuwen_retrieve::describe::Ask;

use crate::State;
use crate::extract::{Body, Json};
use crate::fetch;
use crate::openapi::DATA_URI;
use crate::problem::Problem;
use crate::routes::files::picture;
use crate::thumbnail::original;

/// A picture, sent or of the gallery, and what is wanted of it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CaptionRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A picture as a data URI: `data:image/png;base64,…`.
    #[schemars(regex(pattern = DATA_URI))]
    image: Option<String>,
    /// An item's id.
    like: Option<i64>,
    /// `en`, `zh`; all that the decoder speaks when none is named.
    #[serde(default)]
    #[schemars(length(max = 8))]
    languages: Vec<String>,
    /// Captions of each language, 1 when not said.
    #[schemars(range(min = 1, max = 16))]
    candidates: Option<usize>,
    /// Captions that grow side by side, 3 when not said.
    #[schemars(range(min = 1, max = 16))]
    beams: Option<usize>,
    /// Whether the model itself has a say in which is best.
    #[serde(default)]
    rerank: bool,
    /// The gallery whose model looks, the first one where none is named.
    gallery: Option<String>,
}

/// More captions side by side than a server makes.
const MOST: usize = 16;

/// `POST /v1/caption`
pub(crate) async fn caption(
    From(state): From<State>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let ask = asked(&wanted)?;
    let open = state.shelf(wanted.gallery.as_deref())?.current();
    let limits = state.settings.limits.picture;
    let sent = match (&wanted.image, wanted.like) {
        (Some(uri), None) => Ok(fetch::picture(&state, "image", uri).await?),
        (None, Some(id)) => Err(picture(&state, &open, id).await?),
        _ => return Err(Problem::value("give either `image`, a picture, or `like`, an item's id")),
    };
    let work = move || {
        let describer = open.engine.describer()?;
        describer.check(&ask)?;
        let bytes = match sent {
            Ok(bytes) => bytes,
            Err(item) => original(&item, limits)?,
        };
        let encoder = open.engine.shared_encoder();
        let picture = describer.preprocess(Some(encoder))?.decode(&bytes, limits);
        let picture = picture.map_err(|error| Problem::picture("image", &error))?;
        let made = describer.describe(Some(encoder), &picture, &ask)?;
        Ok(json!({ "made_by": describer.name(), "captions": made }))
    };
    Ok(Json(state.pictures.run(work).await?).into_response())
}

fn asked(wanted: &Wanted) -> Result<Ask, Problem> {
    let candidates = wanted.candidates.unwrap_or(1);
    let beams = wanted.beams.unwrap_or(3);
    for (name, count) in [("candidates", candidates), ("beams", beams)] {
        if !(1..=MOST).contains(&count) {
            return Err(Problem::value(format!("{name}: {count}: give 1 to {MOST}")));
        }
    }
    Ok(Ask {
        languages: wanted.languages.clone(),
        way: Way::Beams(beams.max(candidates)),
        candidates,
        rerank: wanted.rerank,
        ..Ask::default()
    })
}
