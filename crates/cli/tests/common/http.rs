//! A server on this machine that answers requests of JSON as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

/// What was asked.
pub struct Request {
    /// Requests that came before.
    pub turn: usize,
    /// The path, with its slash.
    pub path: String,
    /// The line of authorization, in lower case.
    pub key: String,
    /// The body.
    pub body: Value,
}

/// Starts it; its address.
pub fn server(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            let Some(request) = read(&stream, turn) else { continue };
            let (status, text) = answer(&request);
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                text.len()
            );
            let _ =
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes()));
        }
    });
    url
}

fn read(stream: &TcpStream, turn: usize) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let (mut length, mut path, mut key) = (0, String::new(), String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        }
        if let Some(value) = line.strip_prefix("authorization: ") {
            key = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    Some(Request { turn, path, key, body: serde_json::from_slice(&body).expect("JSON") })
}
