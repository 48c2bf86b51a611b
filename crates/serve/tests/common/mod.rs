//! A gallery of a few drawn pictures, and questions to a router without a socket.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod clients;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;
use tuwen_encode::{CpuEncoder, builtin};
use tuwen_index::Gallery;
use tuwen_retrieve::walk::{Rules, Walk};
use tuwen_retrieve::{Indexer, Line, Settings as Indexing, model_id};
use tuwen_serve::{Settings, Source, State, app};

pub const PICTURES: [&str; 8] = [
    "dog_grass.png",
    "dog_beach.png",
    "cat_sofa.png",
    "cow.png",
    "bus.png",
    "cake.png",
    "guitar.png",
    "beach.png",
];

/// A caption that a page must not take for its own words.
pub const HOSTILE: &str = "<script>alert(1)</script> \"><img src=x onerror=alert(2)>";

/// A folder with pictures, a file of captions and a gallery.
pub struct Home {
    folder: tempfile::TempDir,
    pub encoder: CpuEncoder,
}

impl Home {
    pub fn new(pictures: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Self { folder, encoder: builtin::open().expect("the built-in model") };
        std::fs::create_dir(home.path("旅行")).expect("a folder");
        pictures.iter().for_each(|name| home.add(name));
        home.index(&[
            ("dog_grass.png", "A brown dog is running on the green grass."),
            ("dog_grass.png", "一只棕色的狗在绿色的草地上奔跑。"),
            ("cow.png", HOSTILE),
        ]);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("a folder").join(name)
    }

    pub fn gallery(&self) -> PathBuf {
        self.path("gallery")
    }

    /// Copies one of the demo's pictures to the others.
    pub fn add(&self, name: &str) {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
        std::fs::copy(demo.join(name), self.path("旅行").join(name)).expect("a demo picture");
    }

    /// Brings the gallery up to date, as `tuwen index` does.
    pub fn index(&self, captions: &[(&str, &str)]) {
        let id = model_id(builtin::BUILT_IN, &self.encoder).expect("a name");
        let gallery = Gallery::open_for_writing(&self.gallery(), &id).expect("a gallery");
        let stop = AtomicBool::new(false);
        let walk = Walk::of(&[self.path("旅行")], &Rules::default(), &stop, &|_| {});
        let indexer = Indexer::new(&gallery, &self.encoder, Indexing::default(), &stop, &|_| {});
        let mut indexer = indexer.expect("a gallery");
        indexer.pictures(walk.expect("pictures")).expect("pictures");
        if !captions.is_empty() {
            let file = self.path("旅行/captions.tsv");
            std::fs::write(&file, "").expect("a file");
            let line = |&(image, text): &(&str, &str)| Line {
                image: Some(image.into()),
                text: text.into(),
                ..Line::default()
            };
            let lines: Vec<Line> = captions.iter().map(line).collect();
            indexer.texts(&file, &lines).expect("captions");
        }
        let summary = indexer.finish();
        assert!(summary.is_success(), "{summary:?}");
    }

    pub fn state(&self, settings: Settings) -> State {
        let source = Source { name: "photos".into(), ..Source::of(&self.gallery()) };
        State::open(vec![source], settings).expect("a state")
    }

    pub fn server(&self) -> Server {
        self.server_with(Settings::default())
    }

    pub fn server_with(&self, settings: Settings) -> Server {
        Server::of(self.state(settings))
    }
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// Checks that it is a problem of that kind, with a sentence about it.
    pub fn is_problem(&self, status: u16, kind: &str, says: &str) {
        let shown = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{shown}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["type"], format!("/docs#problem-{kind}"), "{shown}");
        assert_eq!(json["status"], status);
        assert!(json["detail"].as_str().expect("a detail").contains(says), "{shown}");
    }
}

/// A router and the runtime that it answers on.
pub struct Server {
    pub router: Router,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn of(state: State) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { router: app(state), runtime: runtime.expect("a runtime") }
    }

    pub fn get(&self, uri: &str) -> Answer {
        self.ask(request(Method::GET, uri).body(Body::empty()).expect("a request"))
    }

    /// The JSON of an answer that must be good.
    pub fn got(&self, uri: &str) -> Value {
        let answer = self.get(uri);
        assert_eq!(answer.status, 200, "{uri}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub fn post(&self, uri: &str, body: &Value) -> Answer {
        self.post_text(uri, body.to_string())
    }

    pub fn posted(&self, uri: &str, body: &Value) -> Value {
        let answer = self.post(uri, body);
        assert_eq!(answer.status, 200, "{uri}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub fn post_text(&self, uri: &str, body: impl Into<Body>) -> Answer {
        self.ask(posting(uri, body))
    }

    pub fn ask(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(answer(self.router.clone(), request))
    }

    /// Asks all of them at once.
    pub fn ask_all(&self, requests: Vec<Request<Body>>) -> Vec<Answer> {
        self.runtime.block_on(async {
            let ask = |request| tokio::task::spawn(answer(self.router.clone(), request));
            let tasks: Vec<_> = requests.into_iter().map(ask).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("an answer"));
            }
            answers
        })
    }
}

async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("a router never fails");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub fn request(method: Method, uri: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(uri).header(header::HOST, "127.0.0.1:8787")
}

pub fn posting(uri: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .expect("a request")
}

/// A file as a client sends it.
pub fn data_uri(bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

pub fn demo_picture(name: &str) -> Vec<u8> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
    std::fs::read(demo.join(name)).expect("a demo picture")
}

/// The names of an answer's hits.
pub fn names(answer: &Value) -> Vec<&str> {
    let hits = answer["hits"].as_array().expect("hits");
    hits.iter().map(|hit| hit["name"].as_str().expect("a name")).collect()
}
