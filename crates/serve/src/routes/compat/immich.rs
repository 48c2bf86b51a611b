//! Of immich's machine learning: `POST /predict`, its models of search alone, and `GET /ping`.
//!
//! An immich server names one of its own models, which says how wide it expects vectors to be; the vectors are
//! those of the named gallery model, or of the first gallery's.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State as From};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::State;
use crate::extract::{Json, check_length, media_type, too_large};
use crate::problem::{Problem, ProblemType};
use crate::routes::inputs::{Input, What, embed_all, model};
use crate::wording::plain;

/// Bytes of `entries`, which are small; as values they are much larger.
const ENTRIES: usize = 16_384;

/// `GET /ping`
pub(crate) async fn ping() -> &'static str {
    "pong"
}

/// The parts of the form.
#[derive(Default)]
pub(crate) struct Form {
    entries: Option<String>,
    image: Option<Vec<u8>>,
    text: Option<String>,
}

impl FromRequest<State> for Form {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &State) -> Result<Self, Problem> {
        let (kind, limit) = (media_type(request.headers()), state.settings.limits.body);
        // Pages of other sites could send a form; `guard` has refused them.
        if !kind.eq_ignore_ascii_case("multipart/form-data") {
            let detail = format!(
                "the body's type is {kind:?}: send `multipart/form-data` with `entries` and `image` or `text`"
            );
            return Err(Problem::new(ProblemType::MediaType, detail));
        }
        check_length(request.headers(), limit)?;
        DefaultBodyLimit::max(limit).apply(&mut request);
        let wrong = |error: MultipartError| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(limit),
            _ => Problem::value(format!("the form: {}", error.body_text())),
        };
        let form = Multipart::from_request(request, state).await;
        let mut form =
            form.map_err(|error| Problem::value(format!("the form: {}", error.body_text())))?;
        let mut read = Self::default();
        while let Some(field) = form.next_field().await.map_err(wrong)? {
            match field.name() {
                Some("entries") => read.entries = Some(text("entries", field, wrong).await?),
                Some("text") => read.text = Some(text("text", field, wrong).await?),
                Some("image") => read.image = Some(field.bytes().await.map_err(wrong)?.to_vec()),
                // Read past.
                _ => drop(field.bytes().await.map_err(wrong)?),
            }
        }
        Ok(read)
    }
}

/// A part that is UTF-8, whatever it says of itself.
async fn text(
    name: &str,
    field: Field<'_>,
    wrong: impl Fn(MultipartError) -> Problem,
) -> Result<String, Problem> {
    let bytes = field.bytes().await.map_err(wrong)?.to_vec();
    String::from_utf8(bytes).map_err(|_| Problem::value(format!("{name}: the text is no UTF-8")))
}

/// One model that is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    model_name: String,
}

/// `POST /predict`: the vector as JSON inside of JSON, as an immich server hands it on.
pub(crate) async fn predict(From(state): From<State>, form: Form) -> Result<Response, Problem> {
    let (visual, entry) = entry(form.entries.as_deref())?;
    let what = match (visual, form.image, form.text) {
        (true, Some(bytes), _) => Input { name: "image".into(), what: What::Bytes(bytes) },
        (false, None, Some(text)) => Input::of_words(&state.settings.limits, "text", text)?,
        (true, None, _) => return Err(Problem::value("image: `visual` needs a picture")),
        (false, ..) => return Err(Problem::value("text: `textual` needs a text, and no picture")),
    };
    // Its own names are of other models, of which only the width counts, and that the immich server checks.
    let encoder = model(&state, Some(&entry.model_name)).or_else(|_| model(&state, None))?;
    let open = state.shelves[0].current();
    let embedded = embed_all(&state, &encoder, &open, vec![what]).await?;
    let vector = serde_json::to_string(&embedded[0].vector).map_err(Problem::internal)?;
    let mut answer = Map::from_iter([("clip".to_owned(), json!(vector))]);
    if visual {
        let (width, height) = embedded[0].size;
        answer.insert("imageHeight".into(), json!(height));
        answer.insert("imageWidth".into(), json!(width));
    }
    Ok(Json(answer).into_response())
}

/// The one entry, and whether it is of pictures.
fn entry(entries: Option<&str>) -> Result<(bool, Entry), Problem> {
    let shown = "send {\"clip\": {\"textual\": {\"modelName\": …}}}, or `visual`";
    let wrong = |what: String| Problem::value(format!("entries: {what}: {shown}"));
    let entries = entries.ok_or_else(|| wrong("there are none".into()))?;
    if entries.len() > ENTRIES {
        return Err(wrong(format!("they have more than {ENTRIES} bytes")));
    }
    let tasks: Map<String, Value> =
        serde_json::from_str(entries).map_err(|error| wrong(plain(&error)))?;
    if let Some(other) = tasks.keys().find(|task| *task != "clip") {
        let detail = format!("{other:?} is not supported, only \"clip\"");
        return Err(Problem::new(ProblemType::InvalidValue, format!("entries: {detail}")));
    }
    let types = tasks.get("clip").and_then(Value::as_object);
    let types = types.ok_or_else(|| wrong("there is no task".into()))?;
    let (kind, entry) = match types.iter().next() {
        Some(one) if types.len() == 1 => one,
        _ => return Err(wrong("one type at a time is taken".into())),
    };
    let visual = match kind.as_str() {
        "visual" => true,
        "textual" => false,
        other => return Err(wrong(format!("{other:?} is no type of \"clip\""))),
    };
    let entry = Entry::deserialize(entry).map_err(|error| wrong(plain(&error)))?;
    Ok((visual, entry))
}
