//! Comparing what a client sends or what a gallery holds: similarity, ranks, near duplicates.

mod common;

use std::sync::LazyLock;

use common::{Home, PICTURES, Server, data_uri, demo_picture, names};
use serde_json::{Value, json};
use tuwen_serve::{Limits, Settings};

/// Never written after it was made.
static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&PICTURES));

/// The same with pictures that differ by a few dots from others.
static TWINS: LazyLock<Home> = LazyLock::new(|| {
    let home = Home::new(&PICTURES);
    for (name, twins) in [("cow.png", 3), ("bus.png", 1)] {
        for at in 0..twins {
            let path = home.path(&format!("旅行/{at}-{name}"));
            std::fs::write(path, dotted(&demo_picture(name), at)).expect("a file");
        }
    }
    home.index(&[]);
    home
});

/// A picture with a dot of its own colour's opposite in a corner.
fn dotted(png: &[u8], at: u32) -> Vec<u8> {
    let picture = tuwen_image::decode(png, tuwen_image::Limits::default()).expect("a picture");
    let mut picture = picture.into_rgb();
    for x in 0..2 {
        let dot = picture.get_pixel_mut(4 * at + x, 0);
        dot.0 = dot.0.map(|value| 255 - value);
    }
    tuwen_image::encode_png(&picture)
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number") as f32).collect()
}

fn id_of(server: &Server, name: &str) -> i64 {
    let all = server.got("/v1/items?k=100");
    let hits = all["hits"].as_array().expect("hits");
    let hit = hits.iter().find(|hit| hit["name"] == name).expect("it is there");
    hit["id"].as_i64().expect("a number")
}

fn embedded(server: &Server, input: &str) -> Vec<f32> {
    let answer = server.posted("/v1/embeddings", &json!({ "input": input }));
    numbers(&answer["data"][0]["embedding"])
}

#[test]
fn similarity_is_the_cosine_of_embeddings_of_texts_pictures_and_items() {
    let server = HOME.server();
    let cow = data_uri(&demo_picture("cow.png"));
    let inputs = json!(["a cow", cow, id_of(&server, "cow.png")]);
    let answer = server.posted("/v1/similarity", &json!({ "rows": inputs }));
    assert_eq!(answer["model"], "tuwen-small");
    let scores: Vec<Vec<f32>> =
        answer["scores"].as_array().expect("rows").iter().map(numbers).collect();
    let (words, picture) = (embedded(&server, "a cow"), embedded(&server, &cow));
    let cosine = words.iter().zip(&picture).map(|(a, b)| a * b).sum::<f32>();
    for (row, column, wanted) in
        [(0, 0, 1.0), (0, 1, cosine), (1, 0, cosine), (0, 2, cosine), (1, 2, 1.0)]
    {
        assert!((scores[row][column] - wanted).abs() < 1e-5, "{row} {column}: {scores:?}");
    }
    let body = json!({ "rows": ["a cow"], "columns": ["a bus", cow] });
    let two = server.posted("/v1/similarity", &body);
    let two = numbers(&two["scores"][0]);
    assert_eq!((two.len(), two[1]), (2, scores[0][1]));
    let pairs = json!({ "pairs": [["a cow", cow], [cow, cow]] });
    let pairs = numbers(&server.posted("/v1/similarity", &pairs)["scores"]);
    assert_eq!((pairs[0], pairs.len()), (scores[0][1], 2));
    assert!((pairs[1] - 1.0).abs() < 1e-5);
}

