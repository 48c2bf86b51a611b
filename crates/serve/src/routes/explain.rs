//! `POST /v1/explain`: which parts of a picture and which words of a text make their score, as `tuwen explain` says it.

use std::sync::Arc;

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tuwen_encode::Encoder;
use tuwen_explain::render::Map;
use tuwen_explain::{
    Error, Explanation, Method, Rivals, Settings, Watch, explain_against, explain_judge,
};
use tuwen_image::{Picture, RgbImage, Window, decode, encode_jpeg, shrink};
use tuwen_retrieve::language::Line;
use tuwen_retrieve::rerank::Which;

use crate::State;
use crate::chinese::Language;
use crate::extract::{Body, Json, check_text};
use crate::fetch;
use crate::openapi::{PICTURE, WORDS};
use crate::problem::{Problem, ProblemType};
use crate::room::Awaited;
use crate::routes::files;
use crate::routes::parts::of_item;
use crate::settings::Limits;
use crate::shelf::Open;
use crate::thumbnail::original;

/// Pixels of a small picture's longer side.
const SIDE: u32 = 360;
/// How much of a map's colour is seen.
const OPAQUE: f32 = 0.62;
/// Pictures with hidden parts that one request may ask for.
const MOST_SAMPLES: usize = 1024;
/// Items that a picture may be held against.
const MOST_RIVALS: usize = 100;

/// A picture, sent or of the gallery, and a text.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ExplainRequest")]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A picture as a data URI, `data:image/png;base64,…`, or one that is kept: `picture:ID`.
    #[schemars(regex(pattern = PICTURE))]
    image: Option<String>,
    /// An item's id.
    like: Option<i64>,
    /// What the picture was found by.
    #[schemars(regex(pattern = WORDS))]
    text: Option<String>,
    /// The same as a line of the query language, in the place of `text`: the words that are wanted of it are explained, not those
    /// to be kept away from, nor what narrows the search down.
    #[schemars(regex(pattern = WORDS))]
    query: Option<String>,
    /// Another text: why `text` and not this one.
    #[schemars(regex(pattern = WORDS))]
    against: Option<String>,
    /// Other items' ids, up to 100: why the picture and not these. Words then weigh what they add to the picture beyond what they
    /// add to these.
    #[schemars(length(max = 100))]
    #[serde(default)]
    rivals: Vec<i64>,
    /// Which score: `cosine`, where it is not said, or that of who looks again, `late` or `itm`.
    score: Option<String>,
    /// `occlusion`, `gradient`, `gradcam`, `rollout`, `chefer`, `legrad`, `grad-eclip`, `patches`, `surgery`, `lime`, `shap`,
    /// `owen` or `fixlip`; without it the fast one that is best for the model.
    method: Option<String>,
    /// Pictures with hidden parts for `lime`, `shap`, `owen` and `fixlip`.
    #[schemars(range(min = 2, max = 1024))]
    samples: Option<usize>,
    /// Also small JPEGs as data URIs: the picture under its map, and under that of each word that has one.
    pictures: Option<bool>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

impl Wanted {
    /// The text that is explained.
    fn text(&self, limits: &Limits) -> Result<String, Problem> {
        let (name, given) = match (&self.text, &self.query) {
            (Some(text), None) => ("text", text),
            (None, Some(query)) => ("query", query),
            _ => {
                let detail = "give either `text` or `query`, what the picture was found by";
                return Err(Problem::value(detail));
            }
        };
        check_text(limits, name, given)?;
        if name == "text" {
            return Ok(given.clone());
        }
        let line = Line::parse(given).map_err(|e| Problem::value(format!("query: {e}")))?;
        let weighted = line.weighted.iter().filter(|(_, weight)| *weight > 0.0);
        let weighted = weighted.map(|(words, _)| words);
        let words = std::iter::once(&line.words).chain(weighted).map(String::as_str);
        let words: Vec<&str> = words.filter(|words| !words.is_empty()).collect();
        match words.is_empty() {
            true => Err(Problem::value("query: there is no word in it that is wanted")),
            false => Ok(words.join(" ")),
        }
    }
}

/// A word of the text.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ExplainedWord")]
struct Word {
    text: String,
    /// What it adds to the score.
    weight: f32,
    /// (across, across): what it has to do with each part of the picture, of methods that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<Vec<f32>>,
    /// The picture under that, where pictures are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
}

