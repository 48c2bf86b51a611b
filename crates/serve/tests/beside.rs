//! Two galleries of one folder, made with different models, beside each other: what the page says of them is what the
//! server's two answers say.

mod chromium;
mod common;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use chromium::Page;
use common::Home;
use serde_json::{Value, json};
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Arrays, CpuEncoder, ModelConfig};
use tuwen_image::rng::Rng;
use tuwen_index::Gallery;
use tuwen_retrieve::walk::{Rules, Walk};
use tuwen_retrieve::{Indexer, Settings as Indexing, model_id};
use tuwen_serve::{Connections, Settings, Source, State, app, listen};

/// The columns' tiles as the page shows them: thumbnail's content, and what is said of its place.
const TILES: &str = "[...document.querySelectorAll('.column')].map((column) => \
    [...column.querySelectorAll('.tile')].map((tile) => [\
        new URL(tile.dataset.thumbnail, location).searchParams.get('v'), \
        tile.querySelector('.place [aria-hidden]')?.textContent ?? null]))";
const SUMS: &str = "[...document.querySelectorAll('.column p.versus')].map((node) => node.textContent).join(' | ')";
/// A model over Chinese-CLIP's tokens.
const MODEL: &str = r#"{"name": "words", "embed_dim": 16, "patch": 8, "vocab": 21128, "context": 16,
    "fold_width": true,
    "image": {"width": 24, "layers": 2, "heads": 2, "mlp": 48, "norm_eps": 1e-6},
    "text": {"width": 16, "layers": 1, "heads": 2, "mlp": 32, "norm_eps": 1e-6},
    "preprocess": {"size": 32, "geometry": "squash", "filter": "bicubic",
                   "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
const QUERY: &str = "a dog on the grass";

/// The places, from 0, of a gallery's hits by their contents, as the server answers.
const ANSWERS: &str = "Promise.all(['photos', 'other'].map((gallery) => fetch('/v1/search', { method: 'POST', \
    headers: { 'content-type': 'application/json' }, \
    body: JSON.stringify({ query: 'a dog on the grass', k: 60, gallery }) }).then((answer) => answer.json()) \
    .then(({ hits }) => hits.map(({ thumbnail }) => new URL(thumbnail, location).searchParams.get('v')))))";

#[test]
fn two_models_are_compared_beside_each_other() {
    let Some(program) = chromium::find() else {
        let told = "\nNOT RUN: the page's test of two models, for there is no chromium here; \
                    `apt-get install chromium` brings it\n\n";
        std::io::stderr().write_all(told.as_bytes()).expect("standard error");
        return;
    };
    // Each lacks one of the other's, and the files are others: what is compared are contents.
    let names = demo(31);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let home = Home::new(&names[..30]);
    other_gallery(&home, &names[1..]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    let source = |name: &str, folder: &str| {
        let of = Source::of(&home.path(folder));
        Source { name: name.into(), ..of }
    };
    let sources = vec![source("photos", "gallery"), source("other", "other")];
    let state = State::open(sources, Settings::default()).expect("a state");
    state.warm().expect("models");
    let (router, stop) = (app(state), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| listen(listener, router, Connections::default(), &stop));
        let result = std::panic::catch_unwind(|| {
            let mut page = Page::new(&program);
            places(&mut page, &address);
            keys(&mut page);
            another_query_and_one_column(&mut page);
            in_chinese(&mut page, &address);
            assert_eq!(page.complaints, Vec::<String>::new());
        });
        stop.store(true, Ordering::Release);
        server.join().expect("the server ends").expect("and ends well");
        if let Err(failure) = result {
            std::panic::resume_unwind(failure);
        }
    });
}

