//! Every question once, on a gallery of drawn pictures, and the same hits as the engine's.

mod common;

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Method;
use common::{HOSTILE, Home, PICTURES, Server, data_uri, demo_picture, names, request};
use serde_json::{Value, json};
use tuwen_index::Modality;
use tuwen_retrieve::{Engine, Options, Query, Search};

/// Never written after it was made.
static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&PICTURES));

fn server() -> Server {
    HOME.server()
}

fn id_of(server: &Server, name: &str) -> i64 {
    let all = server.got("/v1/items?k=100");
    let hits = all["hits"].as_array().expect("hits");
    let hit = hits.iter().find(|hit| hit["name"] == name).expect("it is there");
    hit["id"].as_i64().expect("a number")
}

fn scores(answer: &Value) -> Vec<(i64, f32)> {
    let hits = answer["hits"].as_array().expect("hits").iter();
    let score = |hit: &Value| {
        (hit["id"].as_i64().expect("a number"), hit["score"].as_f64().expect("a score") as f32)
    };
    hits.map(score).collect()
}

#[test]
fn words_find_what_the_engine_finds_bit_for_bit() {
    let (server, engine) =
        (server(), Engine::open(&HOME.gallery(), &Options::default()).expect("a gallery"));
    for (words, kind, name) in [
        ("a dog on the grass", Modality::Image, "image"),
        ("狗在草地上", Modality::Image, "image"),
        ("a dog", Modality::Text, "text"),
    ] {
        let found = engine.search(Some(&Query::words(words)), &Search::all(kind, 5)).expect("hits");
        let wanted: Vec<(i64, f32)> =
            found.hits.iter().map(|hit| (hit.id, hit.score.expect("a score"))).collect();
        let body = json!({ "query": words, "kind": name, "k": 5 });
        // The second answer is one that was kept.
        for _ in 0..2 {
            assert_eq!(scores(&server.posted("/v1/search", &body)), wanted, "{words}");
        }
    }
    let found = server.posted("/v1/search", &json!({ "query": "a dog on the grass", "k": 1 }));
    let hit = &found["hits"][0];
    assert_eq!(
        (&hit["name"], &hit["rank"], &found["total"]),
        (&"dog_grass.png".into(), &1.into(), &8.into())
    );
    assert_eq!(
        (&hit["width"], &hit["kind"], &hit["text"]),
        (&256.into(), &"image".into(), &Value::Null)
    );
    assert_eq!(hit["caption"], "A brown dog is running on the green grass.");
    assert!(hit["path"].as_str().expect("a path").ends_with("/旅行/dog_grass.png"));
    let chinese = server.posted("/v1/search", &json!({ "query": "绿色的草地上奔跑的狗", "k": 1 }));
    assert_eq!(
        chinese["hits"][0]["caption"], "一只棕色的狗在绿色的草地上奔跑。",
        "the nearest one"
    );
    let unknown = server.post("/v1/search", &json!({ "query": "a dog", "where": "yaer = 2020" }));
    unknown.is_problem(400, "invalid-filter", "`yaer`: did you mean `year`?");
    let misspelt = server.posted("/v1/search", &json!({ "query": "a dog yaer:2020" }));
    let said = misspelt["remarks"][0].as_str().expect("a remark");
    assert!(said.contains("did you mean `year:`"), "{misspelt}");
    let groups = server.get("/v1/duplicates?where=yaer%20=%202020");
    groups.is_problem(400, "invalid-filter", "`yaer`");
    let id = id_of(&server, "bus.png");
    let like = server.posted("/v1/search", &json!({ "query": format!("like:{id}") }));
    let found = scores(&like);
    assert_eq!((found.len(), &like["total"]), (PICTURES.len() - 1, &(PICTURES.len() - 1).into()));
    assert!(found.iter().all(|(found, _)| id != *found), "{like}");
}

