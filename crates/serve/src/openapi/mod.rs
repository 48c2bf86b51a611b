//! The API's description, OpenAPI 3.1: what is asked and how it is answered, from the types that are read and
//! written. `operations` is the table of questions, `shapes` are types that no question has of its own; here they
//! become one document, which `GET /openapi.json` sends, `GET /docs` shows, and `docs/openapi.json` keeps.

mod operation;
mod operations;
mod parameters;
mod shapes;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::response::Response;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::operation::{JSON, Operation};
pub(crate) use self::shapes::{
    DATA_URI, Documents, FieldValue, File, ItemKind, Match, OLD_TAG, PICTURE, TAG, Texts, Thing,
    WORDS,
};
use crate::keys::Scope;
use crate::problem::{Problem, ProblemType as P, type_of};
use crate::routes::compat;
use crate::ui;

/// `GET /openapi.json`
pub(crate) async fn openapi(headers: HeaderMap) -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    ui::kept(&headers, JSON, TEXT.as_bytes())
}

/// `GET /docs`
pub(crate) async fn docs(headers: HeaderMap) -> Result<Response, Problem> {
    ui::file("docs.html", &headers)
}

/// The description, as `GET /openapi.json` sends it.
pub fn document() -> Value {
    let mut makers = Makers::new();
    let mut paths = Map::new();
    for operation in operations::all() {
        let at = paths.entry(operation.path).or_insert_with(|| json!({}));
        at[operation.method] = makers.operation(&operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tuwen 图文",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "x-problems": problems(),
        "paths": paths,
        "components": {
            "schemas": makers.schemas(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": {
                    "type": "http", "scheme": "basic",
                    "description": "The key is the password, under any name",
                },
            },
        },
    })
}

/// Every `type` that a problem may have: also those that no question has of its own, as of what is no request.
fn problems() -> Vec<Value> {
    let one = |kind: P| {
        let (status, name, title) = kind.described();
        json!({ "type": type_of(name), "status": status.as_u16(), "title": title })
    };
    P::ALL.into_iter().map(one).collect()
}

const DESCRIPTION: &str = "Search in galleries of pictures by words in Chinese and English and by pictures. A key is \
    needed where the server has keys: one that reads, or one that writes where something is changed. Limits are \
    those of a server that was not told others.";

/// A question to a server says a schema otherwise than its answer does: what may be left out of the one is always
/// in the other.
struct Makers {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Makers {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
                settings.transforms.push(Box::new(parameters::bounds));
            })
        };
        Self {
            asked: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// All that have a name.
    fn schemas(mut self) -> Map<String, Value> {
        let mut schemas = self.asked.take_definitions(true);
        for (name, schema) in self.answered.take_definitions(true) {
            let twin = schemas.insert(name.clone(), schema.clone());
            assert!(twin.is_none_or(|twin| twin == schema), "two types are called {name}");
        }
        schemas
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let mut parameters = parameters::of_path(operation.path);
        if let Some(query) = operation.query {
            parameters.append(&mut parameters::of_query(query(&mut self.asked)));
        }
        let mut described = json!({
            "tags": [operation.tag],
            "summary": operation.summary,
            "operationId": name_of(operation),
            "responses": self.answers(operation),
            "security": match operation.scope {
                Some(scope) => {
                    let scope = if scope == Scope::Write { "write" } else { "read" };
                    json!([{ "bearer": [scope] }, { "basic": [scope] }])
                }
                None => json!([]),
            },
        });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(body) = &operation.body {
            let mut content = json!({ "schema": (body.made)(&mut self.asked) });
            if let Some(example) = &body.example {
                content["example"] = example.clone();
            }
            described["requestBody"] =
                json!({ "required": true, "content": { body.media: content } });
        }
        described
    }

    fn answers(&mut self, operation: &Operation) -> Map<String, Value> {
        let mut answers = Map::new();
        for answer in &operation.answers {
            let mut described = json!({ "description": answer.description });
            if let Some((media, made)) = answer.content {
                let schema = made.map(|made| made(&mut self.answered));
                let content = schema.map_or(json!({}), |schema| json!({ "schema": schema }));
                described["content"] = json!({ media: content });
            }
            answers.insert(answer.status.as_str().into(), described);
        }
        let mut all = vec![P::WrongHost, P::Busy, P::Internal, P::Deadline];
        all.extend(operation.scope.map(|_| P::Unauthorised));
        all.extend(&operation.problems);
        let mut by_status: BTreeMap<u16, Vec<P>> = BTreeMap::new();
        for kind in all {
            let said = compat::said(operation.path, kind).map(|(status, _)| status);
            let of_status =
                by_status.entry(said.unwrap_or(kind.described().0).as_u16()).or_default();
            if !of_status.contains(&kind) {
                of_status.push(kind);
            }
        }
        for (status, kinds) in by_status {
            let described = match compat::said(operation.path, kinds[0]) {
                Some((_, body)) => in_their_words(&kinds, &body),
                None => self.problem(&kinds),
            };
            answers.insert(status.to_string(), described);
        }
        answers
    }

    /// The answer that says one of some problems.
    fn problem(&mut self, kinds: &[P]) -> Value {
        let problem = self.answered.subschema_for::<shapes::Problem>();
        let kinds_named: Vec<_> = kinds.iter().map(|kind| type_of(kind.described().1)).collect();
        let one_of = json!({ "properties": { "type": { "enum": kinds_named } } });
        let schema = json!({ "allOf": [problem, one_of] });
        let mut described = json!({
            "description": titles(kinds),
            "content": { "application/problem+json": { "schema": schema } },
        });
        let headers = headers(kinds);
        if !headers.is_empty() {
            described["headers"] = headers.into();
        }
        described
    }
}

/// The same as another program says it; what keys it has is seen from what it would say.
fn in_their_words(kinds: &[P], body: &Value) -> Value {
    let keys: Vec<&String> = body.as_object().map(|body| body.keys().collect()).unwrap_or_default();
    let schema = json!({ "type": "object", "required": keys });
    json!({ "description": titles(kinds), "content": { JSON: { "schema": schema } } })
}

fn titles(kinds: &[P]) -> String {
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.described().2).collect();
    titles.join("; ")
}

fn headers(kinds: &[P]) -> Map<String, Value> {
    let named = |name: &str, what: &str, schema: Value| {
        (name.to_owned(), json!({ "description": what, "schema": schema }))
    };
    let header = |kind: &P| match kind {
        P::Busy | P::NotReady | P::Locked => {
            let schema = json!({ "type": "integer" });
            Some(named("Retry-After", "Seconds after which to ask again", schema))
        }
        P::Unauthorised => {
            Some(named("WWW-Authenticate", "How to send a key", json!({ "type": "string" })))
        }
        _ => None,
    };
    kinds.iter().filter_map(header).collect()
}

/// A name for programs, as `get_v1_items_id`.
fn name_of(operation: &Operation) -> String {
    let path = operation.path.replace(['{', '}'], "");
    let parts = path.split(['/', '-', '.']).filter(|part| !part.is_empty());
    let parts: Vec<&str> = std::iter::once(operation.method).chain(parts).collect();
    parts.join("_")
}
