//! What is wrong with a request is said with the right status and a cure, and nothing is served that is no item.

mod common;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, header};
use common::{Home, Server, data_uri, demo_picture, names, posting, request};
use serde_json::{Value, json};
use tuwen_serve::{Keys, Limits, Settings, Source, State, Waiting};

static HOME: LazyLock<Home> = LazyLock::new(|| Home::new(&["cow.png", "bus.png", "dog_grass.png"]));

#[test]
fn bodies_that_cannot_be_read_are_explained() {
    let server = HOME.server();
    for (body, kind, says) in [
        ("{\"query\": ", "malformed-json", "column"),
        ("", "malformed-json", "JSON object"),
        ("{\"query\": \"\\ud800\"}", "malformed-json", "column"),
        ("{\"query\": 3}", "invalid-value", "expected a string"),
        (
            "{\"query\": \"x\", \"k\": \"ten\"}",
            "invalid-value",
            "expected a whole number from 0 on",
        ),
        ("{\"query\": \"x\", \"k\": -1}", "invalid-value", "expected a whole number from 0 on"),
        ("{\"query\": \"x\", \"limit\": 3}", "invalid-value", "unknown field `limit`, expected"),
        (
            "{\"query\": \"x\", \"kind\": \"video\"}",
            "invalid-value",
            "one of `image`, `text`, `fused`",
        ),
        ("{\"query\": \"x\", \"without\": 1}", "invalid-value", "unknown field"),
        ("{\"query\": \"width:>=wide\"}", "invalid-value", "number"),
        ("[]", "invalid-value", "it is a list"),
    ] {
        server.post_text("/v1/search", body).is_problem(400, kind, says);
    }
    let invalid = [b"{\"query\": \"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    server.post_text("/v1/search", invalid).is_problem(400, "malformed-json", "UTF-8");
    let deep = "[".repeat(100_000);
    server.post_text("/v1/search", deep).is_problem(400, "invalid-value", "it is a list");
    let plain = request(Method::POST, "/v1/search").body(Body::from("{}")).expect("a request");
    server.ask(plain).is_problem(415, "media-type", "application/json");
}

#[test]
fn values_beyond_sense_are_named_with_their_limits() {
    let server = HOME.server();
    let cow = data_uri(&demo_picture("cow.png"));
    let long = "x".repeat(9_000);
    for (body, status, kind, says) in [
        (json!({}), 400, "invalid-value", "nothing to search for"),
        (json!({ "query": "  " }), 400, "invalid-value", "nothing to search for"),
        (json!({ "not": ["x"], "where": "width > 1" }), 400, "invalid-value", "parts of a query"),
        (json!({ "query": "x", "k": 0 }), 400, "invalid-value", "between 1 and 1000"),
        (json!({ "query": "x", "k": 1_000_000_000 }), 400, "invalid-value", "between 1 and 1000"),
        (json!({ "query": "x", "offset": 100_001 }), 400, "invalid-value", "offset"),
        (json!({ "query": "x", "where": "year >= AND" }), 400, "invalid-filter", "column 9"),
        (
            json!({ "query": "x", "where": "1'; DROP TABLE item; --" }),
            400,
            "invalid-filter",
            "column",
        ),
        (json!({ "query": "x", "gallery": "holidays" }), 404, "unknown-gallery", "only photos"),
        (
            json!({ "query": "x", "image": cow, "image_weight": 1.5 }),
            400,
            "invalid-value",
            "between 0 and 1",
        ),
        (json!({ "like": 999 }), 404, "not-found", "no item 999"),
        (json!({ "like": -1 }), 404, "not-found", "no item -1"),
        (json!({ "query": long }), 413, "too-large", "8192"),
        (json!({ "query": "x", "not": vec!["y"; 17] }), 400, "invalid-value", "16 are the limit"),
        (json!({ "query": "x", "not": [" "] }), 400, "invalid-value", "empty"),
        (json!({ "image": "/etc/passwd" }), 400, "invalid-picture", "no data URI"),
        (json!({ "image": "http://127.0.0.1/x.png" }), 400, "invalid-picture", "not fetched"),
        (json!({ "image": "data:image/png;base64,AAAA" }), 400, "invalid-picture", "are read"),
        (json!({ "image": cow, "words": "exact" }), 400, "invalid-value", "no words"),
    ] {
        server.post("/v1/search", &body).is_problem(status, kind, says);
    }
    for (uri, status, kind, says) in [
        ("/v1/items?k=0", 400, "invalid-value", "between 1 and 1000"),
        ("/v1/items?k=x", 400, "invalid-value", "k: it is no whole number"),
        ("/v1/items?color=red", 400, "invalid-value", "unknown field `color`"),
        ("/v1/items?where=width%20%3E", 400, "invalid-filter", "column"),
        ("/v1/items?gallery=x", 404, "unknown-gallery", "only photos"),
        ("/v1/items/99999999999999999999", 404, "not-found", "have numbers"),
        ("/v1/items/1/thumbnail?side=5000", 400, "invalid-value", "1024"),
        ("/v1/fields/width?k=1001", 400, "invalid-value", "between 1 and 1000"),
        ("/v2", 404, "not-found", "/v1/"),
        ("/v1/search", 405, "method-not-allowed", "`Allow`"),
    ] {
        server.get(uri).is_problem(status, kind, says);
    }
    assert_eq!(server.get("/v1/search").header("allow"), "POST");
}

#[test]
fn embeddings_and_labels_have_limits_of_their_own() {
    let server = HOME.server();
    for (body, status, kind, says) in [
        (json!({ "input": [] }), 400, "invalid-value", "between 1 and 256"),
        (json!({ "input": vec!["x"; 257] }), 413, "too-large", "257"),
        (json!({ "input": [1, 2] }), 400, "invalid-value", "token numbers"),
        (json!({ "input": "" }), 400, "invalid-value", "empty"),
        (json!({ "input": "x", "model": "ada" }), 404, "unknown-model", "only tuwen-small"),
        (json!({ "input": "x", "dimensions": 3 }), 400, "invalid-value", "256"),
        (json!({ "input": "x", "encoding_format": "hex" }), 400, "invalid-value", "base64"),
        (
            json!({ "input": ["x", "data:image/png;base64,AAAA"] }),
            400,
            "invalid-picture",
            "input[1]",
        ),
    ] {
        server.post("/v1/embeddings", &body).is_problem(status, kind, says);
    }
    for (body, status, kind, says) in [
        (json!({ "like": 1, "labels": [] }), 400, "invalid-value", "there is none"),
        (json!({ "labels": ["x"] }), 400, "invalid-value", "either `image`"),
        (json!({ "like": 1, "labels": ["x", "x"] }), 400, "invalid-value", "twice"),
        (json!({ "like": 1, "labels": ["x", " "] }), 400, "invalid-value", "empty"),
        (
            json!({ "like": 1, "labels": (0..101).map(|at| at.to_string()).collect::<Vec<_>>() }),
            413,
            "too-large",
            "100",
        ),
    ] {
        server.post("/v1/classify", &body).is_problem(status, kind, says);
    }
    for (body, kind, says) in [
        (json!({}), "invalid-value", "either `image`"),
        (json!({ "like": 1, "languages": ["fr"] }), "invalid-value", "does not speak `fr`"),
        (json!({ "like": 1, "beams": 1_000_000 }), "invalid-value", "1 to 16"),
        (json!({ "like": 1, "candidates": 0 }), "invalid-value", "1 to 16"),
        (json!({ "image": "data:image/png;base64,AAAA" }), "invalid-picture", "image"),
    ] {
        server.post("/v1/caption", &body).is_problem(400, kind, says);
    }
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let with = |limits| HOME.server_with(Settings { limits, ..Settings::default() });
    let server = with(Limits { body: 10_000, ..Limits::default() });
    let large = "x".repeat(10_001);
    server.post_text("/v1/search", large.clone()).is_problem(413, "too-large", "10000 bytes");
    // Without a length that is said before.
    let chunks = unsaid(vec![large]);
    server.post_text("/v1/search", chunks).is_problem(413, "too-large", "10000 bytes");
    let claimed = request(Method::POST, "/v1/search")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, "1000000000")
        .body(Body::empty());
    server.ask(claimed.expect("a request")).is_problem(413, "too-large", "10000 bytes");
    let cow = json!({ "image": data_uri(&demo_picture("cow.png")) });
    let picture = tuwen_image::Limits { pixels: 10_000, ..Default::default() };
    let server = with(Limits { picture, ..Limits::default() });
    server.post("/v1/search", &cow).is_problem(413, "too-large", "256x256");
}

