//! What the clients of other programs are refused, in their own words.

mod common;

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use common::clients::{bare, form, is_error, knn};
use common::{Home, PICTURES, posting, request};
use serde_json::json;
use tuwen_serve::{Keys, Limits, Settings, Waiting};

/// Never written after it was made.
static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&PICTURES));

#[test]
fn clip_retrievals_refusals_are_messages() {
    let server = HOME.server();
    for (more, status, says) in [
        (json!({}), 400, "nothing to search for"),
        (
            json!({ "image_url": "http://127.0.0.1/x.png" }),
            400,
            "image_url: addresses are not fetched",
        ),
        (json!({ "image": "*" }), 400, "base64 is broken"),
        (json!({ "image": "AAEC" }), 400, "image:"),
        (json!({ "image": "/etc/passwd" }), 400, "image:"),
        (json!({ "embedding_input": [1.0] }), 400, "it has 1 numbers, and the model's vectors 256"),
        (json!({ "embedding_input": vec![0.0; 256] }), 400, "its length is 0"),
        (json!({ "embedding_input": vec![1e30; 256] }), 400, "its length is inf"),
        (json!({ "embedding_input": vec!["x"; 256] }), 400, "body:"),
        (json!({ "text": "x", "modality": "video" }), 400, "video"),
        (json!({ "text": "x", "num_images": 0 }), 400, "num_images: 0"),
        (json!({ "text": "x", "num_images": 1_000_000_000 }), 400, "num_images: 1000000000"),
        (json!({ "text": "x", "num_images": -1 }), 400, "body:"),
        (json!({ "text": "x", "num_result_ids": 1_000_000_000 }), 400, "num_result_ids"),
        (json!({ "text": "x", "indice_name": "laion5B" }), 404, "only photos"),
        (json!({ "text": "x".repeat(9000) }), 413, "text: it has 9000 characters"),
    ] {
        is_error(&server.post("/knn-service", &knn(more)), status, "message", says);
    }
    is_error(&server.ask(bare("/knn-service", "{")), 400, "message", "body:");
    is_error(&server.get("/knn-service"), 405, "message", "GET");
    let typed = |name: header::HeaderName, value: &str| {
        let asked = request(Method::POST, "/knn-service").header(name, value);
        server.ask(asked.body(knn(json!({ "text": "x" })).to_string().into()).expect("a request"))
    };
    is_error(&typed(header::CONTENT_TYPE, "text/plain"), 415, "message", "application/json");
    is_error(&typed(header::ORIGIN, "http://evil.example"), 403, "message", "own pages");
}