#[test]
fn pages_are_one_list_also_with_filters_and_words() {
    let server = server();
    for more in [
        json!({}),
        json!({ "where": "width = 256" }),
        json!({ "words": "fuse" }),
        json!({ "not": ["a dog", "a cat"] }),
        json!({ "like": id_of(&server, "bus.png"), "image_weight": 0.7 }),
    ] {
        let ask = |k: usize, offset: usize| {
            let mut body = json!({ "query": "a dog", "k": k, "offset": offset });
            for (key, value) in more.as_object().expect("an object") {
                body[key] = value.clone();
            }
            server.posted("/v1/search", &body)
        };
        let whole = ask(100, 0);
        let all = scores(&whole);
        assert_eq!(whole["total"], all.len(), "{more}");
        let paged: Vec<_> = (0..all.len()).step_by(3).flat_map(|at| scores(&ask(3, at))).collect();
        assert_eq!(paged, all, "{more}");
        assert_eq!(ask(2, 3)["hits"][0]["rank"], 4);
        assert_eq!(ask(2, 50)["hits"], json!([]));
    }
}

#[test]
fn pictures_items_and_mixtures_are_searched_for() {
    let server = server();
    let cow = data_uri(&demo_picture("cow.png"));
    let found = server.posted("/v1/search", &json!({ "image": cow, "k": 2 }));
    assert_eq!(names(&found)[0], "cow.png");
    assert!(scores(&found)[0].1 > 0.999);
    let bus = id_of(&server, "bus.png");
    let found = server.posted("/v1/search", &json!({ "like": bus, "k": 1 }));
    assert_eq!(names(&found), ["bus.png"]);
    for (weight, wanted) in [(1.0, "cow.png"), (0.0, "cake.png")] {
        let body =
            json!({ "image": cow, "query": "a birthday cake", "image_weight": weight, "k": 1 });
        assert_eq!(names(&server.posted("/v1/search", &body)), [wanted], "{weight}");
    }
    let near = server.got(&format!("/v1/items/{bus}/similar?k=3"));
    assert_eq!((names(&near).len(), &near["total"]), (3, &7.into()));
    assert!(!names(&near).contains(&"bus.png"), "the item itself is not like itself");
    let exact = server.posted("/v1/search", &json!({ "query": "brown dog", "words": "exact" }));
    assert_eq!((names(&exact), &exact["total"]), (vec!["dog_grass.png"], &1.into()));
    let only = server.posted("/v1/search", &json!({ "where": "name = cow OR name = bus" }));
    assert_eq!(only["total"], 2);
    assert!(only["hits"][0].get("score").is_none(), "{only}");
}

#[test]
fn items_tell_what_is_known_of_them_and_captions_are_data() {
    let server = server();
    let list = server.got("/v1/items?k=3&offset=1");
    assert_eq!(
        (names(&list).len(), &list["total"], &list["hits"][0]["rank"]),
        (3, &8.into(), &2.into())
    );
    assert_eq!(server.got("/v1/items?kind=text")["total"], 3);
    assert_eq!(server.got("/v1/items?where=name%20%3D%20cow")["total"], 1);
    let cow = server.got(&format!("/v1/items/{}", id_of(&server, "cow.png")));
    assert_eq!(
        (&cow["kind"], &cow["width"], &cow["height"]),
        (&"image".into(), &256.into(), &256.into())
    );
    assert_eq!(cow["bytes"], demo_picture("cow.png").len());
    assert_eq!(cow["captions"][0]["text"], HOSTILE);
    let fields = cow["fields"].as_array().expect("fields");
    assert!(fields.contains(&json!({ "name": "format", "value": "png" })), "{cow}");
    assert!(fields.contains(&json!({ "name": "width", "value": 256 })), "{cow}");
    let caption = server.got(&format!("/v1/items/{}", cow["captions"][0]["id"]));
    assert_eq!((&caption["owner"], &caption["image"]), (&cow["id"], &cow["image"]));
}

#[test]
fn fields_and_their_values_are_counted() {
    let server = server();
    let fields = server.got("/v1/fields");
    let fields = fields["fields"].as_array().expect("fields");
    assert!(
        fields.contains(&json!({ "name": "width", "type": "number", "items": 8 })),
        "{fields:?}"
    );
    let folders = server.got("/v1/fields/%E6%96%87%E4%BB%B6%E5%A4%B9?k=50");
    let values = folders["values"].as_array().expect("values");
    assert!(values.contains(&json!({ "value": "旅行", "items": 8 })), "{folders}");
    let some = server.got("/v1/fields/width?where=name%20%3D%20cow");
    assert_eq!(some, json!({ "values": [{ "value": 256, "items": 1 }] }));
    assert_eq!(server.got("/v1/fields/none"), json!({ "values": [] }));
}

