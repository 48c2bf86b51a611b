//! Traces by OTLP: what a collector gets of a server that was built with `otel`, and what one says that was not.
//! `cargo test --release --workspace --features tuwen-cli/otel --test otlp` is the former.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "otel")]
mod protobuf;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{TUWEN, copy_pictures, index};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The variables of whoever runs the test are none of this server's.
fn command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(TUWEN);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder);
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server, which does not outlive its test.
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
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut process = command(folder, variables).spawn().expect("the program starts");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("a line");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line:?}");
        Self { process, address }
    }

    /// Searches, as a part of a client's trace where `headers` say so.
    fn search(&self, query: &str, headers: &str) {
        let body = serde_json::json!({ "query": query, "k": 2 }).to_string();
        let (address, length) = (&self.address, body.len());
        let request = format!(
            "POST /v1/search HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Ends it by a signal, and returns what it said on standard error.
    fn end(mut self) -> String {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let mut said = String::new();
        let mut errors = self.process.stderr.take().expect("its errors");
        errors.read_to_string(&mut said).expect("UTF-8");
        said
    }
}

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&["dog_grass.png", "cow.png"], &folder.path().join("pictures"));
    assert_eq!(index(folder.path(), &["pictures"])["added"], 2);
    folder
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_program_without_it_says_how_to_get_it_and_serves() {
    let folder = home();
    let server = Server::start(folder.path(), &[(ENDPOINT, "http://127.0.0.1:9")]);
    server.search("a cow", "");
    let said = server.end();
    assert!(said.contains(ENDPOINT) && said.contains("--features otel"), "{said}");
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), (ENDPOINT, "")] {
        let server = Server::start(folder.path(), &[(ENDPOINT, "http://127.0.0.1:9"), off]);
        let said = server.end();
        assert!(!said.contains("--features"), "{off:?}: {said}");
    }
}

#[cfg(feature = "otel")]
mod with_it {
    use std::collections::HashMap;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::protobuf::Message;
    use super::*;

    /// What a collector keeps of a span.
    struct Span {
        trace: Vec<u8>,
        id: Vec<u8>,
        parent: Vec<u8>,
        name: String,
        kind: u64,
        numbers: HashMap<String, u64>,
        /// The spans that it is linked with.
        links: Vec<Vec<u8>>,
    }

