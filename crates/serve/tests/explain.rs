//! Why a score is what it is, asked of the server: parts and words, other texts and pictures, whoever looks again, and
//! what sets the hits of a page apart.

mod common;

use common::{Home, PICTURES, Server, data_uri, demo_picture};
use serde_json::{Value, json};

fn id_of(server: &Server, name: &str) -> i64 {
    let all = server.got("/v1/items");
    let mut hits = all["hits"].as_array().expect("hits").iter();
    let hit = hits.find(|hit| hit["name"] == name).expect("the item");
    hit["id"].as_i64().expect("a number")
}

fn weights(words: &Value) -> Vec<f64> {
    let words = words.as_array().expect("words").iter();
    words.map(|word| word["weight"].as_f64().expect("a number")).collect()
}

#[test]
fn a_picture_is_explained_and_held_against_others() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let (dog, cow) = (id_of(&server, "dog_grass.png"), id_of(&server, "cow.png"));
    let text = "a dog on the grass";
    let ask = |more: Value| {
        let mut body = json!({ "like": dog, "text": text, "method": "occlusion" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        server.posted("/v1/explain", &body)
    };
    let plain = ask(json!({}));
    assert_eq!(plain["map"].as_array().expect("a map").len(), 49);
    let score = |answer: &Value| answer["score"].as_f64().expect("a score");
    let other = "a birthday cake";
    let against = ask(json!({ "against": other }));
    let theirs = ask(json!({ "text": other }));
    assert!((score(&against) - score(&plain) + score(&theirs)).abs() < 1e-4, "{against}");
    // What a word adds to the dog beyond what it adds to the cow.
    let rival = ask(json!({ "rivals": [cow] }));
    let beside = ask(json!({ "like": cow }));
    let of = |answer: &Value| weights(&answer["words"]);
    for ((found, own), other) in of(&rival).iter().zip(of(&plain)).zip(of(&beside)) {
        assert!((found - own + other).abs() < 1e-4, "{rival}");
    }
    let late = ask(json!({ "score": "late" }));
    assert_eq!(late["map"].as_array().expect("a map").len(), 49);
    assert!((score(&late) - score(&plain)).abs() > 1e-3, "another score: {late}");
    let sent = json!({ "image": data_uri(&demo_picture("dog_grass.png")), "text": text, "pictures": true });
    assert!(server.posted("/v1/explain", &sent)["picture"].is_string());
    for (more, says) in [
        (json!({ "score": "late", "method": "chefer" }), "occlusion, lime, shap, owen"),
        (json!({ "score": "itm" }), "no matching head"),
        (json!({ "score": "best" }), "none of cosine, late, itm"),
        (json!({ "score": "late", "rivals": [cow] }), "leave away"),
        (json!({ "rivals": vec![cow; 101] }), "100 are the limit"),
        (json!({ "rivals": [dog] }), "the picture itself"),
        (json!({ "query": "a dog" }), "either `text` or `query`"),
        (json!({ "method": "rollout", "against": "a cow" }), "same for every text"),
        (json!({ "method": "lime", "samples": 1_000_000 }), "1024"),
        (json!({ "method": "magic" }), "magic"),
        (json!({ "method": "chefer", "samples": 50 }), "takes none"),
        (json!({ "text": " " }), "no word"),
    ] {
        let mut body = json!({ "like": dog, "text": text });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        server.post("/v1/explain", &body).is_problem(400, "invalid-value", says);
    }
    // The words that are wanted of a line, and nothing else of it.
    let of_line = |line: &str| {
        server.posted("/v1/explain", &json!({ "like": dog, "query": line, "method": "occlusion" }))
    };
    assert_eq!(of_line(&format!("{text} -people year:1990..2100")), plain);
    assert_eq!(of_line("2:dog \"the grass\" -cat")["words"].as_array().expect("words").len(), 3);
    for line in ["-cat", "year:2020"] {
        let nothing = server.post("/v1/explain", &json!({ "like": dog, "query": line }));
        nothing.is_problem(400, "invalid-value", "no word in it that is wanted");
    }
    server.post("/v1/explain", &json!({ "like": dog })).is_problem(400, "invalid-value", "either");
    let none = json!({ "like": dog, "text": text, "rivals": [987_654] });
    server.post("/v1/explain", &none).is_problem(404, "not-found", "987654");
}

#[test]
fn a_caption_says_which_parts_made_each_of_its_words() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let dog = id_of(&server, "dog_grass.png");
    let plain = server.posted("/v1/caption", &json!({ "like": dog }));
    assert!(plain["captions"][0].get("why").is_none(), "nobody asked: {plain}");
    let asked = json!({ "like": dog, "explain": true, "pictures": true });
    let answer = server.posted("/v1/caption", &asked);
    let captions = answer["captions"].as_array().expect("captions");
    assert_eq!(captions.len(), 2, "English and Chinese");
    for (caption, alone) in captions.iter().zip(plain["captions"].as_array().expect("captions")) {
        assert_eq!((&caption["text"], &caption["log_prob"]), (&alone["text"], &alone["log_prob"]));
        let why = &caption["why"];
        assert_eq!((&why["model"], &why["method"]), (&answer["made_by"], &"occlusion".into()));
        let across = why["across"].as_u64().expect("a number") as usize;
        let words = why["words"].as_array().expect("words");
        let said = words.iter().map(|word| word["text"].as_str().expect("a word"));
        let text = caption["text"].as_str().expect("a text");
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(bare(&said.collect::<String>()), bare(text), "the words are the caption's");
        let values = |map: &Value| -> Vec<f64> {
            map.as_array()
                .expect("a map")
                .iter()
                .map(|value| value.as_f64().expect("a number"))
                .collect()
        };
        // The map is that of all words together.
        let whole = values(&why["map"]);
        assert_eq!(whole.len(), across * across);
        let most = whole.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        for (at, value) in whole.iter().enumerate() {
            let sum: f64 = words.iter().map(|word| values(&word["map"])[at]).sum();
            assert!((sum - value).abs() < 0.01 * most, "{sum} {value}");
        }
        assert!(most > 0.0, "some part matters");
        let is_picture = |held: &Value| {
            held["picture"].as_str().is_some_and(|uri| uri.starts_with("data:image/jpeg;base64,"))
        };
        assert!(is_picture(why) && words.iter().all(is_picture));
    }
    for (more, says) in [
        (json!({ "explain": true, "method": "chefer" }), "occlusion"),
        (json!({ "explain": true, "method": "magic" }), "magic"),
        (json!({ "explain": true, "method": "lime", "samples": 9_999 }), "1024"),
        (json!({ "method": "lime" }), "a part of `explain`"),
        (json!({ "pictures": true }), "a part of `explain`"),
    ] {
        let mut body = json!({ "like": dog });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        server.post("/v1/caption", &body).is_problem(400, "invalid-value", says);
    }
}

