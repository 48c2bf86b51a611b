//! Questions as the clients of other programs ask them, and errors as these read them.

mod common;

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Answer, Home, PICTURES, Server, demo_picture, posting, request};
use serde_json::{Value, json};
use tuwen_serve::{Keys, Limits, Settings, Waiting};

/// Never written after it was made.
static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&PICTURES));

/// As `ClipClient` sends it: without a type.
fn bare(uri: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, uri).body(body.into()).expect("a request")
}

const GRASS: &str = "a dog on the grass";

fn cow() -> String {
    STANDARD.encode(demo_picture("cow.png"))
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number") as f32).collect()
}

fn embedded(server: &Server, input: &str) -> Vec<f32> {
    let answer = server.posted("/v1/embeddings", &json!({ "input": input }));
    numbers(&answer["data"][0]["embedding"])
}

fn near(one: &[f32], other: &[f32]) {
    assert_eq!(one.len(), other.len());
    let most = one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most < 1e-6, "{most}");
}

/// Checks an error's status, and that the key has a sentence about it.
fn is_error(answer: &Answer, status: u16, key: &str, says: &str) {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status.as_u16(), status, "{shown}");
    assert_eq!(answer.header("content-type"), "application/json", "{shown}");
    let said = answer.json()[key].as_str().map(str::to_owned);
    assert!(said.as_ref().is_some_and(|said| said.contains(says)), "{says}: {shown}");
}

/// A form of these parts.
fn form(parts: &[(&str, &[u8])]) -> Request<Body> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let file = if *name == "image" { "; filename=\"blob\"" } else { "" };
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--edge--\r\n");
    request(Method::POST, "/predict")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
        .body(body.into())
        .expect("a request")
}

/// What `ClipClient` sends around its query.
fn knn(more: Value) -> Value {
    let mut body = json!({
        "text": null, "image": null, "image_url": null, "embedding_input": null, "deduplicate": true,
        "use_safety_model": true, "use_violence_detector": true, "indice_name": "photos", "use_mclip": false,
        "aesthetic_score": 9, "aesthetic_weight": 0.5, "modality": "image", "num_images": 3, "num_result_ids": 5,
    });
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

#[test]
fn clip_retrievals_client_finds_by_words_pictures_and_vectors() {
    let (server, dog) = (HOME.server(), STANDARD.encode(demo_picture("dog_grass.png")));
    assert_eq!(server.got("/indices-list"), json!(["photos"]));
    for query in [
        json!({ "text": GRASS }),
        json!({ "text": "", "image": dog }),
        json!({ "embedding_input": embedded(&server, GRASS).iter().map(|v| 3.0 * v).collect::<Vec<f32>>() }),
        json!({ "text": GRASS, "indice_name": null, "deduplicate": false }),
    ] {
        let answer = server.ask(bare("/knn-service", knn(query.clone()).to_string()));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let answer = answer.json();
        let hits = answer.as_array().expect("a list");
        assert_eq!(hits.len(), 5, "{answer}");
        assert!(
            hits[0]["image_path"].as_str().expect("a path").ends_with("/dog_grass.png"),
            "{query}"
        );
        let scores: Vec<f64> =
            hits.iter().map(|hit| hit["similarity"].as_f64().expect("a number")).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        let jpeg = STANDARD.decode(hits[0]["image"].as_str().expect("a picture")).expect("base64");
        assert_eq!(tuwen_image::format(&jpeg), Some("jpeg"));
        assert!(hits[2].get("image").is_some() && hits[3].get("image").is_none(), "{answer}");
        assert!(hits[3]["id"].is_i64() && hits[3]["similarity"].is_number());
    }
    let search = server.posted("/v1/search", &json!({ "query": GRASS, "k": 5 }));
    let found = server.posted("/knn-service", &knn(json!({ "text": GRASS })));
    for (hit, own) in
        found.as_array().expect("a list").iter().zip(search["hits"].as_array().expect("hits"))
    {
        assert_eq!(hit["id"], own["id"]);
        let cosine = |value: &Value| value.as_f64().expect("a number");
        assert!((cosine(&hit["similarity"]) - cosine(&own["score"])).abs() < 1e-6);
    }
    let texts = server.posted(
        "/knn-service",
        &knn(json!({ "text": "a brown dog runs on grass", "modality": "text" })),
    );
    assert!(texts[0]["caption"].as_str().expect("a caption").contains("dog"), "{texts}");
    assert!(texts[0]["image"].is_string(), "{texts}");
}

#[test]
fn clip_retrievals_metadata_tells_what_is_known() {
    let server = HOME.server();
    let found = server.posted("/knn-service", &knn(json!({ "text": "a dog on the grass" })));
    let ids = [&found[0]["id"], &found[3]["id"]];
    let body = json!({ "ids": ids, "indice_name": "photos" });
    let answer = server.ask(bare("/metadata", body.to_string())).json();
    assert_eq!((&answer[0]["id"], &answer[1]["id"]), (ids[0], ids[1]));
    let known = &answer[0]["metadata"];
    assert_eq!(known["caption"], "A brown dog is running on the green grass.");
    assert_eq!((&known["width"], &known["format"]), (&256.into(), &"png".into()));
    assert!(known["image"].is_string(), "{answer}");
    assert_eq!(
        server.posted("/metadata", &json!({ "ids": [], "indice_name": "photos" })),
        json!([])
    );
    for (body, status, says) in [
        (json!({ "ids": [100_000], "indice_name": "photos" }), 404, "no item 100000"),
        (json!({ "ids": [1], "indice_name": "../.." }), 404, "only photos"),
        (json!({ "ids": ["1"] }), 400, "body:"),
        (json!({ "indice_name": "photos" }), 400, "ids"),
        (json!({ "ids": vec![1; 1001] }), 413, "1001"),
    ] {
        is_error(&server.post("/metadata", &body), status, "message", says);
    }
}

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
    is_error(&typed(header::ORIGIN, "http://evil.example"), 415, "message", "application/json");
}

