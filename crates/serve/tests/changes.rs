//! What clients change: pictures that are added, items that are taken out and put back, tags, folders in the
//! background; and who may not.

mod common;

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, header};
use common::{Answer, Home, PICTURES, Server, data_uri, demo_picture, names, request};
use serde_json::{Value, json};
use tuwen_index::Gallery;
use tuwen_serve::{Followed, Keys, Settings};

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

#[test]
fn a_picture_that_is_sent_is_found_and_is_one_item_however_often_it_comes() {
    let home = Home::new(&PICTURES[..2]);
    let server = home.server_with(open());
    let picture = data_uri(&demo_picture("guitar.png"));
    let new = json!({ "items": [
        { "name": "../吉他.png", "image": picture, "caption": "一把吉他", "tags": ["音乐", "wood"] },
        { "name": "no.png", "image": data_uri(b"no picture") },
        { "name": "nothing", "image": "http://example.org/a.png" },
    ]});
    let answer = sent(&server, Method::POST, "/v1/items", &new);
    let items = answer["items"].as_array().expect("items");
    assert_eq!(items[0]["status"], "added");
    for (refused, says) in [(1, "no.png"), (2, "nothing")] {
        assert_eq!(
            (&items[refused]["status"], &items[refused]["name"]),
            (&json!("refused"), &json!(says))
        );
        assert!(items[refused]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    let id = items[0]["id"].clone();
    let found = server.posted("/v1/search", &json!({ "query": "a guitar", "k": 1 }));
    assert_eq!(found["hits"][0]["id"], id, "it is found at once");
    assert_eq!(found["hits"][0]["caption"], "一把吉他");
    assert_eq!(server.posted("/v1/search", &json!({ "query": "guitar tag:音乐" }))["total"], 1);
    let again = sent(
        &server,
        Method::POST,
        "/v1/items",
        &json!({ "items": [
            { "name": "other.png", "image": picture, "caption": "一把吉他" },
        ]}),
    );
    assert_eq!((&again["items"][0]["status"], &again["items"][0]["id"]), (&json!("same"), &id));
    let details = server.got(&format!("/v1/items/{id}"));
    assert_eq!(details["captions"].as_array().map(Vec::len), Some(1), "the same caption once");
    let path = details["path"].as_str().expect("a path");
    assert!(path.ends_with("uploads/吉他.png"), "{path}");
    assert_eq!(server.get(&format!("/v1/items/{id}/image")).body, demo_picture("guitar.png"));
    std::fs::remove_file(path).expect("its file is removed");
    let again = json!({ "items": [{ "name": "new.png", "image": picture }] });
    assert_eq!(sent(&server, Method::POST, "/v1/items", &again)["items"][0]["status"], "same");
    let image = server.get(&format!("/v1/items/{id}/image"));
    assert_eq!(image.body, demo_picture("guitar.png"), "what was sent again is kept again");
    let captions = std::fs::read_to_string(home.gallery().join("uploads/captions.jsonl"));
    assert_eq!(captions.expect("a file").lines().count(), 1);
}

#[test]
fn pictures_of_one_name_keep_it_and_lie_apart() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    let pictures = ["guitar.png", "bus.png", "cake.png"];
    let item = |picture: &&str| {
        let image = data_uri(&demo_picture(picture));
        json!({ "name": "IMG 0001.png", "image": image, "caption": picture })
    };
    let new = json!({ "items": pictures.iter().map(item).collect::<Vec<_>>() });
    let answer = sent(&server, Method::POST, "/v1/items", &new);
    for (at, picture) in pictures.iter().enumerate() {
        let id = &answer["items"][at]["id"];
        let item = server.got(&format!("/v1/items/{id}"));
        assert_eq!(
            (&item["name"], &item["captions"][0]["text"]),
            (&"IMG 0001.png".into(), &json!(picture))
        );
        let image = server.get(&format!("/v1/items/{id}/image"));
        assert_eq!(image.body, demo_picture(picture));
        // The file was written a moment ago, in whole seconds.
        let date = httpdate::parse_http_date(image.header("last-modified")).expect("a date");
        let age = date.elapsed().expect("the past");
        assert!(age < Duration::from_secs(600), "{age:?}");
    }
    for query in [
        "/v1/items?where=name%20=%20%22IMG%200001%22",
        "/v1/items?where=name%20=%20%22img%200001.png%22",
    ] {
        assert_eq!(server.got(query)["total"], 3, "{query}");
    }
    assert_eq!(sent(&server, Method::POST, "/v1/items", &new)["items"][2]["status"], "same");
}

#[test]
fn what_is_taken_out_is_not_found_until_it_is_put_back_and_no_file_is_touched() {
    let home = Home::new(&PICTURES);
    let server = home.server_with(open());
    let ask = json!({ "query": "a dog", "k": 20 });
    let before = server.posted("/v1/search", &ask);
    let (id, name) = (before["hits"][0]["id"].clone(), names(&before)[0].to_owned());
    let answer = sent(&server, Method::DELETE, "/v1/items", &json!({ "ids": [id, 999_999] }));
    assert_eq!(answer["removed"], 1);
    assert_eq!(answer["unknown"], json!([999_999]));
    let after = server.posted("/v1/search", &ask);
    assert_eq!(after["total"], PICTURES.len() - 1);
    assert!(!names(&after).contains(&name.as_str()));
    let removed = server.got("/v1/items?removed=true");
    assert_eq!(names(&removed), [&name]);
    assert_eq!(server.got("/v1/stats")["galleries"][0]["removed"], 1);
    assert!(home.path(&format!("旅行/{name}")).is_file());
    home.index(&[]);
    let restored = sent(&server, Method::POST, "/v1/items/restore", &json!({ "all": true }));
    assert_eq!(restored["restored"], 1, "indexing does not bring it back by the way");
    assert_eq!(server.posted("/v1/search", &ask)["hits"], before["hits"]);
}

#[test]
fn tags_are_found_and_counted() {
    let home = Home::new(&PICTURES);
    let server = home.server_with(open());
    let uri = "/v1/items/tags";
    let ids = json!([1, 2, 3]);
    let tagged = sent(&server, Method::POST, uri, &json!({ "ids": ids, "add": ["夏天", " Sea "] }));
    assert_eq!(tagged["changed"], 3);
    assert!(tagged.get("unknown").is_none(), "{tagged}");
    let tagged = sent(&server, Method::POST, uri, &json!({ "ids": [1], "remove": ["sea"] }));
    assert_eq!(tagged["changed"], 1);
    assert_eq!(server.posted("/v1/search", &json!({ "query": "tag:sea" }))["total"], 2);
    let values = server.got("/v1/fields/tag");
    assert_eq!(values["values"][0]["items"], 3, "{values}");
    for (body, says) in [
        (json!({ "ids": [1], "add": [""] }), "no tag"),
        (json!({ "ids": [1], "add": ["a\nb"] }), "no tag"),
        (json!({ "ids": [1] }), "there is no tag"),
        (json!({ "ids": [], "add": ["a"] }), "empty"),
        (json!({ "ids": [1], "add": ["x".repeat(101)] }), "100 characters"),
    ] {
        send(&server, Method::POST, uri, &body).is_problem(400, "invalid-value", says);
    }
    let many: Vec<i64> = (0..10_001).collect();
    send(&server, Method::POST, uri, &json!({ "ids": many, "add": ["a"] })).is_problem(
        413,
        "too-large",
        "10000",
    );
}

#[test]
fn only_who_may_write_changes_anything() {
    let home = Home::new(&PICTURES[..1]);
    let questions = [
        (Method::POST, "/v1/items", json!({ "items": [] })),
        (Method::DELETE, "/v1/items", json!({ "ids": [1] })),
        (Method::POST, "/v1/items/restore", json!({ "all": true })),
        (Method::POST, "/v1/items/tags", json!({ "ids": [1], "add": ["a"] })),
        (Method::POST, "/v1/folders", json!({ "path": "/" })),
        (Method::DELETE, "/v1/jobs/1", json!({})),
    ];
    let reading = home.server();
    for (method, uri, body) in &questions {
        send(&reading, method.clone(), uri, body).is_problem(403, "forbidden", "only read");
    }
    assert_eq!(reading.got("/v1/stats")["writable"], false);
    let file = home.path("keys");
    std::fs::write(&file, "read:0123456789abcdef\nwrite:fedcba9876543210\n").expect("a file");
    let keys = Some(Keys::read(&file).expect("keys"));
    let keyed = home.server_with(Settings { keys, ..Settings::default() });
    let ask = |key: &str, (method, uri, body): &(Method, &str, Value)| {
        let request = request(method.clone(), uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {key}"));
        keyed.ask(request.body(Body::from(body.to_string())).expect("a request"))
    };
    for question in &questions {
        ask("0123456789abcdef", question).is_problem(403, "forbidden", "write:KEY");
    }
    assert_eq!(ask("fedcba9876543210", &questions[3]).json()["changed"], 1);
}

#[test]
fn without_keys_nobody_changes_anything_through_a_proxy() {
    let home = Home::new(&PICTURES[..1]);
    let hosts = vec!["photos.example.org".to_owned()];
    let server = home.server_with(Settings { hosts, ..open() });
    let ask = |host: &str, through: Option<&str>| {
        let mut request = axum::http::Request::builder()
            .method(Method::POST)
            .uri("/v1/items/tags")
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(name) = through {
            request = request.header(name, "203.0.113.7");
        }
        let body = json!({ "ids": [1], "add": ["a"] }).to_string();
        server.ask(request.body(Body::from(body)).expect("a request"))
    };
    ask("photos.example.org", None).is_problem(403, "forbidden", "proxy");
    ask("127.0.0.1:8787", Some("x-forwarded-for")).is_problem(403, "forbidden", "proxy");
    assert_eq!(ask("localhost:8787", None).json()["changed"], 1);
    assert_eq!(ask("[::1]:8787", None).json()["changed"], 0);
}

#[test]
fn pages_of_other_sites_ask_nothing() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    let ask = |origin: &str| {
        let request = request(Method::POST, "/v1/items/tags")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ORIGIN, origin);
        let body = json!({ "ids": [1], "add": ["a"] }).to_string();
        server.ask(request.body(Body::from(body)).expect("a request"))
    };
    for origin in ["http://evil.example", "null", "https://127.0.0.1.evil.example"] {
        ask(origin).is_problem(403, "forbidden", "own pages");
    }
    assert_eq!(ask("http://127.0.0.1:8787").json()["changed"], 1);
}

