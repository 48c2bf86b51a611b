//! Of clip-as-service: `POST /post`, its HTTP form, with the endpoints that embed (`/`, `/encode`) and rank
//! (`/rank`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tuwen_eval::classify::ranking;
use tuwen_index::filter::date_text;

use crate::State;
use crate::extract::{Json, Untyped};
use crate::openapi::Documents;
use crate::problem::{Problem, ProblemType};
use crate::routes::given::Many;
use crate::routes::inputs::{Input, What, check_count, embed_all, matrix, probability};
use crate::routes::rank::cosines;
use crate::settings::Limits;
use crate::wording::plain;

/// As clip-as-service's clients ask.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PostRequest")]
pub(crate) struct Wanted {
    /// A list of documents, or an object that has one.
    #[schemars(with = "Documents")]
    data: Box<RawValue>,
    #[serde(rename = "execEndpoint", alias = "exec_endpoint", default = "root")]
    endpoint: String,
    #[schemars(with = "Option<Parameters>")]
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
}

/// A document, of which all is sent back as it came.
type Document = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Within {
    docs: Many<Document>,
}

/// Of the parameters what counts.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "PostParameters")]
struct Parameters {
    #[serde(default)]
    drop_image_content: bool,
}

fn root() -> String {
    "/".into()
}

/// `POST /post`
pub(crate) async fn post(
    From(state): From<State>,
    Untyped(wanted): Untyped<Wanted>,
) -> Result<Response, Problem> {
    let began = now();
    let ranks = match wanted.endpoint.trim_matches('/') {
        "" | "encode" => false,
        "rank" => true,
        other => {
            let detail =
                format!("execEndpoint: there is no {other:?}, only / or /encode, and /rank");
            return Err(Problem::value(detail));
        }
    };
    let parameters = wanted.parameters.as_ref().map(|given| serde_json::from_str(given.get()));
    let parameters: Parameters = parameters
        .transpose()
        .map_err(|error| Problem::value(format!("parameters: {}", plain(&error))))?
        .unwrap_or_default();
    let mut documents = documents("data", &wanted.data)?;
    let inner = now();
    embed(&state, &mut documents, ranks).await?;
    // Its client takes times from the first two, of which the second one is the model.
    let routes = [route("gateway", began, now()), route("tuwen", inner, now())];
    if parameters.drop_image_content {
        documents.kept.iter_mut().for_each(|document| drop(document.remove("blob")));
    }
    let (endpoint, request) = (wanted.endpoint, id());
    let header = json!({
        "requestId": request, "status": null, "execEndpoint": endpoint, "targetExecutor": "",
    });
    let (parameters, data) = (wanted.parameters, documents.kept);
    Ok(Json(Answer { header, parameters, routes, data }).into_response())
}

#[derive(Serialize)]
struct Answer {
    header: Value,
    parameters: Option<Box<RawValue>>,
    routes: [Value; 2],
    data: Vec<Document>,
}

fn route(executor: &str, began: String, ended: String) -> Value {
    json!({ "executor": executor, "startTime": began, "endTime": ended, "status": null })
}

fn documents(name: &str, given: &RawValue) -> Result<Many<Document>, Problem> {
    let read = match given.get().starts_with('{') {
        true => serde_json::from_str::<Within>(given.get()).map(|within| within.docs),
        false => serde_json::from_str(given.get()),
    };
    read.map_err(|error| {
        Problem::value(format!("{name}: {}: send a list of documents", plain(&error)))
    })
}