#[test]
fn clip_as_services_refusals_stand_in_the_header() {
    let server = HOME.server();
    let wide = json!([{ "text": "x", "matches": vec![json!({ "text": "y" }); 256] }]);
    for (data, endpoint, status, says) in [
        (json!([{ "text": "x" }]), "/index", 400, "no \"index\""),
        (json!([{ "text": "x" }]), "/../rank", 400, "no \"../rank\""),
        (json!([]), "/", 400, "data: 0"),
        (json!([{}]), "/", 400, "data[0]: the document is empty"),
        (json!([{ "tensor": [1] }]), "/", 400, "`tensor` is not taken"),
        (json!([{ "uri": "https://example.org/x.png" }]), "/", 400, "addresses are not fetched"),
        (json!([{ "uri": "file:///etc/passwd" }]), "/", 400, "data[0]"),
        (json!([{ "blob": "AAEC" }]), "/", 400, "data[0]"),
        (json!([{ "text": "x" }]), "/rank", 400, "matches: there are none"),
        (json!([{ "text": "x", "matches": [3] }]), "/rank", 400, "data[0].matches: invalid type"),
        (json!("x"), "/", 400, "data: invalid type"),
        (wide, "/rank", 413, "257"),
    ] {
        let answer = server.post("/post", &json!({ "data": data, "execEndpoint": endpoint }));
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        let failed = answer.json()["header"]["status"].clone();
        assert_eq!(failed["code"], 1, "{shown}");
        assert!(failed["description"].as_str().expect("a sentence").contains(says), "{shown}");
        assert_eq!(answer.json()["data"], json!([]));
    }
    let many = format!(r#"{{"data":[{}{{}}]}}"#, r#"{"text":"x"},"#.repeat(999_999));
    let answer = server.post_text("/post", many);
    let said = answer.json()["header"]["status"]["description"].as_str().map(str::to_owned);
    assert_eq!(answer.status, 413);
    assert!(said.is_some_and(|said| said.contains("1000000")));
}

#[test]
fn what_an_immich_server_cannot_have_is_named() {
    let server = HOME.server();
    let (textual, visual) = (
        &br#"{"clip":{"textual":{"modelName":"x"}}}"#[..],
        &br#"{"clip":{"visual":{"modelName":"x"}}}"#[..],
    );
    let faces = br#"{"facial-recognition":{"detection":{"modelName":"x","options":{}}}}"#;
    for (parts, status, says) in [
        (
            vec![("entries", &faces[..]), ("image", b"x")],
            400,
            "\"facial-recognition\" is not supported",
        ),
        (vec![("entries", br#"{"ocr":{}}"#), ("image", b"x")], 400, "\"ocr\""),
        (vec![("entries", br#"{"clip":{"x":{}}}"#), ("text", b"x")], 400, "\"x\" is no type"),
        (vec![("entries", br#"{"clip":{"textual":{}}}"#), ("text", b"x")], 400, "modelName"),
        (vec![("entries", b"{}"), ("text", b"x")], 400, "no task"),
        (vec![("entries", b"["), ("text", b"x")], 400, "entries"),
        (vec![("entries", &[b'['; 20_000]), ("text", b"x")], 400, "16384 bytes"),
        (vec![("text", b"x")], 400, "entries: there are none"),
        (vec![("entries", textual)], 400, "`textual` needs a text"),
        (vec![("entries", textual), ("text", b" ")], 400, "text: the text is empty"),
        (vec![("entries", textual), ("image", b"x")], 400, "text"),
        (vec![("entries", visual), ("text", b"x")], 400, "`visual` needs a picture"),
        (vec![("entries", visual), ("image", b"no picture")], 400, "image:"),
        (vec![("entries", visual), ("image", b"")], 400, "image:"),
        (vec![("entries", textual), ("text", b"\xff\xfe")], 400, "no UTF-8"),
    ] {
        is_error(&server.ask(form(&parts)), status, "detail", says);
    }
    let wrong = |kind: &str, body: &'static str| {
        let asked = request(Method::POST, "/predict").header(header::CONTENT_TYPE, kind);
        server.ask(asked.body(body.into()).expect("a request"))
    };
    is_error(&wrong("application/json", "{}"), 415, "detail", "multipart/form-data");
    is_error(&wrong("multipart/form-data", "x"), 400, "detail", "form");
    is_error(&wrong("multipart/form-data; boundary=x", "--x\r\nnonsense"), 400, "detail", "form");
    let page = form(&[("entries", textual), ("text", b"x")]);
    let (mut parts, body) = page.into_parts();
    parts.headers.insert(header::ORIGIN, "http://evil.example".parse().expect("a header"));
    is_error(&server.ask(Request::from_parts(parts, body)), 403, "detail", "own pages");
    let limits = Limits { body: 10_000, ..Limits::default() };
    let small = HOME.server_with(Settings { limits, ..Settings::default() });
    let large = form(&[("entries", visual), ("image", &vec![0; 20_000])]);
    is_error(&small.ask(large), 413, "detail", "10000 bytes");
    is_error(&small.post_text("/embed", "x".repeat(10_001)), 413, "error", "10000 bytes");
}

#[test]
fn guards_speak_each_programs_words() {
    let file = HOME.path("keys-of-clients");
    std::fs::write(&file, "read:0123456789abcdef\n").expect("a file");
    let keys = Some(Keys::read(&file).expect("keys"));
    let server = HOME.server_with(Settings { keys, ..Settings::default() });
    is_error(&server.get("/indices-list"), 401, "message", "Bearer");
    is_error(&server.get("/info"), 401, "error", "Bearer");
    let ping = server.get("/ping");
    is_error(&ping, 401, "detail", "Bearer");
    assert!(ping.header("www-authenticate").starts_with("Basic"));
    let posted = server.post("/post", &json!({ "data": [] }));
    assert_eq!(
        (posted.status.as_u16(), &posted.json()["header"]["status"]["code"]),
        (401, &1.into())
    );
    server.get("/v1/stats").is_problem(401, "unauthorised", "Bearer");
    let slow = Settings { deadline: Duration::from_nanos(1), ..Settings::default() };
    is_error(
        &HOME.server_with(slow).post("/embed", &json!({ "inputs": "a dog" })),
        504,
        "error",
        "ask for less",
    );
    let other = Request::builder().uri("/indices-list").header(header::HOST, "evil.example");
    let other = HOME.server().ask(other.body(Body::empty()).expect("a request"));
    is_error(&other, 421, "message", "--host NAME");
}

#[test]
fn a_stuffed_queue_refuses_them_as_well() {
    let waiting = Waiting { texts: 1, ..Waiting::default() };
    let server = HOME.server_with(Settings { waiting, ..Settings::default() });
    let one =
        |at: usize| posting("/embed", json!({ "inputs": format!("number {at}") }).to_string());
    let answers = server.ask_all((0..64).map(one).collect());
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < 64, "{} of 64 refused", refused.len());
    for answer in refused {
        is_error(answer, 429, "error", "again after a second");
        assert_eq!(answer.json()["error_type"], "Overloaded");
        assert_eq!(answer.header("retry-after"), "1");
    }
    server.posted("/embed", &json!({ "inputs": "and then" }));
}
