//! The real server on a real socket: it prints where it is, answers, and ends by a signal.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{TUWEN, copy_pictures, fail, index, search};
use serde_json::Value;

/// A server that does not outlive its test.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut process = Command::new(TUWEN)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        let address = address.unwrap_or_else(|| panic!("an address, not {line:?}")).to_owned();
        Self { process, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("the server listens")
    }

    /// Asks one thing on a connection of its own; returns head and body.
    fn ask(&self, question: &str, body: &str) -> (String, String) {
        let mut stream = self.connect();
        self.send(&mut stream, question, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_owned(), body.to_owned())
    }

    fn send(&self, stream: &mut TcpStream, question: &str, body: &str) {
        let address = &self.address;
        let length = body.len();
        let request = format!(
            "{question} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
    }

    fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }

    fn code(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not end")
    }
}

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["dog_grass.png", "cow.png", "bus.png"];
    copy_pictures(&names, &folder.path().join("pictures"));
    assert_eq!(index(folder.path(), &["pictures"])["added"], 3);
    folder
}

#[test]
fn the_program_serves_what_it_finds_and_ends_by_a_signal() {
    let folder = home();
    let mut server = Server::start(folder.path(), &[]);
    let began = Instant::now();
    while !server.ask("GET /ready", "").0.starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not become ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (head, body) = server.ask("POST /v1/search", r#"{"query": "奶牛", "k": 3}"#);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let wanted = search(folder.path(), &["奶牛", "-k", "3"]);
    let scores = |hits: &[Value]| -> Vec<(Value, Value)> {
        hits.iter().map(|hit| (hit["id"].clone(), hit["score"].clone())).collect()
    };
    assert_eq!(scores(answer["hits"].as_array().expect("hits")), scores(&wanted));
    // A request that is being sent when the signal comes is still answered.
    let mut slow = server.connect();
    let (body, length) = (r#"{"query": "a bus", "k": 1}"#, 26);
    let head = format!(
        "POST /v1/search HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{}",
        server.address,
        &body[..5]
    );
    slow.write_all(head.as_bytes()).expect("the server reads");
    std::thread::sleep(Duration::from_millis(300));
    server.terminate();
    std::thread::sleep(Duration::from_millis(300));
    slow.write_all(&body.as_bytes()[5..]).expect("the server still reads");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("bus.png"), "{answer}");
    assert_eq!(server.code(), Some(130));
    assert!(TcpStream::connect(&server.address).is_err(), "nobody listens any more");
}

#[test]
fn what_cannot_be_served_is_said_before_anybody_asks() {
    let folder = home();
    let home = folder.path();
    let says = |args: &[&str], code: i32, wanted: &str| {
        let error = fail(home, &[&["serve"], args].concat(), code);
        assert!(error.contains(wanted), "{args:?}: {error}");
    };
    says(&["--listen", "0.0.0.0:0"], 2, "--key-file FILE");
    says(&["--listen", "here"], 2, "--listen");
    says(&["--gallery", "none"], 1, "no gallery at none");
    says(&["--gallery", ".tuwen", "--gallery", ".tuwen"], 2, "--gallery NAME=");
    says(&["--gallery", "=.tuwen"], 2, "an empty name");
    std::fs::write(home.join("keys"), "read:short\n").expect("a file");
    says(&["--key-file", "keys"], 1, "line 1: the key has fewer than 16");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    says(&["--listen", &address], 1, "--listen takes another address");
}

#[test]
fn names_of_galleries_and_keys_are_those_of_the_command_line() {
    let folder = home();
    std::fs::write(folder.path().join("keys"), "read:0123456789abcdef\n").expect("a file");
    let server = Server::start(
        folder.path(),
        &["--gallery", "照片=.tuwen", "--gallery", ".tuwen", "--key-file", "keys"],
    );
    assert!(server.ask("GET /v1/stats", "").0.starts_with("HTTP/1.1 401"));
    let mut stream = server.connect();
    let request = "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer 0123456789abcdef\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let own = folder.path().canonicalize().expect("a folder");
    let own = own.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(answer.contains("\"照片\"") && answer.contains(&format!("\"{own}\"")), "{answer}");
}