fn wait_for_job(server: &Server, ended: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let jobs = server.got("/v1/jobs");
        if let Some(job) = jobs["jobs"].as_array().expect("jobs").iter().find(|job| ended(job)) {
            return job.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{jobs}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_folder_is_indexed_behind_the_answers_and_says_what_failed() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    let more = home.path("more");
    std::fs::create_dir(&more).expect("a folder");
    for name in &PICTURES[4..] {
        std::fs::write(more.join(name), demo_picture(name)).expect("a picture");
    }
    std::fs::write(more.join("broken.png"), &demo_picture("cow.png")[..200]).expect("a file");
    let answer = send(&server, Method::POST, "/v1/folders", &json!({ "path": more }));
    assert_eq!(answer.status, 202);
    let job = wait_for_job(&server, |job| job["state"] == "done");
    assert_eq!((&job["embedded"], &job["failed_count"]), (&json!(4), &json!(1)), "{job}");
    assert!(job["failed"][0]["path"].as_str().expect("a path").ends_with("broken.png"));
    let began = Instant::now();
    while server.got("/v1/items")["total"] != 5 {
        assert!(began.elapsed() < Duration::from_secs(10), "the gallery is not opened again");
        std::thread::sleep(Duration::from_millis(50));
    }
    for (path, says) in [("relative", "full path"), ("/no/such/folder", "/no/such/folder")] {
        send(&server, Method::POST, "/v1/folders", &json!({ "path": path })).is_problem(
            400,
            "invalid-value",
            says,
        );
    }
    send(&server, Method::DELETE, "/v1/jobs/99", &json!({})).is_problem(404, "not-found", "99");
}

#[test]
fn a_watched_folder_is_indexed_when_something_changes() {
    let home = Home::new(&PICTURES[..1]);
    let path = home.path("inbox");
    std::fs::create_dir(&path).expect("a folder");
    let followed = vec![Followed { gallery: None, path: path.clone() }];
    let state = home.state(Settings { followed, ..open() });
    let server = Server::of(state.clone());
    wait_for_job(&server, |job| job["state"] == "done" && job["kind"] == "watch");
    for name in ["cake.png", "bus.png"] {
        std::fs::write(path.join(name), demo_picture(name)).expect("a picture");
    }
    wait_for_job(&server, |job| job["embedded"] == 2);
    std::fs::remove_file(path.join("bus.png")).expect("removed");
    std::fs::write(path.join("cow.png"), demo_picture("cow.png")).expect("a picture");
    wait_for_job(&server, |job| job["id"] != 1 && job["id"] != 2 && job["state"] == "done");
    let gallery = Gallery::open(&home.gallery()).expect("a gallery");
    let all = gallery.all(tuwen_index::Modality::Image).expect("items");
    let names: Vec<String> =
        all.iter().map(|item| String::from_utf8_lossy(&item.origin).into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with("cow.png")), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("inbox/bus.png")), "{names:?}");
    // Another folder of that name, as of a disk that comes back, is heard as well, also after it was found.
    std::fs::rename(&path, home.path("away")).expect("it is taken away");
    std::fs::create_dir(&path).expect("a folder");
    for (name, count) in [("guitar.png", 1), ("beach.png", 1)] {
        std::fs::write(path.join(name), demo_picture(name)).expect("a picture");
        let is_new = format!("name = {name:?}");
        let found = || {
            server
                .got(&format!("/v1/items?where={}", is_new.replace(' ', "%20").replace('"', "%22")))
        };
        let began = std::time::Instant::now();
        while found()["total"] != count {
            assert!(began.elapsed().as_secs() < 60, "{name} is not found");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    state.close();
}

#[test]
fn a_gallery_that_another_program_writes_is_not_waited_for_without_end() {
    let home = Home::new(&PICTURES[..1]);
    let server = home.server_with(open());
    let model = Gallery::open(&home.gallery()).and_then(|gallery| gallery.model());
    let other = Gallery::open_for_writing(&home.gallery(), &model.expect("a model"));
    let held = other.expect("the other program");
    let tag = json!({ "ids": [1], "add": ["a"] });
    let refused = send(&server, Method::POST, "/v1/items/tags", &tag);
    refused.is_problem(409, "locked", "another program");
    assert_eq!(refused.header("retry-after"), "1");
    drop(held);
    assert_eq!(sent(&server, Method::POST, "/v1/items/tags", &tag)["changed"], 1);
}
