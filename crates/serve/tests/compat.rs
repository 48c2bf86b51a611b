//! Questions as the clients of other programs ask them.

mod common;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::clients::{bare, form, is_error, knn};
use common::{Home, PICTURES, Server, demo_picture};
use serde_json::{Value, json};

/// Never written after it was made.
static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&PICTURES));

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
