//! A server that is old, slow, half down, full, of another model, or answers nonsense: it is named, the wait is bounded, and
//! what was acknowledged is there. The server is a stand-in: a real one cannot be told to do these things.

mod stand_in;

#[path = "contract/items.rs"]
mod items;

use std::time::{Duration, Instant};

use qdrant_client::qdrant::UpdateStatus;
use tonic::Code;
use tuwen_index::store::{Ask, Copying, Store, copy};
use tuwen_index::{Gallery, Modality, ModelId};
use tuwen_qdrant::{Address, Making, open, open_for_writing};

use self::items::{filled, model, vector};
use self::stand_in::{Manners, StandIn};

const COPYING: Copying<'static> = Copying { delete: false, force: false, goes_on: &|_| true };

fn collection(server: &StandIn) -> Box<dyn Store> {
    open_for_writing(&server.address("photos"), &model(), &Making::default()).expect("a collection")
}

fn original() -> (tempfile::TempDir, Gallery) {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = filled(folder.path());
    (folder, gallery)
}

fn refused(address: &Address) -> String {
    match open(address) {
        Ok(_) => panic!("{address} was opened"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "no «{part}» in: {error}");
    }
}

#[test]
fn who_does_not_answer_is_named_with_the_cure_in_bounded_time() {
    let began = Instant::now();
    let address = Address::parse("qdrant://127.0.0.1:1/photos").expect("an address");
    let error = refused(&address.with_patience(Duration::from_secs(1)));
    says(&error, &["qdrant://127.0.0.1:1/photos", "is Qdrant running there", "6334", "6333"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn who_takes_connections_and_says_nothing_is_named_in_bounded_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("qdrant://{}/photos", listener.local_addr().expect("an address"));
    let address = Address::parse(&address).expect("an address");
    let began = Instant::now();
    let error = refused(&address.with_patience(Duration::from_secs(1)));
    says(&error, &["could not say its version", "is Qdrant running there"]);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[test]
fn who_speaks_another_protocol_is_named() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("qdrant://{}/photos", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let address = Address::parse(&address).expect("an address");
    let error = refused(&address.with_patience(Duration::from_secs(1)));
    says(&error, &["could not say its version", "6334"]);
}

#[test]
fn an_old_server_and_one_that_says_nonsense_are_named() {
    let server = StandIn::start();
    let address = server.address("photos");
    for (version, parts) in [
        ("1.9.4", ["is Qdrant 1.9", "1.16 or newer"]),
        ("banana", ["says its version is \"banana\"", "none of Qdrant's"]),
        ("", ["says its version is \"\"", "none of Qdrant's"]),
    ] {
        server.behave(Manners { version: version.into(), ..Manners::default() });
        says(&refused(&address), &parts);
    }
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let server = StandIn::start();
    let address = server.address("photos");
    says(&refused(&address), &["doesn't exist", "tuwen gallery copy GALLERY"]);
    collection(&server);
    let other = ModelId { fingerprint: "other-2".into(), ..model() };
    let error = open_for_writing(&address, &other, &Making::default()).err().expect("refused");
    says(&error.to_string(), &["test-1", "other-2", "16 values"]);
    let wide = ModelId { dim: 32, ..model() };
    let error = open_for_writing(&address, &wide, &Making::default()).err().expect("refused");
    says(&error.to_string(), &["16 values", "32 values"]);
    server.kept().collections.get_mut("photos").expect("it").made.metadata.clear();
    says(&refused(&address), &["is not tuwen's"]);
    let error = open_for_writing(&address, &model(), &Making::default()).err().expect("refused");
    says(&error.to_string(), &["is not tuwen's"]);
}

#[test]
fn vectors_of_another_width_are_found_out() {
    let server = StandIn::start();
    collection(&server);
    let dim = |text: &str| {
        let mut kept = server.kept();
        let made = &mut kept.collections.get_mut("photos").expect("it").made;
        made.metadata.insert("tuwen_dim".into(), text.into());
    };
    dim("32");
    says(&refused(&server.address("photos")), &["16 values compared by Dot", "should have 32"]);
    dim("many");
    says(&refused(&server.address("photos")), &["\"many\" values"]);
}

#[test]
fn refusals_that_pass_and_answers_that_are_lost_lose_nothing() {
    let (_folder, from) = original();
    for (refuse, lose_answers) in [
        ((3, Code::Unavailable, "half of the cluster is down"), 0),
        ((2, Code::ResourceExhausted, "too many requests"), 0),
        ((0, Code::Ok, ""), 3),
    ] {
        let server = StandIn::start();
        let to = collection(&server);
        server.behave(Manners { refuse, lose_answers, ..Manners::default() });
        let copied = copy(&from, &*to, &COPYING).expect("copied");
        assert_eq!((copied.sent, copied.digest.is_some()), (800, true));
        assert_eq!(to.len().expect("a number"), 800, "none is there twice");
    }
}

#[test]
fn a_full_server_is_named_and_what_was_acknowledged_stays() {
    let (_folder, from) = original();
    let server = StandIn::start();
    let to = collection(&server);
    let some = from.scroll(1, 256).expect("records");
    to.put(some).and_then(|()| to.settle()).expect("stored");
    let full = (
        usize::MAX,
        Code::Internal,
        "Service internal error: No space left on device (os error 28)",
    );
    server.behave(Manners { refuse: full, ..Manners::default() });
    let copying = Copying { force: true, ..COPYING };
    let began = Instant::now();
    let error = copy(&from, &*to, &copying).expect_err("full").to_string();
    says(&error, &["could not store items", "tries", "No space left", "make room there"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(to.len().expect("a number"), 256);
    server.behave(Manners::default());
    let copied = copy(&from, &*to, &COPYING).expect("copied");
    assert_eq!((copied.unchanged, copied.sent), (256, 544));
}

#[test]
fn a_server_that_dies_in_the_middle_and_comes_back_loses_nothing() {
    let (_folder, from) = original();
    let mut server = StandIn::start();
    let to = collection(&server);
    to.put(from.scroll(1, 256).expect("records")).and_then(|()| to.settle()).expect("stored");
    let portions = std::cell::Cell::new(0);
    let server = std::cell::RefCell::new(&mut server);
    let dies = |_| {
        portions.set(portions.get() + 1);
        if portions.get() == 3 {
            server.borrow_mut().kill();
        }
        true
    };
    let copying = Copying { goes_on: &dies, force: true, ..COPYING };
    let error = copy(&from, &*to, &copying).expect_err("dead");
    says(&error.to_string(), &["is Qdrant running there", "the same command goes on"]);
    server.borrow_mut().revive();
    let stored = server.borrow().kept().collections["photos"].points.len() as u64;
    let copied = copy(&from, &*to, &COPYING).expect("copied");
    assert_eq!((copied.items, copied.digest.is_some()), (800, true));
    assert_eq!((copied.unchanged, copied.sent), (stored, 800 - stored));
    assert!(stored >= 256, "what was acknowledged is there: {stored}");
}

#[test]
fn a_slow_server_slows_its_writer_down_and_is_not_flooded() {
    let (_folder, from) = original();
    let server = StandIn::start();
    let to = collection(&server);
    let slowness = Duration::from_millis(100);
    server.behave(Manners { slowness, ..Manners::default() });
    for _ in 0..3 {
        to.put(from.scroll(1, 2_000).expect("records")).expect("on their way");
    }
    to.settle().expect("stored");
    let most = server.kept().most_at_a_time;
    assert!((2..=4).contains(&most), "{most} requests at a time");
    server.behave(Manners { slowness: Duration::from_secs(30), ..Manners::default() });
    let began = Instant::now();
    let error = to.len().expect_err("too slow").to_string();
    says(&error, &["could not count its items", "is Qdrant running there"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn what_is_received_and_not_applied_is_not_called_stored() {
    let (_folder, from) = original();
    let server = StandIn::start();
    let to = collection(&server);
    to.put(from.scroll(1, 1).expect("records")).and_then(|()| to.settle()).expect("stored");
    for status in [UpdateStatus::WaitTimeout, UpdateStatus::Acknowledged] {
        server.behave(Manners { status, ..Manners::default() });
        let put = to.put(from.scroll(2, 1).expect("records")).and_then(|()| to.settle());
        says(&put.expect_err("not applied").to_string(), &["has not applied it"]);
    }
}

#[test]
fn answers_of_nonsense_are_named_and_not_believed() {
    let (_folder, from) = original();
    let server = StandIn::start();
    let to = collection(&server);
    copy(&from, &*to, &COPYING).expect("copied");
    let behave = |manners: Manners| server.behave(manners);
    behave(Manners { backwards: true, ..Manners::default() });
    says(&to.scroll(1, 10).expect_err("nonsense").to_string(), &["answers nonsense", "after"]);
    behave(Manners { scoreless: true, ..Manners::default() });
    let vector = vector(3);
    let ask = Ask { modality: Modality::Image, vector: &vector, k: 3, filter: None, exact: false };
    says(&to.search(&ask).expect_err("nonsense").to_string(), &["answers nonsense", "no score"]);
    for key in ["kind", "hash", "origin", "own", "words", "size", "hidden"] {
        behave(Manners { without: Some(key), ..Manners::default() });
        let error = to.scroll(1, 10).expect_err(key).to_string();
        says(&error, &["item 1", "not as tuwen wrote it", &format!("`{key}`")]);
    }
    behave(Manners::default());
    assert_eq!(to.scroll(1, 1).expect("records").len(), 1);
}

#[test]
fn a_server_that_stores_something_else_is_found_out_by_reading_back() {
    let (_folder, from) = original();
    let server = StandIn::start();
    let to = collection(&server);
    server.behave(Manners { forgetful: true, ..Manners::default() });
    let error = copy(&from, &*to, &COPYING).expect_err("not equal").to_string();
    says(&error, &["up to item 256", "or not as they were sent"]);
}

#[test]
fn a_key_that_is_wanted_is_asked_for() {
    let server = StandIn::start();
    let to = collection(&server);
    let denied = (1, Code::Unauthenticated, "Must provide an API key");
    server.behave(Manners { refuse: denied, ..Manners::default() });
    let error = to.remove(&[1]).expect_err("refused").to_string();
    says(&error, &["Must provide an API key", "TUWEN_QDRANT_API_KEY"]);
    assert!(!error.contains("tries"), "it is not asked again: {error}");
}

#[test]
fn filters_with_too_many_texts_are_refused_by_name() {
    let server = StandIn::start();
    let to = collection(&server);
    let (_folder, from) = original();
    let record = from.scroll(1, 1).expect("records").remove(0);
    let with = |id: i64| {
        let mut record = record.clone();
        record.item.id = id;
        record.said.text("title", &format!("title {id}"));
        record
    };
    to.put((1..=10_001).map(with).collect()).and_then(|()| to.settle()).expect("stored");
    let filter = tuwen_index::filter::Filter::parse("title CONTAINS 77").expect("a filter");
    let error = to.list(Modality::Image, Some(&filter), 5).expect_err("too many").to_string();
    says(&error, &["`title`", "more than 10000", "gallery in a folder"]);
}
