//! What is refused and remarked is said in Chinese to who asks for that, with all its values; in English to everybody else.

mod common;

use axum::body::Body;
use axum::http::{Method, header};
use common::{Answer, Home, PICTURES, Server, data_uri, request};
use serde_json::{Value, json};
use tuwen_serve::Settings;

/// Asks as a Chinese browser does.
fn ask(server: &Server, method: Method, uri: &str, body: Option<&Value>) -> Answer {
    let request = request(method, uri)
        .header(header::ACCEPT_LANGUAGE, "zh-CN,zh;q=0.9,en;q=0.5")
        .header(header::CONTENT_TYPE, "application/json");
    let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
    server.ask(request.body(body).expect("a request"))
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// What must stand in both: numbers, and what is between the marks of code and of values.
fn values(text: &str) -> Vec<String> {
    let quoted = |mark: char| text.split(mark).skip(1).step_by(2).map(str::to_owned);
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let mut values: Vec<String> = numbers.map(str::to_owned).collect();
    values.extend(quoted('`').chain(quoted('"')));
    values.sort_unstable();
    values
}

#[test]
fn problems_are_said_in_chinese_with_their_values() {
    let home = Home::new(&PICTURES[..3]);
    let server = home.server_with(Settings { open_to_changes: true, ..Settings::default() });
    let text = server.got("/v1/items?kind=text")["hits"][0]["id"].clone();
    std::fs::remove_file(home.path("旅行/cat_sofa.png")).expect("a file");
    let gone = server.got("/v1/items?where=name=cat_sofa")["hits"][0]["id"].clone();
    let posts = [
        ("/v1/search", json!({})),
        ("/v1/search", json!({ "query": "a dog", "k": 0 })),
        ("/v1/search", json!({ "query": "a dog", "offset": 100_001 })),
        ("/v1/search", json!({ "query": "a dog", "cursor": "x" })),
        ("/v1/search", json!({ "query": "a dog", "where": "year >= AND" })),
        ("/v1/search", json!({ "query": "a dog", "where": "width = wide" })),
        ("/v1/search", json!({ "query": "a dog", "where": "width contains 3" })),
        ("/v1/search", json!({ "query": "a dog", "where": "yaer = 2020" })),
        ("/v1/search", json!({ "query": "a dog", "where": "colour = 3" })),
        ("/v1/search", json!({ "query": "width:>=wide" })),
        ("/v1/search", json!({ "query": "kind:video" })),
        ("/v1/search", json!({ "query": "image:a.png" })),
        ("/v1/search", json!({ "query": "x".repeat(9_000) })),
        ("/v1/search", json!({ "query": "a dog", "gallery": "holidays" })),
        ("/v1/search", json!({ "query": "a dog", "not": vec!["x"; 17] })),
        ("/v1/search", json!({ "image": "data:image/png;base64,AAAA" })),
        ("/v1/search", json!({ "image": "data:image/png;base64,!" })),
        ("/v1/search", json!({ "image": "/etc/passwd" })),
        ("/v1/search", json!({ "image": "http://127.0.0.1/a.png" })),
        ("/v1/search", json!({ "like": 999 })),
        ("/v1/search", json!({ "query": "a dog", "sort": "date", "rerank": "late:5" })),
        ("/v1/search", json!({ "like": gone, "explain": true })),
        ("/v1/search", json!({ "query": "a dog", "threshold": 9 })),
        ("/v1/search", json!({ "query": "a dog", "cursor": "1-2", "offset": 2 })),
        ("/v1/search", json!({ "query": "a dog", "not": [""] })),
        ("/v1/search", json!({ "query": "a dog", "kind": "fused" })),
        ("/v1/search", json!({ "query": "a dog", "rerank": "best:3" })),
        ("/v1/search", json!({ "query": "a dog", "rerank": "itm" })),
        ("/v1/search", json!({ "words": "exact", "query": "-dog" })),
        ("/v1/explain", json!({ "text": "a dog" })),
        ("/v1/explain", json!({ "like": 1 })),
        ("/v1/explain", json!({ "like": 1, "query": "-cat" })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "rivals": [1] })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "rivals": vec![2; 101] })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "score": "late", "rivals": [2] })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "against": "a dog" })),
        (
            "/v1/explain",
            json!({ "like": 1, "text": "a dog", "against": "a cat", "method": "rollout" }),
        ),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "method": "lime", "samples": 9 })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "method": "shap", "samples": 9 })),
        ("/v1/explain", json!({ "like": 1, "text": "a dog", "method": "fixlip", "samples": 9 })),
        ("/v1/caption", json!({})),
        ("/v1/caption", json!({ "like": 1, "languages": ["fr"] })),
        ("/v1/caption", json!({ "like": 1, "candidates": 99 })),
        ("/v1/caption", json!({ "like": 1, "samples": 9 })),
        ("/v1/classify", json!({ "input": "a dog", "labels": [] })),
        ("/v1/classify", json!({ "input": "a dog", "labels": ["a", "a"] })),
        ("/v1/classify", json!({ "input": "a dog", "labels": ["", "a"] })),
        ("/v1/similarity", json!({ "pairs": [], "rows": [] })),
        ("/v1/similarity", json!({ "rows": vec!["x"; 300] })),
        ("/v1/rank", json!({ "query": "a dog", "candidates": [] })),
        ("/v1/items", json!({ "items": [] })),
        ("/v1/items/tags", json!({ "ids": [1] })),
        ("/v1/items/tags", json!({ "ids": [1], "add": [""] })),
        ("/v1/items/restore", json!({ "ids": [1], "all": true })),
        ("/v1/folders", json!({ "path": "photos" })),
        ("/v1/folders", json!({ "path": "/no/such/folder" })),
    ];
    let gets = [
        "/v2".to_owned(),
        "/ui/none.js".to_owned(),
        "/v1/search".to_owned(),
        "/v1/items/x".to_owned(),
        "/v1/items/999".to_owned(),
        format!("/v1/items/{gone}/image"),
        format!("/v1/items/{text}/image"),
        "/v1/items/1/thumbnail?side=9000".to_owned(),
        "/v1/items?removed=true&kind=text".to_owned(),
    ];
    let posts = posts.iter().map(|(uri, body)| (Method::POST, (*uri).to_owned(), Some(body)));
    let gets = gets.into_iter().map(|uri| (Method::GET, uri, None));
    let mut english_left = Vec::new();
    for (method, uri, body) in posts.chain(gets) {
        let english = match body {
            Some(body) => server.post(&uri, body),
            None => server.get(&uri),
        };
        assert!(english.status.is_client_error(), "{uri} {body:?}");
        let chinese = ask(&server, method, &uri, body);
        let english = english.json();
        assert_eq!(chinese.header("content-language"), "zh", "{uri}");
        assert_eq!(chinese.header("content-type"), "application/problem+json");
        let chinese = chinese.json();
        for key in ["type", "status"] {
            assert_eq!(chinese[key], english[key], "{uri}");
        }
        for key in ["title", "detail"] {
            let [said, was] = [&chinese, &english].map(|json| json[key].as_str().expect("a text"));
            assert!(!is_chinese(&was.replace("旅行", "")), "{was}");
            assert_eq!(values(said), values(was), "{said} / {was}");
            if !is_chinese(&said.replace("旅行", "")) {
                english_left.push(was.to_owned());
            }
        }
    }
    assert_eq!(english_left, Vec::<String>::new());
}