/// Gives each document its vector, or its matches their scores and order.
async fn embed(state: &State, documents: &mut Many<Document>, ranks: bool) -> Result<(), Problem> {
    let limits = &state.settings.limits;
    let (mut inputs, mut matches) = (Vec::new(), Vec::new());
    check_count(limits, "data", documents.count)?;
    for (at, document) in documents.kept.iter_mut().enumerate() {
        let name = format!("data[{at}]");
        if !document.contains_key("id") {
            document.insert("id".into(), raw(&id())?);
        }
        inputs.push(input(limits, name.clone(), document)?);
        let own = if ranks { candidates(&name, document)? } else { Vec::new() };
        check_count(limits, "data and matches", inputs.len() + own.len())?;
        for (of, one) in own.iter().enumerate() {
            inputs.push(input(limits, format!("{name}.matches[{of}]"), one)?);
        }
        matches.push(own);
    }
    let open = state.shelves[0].current();
    let encoder = open.engine.shared_encoder();
    let probability = probability(encoder)?;
    let mut vectors = embed_all(state, encoder, &open, inputs).await?.into_iter();
    for (document, candidates) in documents.kept.iter_mut().zip(matches) {
        let own = vectors.next().expect("a vector for each document");
        document.insert("embedding".into(), raw(&own.vector)?);
        if ranks {
            let others: Vec<_> = vectors.by_ref().take(candidates.len()).collect();
            let others = matrix(&others);
            let scores = cosines(&own.vector, &others);
            let ranked = rank(candidates, &scores, &probability.of(&own.vector, &others))?;
            document.insert("matches".into(), raw(&ranked)?);
        }
    }
    Ok(())
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    serde_json::value::to_raw_value(value).map_err(Problem::internal)
}

/// What a document is to be compared with.
fn candidates(name: &str, document: &Document) -> Result<Vec<Document>, Problem> {
    let name = format!("{name}.matches");
    let matches = document.get("matches").map(|given| documents(&name, given)).transpose()?;
    match matches {
        // More than are kept are more than any limit.
        Some(matches) if matches.count > matches.kept.len() => {
            let detail = format!("{name}: there are {}", matches.count);
            Err(Problem::new(ProblemType::TooLarge, detail))
        }
        Some(matches) if matches.count > 0 => Ok(matches.kept),
        _ => Err(Problem::value(format!("{name}: there are none to be ranked"))),
    }
}

/// What a document holds: words, a picture in base64, or a data URI.
fn input(limits: &Limits, name: String, document: &Document) -> Result<Input, Problem> {
    let text = |key: &str| {
        let text: Option<String> =
            document.get(key).and_then(|t| serde_json::from_str(t.get()).ok());
        text.filter(|text| !text.is_empty())
    };
    if let Some(text) = text("text") {
        return Input::of_words(limits, &name, text);
    }
    if let Some(blob) = text("blob") {
        return Ok(Input { name, what: What::Picture(format!("data:;base64,{blob}")) });
    }
    if let Some(uri) = text("uri") {
        return Ok(Input { name, what: What::Picture(uri) });
    }
    let cure =
        "give `text`, `blob` (a picture in base64) or `uri` (a data URI); `tensor` is not taken";
    Err(Problem::value(format!("{name}: the document is empty: {cure}")))
}

/// Candidates in their order, with their scores.
fn rank(
    mut candidates: Vec<Document>,
    scores: &[f32],
    probabilities: &[f32],
) -> Result<Vec<Document>, Problem> {
    let mut ranked = Vec::with_capacity(candidates.len());
    for at in ranking(scores) {
        let mut one = std::mem::take(&mut candidates[at]);
        let own = json!({
            "clip_score": { "value": probabilities[at], "op_name": "softmax" },
            "clip_score_cosine": { "value": scores[at], "op_name": "cosine" },
        });
        one.insert("scores".into(), raw(&own)?);
        ranked.push(one);
    }
    Ok(ranked)
}

/// A failure as jina's gateway says it.
pub(super) fn failure(problem: &Problem) -> Value {
    let (_, name, _) = problem.kind.described();
    let exception =
        json!({ "name": name, "args": [problem.detail], "stacks": [], "executor": "tuwen" });
    let status = json!({ "code": 1, "description": problem.detail, "exception": exception });
    json!({ "header": { "requestId": id(), "status": status }, "routes": [], "data": [] })
}

/// A name that nothing else has.
fn id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let hash = blake3::hash(&[&count.to_le_bytes()[..], &since.to_le_bytes()].concat());
    hash.to_hex()[..32].to_owned()
}

/// The time in UTC, as jina writes it.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let second = i64::try_from(since.as_secs()).unwrap_or_default();
    format!("{}.{:06}+00:00", date_text(second), since.subsec_micros())
}
