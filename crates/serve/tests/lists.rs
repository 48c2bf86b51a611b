//! Where a list ends and what is counted: folded, fused and by date it holds only the best items and says so, a filter that
//! finds nothing says why, and counts are those of the filters in a query too.

mod common;

use common::{Home, PICTURES, Server, names};
use serde_json::{Value, json};
use tuwen_serve::{Settings, Source, State};

/// More texts than a folded list is made of.
const TEXTS: usize = 1_100;

fn first_of(answer: &Value) -> (Value, Value) {
    (answer["within"]["first"].clone(), answer["within"]["of"].clone())
}

fn remarks(answer: &Value) -> String {
    answer["remarks"].to_string()
}

#[test]
fn a_list_that_ends_before_all_items_says_where() {
    let home = Home::new(&PICTURES[..2]);
    let texts: Vec<String> = (0..TEXTS).map(|at| format!("dog number {at}")).collect();
    home.index(&texts.iter().map(|text| ("dog_grass.png", text.as_str())).collect::<Vec<_>>());
    let server = home.server();
    let ask = |more: Value| {
        let mut body = json!({ "query": "dog", "kind": "text", "k": 5 });
        body.as_object_mut().expect("a body").extend(more.as_object().expect("more").clone());
        server.posted("/v1/search", &body)
    };
    let whole = ask(json!({}));
    let of = whole["total"].clone();
    assert!(of.as_u64().is_some_and(|of| of >= TEXTS as u64), "{whole}");
    assert!(whole.get("within").is_none() && whole["remarks"] == json!([]), "{whole}");
    for (more, first, says) in [
        (json!({ "fold": 1.0 }), 1_000, "near duplicates"),
        (json!({ "words": "fuse" }), 1_000, "words and vectors"),
        (json!({ "sort": "date" }), 100, "match best"),
    ] {
        let answer = ask(more);
        assert_eq!(first_of(&answer), (json!(first), of.clone()), "{answer}");
        let said = remarks(&answer);
        assert!(said.contains(&format!("first {first} of {of}")) && said.contains(says), "{said}");
        assert!(answer["total"].as_u64().is_some_and(|total| total <= first), "{answer}");
    }
    // The same hundred on each page, and no others behind them.
    let pages =
        [0, 50, 100].map(|offset| ask(json!({ "sort": "date", "k": 50, "offset": offset })));
    assert_eq!(pages.each_ref().map(|page| names(page).len()), [50, 50, 0]);
    assert!(pages.iter().all(|page| page["total"] == 100), "{}", pages[1]["total"]);
    // Whoever gives a threshold has said what matches.
    let score = |answer: &Value, at: usize| answer["hits"][at]["score"].as_f64().expect("a score");
    let best = ask(json!({ "k": 300 }));
    let least = (score(&best, 149) + score(&best, 299)) / 2.0;
    let above = ask(json!({ "sort": "date", "threshold": least, "k": 1000 }));
    assert!(above["total"].as_u64().is_some_and(|total| total >= 150), "{}", above["total"]);
    assert!(above.get("within").is_none(), "{}", above["within"]);
    let hits = above["hits"].as_array().expect("hits");
    assert!((0..hits.len()).all(|at| score(&above, at) >= least - 1e-6));
}

#[test]
fn a_filter_that_can_find_nothing_says_why() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server();
    let asked = |query: &str| {
        let answer = server.posted("/v1/search", &json!({ "query": query }));
        (answer["total"].as_u64().expect("a number"), remarks(&answer))
    };
    for query in ["width:300..200", "a dog year:2023..2020", "date:2023-05..2023-04"] {
        let (total, said) = asked(query);
        assert!(total == 0 && said.contains("the range ends before it begins"), "{query}: {said}");
    }
    let listed = server.got("/v1/items?where=width%20between%20300%20and%20200");
    assert!(remarks(&listed).contains("`width`"), "{listed}");
    for query in ["width:200..300", "width:256..256", "folder:b..c"] {
        assert!(!asked(query).1.contains("range"), "{query}");
    }
    let (total, said) = asked("colour:red");
    assert!(total > 0 && said.contains("`colour:` is no field"), "{said}");
    let (_, said) = asked("camera:sony");
    assert!(said.contains("no item of the gallery has the field `camera`"), "{said}");
}

