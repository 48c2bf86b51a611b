//! The API's description: it names every route, the committed file is the one that the types make, and answers are
//! what it says.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, header};
use common::{Home, PICTURES, Server, data_uri, demo_picture, request};
use serde_json::{Value, json};
use tuwen_serve::{Settings, openapi};

/// Where routes are written down.
const SOURCES: [&str; 2] =
    [include_str!("../src/app.rs"), include_str!("../src/routes/compat/mod.rs")];
/// Not HTTP's questions and answers, but another protocol, which describes itself.
const OTHER_PROTOCOLS: [&str; 1] = ["/mcp"];
const METHODS: [&str; 3] = ["get", "post", "delete"];

/// Method and path of each question.
fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").clone();
        methods.into_iter().map(|(method, _)| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let mut routes = BTreeSet::new();
    for route in SOURCES.iter().flat_map(|source| source.split(".route(").skip(1)) {
        let path = route.split('"').nth(1).expect("a path").replace("{*", "{");
        // What follows on other lines is a layer's.
        let how = route.split("\n        .").next().expect("a route");
        let asked = METHODS.iter().filter(|method| how.contains(&format!("{method}(")));
        let asked: Vec<_> = asked.map(|method| (method.to_string(), path.clone())).collect();
        if !OTHER_PROTOCOLS.contains(&path.as_str()) {
            assert!(!asked.is_empty(), "{path}: how is it asked?");
            routes.extend(asked);
        }
    }
    assert_eq!(
        described(&openapi()),
        routes,
        "src/openapi/operations.rs has a line for each route"
    );
}

#[test]
fn the_committed_file_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let generated = openapi();
    if std::env::var_os("TUWEN_WRITE").is_some() {
        let text = serde_json::to_string_pretty(&generated).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("docs/openapi.json");
    }
    let text = std::fs::read_to_string(&path).expect("docs/openapi.json");
    let kept: Value = serde_json::from_str(&text).expect("JSON");
    assert!(
        kept == generated,
        "docs/openapi.json is not what the types say: look at what has changed for clients, then write it anew \
         with `TUWEN_WRITE=1 cargo test -p tuwen-serve --test openapi`"
    );
}

#[test]
fn the_server_sends_its_description_and_a_page_of_it() {
    let server = Home::new(&PICTURES[..1]).server();
    let answer = server.get("/openapi.json");
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json(), openapi());
    let again =
        request(Method::GET, "/openapi.json").header("if-none-match", answer.header("etag"));
    assert_eq!(server.ask(again.body(Body::empty()).expect("a request")).status, 304);
    let page = server.get("/docs");
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = String::from_utf8(page.body).expect("UTF-8");
    assert!(!text.contains("http:") && !text.contains("https:"), "it needs no network");
}

#[test]
fn every_kind_of_problem_leads_somewhere() {
    let source = include_str!("../src/problem.rs");
    let kinds = source.split_once("enum ProblemType {").and_then(|(_, rest)| rest.split_once('}'));
    let kinds = kinds.expect("the kinds").0.split(',').map(str::trim).filter(|k| !k.is_empty());
    let document = openapi();
    let listed = document["x-problems"].as_array().expect("a list");
    assert_eq!(listed.len(), kinds.count(), "ProblemType::ALL has every kind");
    let types: BTreeSet<&str> =
        listed.iter().map(|one| one["type"].as_str().expect("an address")).collect();
    assert_eq!(types.len(), listed.len());
    assert!(types.iter().all(|address| address.starts_with("/docs#problem-")));
    let used = document.to_string();
    let mut used = used.split('"').filter(|text| text.starts_with("/docs#problem-"));
    assert!(used.all(|address| types.contains(address)));
}

/// Whether a value is what a schema says; where it is not, where and why.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name} is named and not described");
        return check(document, schema, value, at);
    }
    let mut all = schema["allOf"].as_array().into_iter().flatten();
    all.try_for_each(|one| check(document, one, value, at))?;
    let any = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if any.is_some_and(|any| any.iter().all(|one| check(document, one, value, at).is_err())) {
        return Err(format!("{at}: {value} is none of {schema}"));
    }
    let is_type = |name: &Value| match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(is_type),
        one => is_type(one),
    };
    let listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    if !fits || !listed || schema.get("const").is_some_and(|one| one != value) {
        return Err(format!("{at}: {value} is not {schema}"));
    }
    for item in value.as_array().into_iter().flatten() {
        check(document, schema.get("items").unwrap_or(&Value::Bool(true)), item, at)?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().expect("a name")) {
            return Err(format!("{at}: {name} is not there: {value}"));
        }
    }
    // What an answer has and nobody knows of is missing in the description.
    let known = schema["properties"].as_object().filter(|_| schema.get("allOf").is_none());
    for (name, inner) in object {
        match known.map(|known| known.get(name)) {
            Some(Some(schema)) => check(document, schema, inner, &format!("{at}.{name}"))?,
            Some(None) if schema.get("type").is_none() => {}
            Some(None) => return Err(format!("{at}: {name} is not described: {value}")),
            None => {}
        }
    }
    Ok(())
}