#[test]
fn candidates_are_ranked_both_ways() {
    let server = HOME.server();
    let (cow, bus) = (data_uri(&demo_picture("cow.png")), data_uri(&demo_picture("bus.png")));
    for (query, candidates, first) in [
        (json!(cow), json!(["a bus on the road", "a cow", "a guitar"]), 1),
        (json!("a bus"), json!([cow, bus]), 1),
        (json!(id_of(&server, "bus.png")), json!([cow, "a bus", id_of(&server, "bus.png")]), 2),
    ] {
        let body = json!({ "query": query, "candidates": candidates });
        let answer = server.posted("/v1/rank", &body);
        let ranked = answer["ranked"].as_array().expect("a list");
        assert_eq!(ranked.len(), candidates.as_array().expect("a list").len());
        assert_eq!(ranked[0]["index"], first, "{answer}");
        let of = |key: &str| -> Vec<f64> {
            ranked.iter().map(|one| one[key].as_f64().expect("a number")).collect()
        };
        let (scores, probabilities) = (of("score"), of("probability"));
        assert!(scores.is_sorted_by(|a, b| a >= b) && probabilities.is_sorted_by(|a, b| a >= b));
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{probabilities:?}");
        // Softmax with the model's scale: the ratio of two is that of their powers.
        let scale = f64::from(HOME.encoder.logits().expect("a scale").0);
        let wanted = (scale * (scores[0] - scores[1])).exp();
        let ratio = probabilities[0] / probabilities[1];
        assert!((ratio / wanted - 1.0).abs() < 1e-3, "{ratio} {wanted}");
    }
}

#[test]
fn what_cannot_be_compared_is_named() {
    let server = HOME.server();
    let many: Vec<String> = (0..1_000_000).map(|at| at.to_string()).collect();
    for (body, status, kind, says) in [
        (json!({}), 400, "invalid-value", "either `pairs`"),
        (json!({ "columns": ["x"] }), 400, "invalid-value", "either `pairs`"),
        (json!({ "pairs": [["x", "y"]], "rows": ["x"] }), 400, "invalid-value", "either"),
        (json!({ "pairs": [] }), 400, "invalid-value", "pairs: 0"),
        (json!({ "pairs": [["x"]] }), 400, "invalid-value", "body:"),
        (json!({ "rows": [] }), 400, "invalid-value", "0 texts"),
        (json!({ "rows": ["x"], "columns": [] }), 400, "invalid-value", "columns: 0"),
        (json!({ "rows": ["x", " "] }), 400, "invalid-value", "rows[1]"),
        (json!({ "rows": ["x", 1.5] }), 400, "invalid-value", "rows[1]"),
        (json!({ "rows": ["x", 100_000] }), 404, "not-found", "rows[1]: there is no item"),
        (json!({ "pairs": [["x", "data:,"]] }), 400, "invalid-picture", "pairs[0][1]"),
        (json!({ "rows": many }), 413, "too-large", "1000000 texts"),
        (json!({ "rows": ["x"], "row": 1 }), 400, "invalid-value", "unknown field `row`"),
    ] {
        server.post("/v1/similarity", &body).is_problem(status, kind, says);
    }
    for (body, status, kind, says) in [
        (json!({ "query": "x" }), 400, "invalid-value", "candidates"),
        (json!({ "query": "x", "candidates": [] }), 400, "invalid-value", "candidates: 0"),
        (json!({ "query": null, "candidates": ["x"] }), 400, "invalid-value", "query:"),
        (json!({ "query": "x", "candidates": "x" }), 400, "invalid-value", "body:"),
        (json!({ "query": "x", "candidates": many }), 413, "too-large", "1000000"),
        (
            json!({ "query": "x", "candidates": ["y"], "gallery": "z" }),
            404,
            "unknown-gallery",
            "photos",
        ),
    ] {
        server.post("/v1/rank", &body).is_problem(status, kind, says);
    }
    server.post_text("/v1/rank", "{").is_problem(400, "malformed-json", "JSON object");
}

