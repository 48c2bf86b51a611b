//! What a server is told when it starts.

use std::time::Duration;

use crate::{Connections, Followed, Keys};

/// How much one request may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Characters of one text.
    pub text: usize,
    /// Inputs of an embedding request, items of a change.
    pub inputs: usize,
    /// Labels of a classification, each of which becomes dozens of sentences.
    pub labels: usize,
    /// Hits of one answer.
    pub k: usize,
    /// Hits before them.
    pub offset: usize,
    /// Pictures that are sent, and those of the gallery.
    pub picture: tuwen_image::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 20_000_000,
            text: 8_192,
            inputs: 256,
            labels: 100,
            k: 1_000,
            offset: 100_000,
            picture: tuwen_image::Limits::default(),
        }
    }
}

/// How many requests may wait for each thing before others are refused with 429.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Texts to be embedded.
    pub texts: usize,
    /// Pictures to be embedded.
    pub pictures: usize,
    /// Vectors to be searched for.
    pub scans: usize,
    /// Everything else that reads a gallery.
    pub reads: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { texts: 512, pictures: 64, scans: 256, reads: 256 }
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Per request.
    pub limits: Limits,
    /// Per queue.
    pub waiting: Waiting,
    /// How many may be connected.
    pub connections: Connections,
    /// When a request is given up.
    pub deadline: Duration,
    /// How often galleries are asked whether another program has written them.
    pub watch: Duration,
    /// Names by which clients may call the server, beside those of this machine's loopback.
    pub hosts: Vec<String>,
    /// Whether any address may be a host's name, because the server listens on all of them.
    pub any_address: bool,
    /// Who may ask; everybody where there are none.
    pub keys: Option<Keys>,
    /// Whether everybody may change galleries where there are no keys.
    pub open_to_changes: bool,
    /// Whether pictures are fetched by addresses that clients send.
    pub fetch_images: bool,
    /// Folders whose changes are indexed.
    pub followed: Vec<Followed>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            waiting: Waiting::default(),
            connections: Connections::default(),
            deadline: Duration::from_secs(30),
            watch: Duration::from_millis(500),
            hosts: Vec::new(),
            any_address: false,
            keys: None,
            open_to_changes: false,
            fetch_images: false,
            followed: Vec::new(),
        }
    }
}