/// A gallery that cannot be read keeps no other from being served.
#[test]
fn a_damaged_gallery_leaves_the_others_alone() {
    let home = Home::new(&["cow.png", "bus.png"]);
    other_gallery(&home, &["cake.png"]);
    let vectors = std::fs::read_dir(home.path("other/vectors")).expect("a folder");
    let mut files = vectors.map(|file| file.expect("one").path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "vectors"));
    let file = std::fs::OpenOptions::new().write(true).open(file.expect("vectors"));
    file.expect("a file").set_len(10).expect("it is cut");
    let source = |name: &str, folder: &str| {
        let of = Source::of(&home.path(folder));
        Source { name: name.into(), ..of }
    };
    let sources = vec![source("photos", "gallery"), source("other", "other")];
    let state = State::open(sources, Settings::default()).expect("a state");
    state.warm().expect_err("one of them cannot be read");
    let server = common::Server::of(state);
    assert_eq!(server.got("/ready")["status"], "ready");
    let stats = server.got("/v1/stats");
    let galleries = stats["galleries"].as_array().expect("galleries");
    assert_eq!((&galleries[0]["images"], galleries[0].get("damaged")), (&json!(2), None));
    assert_eq!((&galleries[1]["images"], &galleries[1]["damaged"]), (&json!(0), &json!(true)));
    assert_eq!(server.get("/metrics").status, 200);
    let found = server.posted("/v1/search", &json!({ "query": "a cow" }));
    assert_eq!(found["hits"].as_array().map(Vec::len), Some(2));
    let other = server.post("/v1/search", &json!({ "query": "a cow", "gallery": "other" }));
    assert!(other.status.is_server_error());
}

/// Indexes copies of pictures with a model of any weights, whose order is another one.
fn other_gallery(home: &Home, names: &[&str]) {
    let (model, pictures) = (home.path("model"), home.path("copies"));
    std::fs::create_dir_all(&model).expect("a folder");
    std::fs::create_dir_all(&pictures).expect("a folder");
    for name in names {
        std::fs::write(pictures.join(name), common::demo_picture(name)).expect("a picture");
    }
    let config = ModelConfig::parse(MODEL, &model).expect("an architecture");
    let (mut arrays, mut rng) = (Arrays::default(), Rng::new(&[3]));
    for (name, shape) in config.weight_shapes() {
        arrays.slot(&name, &shape).fill_with(|| rng.range(-0.3, 0.3));
    }
    std::fs::write(model.join("config.json"), MODEL).expect("a file");
    let weights = model.join("model.safetensors");
    arrays::write(&arrays, Precision::F16, &Default::default(), &weights).expect("a file");
    let encoder = CpuEncoder::open(&model).expect("a model");
    let id = model_id(model.to_str().expect("UTF-8"), &encoder).expect("a name");
    let gallery = Gallery::open_for_writing(&home.path("other"), &id).expect("a gallery");
    let stop = AtomicBool::new(false);
    let walk = Walk::of(&[pictures], &Rules::default(), &stop, &|_| {});
    let indexer = Indexer::new(&gallery, &encoder, Indexing::default(), &stop, &|_| {});
    let mut indexer = indexer.expect("a gallery");
    indexer.pictures(walk.expect("pictures")).expect("pictures");
    assert!(indexer.finish().is_success());
}

/// Some of the demo's pictures.
fn demo(count: usize) -> Vec<String> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
    let files = std::fs::read_dir(demo).expect("the demo's pictures");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.truncate(count);
    assert_eq!(names.len(), count);
    names
}