#[test]
fn clip_as_services_clients_embed_and_rank() {
    let server = HOME.server();
    let body = json!({
        "data": [{ "text": "a cow" }, { "blob": cow(), "id": "mine", "tags": { "x": 1 } }],
        "execEndpoint": "/",
    });
    let answer = server.posted("/post", &body);
    assert_eq!(answer["header"]["execEndpoint"], "/");
    assert_eq!(answer["header"]["requestId"].as_str().expect("a name").len(), 32);
    assert_eq!(answer["routes"][1]["executor"], "tuwen");
    let began = answer["routes"][0]["startTime"].as_str().expect("a time");
    assert!(began.ends_with("+00:00") && began.len() == 32, "{began}");
    let data = answer["data"].as_array().expect("documents");
    near(&numbers(&data[0]["embedding"]), &embedded(&server, "a cow"));
    let picture = embedded(&server, &format!("data:image/png;base64,{}", cow()));
    near(&numbers(&data[1]["embedding"]), &picture);
    assert_eq!((&data[1]["id"], &data[1]["tags"]), (&"mine".into(), &json!({ "x": 1 })));
    assert_eq!(
        (data[0]["id"].as_str().expect("a name").len(), &data[0]["text"]),
        (32, &"a cow".into())
    );
    let dropped = json!({
        "data": { "docs": [{ "blob": cow() }] }, "exec_endpoint": "/encode",
        "parameters": { "drop_image_content": true },
    });
    assert!(server.posted("/post", &dropped)["data"][0].get("blob").is_none());
    let uri = format!("data:image/png;base64,{}", cow());
    let matches =
        json!([{ "text": "a bus" }, { "text": "a cow" }, { "text": "a guitar", "id": "g" }]);
    let body = json!({ "data": [{ "uri": uri, "matches": matches }], "execEndpoint": "/rank" });
    let answer = server.posted("/post", &body);
    let ranked = answer["data"][0]["matches"].as_array().expect("matches");
    assert_eq!(ranked[0]["text"], "a cow", "{answer}");
    let own = server
        .posted("/v1/rank", &json!({ "query": uri, "candidates": ["a bus", "a cow", "a guitar"] }));
    for (one, own) in ranked.iter().zip(own["ranked"].as_array().expect("a list")) {
        assert_eq!(one["scores"]["clip_score"]["value"], own["probability"]);
        assert_eq!(one["scores"]["clip_score_cosine"]["value"], own["score"]);
        assert!(one.get("embedding").is_none());
    }
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
fn text_embeddings_clients_embed_and_ask_for_the_limits() {
    let server = HOME.server();
    let one = server.posted("/embed", &json!({ "inputs": "a cow" }));
    near(&numbers(&one[0]), &embedded(&server, "a cow"));
    let body = json!({ "inputs": ["a bus", "a cow"], "truncate": false, "normalize": true, "prompt_name": null });
    let two = server.posted("/embed", &body);
    assert_eq!((two.as_array().expect("a list").len(), &two[1]), (2, &one[0]));
    let info = server.got("/info");
    assert_eq!(
        (&info["model_id"], &info["max_client_batch_size"]),
        (&"tuwen-small".into(), &256.into())
    );
    assert!(info["max_input_length"].as_u64().expect("a number") > 16, "{info}");
    let long = "a cow ".repeat(400);
    server.posted("/embed", &json!({ "inputs": long }));
    let many: Vec<String> = (0..1_000_000).map(|at| at.to_string()).collect();
    for (body, status, kind, says) in [
        (json!({ "inputs": [] }), 400, "Empty", "cannot be empty"),
        (
            json!({ "inputs": long, "truncate": false }),
            422,
            "Validation",
            "beyond the model's context",
        ),
        (json!({ "inputs": ["x", ""] }), 422, "Validation", "inputs[1]"),
        (json!({ "inputs": [[1, 2]] }), 422, "Validation", "token numbers are not taken"),
        (json!({ "inputs": "x", "normalize": false }), 422, "Validation", "normalize"),
        (
            json!({ "inputs": "x", "prompt_name": "query" }),
            422,
            "Validation",
            "no prompt \"query\"",
        ),
        (json!({ "inputs": "x", "truncation_direction": "left" }), 422, "Validation", "right"),
        (json!({ "inputs": "x", "dimensions": 3 }), 422, "Validation", "256"),
        (json!({}), 422, "Validation", "inputs"),
        (json!({ "inputs": many }), 413, "Validation", "1000000"),
    ] {
        let answer = server.post("/embed", &body);
        is_error(&answer, status, "error", says);
        assert_eq!(answer.json()["error_type"], kind);
    }
}

#[test]
fn an_immich_server_embeds_words_and_pictures() {
    let server = HOME.server();
    let ping = server.get("/ping");
    assert_eq!((ping.status.as_u16(), &ping.body[..]), (200, &b"pong"[..]));
    let textual =
        br#"{"clip":{"textual":{"modelName":"ViT-B-32__openai","options":{"language":"zh"}}}}"#;
    let answer = server.ask(form(&[("entries", textual), ("text", "一头牛".as_bytes())]));
    let answer = answer.json();
    let vector: Value =
        serde_json::from_str(answer["clip"].as_str().expect("a text")).expect("JSON");
    near(&numbers(&vector), &embedded(&server, "一头牛"));
    assert_eq!(answer.as_object().expect("an object").len(), 1);
    let visual = br#"{"clip":{"visual":{"modelName":"tuwen-small"}}}"#;
    let picture = demo_picture("cow.png");
    let answer = server.ask(form(&[("entries", visual), ("image", &picture)])).json();
    assert_eq!((&answer["imageWidth"], &answer["imageHeight"]), (&256.into(), &256.into()));
    let vector: Value =
        serde_json::from_str(answer["clip"].as_str().expect("a text")).expect("JSON");
    near(&numbers(&vector), &embedded(&server, &format!("data:image/png;base64,{}", cow())));
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
    is_error(&server.ask(Request::from_parts(parts, body)), 415, "detail", "page");
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