/// Why a score is what it is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Explanation")]
pub(crate) struct Answer {
    model: String,
    method: &'static str,
    /// The cosine of picture and text, or the `score` that was asked for; against others, how much higher it is; of a caption
    /// that was made, the logarithm of its probability.
    score: f32,
    /// Values along a side of the map.
    across: usize,
    /// (across, across), line by line, over `window`.
    map: Vec<f32>,
    /// The picture under its map, where pictures are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    /// The part of the picture that the model sees: left, top, width and height in shares of the picture's own.
    window: [f64; 4],
    /// In their order.
    words: Vec<Word>,
    /// How well the explanation predicts the scores that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    r2: Option<f32>,
    /// The same of scores that were left out of the fit, a tenth of them at a time: what it says of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    r2_left_out: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// `POST /v1/explain`
pub(crate) async fn explained(
    From(state): From<State>,
    language: Language,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let limits = &state.settings.limits;
    let text = wanted.text(limits)?;
    let shelf = state.shelf(wanted.gallery.as_deref())?;
    let open = shelf.current();
    let encoder = Arc::clone(open.engine.shared_encoder());
    let which = which(&wanted)?;
    let settings = settings(&wanted, &encoder, which)?;
    if let Some(against) = &wanted.against {
        check_text(limits, "against", against)?;
        if against.trim().is_empty() {
            return Err(Problem::value("against: the text is empty"));
        }
    }
    let rivals = rivals(&state, &open, &wanted, which).await?;
    let most = limits.picture;
    let bytes = match (&wanted.image, wanted.like) {
        (Some(uri), None) => fetch::picture(&state, "image", uri).await?,
        (None, Some(id)) => {
            let item = files::picture(&state, &open, id).await?;
            state.pictures.run(move || original(&item, most)).await?
        }
        _ => return Err(Problem::value("give either `image`, a picture, or `like`, an item's id")),
    };
    let pictures = wanted.pictures == Some(true);
    let against = wanted.against;
    let work = move |awaited: Awaited| {
        let picture = decode(&bytes, most).map_err(|error| Problem::picture("image", &error))?;
        let square = encoder.preprocess().fit(&picture);
        let watch = Watch::new(move |_| awaited.is_so());
        let settings = Settings { watch, ..settings.within(&square) };
        let (width, height) = picture.dimensions();
        let window = encoder.preprocess().window(width, height);
        let name = encoder.name();
        let found = match which {
            Some(which) => {
                let judge = open.engine.judge(which)?;
                explain_judge(&judge, &square, &text, against.as_deref(), &settings)
            }
            None => {
                let texts: Vec<&str> = against.as_deref().into_iter().collect();
                let rivals = Rivals { texts: &texts, pictures: &rivals };
                explain_against(&encoder, &square, &text, rivals, &settings)
            }
        };
        let found = found.map_err(refused)?;
        Ok(Answer::of(name, &found, picture, window, pictures).in_language(language))
    };
    Ok(Json(state.explanations.run_while_awaited(work).await?).into_response())
}

impl Answer {
    /// An explanation as it is sent; `window` is the part of the picture that was looked at, in pixels, and `pictures` says
    /// whether it is shown under its maps.
    pub fn of(
        model: &str,
        found: &Explanation,
        picture: Picture,
        window: Window,
        pictures: bool,
    ) -> Self {
        let (width, height) = picture.dimensions();
        let (width, height) = (f64::from(width), f64::from(height));
        let Window { left, top, width: across, height: down } = window;
        let window = [left / width, top / height, across / width, down / height];
        let small = pictures.then(|| Small::new(picture.into_rgb(), window, found.across));
        let under = |map: &[f32]| small.as_ref().map(|small| small.under(map));
        let parts = found.across * found.across;
        let word = |(at, word): (usize, &tuwen_explain::Word)| {
            let map = found.pairs.as_ref().map(|all| &all[at * parts..][..parts]);
            Word {
                text: word.text.clone(),
                weight: word.weight,
                map: map.map(rounded),
                picture: map.and_then(under),
            }
        };
        Self {
            model: model.to_owned(),
            method: found.method.name(),
            score: found.score,
            across: found.across,
            map: rounded(&found.map),
            picture: under(&found.map),
            window,
            words: found.words.iter().enumerate().map(word).collect(),
            r2: found.r2,
            r2_left_out: found.r2_left_out,
            notes: found.notes.clone(),
        }
    }

