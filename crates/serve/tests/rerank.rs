//! The first hits are looked at again where a question asks for it; the same order as the engine's.

mod common;

use common::{Home, PICTURES, names};
use serde_json::{Value, json};
use tuwen_index::Modality;
use tuwen_retrieve::rerank::parse_stages;
use tuwen_retrieve::{Engine, Options, Query, Search};

#[test]
fn hits_come_in_the_engines_order_and_say_where_they_were() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let engine = Engine::open(&home.gallery(), &Options::default()).expect("a gallery");
    let rerank = parse_stages("late:5").expect("a stage");
    let search = Search { rerank, ..Search::all(Modality::Image, 8) };
    let wanted = engine.search(Some(&Query::words("a dog on the grass")), &search).expect("hits");
    let plain = server.posted("/v1/search", &json!({ "query": "a dog on the grass", "k": 8 }));
    let body = json!({ "query": "a dog on the grass", "rerank": "late:5", "k": 8 });
    // The second answer is one that was kept.
    for _ in 0..2 {
        let found = server.posted("/v1/search", &body);
        let hits = found["hits"].as_array().expect("hits");
        let ids = |hits: &[Value]| -> Vec<i64> {
            hits.iter().map(|hit| hit["id"].as_i64().expect("a number")).collect()
        };
        assert_eq!(ids(hits), wanted.hits.iter().map(|hit| hit.id).collect::<Vec<_>>());
        for (hit, wanted) in hits.iter().zip(&wanted.hits) {
            match &wanted.reranked {
                None => assert!(hit["reranked"].is_null()),
                Some(moved) => {
                    assert_eq!(hit["reranked"]["by"], "late");
                    assert_eq!(hit["reranked"]["from"], moved.from);
                    let before = &plain["hits"][moved.from - 1];
                    assert_eq!(
                        (&hit["id"], &hit["reranked"]["score_before"]),
                        (&before["id"], &before["score"])
                    );
                }
            }
        }
        assert_eq!(hits.iter().filter(|hit| hit["reranked"].is_object()).count(), 5);
        let remarks = found["remarks"].to_string();
        assert!(remarks.contains("5 of 5 reranked photos were computed"), "{remarks}");
    }
    // Pages are parts of one list.
    let second = json!({ "query": "a dog on the grass", "rerank": "late:5", "k": 3, "offset": 3 });
    let all = server.posted("/v1/search", &body);
    assert_eq!(names(&server.posted("/v1/search", &second)), names(&all)[3..6]);
}

#[test]
fn what_cannot_be_looked_at_again_is_refused_by_name_or_said() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server();
    for (more, says) in [
        (json!({ "rerank": "best" }), "`best`"),
        (json!({ "rerank": "late:0" }), "late:0"),
        (json!({ "rerank": "late:5000" }), "1000 are the limit"),
        (json!({ "rerank": "http://127.0.0.1:1/rerank" }), "no other addresses"),
        (json!({ "rerank": "late", "kind": "text" }), "texts are not looked at again"),
        (json!({ "rerank": "late", "sort": "date" }), "sort"),
    ] {
        let mut body = json!({ "query": "a dog" });
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        server.post("/v1/search", &body).is_problem(400, "invalid-value", says);
    }
    let found = server.posted("/v1/search", &json!({ "like": 1, "rerank": "late" }));
    assert!(found["remarks"].to_string().contains("no words to look for"), "{found}");
    assert!(found["hits"][0]["reranked"].is_null());
}