/// Lists of which nobody takes so many, and JSON that never ends, are refused for what they are.
#[test]
fn long_lists_are_counted_and_endless_bodies_are_no_json() {
    let server = HOME.server();
    let many = vec!["x"; 5_000];
    let five = "a list has 5000 things";
    for (uri, body) in [
        ("/v1/search", json!({ "query": "a dog", "not": many })),
        ("/v1/classify", json!({ "like": 1, "labels": many })),
        ("/v1/caption", json!({ "like": 1, "languages": many })),
    ] {
        server.post(uri, &body).is_problem(400, "invalid-value", five);
    }
    let nine = json!({ "like": 1, "languages": vec!["en"; 9] });
    server.post("/v1/caption", &nine).is_problem(400, "invalid-value", "there are 9, 8 are");
    // Larger than what is read beside other requests.
    let endless = format!(r#"{{"input":[{}"#, r#"{"":0},"#.repeat(100_000));
    server.post_text("/v1/embeddings", endless.clone()).is_problem(400, "malformed-json", "");
    let whole = format!("{}0]}}", endless);
    server.post_text("/v1/embeddings", whole).is_problem(413, "too-large", "100001");
}

/// A few kilobytes that are within the limit of pixels, and would be gigabytes on their way to a model's square.
#[test]
fn a_line_of_pixels_is_refused_or_costs_what_others_do() {
    let server = HOME.server();
    let line = |height: u32| {
        let png = tuwen_image::encode_png(&tuwen_image::RgbImage::new(1, height));
        json!({ "image": data_uri(&png) })
    };
    server.post("/v1/search", &line(100_000)).is_problem(413, "too-large", "1x100000");
    let mut explain = line(100_000);
    explain["text"] = json!("a line");
    server.post("/v1/explain", &explain).is_problem(413, "too-large", "1x100000");
    assert_eq!(server.post("/v1/search", &line(60_000)).status, 200);
}

/// A body whose length nobody says.
fn unsaid(chunks: Vec<String>) -> Body {
    struct Chunks(Vec<String>);
    impl http_body::Body for Chunks {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Ready(
                self.0.pop().map(|chunk| Ok(http_body::Frame::data(chunk.into()))),
            )
        }
    }
    Body::new(Chunks(chunks))
}