    /// The same with its notes as the client reads them.
    pub fn in_language(mut self, language: Language) -> Self {
        self.notes.iter_mut().for_each(|note| *note = language.says(note).into_owned());
        self
    }
}

/// A picture that maps are laid over.
struct Small {
    picture: RgbImage,
    window: Window,
    across: usize,
}

impl Small {
    /// `window` in shares of the picture's sides.
    fn new(picture: RgbImage, window: [f64; 4], across: usize) -> Self {
        let picture = shrink(&picture, SIDE);
        let (width, height) = picture.dimensions();
        let [left, top, wide, high] = window;
        let (x, y) = (f64::from(width), f64::from(height));
        let window = Window { left: left * x, top: top * y, width: wide * x, height: high * y };
        Self { picture, window, across }
    }

    fn under(&self, values: &[f32]) -> String {
        let map = Map { across: self.across, values, window: self.window };
        let jpeg = encode_jpeg(&map.over(&self.picture, OPAQUE), 85);
        format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
    }
}

/// Who gives the score; None for the two towers.
fn which(wanted: &Wanted) -> Result<Option<Which>, Problem> {
    match wanted.score.as_deref() {
        None | Some("cosine") => Ok(None),
        Some("late") => Ok(Some(Which::Late)),
        Some("itm") => Ok(Some(Which::Itm)),
        Some(other) => {
            Err(Problem::value(format!("score: {other:?} is none of cosine, late, itm")))
        }
    }
}

/// The unit vectors of the items that a picture is held against.
async fn rivals(
    state: &State,
    open: &Arc<Open>,
    wanted: &Wanted,
    which: Option<Which>,
) -> Result<Vec<f32>, Problem> {
    let ids = wanted.rivals.clone();
    if ids.len() > MOST_RIVALS {
        let given = ids.len();
        return Err(Problem::value(format!(
            "rivals: there are {given} items, {MOST_RIVALS} are the limit"
        )));
    }
    if let Some(itself) = ids.iter().find(|id| wanted.like == Some(**id)) {
        let detail = format!("rivals: {itself} is the picture itself: name others");
        return Err(Problem::value(detail));
    }
    if which.is_some() && !ids.is_empty() {
        return Err(Problem::value(
            "rivals: they are held against each other by their vectors, and late and itm have none: leave away one of both",
        ));
    }
    let mut vectors = Vec::new();
    for id in ids {
        vectors.extend(of_item(state, open, id).await?.1);
    }
    Ok(vectors)
}

fn settings(
    wanted: &Wanted,
    encoder: &tuwen_encode::CpuEncoder,
    which: Option<Which>,
) -> Result<Settings, Problem> {
    let usual = match which {
        Some(_) => Method::Occlusion,
        None => Method::usual(encoder.config()),
    };
    let settings = settings_of(wanted.method.as_deref(), wanted.samples, usual)?;
    settings.method.check(encoder.config()).map_err(refused)?;
    Ok(settings)
}

/// A method by its name, `usual` where none is named, with so many samples.
pub(crate) fn settings_of(
    name: Option<&str>,
    samples: Option<usize>,
    usual: Method,
) -> Result<Settings, Problem> {
    let method = match name {
        None => usual,
        Some(name) => {
            let found = Method::NAMES.iter().find(|(known, _)| *known == name);
            let names = || Method::NAMES.map(|(known, _)| known).join(", ");
            found
                .map(|(_, method)| *method)
                .ok_or_else(|| Problem::value(format!("method: {name:?} is none of {}", names())))?
        }
    };
    let usual = Settings::new(method);
    let given = samples.is_some();
    let samples = samples.unwrap_or(usual.samples.min(256));
    if given && (!method.hides() || method == Method::Occlusion) {
        let detail = format!("samples: {} takes none: leave them out", method.name());
        return Err(Problem::value(detail));
    }
    if !(2..=MOST_SAMPLES).contains(&samples) {
        let detail = format!("samples: {samples} is not between 2 and {MOST_SAMPLES}");
        return Err(Problem::value(detail));
    }
    Ok(Settings { samples, ..usual })
}

fn refused(error: Error) -> Problem {
    match error {
        Error::Refused(what) => Problem::value(what),
        // Nobody reads it.
        Error::Stopped => Problem::new(ProblemType::Deadline, error.to_string()),
        other => Problem::internal(other),
    }
}

/// Four digits are more than anybody sees.
fn rounded(values: &[f32]) -> Vec<f32> {
    let largest = values.iter().map(|value| value.abs()).fold(1e-12, f32::max);
    let step = largest / 1e4;
    values.iter().map(|value| (value / step).round() * step).collect()
}