#[test]
fn thumbnails_are_small_kept_and_never_asked_for_twice() {
    let server = server();
    let hits = server.got("/v1/items?k=1");
    let link = hits["hits"][0]["thumbnail"].as_str().expect("a link");
    let first = server.get(&format!("{link}&side=100"));
    assert_eq!((first.status.as_u16(), first.header("content-type")), (200, "image/jpeg"));
    assert!(first.header("cache-control").contains("immutable"));
    let picture = tuwen_image::decode(&first.body, tuwen_image::Limits::default()).expect("a JPEG");
    assert_eq!(picture.dimensions(), (160, 160), "rounded up");
    let again = server.get(&format!("{link}&side=160"));
    assert!(again.body == first.body && HOME.gallery().join("thumbnails").is_dir());
    let known = request(Method::GET, link).header("if-none-match", "\"other\"").body(Body::empty());
    assert_eq!(server.ask(known.expect("a request")).status, 200);
    let etag = server.get(link).header("etag").to_owned();
    let known = request(Method::GET, link).header("if-none-match", &etag).body(Body::empty());
    let known = server.ask(known.expect("a request"));
    assert_eq!(
        (known.status.as_u16(), known.body.len(), known.header("etag")),
        (304, 0, &etag[..])
    );
    let plain = server.get(link.split('?').next().expect("a path"));
    assert!(!plain.header("cache-control").contains("immutable"), "it may become another picture");
    let item = hits["hits"][0]["id"].as_i64().expect("a number");
    let image = server.get(&format!("/v1/items/{item}/image"));
    assert_eq!((image.status.as_u16(), image.header("content-type")), (200, "image/png"));
    assert_eq!(image.body, demo_picture(hits["hits"][0]["name"].as_str().expect("a name")));
}

