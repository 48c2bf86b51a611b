//! A picture that is asked about is kept for a while under a name, so that an address can hold it; what is not kept any more
//! is said, and never another answer.

mod common;

use common::{Home, PICTURES, data_uri, demo_picture, names};
use serde_json::json;

#[test]
fn a_picture_is_the_same_query_by_its_name() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let sent = demo_picture("cake.png");
    let kept = server.posted("/v1/pictures", &json!({ "image": data_uri(&sent) }));
    let id = kept["id"].as_str().expect("an id").to_owned();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let again = server.posted("/v1/pictures", &json!({ "image": data_uri(&sent) }));
    assert_eq!(again["id"], id.as_str(), "of its content");
    let picture = server.get(&format!("/v1/pictures/{id}"));
    assert_eq!((picture.header("content-type"), &picture.body), ("image/png", &sent));
    assert!(picture.header("cache-control").starts_with("private"));
    let ask = |image: &str| server.posted("/v1/search", &json!({ "query": "red", "image": image }));
    let (named, whole) = (ask(&format!("picture:{id}")), ask(&data_uri(&sent)));
    assert_eq!(named["hits"], whole["hits"]);
    let alone = json!({ "image": format!("picture:{id}"), "k": 1 });
    assert_eq!(names(&server.posted("/v1/search", &alone)), ["cake.png"]);
    let labels = json!({ "image": format!("picture:{id}"), "labels": ["cake", "bus"] });
    assert_eq!(server.posted("/v1/classify", &labels)["labels"][0]["label"], "cake");
    assert!(!home.gallery().join("uploads").exists(), "a query leaves nothing behind");
}

#[test]
fn what_is_not_kept_any_more_is_said() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server();
    let id =
        server.posted("/v1/pictures", &json!({ "image": data_uri(&demo_picture("cake.png")) }));
    let named = format!("picture:{}", id["id"].as_str().expect("an id"));
    assert_eq!(server.post("/v1/search", &json!({ "image": named })).status, 200);
    // After a restart, or under the weight of many others.
    let later = home.server();
    for (uri, body) in [
        ("/v1/search", json!({ "image": named })),
        ("/v1/explain", json!({ "image": named, "text": "a dog" })),
        ("/v1/caption", json!({ "image": named })),
        ("/v1/search", json!({ "image": "picture:" })),
        ("/v1/search", json!({ "image": "picture:../../etc/passwd" })),
    ] {
        later.post(uri, &body).is_problem(404, "picture-gone", "image: the server does not have");
    }
    later.get(&format!("/v1/pictures/{}", &named[8..])).is_problem(
        404,
        "picture-gone",
        "send it again",
    );
    for (image, kind) in [
        (data_uri(b"<html><script>alert(1)</script></html>"), "invalid-picture"),
        ("x".to_owned(), "invalid-picture"),
        (named.clone(), "picture-gone"),
    ] {
        let status = if kind == "picture-gone" { 404 } else { 400 };
        later.post("/v1/pictures", &json!({ "image": image })).is_problem(status, kind, "image");
    }
}
