//! What the clients of other programs send, and errors as they read them.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use super::{Answer, request};

/// As `ClipClient` sends it: without a type.
pub fn bare(uri: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, uri).body(body.into()).expect("a request")
}

/// Checks an error's status, and that the key has a sentence about it.
pub fn is_error(answer: &Answer, status: u16, key: &str, says: &str) {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status.as_u16(), status, "{shown}");
    assert_eq!(answer.header("content-type"), "application/json", "{shown}");
    let said = answer.json()[key].as_str().map(str::to_owned);
    assert!(said.as_ref().is_some_and(|said| said.contains(says)), "{says}: {shown}");
}

/// A form of these parts.
pub fn form(parts: &[(&str, &[u8])]) -> Request<Body> {
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
pub fn knn(more: Value) -> Value {
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
