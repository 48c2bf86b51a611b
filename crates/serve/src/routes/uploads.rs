//! `POST /v1/items`: pictures that are sent become items, or are those of the same content.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tuwen_encode::CpuEncoder;
use tuwen_index::Gallery;
use tuwen_retrieve::{UPLOADS, Upload, fitted, tag as tag_of, upload_name};

use crate::State;
use crate::chinese::Language;
use crate::extract::{Body, Json, check_text};
use crate::fetch;
use crate::guard::MayWrite;
use crate::problem::{Problem, ProblemType};
use crate::routes::changes::{check_count, check_tags, look};
use crate::routes::given::few;
use crate::settings::Limits;
use crate::shelf::Shelf;

/// Pictures of one request.
const PICTURES: usize = 64;

/// A picture to be added.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPicture {
    /// Its file's name.
    name: String,
    /// A data URI.
    image: String,
    /// Up to 8,192 characters, in the same way as `tags`.
    caption: Option<String>,
    /// Up to 32 of 1 to 100 characters: a picture with others is refused, and those beside it are not.
    #[serde(default, deserialize_with = "few")]
    tags: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPictures {
    #[schemars(length(min = 1, max = 64))]
    #[serde(deserialize_with = "few")]
    items: Vec<NewPicture>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

impl NewPictures {
    /// Refuses none and too many of them.
    pub fn check_count(&self) -> Result<(), Problem> {
        check_count("items", self.items.len(), PICTURES)
    }

    /// Refuses the first one whose name, caption or tags are none.
    pub fn check_each(&self, limits: &Limits) -> Result<(), Problem> {
        self.items.iter().try_for_each(|item| item.check(limits))
    }
}

impl NewPicture {
    fn check(&self, limits: &Limits) -> Result<(), Problem> {
        check_tags("tags", &self.tags)?;
        check_text(limits, "name", &self.name)?;
        self.caption.as_ref().map_or(Ok(()), |caption| check_text(limits, "caption", caption))
    }
}

/// What became of a picture.
#[derive(Clone, JsonSchema, Serialize)]
pub(crate) struct Outcome {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    /// `added`, `same` or `refused`.
    status: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// `POST /v1/items`: each picture becomes an item, or is the one of the same content; one that cannot
/// be read, or whose name, caption or tags are none, is refused alone.
pub(crate) async fn add(
    _: MayWrite,
    From(state): From<State>,
    language: Language,
    Body(pictures): Body<NewPictures>,
) -> Result<Response, Problem> {
    let at = state.shelf_at(pictures.gallery.as_deref())?;
    pictures.check_count()?;
    let items = pictures.items;
    let mut ready = Vec::with_capacity(items.len());
    for item in items {
        let name = item.name.clone();
        match read(&state, &state.shelves[at], item).await {
            Ok(one) => ready.push(Ok(one)),
            // What one picture is not is no failure of the others.
            Err(Problem {
                kind:
                    ProblemType::InvalidPicture | ProblemType::TooLarge | ProblemType::InvalidValue,
                detail,
            }) => {
                let detail = Some(detail);
                ready.push(Err(Outcome { name, id: None, status: "refused", detail }));
            }
            Err(problem) => return Err(problem),
        }
    }
    let items = keep_all(&state, at, ready).await?;
    let generation = look(&state, at).await?;
    let mut answer = json!({ "items": items, "generation": generation });
    language.says_details(&mut answer);
    Ok(Json(answer).into_response())
}

/// A picture that was read and embedded.
struct Ready {
    name: String,
    bytes: Vec<u8>,
    fitted: tuwen_retrieve::Fitted,
    vector: Vec<f32>,
    caption: Option<(String, Vec<f32>)>,
    tags: Vec<String>,
}

async fn read(state: &State, shelf: &Shelf, item: NewPicture) -> Result<Ready, Problem> {
    item.check(&state.settings.limits)?;
    let bytes = fetch::picture(state, "image", &item.image).await?;
    let encoder: Arc<CpuEncoder> = Arc::clone(shelf.current().engine.shared_encoder());
    let path = shelf.source.folder.join(UPLOADS).join(upload_name(&item.name, &bytes));
    let reading = Arc::clone(&encoder);
    let fit = move || {
        let hash = *blake3::hash(&bytes).as_bytes();
        let fitted = fitted(&path, &bytes, hash, reading.as_ref());
        fitted.map(|fitted| (fitted, bytes)).map_err(|error| Problem::picture("image", &error))
    };
    let (mut fitted, bytes) = state.pictures.run(fit).await?;
    let pixels = std::mem::replace(&mut fitted.picture, tuwen_image::RgbImage::new(1, 1));
    let vector = state.embedder.fitted(&encoder, (pixels, fitted.size)).await?.vector.clone();
    let caption = item.caption.map(|caption| caption.trim().to_owned());
    let caption = match caption.filter(|caption| !caption.is_empty()) {
        Some(text) => {
            let embedded = state.embedder.texts(&encoder, std::slice::from_ref(&text)).await?;
            Some((text, embedded[0].vector.clone()))
        }
        None => None,
    };
    let tags = item.tags.iter().map(|text| tag_of(text)).collect();
    Ok(Ready { name: item.name, bytes, fitted, vector, caption, tags })
}

/// Keeps what is new; where nothing is, the gallery is only read.
async fn keep_all(
    state: &State,
    at: usize,
    ready: Vec<Result<Ready, Outcome>>,
) -> Result<Vec<Outcome>, Problem> {
    let folder = state.shelves[at].source.folder.clone();
    let look = move || {
        let gallery = Gallery::open(&folder)?;
        let outcomes = ready.iter().map(|one| unchanged(&gallery, one));
        Ok((outcomes.collect::<Option<Vec<Outcome>>>(), ready))
    };
    let (outcomes, ready) = state.reads.run(look).await?;
    if let Some(outcomes) = outcomes {
        return Ok(outcomes);
    }
    let keep = move |gallery: &Gallery| ready.into_iter().map(|one| keep(gallery, one)).collect();
    state.writer.change(at, keep).await
}

/// What becomes of a picture that is refused, or that the gallery has with all that came with it.
fn unchanged(gallery: &Gallery, one: &Result<Ready, Outcome>) -> Option<Outcome> {
    let Ready { name, fitted, caption, tags, .. } = match one {
        Ok(ready) => ready,
        Err(refused) => return Some(refused.clone()),
    };
    let caption = caption.as_ref().map(|(text, _)| text.as_str());
    // What cannot be told by reading is told when it is written.
    let id = Upload::known(gallery, &fitted.hash, caption, tags).ok()??;
    Some(Outcome { name: name.clone(), id: Some(id), status: "same", detail: None })
}

fn keep(gallery: &Gallery, one: Result<Ready, Outcome>) -> Result<Outcome, Problem> {
    let Ready { name, bytes, fitted, vector, caption, tags } = match one {
        Ok(ready) => ready,
        Err(refused) => return Ok(refused),
    };
    let kept =
        Upload { name: &name, bytes: &bytes, fitted, vector, caption, tags }.keep(gallery)?;
    let status = if kept.is_new { "added" } else { "same" };
    Ok(Outcome { name, id: Some(kept.id), status, detail: None })
}