#[test]
fn near_duplicates_are_grouped_and_paged() {
    let server = TWINS.server();
    let answer = server.got("/v1/duplicates?threshold=0.97");
    let groups = answer["groups"].as_array().expect("groups");
    let names = |group: &Value| -> Vec<String> {
        let items = group["items"].as_array().expect("items").iter();
        items.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!((groups.len(), &answer["total"]), (2, &2.into()), "{answer}");
    let mut cows = names(&groups[0]);
    cows.sort();
    assert_eq!(cows, ["0-cow.png", "1-cow.png", "2-cow.png", "cow.png"]);
    assert_eq!(names(&groups[1]).len(), 2);
    for group in groups {
        let score = group["score"].as_f64().expect("a number");
        assert!((0.97..1.0).contains(&score), "{score}");
        let link = group["items"][0]["thumbnail"].as_str().expect("a link");
        assert_eq!(server.get(link).status, 200);
    }
    // The score is the least similarity of any two.
    let ids: Vec<&Value> =
        groups[0]["items"].as_array().expect("items").iter().map(|item| &item["id"]).collect();
    let all = server.posted("/v1/similarity", &json!({ "rows": ids }));
    let all = all["scores"].as_array().expect("rows").iter().flat_map(numbers);
    let least = all.fold(f32::INFINITY, f32::min);
    assert!((least - groups[0]["score"].as_f64().expect("a number") as f32).abs() < 1e-6);
    let paged = server.got("/v1/duplicates?k=1&offset=1");
    assert_eq!((&paged["groups"][0], &paged["total"]), (&groups[1], &2.into()));
    assert_eq!(server.got("/v1/duplicates?offset=50")["groups"], json!([]));
    assert_eq!(server.got("/v1/duplicates?threshold=1")["total"], 0);
    let some = server.got("/v1/duplicates?where=name%20%3D%20bus%20OR%20name%20%3D%20%220-bus%22");
    assert_eq!(some["total"], 1, "{some}");
    assert_eq!(HOME.server().got("/v1/duplicates")["total"], 0);
}

/// A vector of one direction among many, with some of another one's.
fn direction(at: u64, dim: usize, other: Option<u64>) -> Vec<f32> {
    let random = |at: u64| {
        let mut rng = tuwen_image::rng::Rng::new(&[at]);
        (0..dim).map(|_| rng.unit() - 0.5).collect::<Vec<f32>>()
    };
    let mut vector = random(at);
    if let Some(other) = other {
        vector.iter_mut().zip(random(other)).for_each(|(own, other)| *own = 0.05 * *own + other);
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

#[test]
fn many_pictures_are_compared_in_the_background() {
    const ALL: u64 = 20_100;
    let home = Home::new(&["cow.png"]);
    let model = tuwen_retrieve::model_id(tuwen_encode::builtin::BUILT_IN, &home.encoder);
    let gallery = tuwen_index::Gallery::open_for_writing(&home.gallery(), &model.expect("a name"));
    let gallery = gallery.expect("a gallery");
    let put = |gallery: &tuwen_index::Gallery| {
        (0..ALL).try_for_each(|at| {
            // 100 copies of one picture, and two of another.
            let of = (20_000..20_100).contains(&at).then_some(7).or((at == 5_000).then_some(9));
            let item = tuwen_index::NewItem {
                origin: format!("/photos/{at}.jpg").into(),
                hash: *blake3::hash(&at.to_le_bytes()).as_bytes(),
                vector: direction(at, 256, of),
                ..tuwen_index::NewItem::default()
            };
            gallery.insert(&item).map(drop)
        })
    };
    gallery.transaction(put).expect("written");
    gallery.finish().expect("finished");
    let server = home.server();
    server.get("/v1/duplicates").is_problem(503, "not-ready", "pictures are compared: ask again");
    let began = std::time::Instant::now();
    let answer = loop {
        let answer = server.get("/v1/duplicates?threshold=0.95");
        if answer.status == 200 {
            break answer.json();
        }
        answer.is_problem(503, "not-ready", "of 20101 pictures are compared");
        assert!(began.elapsed().as_secs() < 120, "they are never compared");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let sizes = answer["groups"].as_array().expect("groups").iter();
    let sizes: Vec<usize> =
        sizes.map(|group| group["items"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(sizes, [101, 2], "{answer}");
    assert_eq!(server.got("/v1/duplicates?threshold=1")["total"], 0);
}

#[test]
fn thresholds_and_pages_of_duplicates_have_bounds() {
    let server = HOME.server();
    for query in
        ["threshold=0.5", "threshold=1.1", "threshold=-1", "threshold=NaN", "threshold=inf"]
    {
        let answer = server.get(&format!("/v1/duplicates?{query}"));
        answer.is_problem(400, "invalid-value", "between 0.8 and 1");
    }
    for (query, says) in [
        ("k=0", "between 1 and"),
        ("k=1000000000", "between 1 and"),
        ("offset=1000000000", "offset"),
        ("threshold=x", "threshold"),
        ("x=1", "unknown field"),
    ] {
        server.get(&format!("/v1/duplicates?{query}")).is_problem(400, "invalid-value", says);
    }
    server.get("/v1/duplicates?where=(").is_problem(400, "invalid-filter", "where:");
    server.get("/v1/duplicates?gallery=x").is_problem(404, "unknown-gallery", "photos");
}

#[test]
fn duplicates_fold_behind_the_first_hit_and_pages_stay_one_list() {
    let (server, cow) = (TWINS.server(), data_uri(&demo_picture("cow.png")));
    let ask = |more: &Value, k: usize, offset: usize| {
        let mut body = json!({ "image": cow, "k": k, "offset": offset });
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        server.posted("/v1/search", &body)
    };
    let plain = ask(&json!({}), 100, 0);
    assert_eq!(plain["total"], 12);
    for more in [
        json!({ "fold": true }),
        json!({ "fold": 0.97 }),
        json!({ "fold": true, "where": "width = 256" }),
    ] {
        let whole = ask(&more, 100, 0);
        assert_eq!((names(&whole).len(), &whole["total"]), (8, &8.into()), "{whole}");
        let first = &whole["hits"][0];
        assert_eq!(first["id"], plain["hits"][0]["id"], "the best one stays");
        let folded = first["duplicates"].as_array().expect("duplicates");
        assert_eq!(folded.len(), 3, "{whole}");
        assert!(folded.iter().all(|one| one["name"].as_str().expect("a name").contains("cow")));
        assert!(folded[0]["id"].is_i64() && folded[0]["thumbnail"].is_string());
        let alone = whole["hits"].as_array().expect("hits").iter();
        assert_eq!(alone.filter(|hit| hit.get("duplicates").is_none()).count(), 6);
        let pages: Vec<Value> = (0..8)
            .step_by(3)
            .flat_map(|at| ask(&more, 3, at)["hits"].as_array().expect("hits").clone())
            .collect();
        assert_eq!(json!(pages), whole["hits"]);
    }
    assert_eq!(ask(&json!({ "fold": 1.0 }), 100, 0)["total"], 12);
    assert_eq!(ask(&json!({ "fold": false }), 100, 0)["total"], 12);
    for (fold, says) in [(json!(0.5), "fold: 0.5 is not between"), (json!("yes"), "`fold` is true")]
    {
        let refused = server.post("/v1/search", &json!({ "query": "x", "fold": fold }));
        refused.is_problem(400, "invalid-value", says);
    }
    let none = ask(&json!({ "fold": true, "where": "name = nothing" }), 10, 0);
    assert_eq!((&none["total"], &none["hits"]), (&0.into(), &json!([])));
    let listed = server.posted("/v1/search", &json!({ "where": "width = 256", "fold": true }));
    assert_eq!(listed["total"], 8);
    let texts = ask(&json!({ "fold": true, "kind": "text" }), 10, 0);
    assert_eq!(texts["total"], 3, "captions fold as well, and these are others");
}

#[test]
fn limits_of_inputs_are_those_of_the_server() {
    let limits = Limits { inputs: 2, ..Limits::default() };
    let server = HOME.server_with(Settings { limits, ..Settings::default() });
    for body in [
        json!({ "rows": ["a"], "columns": ["b", "c"] }),
        json!({ "pairs": [["a", "b"], ["c", "d"]] }),
    ] {
        server.post("/v1/similarity", &body).is_problem(413, "too-large", "between 1 and 2");
    }
}