#[test]
fn remarks_and_what_became_of_things_are_said_in_chinese_too() {
    let home = Home::new(&PICTURES[..3]);
    let server = home.server_with(Settings { open_to_changes: true, ..Settings::default() });
    for query in ["a dog yaer:2020", "a dog colour:red", "width:300..200", "camera:sony", "ext:jpg"]
    {
        let body = json!({ "query": query });
        let said = ask(&server, Method::POST, "/v1/search", Some(&body)).json();
        let was = server.posted("/v1/search", &body);
        let first = |answer: &Value| answer["remarks"][0].as_str().expect("a remark").to_owned();
        assert!(is_chinese(&first(&said)) && !is_chinese(&first(&was)), "{said}");
        assert_eq!(values(&first(&said)), values(&first(&was)));
        assert_eq!(said["hits"], was["hits"], "one answer in two languages");
    }
    let body = json!({ "items": [{ "name": "a.png", "image": data_uri(b"no picture") }] });
    let said = ask(&server, Method::POST, "/v1/items", Some(&body)).json();
    let detail = said["items"][0]["detail"].as_str().expect("a detail");
    assert!(is_chinese(detail), "{detail}");
    let keyless = ask(&home.server(), Method::POST, "/v1/items", Some(&body)).json();
    assert!(is_chinese(keyless["detail"].as_str().expect("a detail")), "{keyless}");
}

#[test]
fn other_programs_refusals_are_said_in_chinese_too() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server();
    let asks = [
        ("/v1/embeddings", json!({ "input": [] }), "/error/message"),
        ("/v1/embeddings", json!({ "input": "a dog", "dimensions": 7 }), "/error/message"),
        ("/v1/embeddings", json!({ "input": [[1, 2]] }), "/error/message"),
        ("/knn-service", json!({ "text": "a dog", "num_images": 0 }), "/message"),
        ("/knn-service", json!({}), "/message"),
        ("/metadata", json!({ "ids": vec![1; 100_000] }), "/message"),
        ("/embed", json!({ "inputs": "a dog", "normalize": false }), "/error"),
        ("/post", json!({ "execEndpoint": "/index", "data": [] }), "/header/status/description"),
    ];
    for (uri, body, place) in asks {
        let english = server.post(uri, &body);
        let chinese = ask(&server, Method::POST, uri, Some(&body));
        assert_eq!((chinese.status, chinese.header("content-language")), (english.status, "zh"));
        let [said, was] = [&chinese, &english].map(Answer::json);
        let [said, was] = [&said, &was].map(|json| json.pointer(place).and_then(Value::as_str));
        let (said, was) = (said.expect(uri), was.expect(uri));
        assert!(is_chinese(said) && !is_chinese(was), "{uri}: {was} / {said}");
        assert_eq!(values(said), values(was), "{uri}");
    }
}