#[test]
fn hits_say_which_words_set_them_apart_where_that_is_asked() {
    let home = Home::new(&PICTURES);
    let server = home.server();
    let ask = |more: Value| {
        let mut body = json!({ "query": "a dog on the grass", "k": 4 });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        body
    };
    let found = server.posted("/v1/search", &ask(json!({ "explain": true })));
    let hits = found["hits"].as_array().expect("hits");
    assert_eq!(hits.len(), 4);
    let all: Vec<Vec<f64>> = hits.iter().map(|hit| weights(&hit["explained"])).collect();
    for (word, text) in ["a", "dog", "on", "the", "grass"].iter().enumerate() {
        assert_eq!(hits[0]["explained"][word]["text"], *text);
        let sum: f64 = all.iter().map(|weights| weights[word]).sum();
        assert!(sum.abs() < 1e-5, "{text}: what one has beyond the others sums to nothing, {sum}");
    }
    let plain = server.posted("/v1/search", &ask(json!({})));
    assert!(plain["hits"][0].get("explained").is_none());
    let says = |body: &Value, says: &str| {
        server.post("/v1/search", body).is_problem(400, "invalid-value", says);
    };
    says(&json!({ "like": hits[0]["id"], "explain": true }), "weighs the words");
    says(&json!({ "query": "dog ".repeat(65), "explain": true }), "65 words");
}