#[test]
fn a_filter_by_what_is_no_field_is_refused_where_that_is_sure() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server();
    let id = server.got("/v1/items")["hits"][0]["id"].clone();
    let body = json!({ "query": "a dog", "where": "heigth > 3 AND width > 3" });
    let refused = server.post("/v1/search", &body);
    refused.is_problem(
        400,
        "invalid-filter",
        "where: no item of the gallery has the field `heigth`",
    );
    refused.is_problem(400, "invalid-filter", "did you mean `height`? There are ");
    for uri in [
        "/v1/items?where=colour%20=%20red".to_owned(),
        "/v1/fields/width?where=has%20colour".to_owned(),
        "/v1/duplicates?where=not%20colour%20=%20red".to_owned(),
        format!("/v1/items/{id}/similar?where=colour%20=%20red"),
    ] {
        server.get(&uri).is_problem(400, "invalid-filter", "`colour`: There are bytes, ");
    }
    // A field that tuwen fills, and that no item here has.
    let known = server.posted("/v1/search", &json!({ "where": "camera = sony" }));
    assert!(known["total"] == 0 && remarks(&known).contains("`camera`"), "{known}");
    // Nobody knows what a gallery without items will have.
    let empty = Home::new(&[]);
    let empty_server = empty.server();
    let none = empty_server.posted("/v1/search", &json!({ "where": "colour = red" }));
    assert!(none["total"] == 0 && remarks(&none).contains("`colour`"), "{none}");
    // What another gallery has, a page asks of both.
    let source =
        |name: &str, home: &Home| Source { name: name.into(), ..Source::of(&home.gallery()) };
    let both = vec![source("empty", &empty), source("photos", &home)];
    let both = Server::of(State::open(both, Settings::default()).expect("a state"));
    let body = json!({ "gallery": "photos", "where": "colour = red" });
    both.post("/v1/search", &body).is_problem(400, "invalid-filter", "`colour`");
}

#[test]
fn counts_are_those_of_the_querys_filters() {
    let home = Home::new(&PICTURES[..4]);
    let server = home.server();
    let counted = |query: &str| -> u64 {
        let values = server.got(&format!("/v1/fields/extension?query={query}"));
        let values = values["values"].as_array().expect("values");
        values.iter().map(|value| value["items"].as_u64().expect("a number")).sum()
    };
    assert_eq!(counted("a%20dog"), 4, "words leave all");
    assert_eq!(counted("a%20dog%20name:cow"), 1);
    assert_eq!(counted("width:300..200"), 0);
    assert_eq!(counted("%22running%20on%20the%20green%20grass%22"), 1, "exact words");
    let both = server.got("/v1/fields/extension?query=name:cow&where=name%20=%20bus");
    assert_eq!(both["values"], json!([]));
    server.get("/v1/fields/extension?query=year:soon").is_problem(400, "invalid-value", "query");
}

#[test]
fn models_are_listed_as_openai_lists_them() {
    let home = Home::new(&PICTURES[..1]);
    let server: Server = home.server();
    let models = server.got("/v1/models");
    let stats = server.got("/v1/stats");
    assert_eq!(models["object"], "list");
    assert_eq!(models["data"].as_array().map(Vec::len), Some(1));
    let model = &models["data"][0];
    assert_eq!(
        (&model["id"], &model["object"]),
        (&stats["galleries"][0]["model"], &json!("model"))
    );
    assert!(model["created"].as_u64().is_some_and(|at| at > 1_700_000_000), "{model}");
    let body = json!({ "model": model["id"], "input": "a dog" });
    assert_eq!(server.posted("/v1/embeddings", &body)["model"], model["id"]);
}