    /// Listens as a collector does, and gives each body that comes.
    fn collector() -> (String, Receiver<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (bodies, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let bodies = bodies.clone();
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream.expect("a connection"));
                    while let Some(body) = receive(&mut stream) {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n\
                                       Content-Length: 0\r\n\r\n";
                        stream.get_mut().write_all(answer).expect("the client reads");
                        let _ = bodies.send(body);
                    }
                });
            }
        });
        (address, received)
    }

    /// One request's body; none where the connection ended.
    fn receive(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let head = head.to_lowercase();
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let length = head.split("content-length:").nth(1).expect("a length").lines().next();
        let mut body = vec![0; length.and_then(|n| n.trim().parse().ok()).expect("a number")];
        stream.read_exact(&mut body).expect("a body");
        Some(body)
    }

    /// `KeyValue`s: texts and numbers.
    fn attributes(of: &Message, field: u64) -> (HashMap<String, String>, HashMap<String, u64>) {
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        for pair in of.messages(field) {
            let value = pair.messages(2).remove(0);
            match value.number(3) {
                Some(number) => drop(numbers.insert(pair.text(1), number)),
                None => drop(texts.insert(pair.text(1), value.text(1))),
            }
        }
        (texts, numbers)
    }

    /// Of `ExportTraceServiceRequest`s
    /// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
    fn spans(bodies: &[Vec<u8>]) -> Vec<Span> {
        let mut all = Vec::new();
        for resource in bodies.iter().flat_map(|body| Message::read(body).messages(1)) {
            let (about, _) = attributes(&resource.messages(1)[0], 1);
            assert_eq!(about["service.name"], "photos of ours");
            for span in resource.messages(2).iter().flat_map(|scope| scope.messages(2)) {
                let bytes = |field| span.bytes(field).first().map_or(Vec::new(), |id| id.to_vec());
                all.push(Span {
                    trace: bytes(1),
                    id: bytes(2),
                    parent: bytes(4),
                    name: span.text(5),
                    kind: span.number(6).unwrap_or(0),
                    numbers: attributes(&span, 9).1,
                    links: span.messages(13).iter().map(|link| link.bytes(2)[0].to_vec()).collect(),
                });
            }
        }
        all
    }

    #[test]
    fn a_collector_gets_requests_what_they_waited_for_and_batches() {
        let folder = home();
        let (address, received) = collector();
        let variables = [(ENDPOINT, address.as_str()), ("OTEL_SERVICE_NAME", "photos of ours")];
        let server = Server::start(folder.path(), &variables);
        let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        server.search("奶牛", &format!("traceparent: 00-{trace}-{parent}-01\r\n"));
        std::thread::scope(|scope| {
            for number in 0..16 {
                let server = &server;
                scope.spawn(move || server.search(&format!("dog number {number}"), ""));
            }
        });
        let said = server.end();
        assert!(!said.contains("not sent"), "{said}");
        let mut bodies = vec![received.recv_timeout(Duration::from_secs(20)).expect("traces")];
        bodies.extend(received.try_iter());
        let telling = |text: &str| {
            bodies.iter().any(|body| body.windows(text.len()).any(|at| at == text.as_bytes()))
        };
        assert!(!telling("奶牛") && !telling("dog number"), "what somebody searched for");
        let spans = spans(&bodies);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let asked: Vec<&Span> =
            spans.iter().filter(|span| span.name == "POST /v1/search").collect();
        assert_eq!(asked.len(), 17);
        let ours = asked.iter().find(|span| hex(&span.trace) == trace).expect("the client's trace");
        assert_eq!((hex(&ours.parent).as_str(), ours.kind), (parent, 2));
        assert_eq!(ours.numbers["http.response.status_code"], 200);
        let child = |of: &Span, name: &str| -> &Span {
            let mut children =
                spans.iter().filter(|span| span.parent == of.id && span.name == name);
            children.next().unwrap_or_else(|| panic!("no {name} of {}", of.name))
        };
        for queue in ["texts", "scans"] {
            let waited = child(ours, queue);
            assert_eq!(child(waited, &format!("batch of {queue}")).numbers["tuwen.inputs"], 1);
            assert_eq!(hex(&waited.trace), trace);
        }
        each_was_in_one_batch(&spans);
    }

    /// Whoever asked is the parent of a batch or linked with it.
    fn each_was_in_one_batch(spans: &[Span]) {
        for queue in ["texts", "scans"] {
            let name = format!("batch of {queue}");
            let batches: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
            let inputs: u64 = batches.iter().map(|batch| batch.numbers["tuwen.inputs"]).sum();
            assert_eq!(inputs, 17, "{queue}");
            for waited in spans.iter().filter(|span| span.name == queue) {
                let has =
                    |batch: &&&Span| batch.parent == waited.id || batch.links.contains(&waited.id);
                assert_eq!(batches.iter().filter(has).count(), 1, "{queue}");
            }
        }
    }

    #[test]
    fn a_collector_that_is_not_there_is_told_of_and_harms_nobody() {
        let folder = home();
        let server = Server::start(folder.path(), &[(ENDPOINT, "http://127.0.0.1:9")]);
        server.search("a cow", "");
        let said = server.end();
        let told = said.matches("traces are not sent").count();
        assert!(told == 1 && said.contains("http://127.0.0.1:9/v1/traces"), "{said}");
        assert!(said.contains("refused"), "{said}");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let folder = home();
        for (name, value, says) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem", "leave it out"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "gzip"),
            (ENDPOINT, "not an address", "not an address"),
        ] {
            let variables = [(ENDPOINT, "http://127.0.0.1:9"), (name, value)];
            let output = command(folder.path(), &variables).output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{name}: {said}");
            assert!(said.contains(says), "{name}: {said}");
        }
    }
}
