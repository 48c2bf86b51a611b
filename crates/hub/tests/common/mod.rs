//! A real HTTP server with a hub's URLs, and faults on demand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What the server does wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Close the connection after that many bytes of a large file, as often as this says.
    pub cuts: usize,
    /// Answer 503, as often as this says.
    pub busy: usize,
    /// Answer everything with this status.
    pub status: Option<u16>,
    /// Ask for this token.
    pub token: Option<&'static str>,
    /// Send other bytes than announced.
    pub corrupt: bool,
    /// Ignore ranges and send the whole.
    pub whole: bool,
    /// Call a file this in the listing.
    pub hostile: Option<&'static str>,
    /// Give this as the SHA-256 of every file.
    pub checksum: Option<&'static str>,
    /// Give this as the ETag of every file.
    pub etag: Option<&'static str>,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    pub range: Option<String>,
    pub token: Option<String>,
}

/// A hub on this machine.
pub struct Hub {
    pub endpoint: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    faults: Arc<Mutex<Faults>>,
}

/// The commit that `main` stands for.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Larger files are kept elsewhere, as on the real hub.
const LARGE: usize = 10_000;

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn git(bytes: &[u8]) -> String {
    let hasher = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hasher.chain_update(bytes).finalize().iter().map(|b| format!("{b:02x}")).collect()
}

impl Hub {
    /// Serves `files` of the repository `repo`, in HF's and in ModelScope's way.
    pub fn start(repo: &str, files: &[(&str, Vec<u8>)], faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect();
        let (seen, faults) = (Arc::default(), Arc::new(Mutex::new(faults)));
        let site = Arc::new(Site {
            repo: repo.to_owned(),
            files,
            endpoint: endpoint.clone(),
            seen: Arc::clone(&seen),
            faults: Arc::clone(&faults),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&site);
                std::thread::spawn(move || while site.answer(&stream).is_some() {});
            }
        });
        Self { endpoint, seen, faults }
    }

    pub fn set(&self, faults: Faults) {
        *self.faults.lock().expect("no panic") = faults;
    }

    /// Requests whose line contains that.
    pub fn requests(&self, part: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter().filter(|seen| seen.line.contains(part)).cloned().collect()
    }
}

struct Site {
    repo: String,
    files: HashMap<String, Vec<u8>>,
    endpoint: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    faults: Arc<Mutex<Faults>>,
}

impl Site {
    /// One request; none when the connection ends.
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let (range, token) = (headers.remove("range"), headers.remove("authorization"));
        let seen =
            Seen { line: line.trim().to_owned(), range: range.clone(), token: token.clone() };
        self.seen.lock().expect("no panic").push(seen);
        let mut parts = line.split_whitespace();
        let (method, path) = (parts.next()?, parts.next()?);
        self.reply(stream, method, path, range.as_deref(), token.as_deref())
    }

    fn reply(
        &self,
        mut stream: &TcpStream,
        method: &str,
        path: &str,
        range: Option<&str>,
        token: Option<&str>,
    ) -> Option<()> {
        let mut faults = self.faults.lock().expect("no panic");
        let wrong_token = faults.token.is_some_and(|wanted| {
            !path.starts_with("/cdn/") && token != Some(&format!("Bearer {wanted}"))
        });
        let status = if wrong_token { Some(401) } else { faults.status };
        if let Some(status) = status {
            return send(stream, status, "", b"no");
        }
        if faults.busy > 0 {
            faults.busy -= 1;
            return send(stream, 503, "", b"busy");
        }
        let name = path.rsplit_once('/').map_or("", |(_, name)| name);
        let modelscope = path.split_once("FilePath=").map(|(_, name)| name);
        if path == format!("/api/models/{}/revision/main", self.repo) {
            return send(stream, 200, "", self.hf_listing(faults.hostile).to_string().as_bytes());
        }
        if path.contains("/repo/files?") {
            let listing = self.modelscope_listing(faults.hostile, faults.checksum);
            return send(stream, 200, "", listing.to_string().as_bytes());
        }
        let Some(bytes) = self.files.get(modelscope.unwrap_or(name)) else {
            return send(stream, 404, "", b"no such file");
        };
        let large = bytes.len() > LARGE && modelscope.is_none();
        if large && !path.starts_with("/cdn/") {
            let etag = faults.etag.map_or_else(|| sha256(bytes), str::to_owned);
            let to = format!(
                "Location: {}/cdn/{name}\r\nX-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {}\r\n\
                 X-Repo-Commit: {COMMIT}\r\n",
                self.endpoint.replace("127.0.0.1", "localhost"),
                bytes.len()
            );
            return send(stream, 302, &to, b"");
        }
        let etag = faults.etag.map_or_else(|| git(bytes), str::to_owned);
        let etag = format!("ETag: \"{etag}\"\r\n");
        if method == "HEAD" {
            let head = format!("HTTP/1.1 200 OK\r\n{etag}Content-Length: {}\r\n\r\n", bytes.len());
            return stream.write_all(head.as_bytes()).ok();
        }
        let start = range.filter(|_| !faults.whole).and_then(|range| {
            range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
        });
        let mut rest = bytes[start.unwrap_or(0).min(bytes.len())..].to_vec();
        if faults.corrupt && bytes.len() > LARGE {
            rest.iter_mut().for_each(|byte| *byte ^= 1);
        }
        let status = if start.is_some() { 206 } else { 200 };
        if faults.cuts > 0 && rest.len() > LARGE {
            faults.cuts -= 1;
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", rest.len());
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(&rest[..rest.len() / 3]).ok()?;
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return None;
        }
        send(stream, status, &etag, &rest)
    }

    fn hf_listing(&self, hostile: Option<&str>) -> serde_json::Value {
        let names = self.files.keys().map(String::as_str).chain(hostile);
        let siblings: Vec<_> = names.map(|n| serde_json::json!({ "rfilename": n })).collect();
        serde_json::json!({ "sha": COMMIT, "siblings": siblings })
    }

    fn modelscope_listing(&self, hostile: Option<&str>, sha: Option<&str>) -> serde_json::Value {
        let entry = |(name, bytes): (&str, &[u8])| {
            let sha = sha.map_or_else(|| sha256(bytes), str::to_owned);
            serde_json::json!({
                "Path": name, "Type": "blob", "Size": bytes.len(), "Sha256": sha
            })
        };
        let files = self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let files: Vec<_> = files.chain(hostile.map(|name| (name, &b""[..]))).map(entry).collect();
        serde_json::json!({ "Code": 200, "Data": { "Files": files } })
    }
}

fn send(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}