#[test]
fn embeddings_are_those_of_the_model_in_both_encodings() {
    use base64::Engine as _;
    use tuwen_encode::Encoder;
    let server = server();
    let cow = demo_picture("cow.png");
    let body =
        json!({ "input": ["a dog", data_uri(&cow), "狗"], "model": "tuwen-small", "user": "me" });
    let answer = server.posted("/v1/embeddings", &body);
    assert_eq!((&answer["object"], &answer["model"]), (&"list".into(), &"tuwen-small".into()));
    let row = |at: usize| -> Vec<f32> {
        serde_json::from_value(answer["data"][at]["embedding"].clone()).expect("numbers")
    };
    assert_eq!(row(0), HOME.encoder.encode_texts(&["a dog"]).expect("a vector"));
    let picture = tuwen_image::decode(&cow, tuwen_image::Limits::default()).expect("a picture");
    let fitted = HOME.encoder.preprocess().fit(&picture);
    assert_eq!(row(1), HOME.encoder.encode_images(&[fitted]).expect("a vector"));
    assert_eq!(answer["data"][2]["index"], 2);
    assert!(answer["usage"]["total_tokens"].as_u64().expect("a number") >= 4, "{answer}");
    let packed =
        server.posted("/v1/embeddings", &json!({ "input": "a dog", "encoding_format": "base64" }));
    let text = packed["data"][0]["embedding"].as_str().expect("base64");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    let (floats, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    assert_eq!(floats.iter().map(|&four| f32::from_le_bytes(four)).collect::<Vec<_>>(), row(0));
    // More than one forward pass takes, each in its own place.
    let many: Vec<String> = (0..150).map(|at| format!("number {at}")).collect();
    let answer = server.posted("/v1/embeddings", &json!({ "input": many }));
    let last = HOME.encoder.encode_texts(&["number 149"]).expect("a vector");
    let found: Vec<f32> =
        serde_json::from_value(answer["data"][149]["embedding"].clone()).expect("numbers");
    assert_eq!(found, last);
}

#[test]
fn labels_are_ranked() {
    let server = server();
    let body = json!({ "image": data_uri(&demo_picture("cow.png")), "labels": ["a car", "奶牛", "a guitar"] });
    let answer = server.posted("/v1/classify", &body);
    let labels = answer["labels"].as_array().expect("labels");
    assert_eq!((&labels[0]["label"], labels.len()), (&"奶牛".into(), 3));
    let sum: f64 =
        labels.iter().map(|label| label["probability"].as_f64().expect("a number")).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    let like =
        json!({ "like": id_of(&server, "cow.png"), "labels": ["a car", "奶牛", "a guitar"] });
    assert_eq!(server.posted("/v1/classify", &like)["labels"][0]["label"], "奶牛");
}

#[test]
fn a_picture_is_described_as_the_program_does_it() {
    let server = server();
    let id = id_of(&server, "cow.png");
    let answer = server.posted("/v1/caption", &json!({ "like": id, "candidates": 2 }));
    assert_eq!(answer["made_by"], "tuwen-small-captions");
    let captions = answer["captions"].as_array().expect("captions");
    let languages: Vec<&str> =
        captions.iter().map(|made| made["language"].as_str().expect("a name")).collect();
    assert_eq!(languages, ["en", "en", "zh", "zh"]);
    assert!(captions.iter().all(|made| made["log_prob"].as_f64().expect("a number") < 0.0));
    let sent = json!({ "image": data_uri(&demo_picture("cow.png")), "candidates": 2 });
    assert_eq!(server.posted("/v1/caption", &sent)["captions"], answer["captions"]);
    let ranked = json!({ "like": id, "languages": ["zh"], "candidates": 3, "rerank": true });
    let ranked = server.posted("/v1/caption", &ranked);
    let ranked = ranked["captions"].as_array().expect("captions");
    assert!(ranked.len() > 1 && ranked.iter().all(|made| made["cosine"].is_number()));
}

#[test]
fn the_server_tells_about_itself() {
    let state = HOME.state(tuwen_serve::Settings::default());
    let server = Server::of(state.clone());
    assert_eq!(server.get("/health").status, 200);
    server.get("/ready").is_problem(503, "not-ready", "again");
    state.warm().expect("a model");
    assert_eq!(server.get("/ready").status, 200);
    let stats = server.got("/v1/stats");
    let wanted = json!([{ "name": "photos", "images": 8, "texts": 3, "model": "tuwen-small", "dim": 256, "generation": 1, "removed": 0, "writable": false, "calibrated": false }]);
    assert_eq!((&stats["galleries"], &stats["writable"]), (&wanted, &false.into()));
    server.posted("/v1/search", &json!({ "query": "a dog" }));
    server.get("/nothing/of/this");
    let metrics = String::from_utf8(server.get("/metrics").body).expect("UTF-8");
    for line in [
        "tuwen_requests_total{route=\"/v1/search\",status=\"200\"} 1",
        "tuwen_requests_total{route=\"none\",status=\"404\"} 1",
        "tuwen_request_seconds_count{route=\"/v1/search\"} 1",
        "tuwen_waiting{queue=\"texts\"} 0",
        "tuwen_items{gallery=\"photos\",kind=\"image\"} 8",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line}\n{metrics}");
    }
}