#[test]
fn no_path_leads_out_of_the_gallery() {
    let server = HOME.server();
    for uri in [
        "/v1/items/..%2F..%2Fetc%2Fpasswd",
        "/v1/items/..%2F..%2Fetc%2Fpasswd/image",
        "/v1/items/%2Fetc%2Fpasswd/thumbnail",
        "/v1/items/1%00/image",
        "/v1/items/%FF/image",
        "/ui/../Cargo.toml",
        "/ui/..%2FCargo.toml",
        "/ui/%2e%2e/%2e%2e/etc/passwd",
        "/ui//etc/passwd",
        "/ui/index.html/..",
        "//etc/passwd",
        "/<script>alert(1)</script>",
    ] {
        let Ok(request) = request(Method::GET, uri).body(Body::empty()) else { continue };
        let answer = server.ask(request);
        assert!(answer.status.is_client_error(), "{uri}: {}", answer.status);
        assert!(!String::from_utf8_lossy(&answer.body).contains("root:"), "{uri}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_ne!(answer.header("content-type"), "text/html; charset=utf-8", "{uri}");
    }
    for uri in ["/v1/items/%FF", "/v1/fields/%C0%AF", "/ui/%FF"] {
        server.get(uri).is_problem(404, "not-found", "UTF-8");
    }
}

#[test]
fn a_file_that_is_gone_or_another_is_not_served() {
    let home = Home::new(&["cow.png", "bus.png"]);
    let server = home.server();
    let all = server.got("/v1/items");
    let link = |name: &str, what: &str| {
        let at = names(&all).iter().position(|other| *other == name).expect("it is there");
        format!("/v1/items/{}/{what}", all["hits"][at]["id"])
    };
    std::fs::remove_file(home.path("旅行/cow.png")).expect("a file");
    server.get(&link("cow.png", "image")).is_problem(404, "file-gone", "tuwen index");
    server.get(&link("cow.png", "thumbnail")).is_problem(404, "file-gone", "cow.png");
    // A link to what was never indexed.
    std::fs::write(home.path("secret"), "the secret").expect("a file");
    std::fs::remove_file(home.path("旅行/bus.png")).expect("a file");
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.path("secret"), home.path("旅行/bus.png")).expect("a link");
    for what in ["image", "thumbnail"] {
        let answer = server.get(&link("bus.png", what));
        answer.is_problem(404, "file-gone", "");
        assert!(!String::from_utf8_lossy(&answer.body).contains("the secret"));
    }
    let text = server.got("/v1/items?kind=text");
    let text = format!("/v1/items/{}/image", text["hits"][0]["id"]);
    server.get(&text).is_problem(404, "not-found", "is a text");
}

