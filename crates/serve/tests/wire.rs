//! What a connection is refused for, over real sockets: a flood of headers, too long an address, no request at all, more
//! connections than one client may have, answers that nobody reads.

mod common;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::Home;
use serde_json::Value;
use tuwen_serve::{Connections, Settings, app, listen};

/// A server that ends with its test.
struct Listening {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    _home: Home,
}

impl Listening {
    fn start(connections: Connections) -> Self {
        let home = Home::new(&["cow.png"]);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (router, stop) =
            (app(home.state(Settings::default())), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&stop);
        let serve = move || listen(listener, router, connections, &until).expect("it ends well");
        Self { address, stop, thread: Some(std::thread::spawn(serve)), _home: home }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit of time");
        stream
    }

    /// Sends these bytes, as far as they are taken, and reads to the end.
    fn answer(&self, request: &[u8]) -> (String, Value) {
        let mut stream = self.connect();
        // The server may have refused before all of it was sent.
        let _ = stream.write_all(request);
        read(stream)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

fn read(mut stream: TcpStream) -> (String, Value) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    (head.to_owned(), body)
}

fn is_problem(answer: &(String, Value), status: u16, kind: &str, says: &str) {
    let (head, body) = answer;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}\n{body}");
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert_eq!(
        (&body["type"], &body["status"]),
        (&format!("/docs#problem-{kind}").into(), &status.into())
    );
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{body}");
}

#[test]
fn what_is_no_request_is_refused_in_words() {
    let server = Listening::start(Connections::default());
    let head = |line: &str, headers: &str| {
        format!("{line}\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.address)
            .into_bytes()
    };
    let many = "X-Flood: 0\r\n".repeat(200);
    let large = |length| format!("X-Flood: {}\r\n", "y".repeat(length));
    let lines = format!("X-Flood: {}\r\n", "y".repeat(1000)).repeat(66);
    for flood in [many, lines, large(66_000), large(130_000), large(190_000), large(300_000)] {
        let answer = server.answer(&head("GET /health HTTP/1.1", &flood));
        is_problem(&answer, 431, "header-too-large", "65536 bytes or 100");
    }
    let address = |length: usize| format!("GET /v1/items?where={} HTTP/1.1", "x".repeat(length));
    for length in [20_000, 65_000, 400_000] {
        let answer = server.answer(&head(&address(length), ""));
        is_problem(&answer, 414, "address-too-long", "body");
    }
    is_problem(&server.answer(b"\x16\x03\x01\0\0\r\n\r\n"), 400, "malformed-request", "HTTP/1.1");
    let fine = server.answer(&head("GET /health HTTP/1.1", &"X-Few: 0\r\n".repeat(50)));
    assert_eq!((fine.0.split(' ').nth(1), &fine.1["status"]), (Some("200"), &"ok".into()));
}

#[test]
fn a_client_has_its_share_of_connections_and_no_more() {
    let limits = Connections { all: 6, each: 3, proxies: Vec::new() };
    let server = Listening::start(limits.clone());
    let mut held: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for stream in &mut held {
        // Answered, so that it is counted.
        stream.write_all(request).expect("the server reads");
        assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
    }
    let refused = server.answer(request);
    is_problem(&refused, 429, "crowded", "3 connections of 127.0.0.1");
    assert!(refused.0.contains("Retry-After: 1"), "{}", refused.0);
    drop(held);
    let began = Instant::now();
    let closing = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    while server.answer(closing).1["status"] != "ok" {
        assert!(began.elapsed() < Duration::from_secs(10), "places do not become free");
    }
    let proxies = vec![IpAddr::from([127, 0, 0, 1])];
    let server = Listening::start(Connections { proxies, ..limits });
    let held: Vec<TcpStream> = (0..6).map(|_| server.connect()).collect();
    let refused = server.answer(closing);
    is_problem(&refused, 503, "full", "6 connections are open");
    drop(held);
}

#[test]
fn who_reads_no_answer_takes_no_place_for_long() {
    let server = Listening::start(Connections { all: 6, each: 2, proxies: Vec::new() });
    let asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(600);
    let closing = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // Answers of many megabytes, which fill all buffers between the two.
    let unread = [server.connect(), server.connect()];
    for mut stream in &unread {
        stream.write_all(&asked).expect("the server reads");
    }
    is_problem(&server.answer(closing), 429, "crowded", "2 connections");
    let began = Instant::now();
    while server.answer(closing).1["status"] != "ok" {
        assert!(began.elapsed() < Duration::from_secs(60), "who reads nothing is never ended");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(began.elapsed() > Duration::from_secs(2), "a pause is no end");
    drop(unread);
    // Who reads slowly is given all of it: slower than the limit for who reads nothing.
    let mut slow = server.connect();
    slow.write_all(&asked).expect("the server reads");
    let (began, mut some, mut read) = (Instant::now(), vec![0; 1 << 20], 0);
    while began.elapsed() < Duration::from_secs(14) {
        let taken = slow.read(&mut some).expect("the connection is open");
        assert!(taken > 0, "ended after {read} bytes");
        read += taken;
        std::thread::sleep(Duration::from_millis(500));
    }
}