#[test]
fn the_page_comes_from_the_program_with_a_strict_policy() {
    let server = server();
    let page = server.get("/");
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.body.starts_with(b"<!doctype html>"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(server.get("/ui/style.css").header("content-type"), "text/css; charset=utf-8");
    for (header, value) in
        [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")]
    {
        for uri in ["/", "/v1/stats", "/nothing"] {
            assert_eq!(server.get(uri).header(header), value, "{uri}");
        }
    }
    assert_eq!(page.header("access-control-allow-origin"), "");
}

#[test]
fn the_language_of_queries_is_read() {
    let server = server();
    let asked = |body: &Value| -> Vec<Value> {
        server.posted("/v1/search", body)["hits"].as_array().expect("hits").clone()
    };
    let folder = asked(&json!({ "query": "文件夹:旅行", "k": 100 }));
    let in_folder = |hit: &Value| hit["path"].as_str().expect("a path").contains("/旅行/");
    assert!(!folder.is_empty() && folder.iter().all(in_folder), "a filter alone lists");
    let rest = asked(&json!({ "query": "a dog -文件夹:旅行", "k": 100 }));
    assert!(!rest.iter().any(in_folder));
    assert_eq!(folder.len() + rest.len(), PICTURES.len());
    let exact = asked(&json!({ "query": "a dog \"running on the green grass\"", "k": 100 }));
    let named: Vec<&Value> = exact.iter().map(|hit| &hit["name"]).collect();
    assert_eq!(named, ["dog_grass.png"]);
    let texts = asked(&json!({ "query": "kind:text a dog", "k": 3 }));
    assert!(texts.iter().all(|hit| hit["kind"] == "text"));
    let id = id_of(&server, "dog_grass.png");
    let like = asked(&json!({ "query": format!("image:{id}"), "k": 1 }));
    let similar = server.got(&format!("/v1/items/{id}/similar?k=1"));
    assert_eq!(
        (&like[0]["id"], &like[0]["score"]),
        (&similar["hits"][0]["id"], &similar["hits"][0]["score"]),
        "what is most like it, without itself"
    );
    assert_ne!(like[0]["id"], id);
    assert!(asked(&json!({ "query": "a dog", "threshold": 0.9 })).is_empty());
    let beyond = server.post_text("/v1/search", r#"{"query": "a dog", "threshold": 1e300}"#);
    assert_eq!(beyond.status, 400, "{}", String::from_utf8_lossy(&beyond.body));
    for threshold in [9.0, -1.5] {
        let body = json!({ "query": "a dog", "threshold": threshold });
        server.post("/v1/search", &body).is_problem(400, "invalid-value", "-1 to 1");
    }
    // Several items of a line are all of the query, and none of them is a hit.
    let of_items = |line: String| asked(&json!({ "query": line, "k": 8 }));
    let [cow, bus] = ["cow.png", "bus.png"].map(|name| id_of(&server, name));
    let both = of_items(format!("image:{cow} image:{bus}"));
    assert_eq!(both.len(), 6);
    assert!(both.iter().all(|hit| hit["id"] != cow && hit["id"] != bus));
    let alone = of_items(format!("image:{cow}"));
    let score = |hits: &[Value], id: &Value| {
        hits.iter().find(|hit| hit["id"] == *id).expect("the hit")["score"].clone()
    };
    let other = both[0]["id"].clone();
    assert_ne!(score(&both, &other), score(&alone, &other));
    let gone = json!({ "query": format!("image:{cow} image:99999") });
    server.post("/v1/search", &gone).is_problem(404, "not-found", "99999");
    let nothing = server.posted("/v1/search", &json!({ "query": "a dog ext:jpg" }));
    assert_eq!((&nothing["total"], nothing["hits"].as_array().map(Vec::len)), (&json!(0), Some(0)));
    let said = nothing["remarks"].to_string();
    assert!(said.contains("`extension`") && said.contains("png"), "{nothing}");
    let model = server.got("/v1/models/tuwen-small");
    assert_eq!(model, server.got("/v1/models")["data"][0]);
    server.get("/v1/models/gpt-4").is_problem(404, "unknown-model", "only tuwen-small");
    let cursor =
        server.posted("/v1/search", &json!({ "query": "a dog", "k": 2 }))["cursor"].clone();
    let both = json!({ "query": "a dog", "cursor": cursor, "offset": 2 });
    server.post("/v1/search", &both).is_problem(400, "invalid-value", "give one of them");
    let mut by_date: Vec<Value> = asked(&json!({ "query": "a dog", "sort": "date", "k": 100 }));
    let mut by_score = asked(&json!({ "query": "a dog", "k": 100 }));
    for hits in [&mut by_date, &mut by_score] {
        hits.sort_unstable_by_key(|hit| hit["id"].as_i64());
        hits.iter_mut().for_each(|hit| drop(hit.as_object_mut().expect("a hit").remove("rank")));
    }
    assert_eq!(by_date, by_score, "another order of the same hits");
}

#[test]
fn a_cursor_is_the_next_page() {
    let server = HOME.server();
    let ask = |body: Value| server.posted("/v1/search", &body);
    let all = ask(json!({ "query": "a dog", "k": 8 }));
    assert!(all.get("cursor").is_none(), "{all}");
    let (mut pages, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut body = json!({ "query": "a dog", "k": 3 });
        if !cursor.is_null() {
            body["cursor"] = cursor;
        }
        let page = ask(body);
        pages.extend(page["hits"].as_array().expect("hits").clone());
        match page.get("cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!(json!(pages), all["hits"]);
    let stale = ask(json!({ "query": "a dog", "k": 3, "cursor": "99-3" }));
    assert!(stale["remarks"][0].as_str().is_some_and(|remark| remark.contains("changed")));
    server.post("/v1/search", &json!({ "query": "a dog", "cursor": "x" })).is_problem(
        400,
        "invalid-value",
        "cursor",
    );
}