#[test]
fn other_names_of_the_server_are_refused() {
    let settings = Settings { hosts: vec!["photos.example.org".into()], ..Settings::default() };
    let server = HOME.server_with(settings);
    let ask = |host: &str| {
        let request = Request::builder().uri("/v1/stats").header(header::HOST, host);
        server.ask(request.body(Body::empty()).expect("a request"))
    };
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:8787",
        "[::1]:8787",
        "photos.example.org",
        "Photos.Example.Org.:443",
    ] {
        assert_eq!(ask(host).status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.7:8787",
        "x@localhost",
        "",
    ] {
        ask(host).is_problem(421, "wrong-host", "--host NAME");
    }
    // Two names, of which one is ours.
    for (uri, host) in
        [("/v1/stats", "evil.example"), ("http://evil.example/v1/stats", "localhost")]
    {
        let two = Request::builder().uri(uri).header(header::HOST, "localhost");
        let two = two.header(header::HOST, host).body(Body::empty()).expect("a request");
        server.ask(two).is_problem(421, "wrong-host", "evil.example");
    }
    let none = Request::builder().uri("/v1/stats").body(Body::empty()).expect("a request");
    server.ask(none).is_problem(421, "wrong-host", "nothing");
}

#[test]
fn keys_are_asked_for_where_there_are_some() {
    let file = HOME.path("keys");
    std::fs::write(&file, "read:0123456789abcdef\n").expect("a file");
    let keys = Some(Keys::read(&file).expect("keys"));
    let server = HOME.server_with(Settings { keys, ..Settings::default() });
    for uri in ["/", "/v1/stats", "/v1/items/1/image", "/metrics"] {
        let refused = server.get(uri);
        refused.is_problem(401, "unauthorised", "Bearer");
        assert!(refused.header("www-authenticate").starts_with("Basic"));
    }
    assert_eq!(server.get("/health").status, 200);
    for (key, status) in [("0123456789abcdef", 200), ("0123456789abcdeg", 401)] {
        let request = request(Method::GET, "/v1/stats");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        assert_eq!(server.ask(request.body(Body::empty()).expect("a request")).status, status);
    }
}