/// Asks what the description shows as an example, or `body`, and compares the answer.
fn ask(server: &Server, method: &str, path: &str, uri: &str, body: Option<Value>) -> u16 {
    let document = openapi();
    let operation = &document["paths"][path][method];
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    let body = body.or(Some(example.clone()).filter(Value::is_object));
    let how: Method = method.to_ascii_uppercase().parse().expect("a method");
    let mut asked = request(how, uri);
    if body.is_some() {
        asked = asked.header(header::CONTENT_TYPE, "application/json");
    }
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    let answer = server.ask(asked.body(body).expect("a request"));
    let status = answer.status.as_u16();
    let said = &operation["responses"][status.to_string()];
    assert!(said.is_object(), "{method} {uri}: {status} is not described: {operation}");
    let media = answer.header("content-type").to_owned();
    let content = &said["content"];
    let mut known = content.as_object().into_iter().flatten().map(|(known, _)| known.as_str());
    let fits = |known: &str| known == media || known == "*/*" || known == "image/*";
    assert!(media.is_empty() || known.any(fits), "{method} {uri}: {media} in {said}");
    let schema = &content[&media]["schema"];
    if schema.is_object() {
        let checked = check(&document, schema, &answer.json(), "answer");
        checked.unwrap_or_else(|wrong| panic!("{method} {uri} {status}: {wrong}"));
    }
    status
}

#[test]
fn every_question_is_answered_as_described() {
    let home = Home::new(&PICTURES[..4]);
    let server = home.server_with(Settings { open_to_changes: true, ..Settings::default() });
    let folder = json!({ "path": home.path("旅行") });
    let kept = json!({ "image": data_uri(&demo_picture("cake.png")) });
    let kept = server.posted("/v1/pictures", &kept)["id"].as_str().expect("an id").to_owned();
    // Items are taken out last.
    for (method, path) in described(&openapi()).into_iter().rev() {
        let name = match path.as_str() {
            "/v1/models/{name}" => "tuwen-small",
            path if path.starts_with("/ui") => "app.js",
            _ => "ext",
        };
        let uri = path.replace("{name}", name);
        let uri = uri.replace("{id}", if path.starts_with("/v1/pictures") { &kept } else { "1" });
        let body = (path == "/v1/folders").then(|| folder.clone());
        let status = ask(&server, &method, &path, &uri, body);
        let right = match path.as_str() {
            "/v1/folders" => 202,
            // immich sends a form.
            "/predict" => 415,
            // Of a fresh state's models nobody has loaded any yet.
            "/ready" => status,
            _ => 200,
        };
        assert_eq!(status, right, "{method} {uri}");
    }
    let picture = data_uri(&demo_picture("dog_grass.png"));
    for (path, body) in [
        ("/v1/search", json!({ "image": picture, "fold": true, "kind": "text" })),
        ("/v1/search", json!({ "query": "dog", "words": "fuse", "where": "width > 1" })),
        (
            "/v1/caption",
            json!({ "like": 1, "languages": ["en"], "explain": true, "pictures": true }),
        ),
        ("/v1/embeddings", json!({ "input": picture, "encoding_format": "base64" })),
        ("/v1/similarity", json!({ "rows": ["dog", 1], "columns": [picture] })),
        (
            "/v1/items",
            json!({ "items": [
                { "name": "a.png", "image": picture },
                { "name": "b.png", "image": picture, "tags": ["\u{202e}"] },
            ] }),
        ),
    ] {
        assert_eq!(ask(&server, "post", path, path, Some(body)), 200, "{path}");
    }
    assert_eq!(ask(&server, "get", "/v1/items", "/v1/items?removed=true", None), 200);
    assert_eq!(ask(&server, "get", "/v1/jobs", "/v1/jobs", None), 200);
    let similar = "/v1/items/{id}/similar";
    assert_eq!(ask(&server, "get", similar, "/v1/items/x/similar", None), 404);
    assert_eq!(ask(&server, "get", similar, "/v1/items/1/similar?k=0", None), 400);
    let reading = home.server();
    assert_eq!(ask(&reading, "delete", "/v1/items", "/v1/items", None), 403);
}
