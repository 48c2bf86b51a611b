//! What a score means: its distance from what other words reach, and probabilities where captions tell.

mod common;

use common::{Home, PICTURES, Server};
use serde_json::{Value, json};

#[test]
fn without_captions_that_tell_nobody_says_what_matches() {
    let home = Home::new(&PICTURES);
    let state = home.state(tuwen_serve::Settings::default());
    let server = Server::of(state.clone());
    state.warm().expect("a model");
    let ask = || server.posted("/v1/search", &json!({ "query": "a cow" }));
    let began = std::time::Instant::now();
    while ask()["hits"][0].get("z").is_none() {
        assert!(began.elapsed().as_secs() < 60, "nobody learns what scores mean");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let found = ask();
    assert!(found.get("match").is_none() && found["hits"][0].get("probability").is_none());
    assert!(found.get("remarks").is_none_or(|remarks| !remarks.to_string().contains("learned")));
    let z = |at: usize| found["hits"][at]["z"].as_f64().expect("a number");
    assert!(z(0) > 1.0 && z(0) > z(7), "the cow is far above what other names reach: {found}");
    assert_eq!(server.got("/v1/stats")["galleries"][0]["calibrated"], false);
}

/// Captions that are the same few words again and again say nothing of what words mean.
#[test]
fn words_that_repeat_give_no_probability() {
    let home = Home::new(&PICTURES);
    let words = ["indoor", "outdoor", "Indoor"];
    let captions: Vec<(&str, String)> = (0..120)
        .map(|at| (PICTURES[at % 8], format!("{}{}", words[at % 3], " ".repeat(at / 24))))
        .collect();
    let captions: Vec<_> = captions.iter().map(|(name, text)| (*name, text.as_str())).collect();
    home.index(&captions);
    let state = home.state(tuwen_serve::Settings::default());
    let server = Server::of(state.clone());
    state.warm().expect("a model");
    let ask = |query: &str| server.posted("/v1/search", &json!({ "query": query }));
    let began = std::time::Instant::now();
    while ask("a cow")["hits"][0].get("z").is_none() {
        assert!(began.elapsed().as_secs() < 60, "nobody learns what scores mean");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for query in ["a purple spaceship", "狗"] {
        let found = ask(query);
        assert!(found.get("match").is_none(), "{found}");
        assert!(found["hits"][0].get("probability").is_none(), "{found}");
    }
}

#[test]
fn with_captions_scores_become_probabilities() {
    let home = Home::new(&PICTURES);
    let things = [
        "a dog on grass",
        "a dog at the beach",
        "a cat on a sofa",
        "a cow",
        "a bus",
        "a cake",
        "a guitar",
        "a beach",
    ];
    let forms = [
        "THING",
        "a drawing of THING",
        "THING in a picture",
        "this is THING",
        "look: THING",
        "here is THING",
        "one sees THING",
    ];
    let captions: Vec<(&str, String)> = PICTURES
        .iter()
        .zip(things)
        .flat_map(|(name, thing)| forms.map(|form| (*name, form.replace("THING", thing))))
        .collect();
    home.index(&captions.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
    let state = home.state(tuwen_serve::Settings::default());
    let server = Server::of(state.clone());
    state.warm().expect("a model");
    let began = std::time::Instant::now();
    while server.got("/v1/stats")["galleries"][0]["calibrated"] != true {
        assert!(began.elapsed().as_secs() < 60, "scores are not calibrated");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ask = |body: Value| server.posted("/v1/search", &body);
    let probability = |hits: &Value, at: usize| hits["hits"][at]["probability"].as_f64();
    let (here, absent) =
        (ask(json!({ "query": "a bus", "k": 8 })), ask(json!({ "query": "a tax invoice" })));
    assert_eq!(here["match"], "yes", "{here}");
    let (first, last) =
        (probability(&here, 0).expect("a number"), probability(&here, 7).expect("a number"));
    assert!(1.0 >= first && first > last && last >= 0.0, "{here}");
    assert!(probability(&absent, 0).expect("a number") < first);
    // Among texts too: each caption has others of the same picture.
    let of_texts = |query: &str| ask(json!({ "query": query, "kind": "text", "k": 56 }));
    let (here, absent) = (of_texts("a bus on the road"), of_texts("a tax invoice"));
    assert_eq!((&here["match"], here["hits"].as_array().map(Vec::len)), (&json!("yes"), Some(56)));
    assert!(probability(&here, 0) > probability(&absent, 0), "{absent}");
    assert!(probability(&here, 0) > probability(&here, 55), "{here}");
    assert!(here["hits"][0]["z"].as_f64() > absent["hits"][0]["z"].as_f64());
    // By date only what matches, however few these are.
    for (query, most) in [("a bus", 7), ("a tax invoice", 7)] {
        let [by_score, by_date] =
            ["relevance", "date"].map(|sort| ask(json!({ "query": query, "k": 8, "sort": sort })));
        let good = (0..8).filter(|&at| probability(&by_score, at) >= Some(0.1)).count();
        assert!(good <= most, "{by_score}");
        assert_eq!((&by_date["total"], &by_date["within"]["first"]), (&json!(good), &json!(good)));
        assert!((0..good).all(|at| probability(&by_date, at) >= Some(0.1)), "{by_date}");
        assert_eq!(by_date["match"], by_score["match"]);
        assert!(by_date["remarks"][0].as_str().is_some_and(|said| said.contains("relevance")));
    }
    for other in [
        json!({ "like": 1 }),
        json!({ "query": "\"a bus\"" }),
        json!({ "query": "cow", "words": "exact" }),
    ] {
        let found = ask(other);
        assert!(found.get("match").is_none() && probability(&found, 0).is_none(), "{found}");
    }
}
