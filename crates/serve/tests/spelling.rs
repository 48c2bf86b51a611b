//! One spelling of tags and harmless names of uploads, and changes that change nothing.

mod common;

use axum::body::Body;
use axum::http::{Method, header};
use common::{Answer, Home, PICTURES, Server, data_uri, demo_picture, request};
use serde_json::{Value, json};
use tuwen_index::Gallery;
use tuwen_serve::Settings;

fn open() -> Settings {
    Settings { open_to_changes: true, ..Settings::default() }
}

fn send(server: &Server, method: Method, uri: &str, body: &Value) -> Answer {
    let request = request(method, uri).header(header::CONTENT_TYPE, "application/json");
    server.ask(request.body(Body::from(body.to_string())).expect("a request"))
}

fn sent(server: &Server, method: Method, uri: &str, body: &Value) -> Value {
    let answer = send(server, method, uri, body);
    assert!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

const TAGS: &str = "/v1/items/tags";
/// `été` with its accents as marks of their own.
const APART: &str = "e\u{301}te\u{301}";

#[test]
fn two_spellings_are_one_tag_and_either_finds_it() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server_with(open());
    let add = |tag: &str| sent(&server, Method::POST, TAGS, &json!({ "ids": [1], "add": [tag] }));
    assert_eq!(add(APART)["changed"], 1);
    assert_eq!(add("été")["changed"], 0, "it has it already");
    let values = server.got("/v1/fields/tag");
    assert_eq!(values["values"].as_array().map(Vec::len), Some(1), "{values}");
    assert_eq!(values["values"][0]["value"], "été");
    for spelling in [APART, "été", "Été"] {
        for body in [
            json!({ "query": format!("tag:{spelling}") }),
            json!({ "where": format!("tag = \"{spelling}\"") }),
        ] {
            assert_eq!(server.posted("/v1/search", &body)["total"], 1, "{body}");
        }
    }
    let taken = sent(&server, Method::POST, TAGS, &json!({ "ids": [1], "remove": [APART] }));
    assert_eq!(taken["changed"], 1);
}

#[test]
fn marks_that_mislead_are_refused_by_name_and_old_ones_can_go() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    for (tag, says) in [
        ("a\u{202e}b", "U+202E"),
        ("\u{2066}a", "U+2066"),
        ("a\u{200f}b", "U+200F"),
        ("a\u{0}b", "U+0000"),
        ("a\u{2028}b", "U+2028"),
    ] {
        let body = json!({ "ids": [1], "add": [tag] });
        send(&server, Method::POST, TAGS, &body).is_problem(400, "invalid-value", says);
        // One item's tags are no fault of the others.
        let picture = data_uri(&demo_picture("guitar.png"));
        let items = json!([
            { "name": "a.png", "image": picture, "tags": [tag] },
            { "name": "b.png", "image": picture },
        ]);
        let added = sent(&server, Method::POST, "/v1/items", &json!({ "items": items }));
        assert_eq!(added["items"][0]["status"], "refused", "{added}");
        assert!(added["items"][0]["detail"].as_str().is_some_and(|d| d.contains(says)), "{added}");
        assert_ne!(added["items"][1]["status"], "refused", "{added}");
    }
    let model =
        Gallery::open(&home.gallery()).and_then(|gallery| gallery.model()).expect("a model");
    let gallery = Gallery::open_for_writing(&home.gallery(), &model).expect("a gallery");
    // As an older program kept them.
    for old in ["a\u{202e}b", APART] {
        gallery.add_tag(1, old).expect("a tag");
    }
    drop(gallery);
    let body = json!({ "ids": [1], "remove": ["a\u{202e}b", APART] });
    sent(&server, Method::POST, TAGS, &body);
    let gallery = Gallery::open(&home.gallery()).expect("a gallery");
    assert_eq!(gallery.given_tags(1).expect("tags"), Vec::<String>::new());
}

#[test]
fn an_upload_is_kept_as_what_it_is() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    for (name, picture, wanted) in [
        ("x.html", "cow.png", "x.png"),
        ("p\u{202e}gnp.exe", "bus.png", "pgnp.png"),
        ("狗 no end", "cake.png", "狗 no end.png"),
    ] {
        let image = data_uri(&demo_picture(picture));
        let body = json!({ "items": [{ "name": name, "image": image }] });
        let added = sent(&server, Method::POST, "/v1/items", &body);
        let item = server.got(&format!("/v1/items/{}", added["items"][0]["id"]));
        assert_eq!(item["name"], wanted, "{item}");
        let fields = item["fields"].as_array().expect("fields");
        let end = fields.iter().find(|field| field["name"] == "extension").expect("an extension");
        assert_eq!(end["value"], "png", "{item}");
    }
}

#[test]
fn what_changes_nothing_is_no_other_generation() {
    let home = Home::new(&PICTURES[..3]);
    let server = home.server_with(open());
    let picture = data_uri(&demo_picture("guitar.png"));
    let upload = json!({ "items": [
        { "name": "guitar.png", "image": picture, "caption": "a guitar", "tags": ["wood"] },
    ]});
    sent(&server, Method::POST, "/v1/items", &upload);
    sent(&server, Method::POST, TAGS, &json!({ "ids": [1, 2], "add": ["Sea"] }));
    let before =
        sent(&server, Method::DELETE, "/v1/items", &json!({ "ids": [3] }))["generation"].clone();
    for (method, uri, body, key) in [
        (Method::POST, TAGS, json!({ "ids": [1, 2], "add": ["sea", " SEA "] }), "changed"),
        (Method::POST, TAGS, json!({ "ids": [1], "remove": ["mountain"] }), "changed"),
        (Method::POST, TAGS, json!({ "ids": [99], "add": ["sea"] }), "changed"),
        (Method::DELETE, "/v1/items", json!({ "ids": [3, 99] }), "removed"),
        (Method::POST, "/v1/items/restore", json!({ "ids": [1] }), "restored"),
    ] {
        let answer = sent(&server, method, uri, &body);
        assert_eq!((&answer[key], &answer["generation"]), (&json!(0), &before), "{body}: {answer}");
    }
    let same = sent(&server, Method::POST, "/v1/items", &upload);
    assert_eq!((&same["items"][0]["status"], &same["generation"]), (&json!("same"), &before));
    let broken = json!({ "items": [{ "name": "a.png", "image": data_uri(b"no picture") }] });
    let refused = sent(&server, Method::POST, "/v1/items", &broken);
    assert_eq!(
        (&refused["items"][0]["status"], &refused["generation"]),
        (&json!("refused"), &before)
    );
    // What does change something is one.
    let mut more = upload;
    more["items"][0]["tags"] = json!(["wood", "music"]);
    let changed = sent(&server, Method::POST, "/v1/items", &more);
    assert_eq!(changed["items"][0]["status"], "same");
    assert_ne!(changed["generation"], before);
    let restored = sent(&server, Method::POST, "/v1/items/restore", &json!({ "all": true }));
    assert_eq!(restored["restored"], 1);
    let again = sent(&server, Method::POST, "/v1/items/restore", &json!({ "all": true }));
    assert_eq!((&again["restored"], &again["generation"]), (&json!(0), &restored["generation"]));
}
