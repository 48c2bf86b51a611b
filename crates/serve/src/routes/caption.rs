//! `POST /v1/caption`: what a picture shows, as `tuwen caption` says it.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_caption::Way;
use tuwen_explain::{Method, Settings, Watch};
use tuwen_image::decode;
use tuwen_retrieve::describe::{Ask, Told};

use crate::State;
use crate::chinese::Language;
use crate::extract::{Body, Json};
use crate::fetch;
use crate::openapi::PICTURE;
use crate::problem::Problem;
use crate::room::Awaited;
use crate::routes::explain::{Answer, settings_of};
use crate::routes::files::picture;
use crate::routes::given::few;
use crate::thumbnail::original;

/// A picture, sent or of the gallery, and what is wanted of it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CaptionRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A picture as a data URI, `data:image/png;base64,…`, or one that is kept: `picture:ID`.
    #[schemars(regex(pattern = PICTURE))]
    image: Option<String>,
    /// An item's id.
    like: Option<i64>,
    /// `en`, `zh`; all that the decoder speaks when none is named.
    #[serde(default, deserialize_with = "few")]
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
    /// Whether each caption has a `why`: which parts of the picture made the decoder say each of its words.
    #[serde(default)]
    explain: bool,
    /// `occlusion`, where it is not said, `lime`, `shap` or `owen`: how that is found out.
    method: Option<String>,
    /// Pictures with hidden parts for `lime`, `shap` and `owen`.
    #[schemars(range(min = 2, max = 1024))]
    samples: Option<usize>,
    /// Also small JPEGs as data URIs: the picture under the map of each `why`, and under that of each word.
    #[serde(default)]
    pictures: bool,
    /// The gallery whose model looks, the first one where none is named.
    gallery: Option<String>,
}

/// More captions side by side than a server makes.
const MOST: usize = 16;
/// Languages of one request.
const LANGUAGES: usize = 8;

/// `POST /v1/caption`
pub(crate) async fn caption(
    From(state): From<State>,
    language: Language,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let ask = asked(&wanted)?;
    let how = explained(&wanted)?;
    let open = state.shelf(wanted.gallery.as_deref())?.current();
    let limits = state.settings.limits.picture;
    let sent = match (&wanted.image, wanted.like) {
        (Some(uri), None) => Ok(fetch::picture(&state, "image", uri).await?),
        (None, Some(id)) => Err(picture(&state, &open, id).await?),
        _ => return Err(Problem::value("give either `image`, a picture, or `like`, an item's id")),
    };
    let work = move |awaited: Awaited| {
        let describer = open.engine.describer()?;
        describer.check(&ask)?;
        let bytes = match sent {
            Ok(bytes) => bytes,
            Err(item) => original(&item, limits)?,
        };
        let encoder = open.engine.shared_encoder();
        let preprocess = describer.preprocess(Some(encoder))?;
        let unreadable = |error| Problem::picture("image", &error);
        let Some((settings, pictures)) = how else {
            let picture = preprocess.decode(&bytes, limits).map_err(unreadable)?;
            let made = describer.describe(Some(encoder), &picture, &ask)?;
            return Ok(json!({ "made_by": describer.name(), "captions": made }));
        };
        let picture = decode(&bytes, limits).map_err(unreadable)?;
        let (width, height) = picture.dimensions();
        let window = preprocess.window(width, height);
        let square = preprocess.fit(&picture);
        let settings = Settings { watch: Watch::new(move |_| awaited.is_so()), ..settings };
        let told = describer.explained(Some(encoder), &square, &ask, &settings)?;
        let with_why = |Told { made, why }: &Told| {
            let why = Answer::of(describer.name(), why, picture.clone(), window, pictures);
            let why = why.in_language(language);
            let mut made = serde_json::to_value(made).map_err(Problem::internal)?;
            made["why"] = serde_json::to_value(why).map_err(Problem::internal)?;
            Ok(made)
        };
        let captions = told.iter().map(with_why).collect::<Result<Vec<_>, Problem>>()?;
        Ok(json!({ "made_by": describer.name(), "captions": captions }))
    };
    let room = if wanted.explain { &state.explanations } else { &state.pictures };
    Ok(Json(room.run_while_awaited(work).await?).into_response())
}

/// How words are explained and whether pictures are wanted, where an explanation is.
fn explained(wanted: &Wanted) -> Result<Option<(Settings, bool)>, Problem> {
    if !wanted.explain {
        let given = [
            ("method", wanted.method.is_some()),
            ("samples", wanted.samples.is_some()),
            ("pictures", wanted.pictures),
        ];
        return match given.iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Problem::value(format!(
                "{name}: it is a part of `explain`, which is not asked for"
            ))),
            None => Ok(None),
        };
    }
    let settings = settings_of(wanted.method.as_deref(), wanted.samples, Method::Occlusion)?;
    Ok(Some((settings, wanted.pictures)))
}

fn asked(wanted: &Wanted) -> Result<Ask, Problem> {
    let candidates = wanted.candidates.unwrap_or(1);
    let beams = wanted.beams.unwrap_or(3);
    if wanted.languages.len() > LANGUAGES {
        let given = wanted.languages.len();
        let detail = format!("languages: there are {given}, {LANGUAGES} are the limit");
        return Err(Problem::value(detail));
    }
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
