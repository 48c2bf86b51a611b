//! What an assistant gets over HTTP: the tools that it may use, pictures and what is known of them.

mod common;

use axum::body::Body;
use axum::http::{Method, header};
use common::{Answer, Home, PICTURES, Server, request};
use serde_json::{Value, json};
use tuwen_serve::{Keys, Settings};

/// Calls a method of the protocol and returns the whole answer.
fn call(server: &Server, key: Option<&str>, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut request = request(Method::POST, "/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let answer = server.ask(request.body(Body::from(body.to_string())).expect("a request"));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn tool(server: &Server, name: &str, arguments: Value) -> Value {
    let answer = call(server, None, "tools/call", json!({ "name": name, "arguments": arguments }));
    answer["result"].clone()
}

fn text(result: &Value) -> Value {
    let text = result["content"][0]["text"].as_str().expect("a text first");
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn tools(server: &Server, key: Option<&str>) -> Vec<String> {
    let answer = call(server, key, "tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().expect("tools").clone();
    for tool in &tools {
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 20), "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    let mut names: Vec<String> =
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

const READING: [&str; 3] = ["describe_gallery", "search_images", "similar"];

#[test]
fn an_assistant_finds_pictures_and_sees_them() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let hello = call(&server, None, "initialize", hello);
    assert_eq!(hello["result"]["serverInfo"]["name"], "tuwen", "{hello}");
    assert_eq!(tools(&server, None), READING);
    let found = tool(&server, "search_images", json!({ "query": "一辆公共汽车", "k": 2 }));
    let told = text(&found);
    assert_eq!(told["hits"][0]["name"], "bus.png", "{told}");
    assert_eq!(told["hits"].as_array().map(Vec::len), Some(2));
    let pictures: Vec<&Value> = found["content"].as_array().expect("content")[1..].iter().collect();
    assert_eq!(pictures.len(), 2);
    assert!(pictures.iter().all(|p| p["type"] == "image" && p["mimeType"] == "image/jpeg"));
    let id = told["hits"][0]["id"].clone();
    let like = text(&tool(&server, "similar", json!({ "id": id, "k": 3 })));
    assert!(like["hits"].as_array().expect("hits").iter().all(|hit| hit["id"] != id), "{like}");
    let about = text(&tool(&server, "describe_gallery", json!({})));
    assert_eq!((&about["images"], &about["gallery"]), (&json!(8), &json!("photos")));
    assert!(about["fields"].as_array().is_some_and(|fields| !fields.is_empty()), "{about}");
}

#[test]
fn what_an_assistant_does_wrong_is_said_to_it() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server();
    for (name, arguments, says) in [
        ("search_images", json!({ "query": " " }), "empty"),
        ("search_images", json!({ "query": "a dog", "k": 21 }), "between 1 and 20"),
        ("search_images", json!({ "query": "a dog", "where": "year >" }), "where"),
        ("search_images", json!({ "query": "a dog", "gallery": "other" }), "photos"),
        ("similar", json!({ "id": 99 }), "99"),
        ("add_folder", json!({ "path": "/" }), "write"),
    ] {
        let result = tool(&server, name, arguments);
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains(says), "{name}: {text}");
    }
    let body = r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rm", "arguments": {}}}"#;
    let request = request(Method::POST, "/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    let answer = server.ask(request.body(Body::from(body)).expect("a request")).json();
    assert_eq!(
        answer["error"]["message"],
        "there is no tool `rm`, only describe_gallery, search_images, similar"
    );
    let answer = call(&server, None, "resources/list", json!({}));
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32_601), &json!(1)), "{answer}");
    let said = answer["error"]["message"].as_str().expect("a message");
    assert!(said.contains("no method `resources/list`, only initialize, ping, "), "{said}");
    for params in [json!({}), json!({ "protocolVersion": 3 }), json!([])] {
        let answer = call(&server, None, "initialize", params);
        assert_eq!(answer["error"]["code"], -32_602, "{answer}");
        let said = answer["error"]["message"].as_str().expect("a message");
        assert!(said.contains("`protocolVersion`, `capabilities`"), "{said}");
    }
}

/// Sends a body and returns what comes back.
fn send(server: &Server, headers: &[(header::HeaderName, &str)], body: &str) -> Answer {
    let mut request = request(Method::POST, "/mcp");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    server.ask(request.body(Body::from(body.to_owned())).expect("a request"))
}

#[test]
fn what_is_no_message_is_refused_in_the_protocols_words() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server();
    let json_kind = (header::CONTENT_TYPE, "application/json");
    let accept = (header::ACCEPT, "application/json, text/event-stream");
    for (body, code, id, says) in [
        ("{\"jsonrpc\": ", -32_700, Value::Null, "Parse error"),
        ("nothing", -32_700, Value::Null, "Parse error"),
        ("3", -32_600, Value::Null, "an object"),
        ("[]", -32_600, Value::Null, "one message at a time"),
        ("{\"id\": 7, \"method\": \"ping\"}", -32_600, json!(7), "`jsonrpc` is nothing"),
        ("{\"jsonrpc\": \"2.0\", \"id\": \"a\"}", -32_600, json!("a"), "`method`"),
        ("{\"jsonrpc\": \"2.0\", \"id\": [1]}", -32_600, Value::Null, "`method`"),
    ] {
        let answer = send(&server, &[json_kind.clone(), accept.clone()], body);
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (400, "application/json")
        );
        let answer = answer.json();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &id), "{body}: {answer}");
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(says), "{body}: {message}");
        assert!(!message.contains("enum") && !message.contains("JsonRpc"), "{message}");
    }
    let plain = (header::CONTENT_TYPE, "text/plain");
    send(&server, &[plain, accept.clone()], "{}").is_problem(415, "media-type", "application/json");
    let one = send(&server, &[json_kind, (header::ACCEPT, "text/html")], PING);
    one.is_problem(406, "not-acceptable", "text/event-stream");
    let get = server.get("/mcp");
    get.is_problem(405, "method-not-allowed", "POST");
    assert_eq!(get.header("allow"), "POST");
    let wrong = tool(&server, "search_images", json!({ "query": "a dog", "k": "ten" }));
    let text = wrong["content"][0]["text"].as_str().expect("a text");
    assert!(text.starts_with("arguments: ") && text.contains("a whole number"), "{wrong}");
    assert!(!text.contains("usize") && !text.contains("deserialize"), "{wrong}");
}

const PING: &str = r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#;

#[test]
fn only_who_may_write_is_offered_to_add_folders() {
    let home = Home::new(&PICTURES[..1]);
    let file = home.path("keys");
    std::fs::write(&file, "read:0123456789abcdef\nwrite:fedcba9876543210\n").expect("a file");
    let keys = Some(Keys::read(&file).expect("keys"));
    let server = home.server_with(Settings { keys, ..Settings::default() });
    assert_eq!(tools(&server, Some("0123456789abcdef")), READING);
    let mut all = READING.to_vec();
    all.insert(0, "add_folder");
    assert_eq!(tools(&server, Some("fedcba9876543210")), all);
    let answer = server.ask(
        request(Method::POST, "/mcp")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .expect("a request"),
    );
    assert_eq!(answer.status, 401);
}