#[test]
fn a_stuffed_queue_refuses_and_recovers() {
    let waiting = Waiting { texts: 1, ..Waiting::default() };
    let server = HOME.server_with(Settings { waiting, ..Settings::default() });
    let many = (0..64)
        .map(|at| posting("/v1/search", json!({ "query": format!("number {at}") }).to_string()));
    let answers = server.ask_all(many.collect());
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < 64, "{} of 64 refused", refused.len());
    for answer in refused {
        answer.is_problem(429, "busy", "again after a second");
        assert_eq!(answer.header("retry-after"), "1");
    }
    server.posted("/v1/search", &json!({ "query": "and then" }));
}

#[test]
fn what_takes_too_long_is_given_up() {
    let settings = Settings { deadline: Duration::from_nanos(1), ..Settings::default() };
    let answer = HOME.server_with(settings).post("/v1/search", &json!({ "query": "a dog" }));
    answer.is_problem(504, "deadline", "ask for less");
}

#[test]
fn another_writers_commit_is_seen_and_so_is_a_gallery_made_anew() {
    let home = Home::new(&["cow.png"]);
    let settings = Settings { watch: Duration::from_millis(20), ..Settings::default() };
    let server = home.server_with(settings);
    let search = || server.posted("/v1/search", &json!({ "query": "a bus", "k": 1 }));
    assert_eq!(names(&search()), ["cow.png"]);
    let until = |what: &dyn Fn(&Value) -> bool| {
        let began = Instant::now();
        while !what(&search()) {
            assert!(began.elapsed() < Duration::from_secs(20), "it is not seen");
            std::thread::sleep(Duration::from_millis(10));
        }
        server.got("/v1/stats")["galleries"][0].clone()
    };
    home.add("bus.png");
    home.index(&[]);
    let stats = until(&|found| names(found) == ["bus.png"]);
    assert_eq!(stats["images"], 2);
    assert!(stats["generation"].as_u64().expect("a number") >= 2, "{stats}");
    std::fs::remove_dir_all(home.gallery()).expect("a folder");
    assert_eq!(names(&search()), ["bus.png"], "what is served stays until there is another");
    std::fs::remove_file(home.path("旅行/bus.png")).expect("a file");
    home.index(&[]);
    until(&|found| names(found) == ["cow.png"]);
}

#[test]
fn several_galleries_have_names_and_share_a_model() {
    let other = Home::new(&["guitar.png"]);
    let named =
        |name: &str, home: &Home| Source { name: name.into(), ..Source::of(&home.gallery()) };
    let both = vec![named("photos", &HOME), named("音乐 & more", &other)];
    let state = State::open(both.clone(), Settings::default()).expect("a state");
    let models = state.models();
    assert!(std::sync::Arc::ptr_eq(&models[0].1, &models[1].1));
    let server = Server::of(state);
    let found =
        server.posted("/v1/search", &json!({ "query": "a guitar", "gallery": "音乐 & more" }));
    assert_eq!(names(&found), ["guitar.png"]);
    let link = found["hits"][0]["thumbnail"].as_str().expect("a link");
    assert!(link.ends_with("&gallery=%E9%9F%B3%E4%B9%90%20%26%20more"), "{link}");
    assert_eq!(server.get(link).status, 200);
    let item = server.got(&format!(
        "/v1/items/{}?{}",
        found["hits"][0]["id"],
        &link[link.find("gallery=").expect("a part")..]
    ));
    assert_eq!(
        server.get(item["image"].as_str().expect("a link")).body,
        demo_picture("guitar.png")
    );
    let twice = State::open(vec![both[0].clone(), both[0].clone()], Settings::default());
    assert!(twice.err().expect("an error").to_string().contains("--gallery NAME="));
}
