//! Hits say why they were found: words of the query in captions, names and tags, and of a picture without captions what is
//! said of the nearest one that has some.

mod common;

use axum::http::header;
use common::{Home, PICTURES, Server, request};
use serde_json::{Value, json};
use tuwen_serve::Settings;

fn hit(server: &Server, query: &str, name: &str) -> Value {
    let found = server.posted("/v1/search", &json!({ "query": query, "k": 8 }));
    let mut hits = found["hits"].as_array().expect("hits").iter();
    hits.find(|hit| hit["name"] == name).unwrap_or_else(|| panic!("{found}")).clone()
}

/// What is said of a hit's own captions.
fn beside(hit: &Value) -> Option<&Value> {
    hit["why"].get("caption")
}

fn words(hit: &Value) -> Vec<(&str, Vec<&str>)> {
    let words = hit["why"]["words"].as_array().map(Vec::as_slice).unwrap_or_default();
    words
        .iter()
        .map(|word| {
            let places = word["in"].as_array().expect("places").iter();
            let places = places.map(|place| place.as_str().expect("a place")).collect();
            (word["word"].as_str().expect("a word"), places)
        })
        .collect()
}

#[test]
fn the_words_that_an_item_has_are_named_with_their_places() {
    let home = Home::new(&PICTURES);
    let server = home.server_with(Settings { open_to_changes: true, ..Settings::default() });
    let dog = hit(&server, "Dogs on the grass at a beach", "dog_grass.png");
    assert_eq!(
        words(&dog),
        [("Dogs", vec!["caption", "name"]), ("grass", vec!["caption", "name"])]
    );
    // Traditional characters find simplified ones, and are shown as they were written.
    let dog = hit(&server, "綠色 -貓", "dog_grass.png");
    assert_eq!(words(&dog), [("綠色", vec!["caption"])]);
    let cow = hit(&server, "a holiday", "cow.png");
    assert!(words(&cow).is_empty(), "{cow}");
    let tag = json!({ "ids": [cow["id"]], "add": ["Holidays"] });
    server.posted("/v1/items/tags", &tag);
    assert_eq!(words(&hit(&server, "a holiday", "cow.png")), [("holiday", vec!["tag"])]);
    let text = server.posted("/v1/search", &json!({ "query": "a brown dog", "kind": "text" }));
    assert_eq!(words(&text["hits"][0]), [("brown", vec!["text"]), ("dog", vec!["text"])]);
    let list = server.got("/v1/items");
    assert!(list["hits"][0].get("why").is_none(), "nobody asked for anything: {list}");
}

#[test]
fn a_picture_with_captions_has_the_one_nearest_to_the_query_and_its_cosine() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    for (query, name) in [
        ("a dog on the grass", "dog_grass.png"),
        ("草地上奔跑的狗", "dog_grass.png"),
        ("a script", "cow.png"),
    ] {
        let hit = hit(&server, query, name);
        let said = beside(&hit).unwrap_or_else(|| panic!("{hit}"));
        let item = server.got(&format!("/v1/items/{}", hit["id"]));
        let captions = item["captions"].as_array().expect("captions");
        // The slow way: the query's cosine with each of them.
        let ids: Vec<&Value> = captions.iter().map(|caption| &caption["id"]).collect();
        let asked = json!({ "rows": [query], "columns": ids });
        let scores = &server.posted("/v1/similarity", &asked)["scores"][0];
        let score = |at: usize| scores[at].as_f64().expect("a cosine");
        let best = (0..ids.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).expect("some");
        assert_eq!([&said["id"], &said["text"]], [ids[best], &captions[best]["text"]], "{hit}");
        assert_eq!(hit["caption"], said["text"]);
        assert!((said["score"].as_f64().expect("a cosine") - score(best)).abs() < 1e-3, "{hit}");
    }
    let text = server.posted("/v1/search", &json!({ "query": "a dog", "kind": "text" }));
    assert!(beside(&text["hits"][0]).is_none(), "a text has no captions: {text}");
}

#[test]
fn a_picture_without_captions_has_those_of_others_marked_as_theirs() {
    let home = Home::new(&PICTURES);
    home.index(&[
        ("dog_grass.png", "A brown dog is running on the green grass."),
        ("cake.png", "A birthday cake with candles."),
        ("bus.png", "A red bus in a street."),
    ]);
    let server = home.server();
    let beach = hit(&server, "a dog", "dog_beach.png");
    let near = &beach["why"]["near"];
    let owner = hit(&server, "a dog", "dog_grass.png");
    // The slow way: the picture's cosine with every text.
    let texts = server.got("/v1/items?kind=text");
    let texts = texts["hits"].as_array().expect("texts");
    let ids: Vec<&Value> = texts.iter().map(|text| &text["id"]).collect();
    let asked = json!({ "rows": [beach["id"]], "columns": ids });
    let scores = &server.posted("/v1/similarity", &asked)["scores"][0];
    let score = |at: usize| scores[at].as_f64().expect("a cosine");
    let best = (0..texts.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).expect("texts");
    let wanted = ["id", "owner", "text"].map(|key| &texts[best][key]);
    assert_eq!(["id", "owner", "text"].map(|key| &near[key]), wanted, "{beach}");
    assert!((near["score"].as_f64().expect("a cosine") - score(best)).abs() < 1e-5, "{beach}");
    assert!(beach["caption"].is_null(), "it is none of its own");
    assert!(owner["why"].get("near").is_none(), "it has captions of its own: {owner}");
    assert!(beside(&beach).is_none(), "it has none of its own: {beach}");
    let details = server.got(&format!("/v1/items/{}", beach["id"]));
    let all = details["near"].as_array().expect("captions of others");
    assert_eq!((all.len(), &all[0]["id"]), (3, &near["id"]), "{details}");
    assert!(all.iter().all(|near| near["owner"] != beach["id"]), "{details}");
    let details = server.got(&format!("/v1/items/{}", owner["id"]));
    assert!(details.get("near").is_none(), "{details}");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "search_images", "arguments": { "query": "a dog", "k": 5 },
    }});
    let asked = request(axum::http::Method::POST, "/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    let answer = server.ask(asked.body(body.to_string().into()).expect("a request")).json();
    let told = answer["result"]["content"][0]["text"].as_str().expect("a text");
    let told: Value = serde_json::from_str(told).expect("JSON");
    let hits = told["hits"].as_array().expect("hits");
    assert!(hits.iter().any(|hit| words(hit).iter().any(|word| word.0 == "dog")), "{told}");
}