/// Chooses the other gallery; models, sums and each tile's place are as the two answers say.
fn places(page: &mut Page, address: &str) {
    page.open(address);
    page.wait("document.querySelectorAll('.tile').length > 20", true);
    page.press("/");
    page.write(QUERY);
    page.press("Enter");
    page.wait("document.querySelector('.tile .score').textContent.startsWith('0.')", true);
    page.value(
        "(document.querySelector('#versus').value = 'other', \
         document.querySelector('#versus').dispatchEvent(new Event('change')))",
    );
    let titles = "[...document.querySelectorAll('h2.versus')].map((node) => node.textContent)";
    page.wait(titles, json!(["photos · tuwen-small", "other · words"]));
    page.wait(&format!("{SUMS}.split('Of the first 20').length"), 3);
    let (wanted, shown) = (page.value(ANSWERS), page.value(TILES));
    let list = |of: &Value, at: usize| of[at].as_array().expect("a list").clone();
    let mut said = Vec::new();
    for own in 0..2 {
        let (here, there) = (list(&wanted, own), list(&wanted, 1 - own));
        let tiles = list(&shown, own);
        assert_eq!((tiles.len(), here.len()), (30, 30));
        for (at, tile) in tiles.iter().enumerate() {
            assert_eq!(tile[0], here[at]);
            let other = there.iter().position(|other| *other == here[at]);
            let is_alone = at < 20 && other.is_none_or(|other| other >= 20);
            let moved = match other {
                None if is_alone => String::new(),
                None => "–".into(),
                Some(other) if other > at => format!("▲{}", other - at),
                Some(other) if other < at => format!("▼{}", at - other),
                Some(_) => "=".into(),
            };
            let place = match is_alone {
                true => format!("only here {moved}").trim_end().to_owned(),
                false => moved,
            };
            assert_eq!(tile[1], place, "column {own}, place {at}");
            said.push(place);
        }
        let both = here[..20].iter().filter(|hit| there[..20].contains(hit)).count();
        let sum = format!("Of the first 20: {both} in both, {} only here", 20 - both);
        assert_eq!(page.value(&format!("{SUMS}.split(' | ')"))[own], sum);
    }
    for kind in ["▲", "▼", "only"] {
        assert!(said.iter().any(|place| place.starts_with(kind)), "no {kind}: {said:?}");
    }
}

/// `v` goes to the same picture in the other column and back; a focused tile marks its twin.
fn keys(page: &mut Page) {
    let focused = "(({ parentNode: tile }) => [\
        [...document.querySelectorAll('.column')].findIndex((column) => column.contains(tile)), \
        new URL(tile.dataset.thumbnail, location).searchParams.get('v')])(document.activeElement)";
    page.value("document.querySelector('.column .tile:not(:has(.alone)) a').focus()");
    let first = page.value(focused);
    assert_eq!(first[0], 0);
    let twin = "new URL(document.querySelector('.twin').dataset.thumbnail, location).searchParams.get('v')";
    page.wait(twin, first[1].clone());
    page.press("v");
    page.wait(focused, json!([1, first[1]]));
    page.press("v");
    page.wait(focused, first);
}

/// Another query has places of its own; without a second column there are none.
fn another_query_and_one_column(page: &mut Page) {
    page.value("scrollTo(0, 0)");
    page.press("/");
    page.value("document.querySelector('#clear').click()");
    page.wait(SUMS, " | ");
    page.wait("document.querySelectorAll('.place').length", 0);
    page.value("history.back()");
    page.wait(&format!("{SUMS}.split('Of the first 20').length"), 3);
    page.value(
        "(document.querySelector('#versus').value = '', \
         document.querySelector('#versus').dispatchEvent(new Event('change')))",
    );
    page.wait("document.querySelectorAll('.column').length", 1);
    page.wait(
        "[...document.querySelectorAll('.place')].some((node) => node.checkVisibility())",
        false,
    );
}

/// On a phone and in Chinese, from the address alone.
fn in_chinese(page: &mut Page, address: &str) {
    page.be_a_phone();
    page.open(&format!("{address}?q=a+dog&versus=other"));
    page.wait(&format!("{SUMS}.split('Of the first 20').length"), 3);
    page.click("#language");
    page.wait(&format!("{SUMS}.split('前 20 项中：两边都有').length"), 3);
    page.wait(
        "document.querySelector('.place.alone [aria-hidden]').textContent.startsWith('仅此处')",
        true,
    );
    page.wait("document.documentElement.scrollWidth > innerWidth", false);
}
