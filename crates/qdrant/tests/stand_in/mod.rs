//! A server that speaks Qdrant's protocol and keeps points in memory, to be told how to misbehave where a real one cannot be.
//! It understands what tuwen asks, searches by looking at every point, and refuses the rest.

#![allow(dead_code, reason = "each test uses a part of it")]

mod matching;
mod services;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use qdrant_client::qdrant::collections_server::CollectionsServer;
use qdrant_client::qdrant::points_server::PointsServer;
use qdrant_client::qdrant::qdrant_server::QdrantServer;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::{CreateCollection, PointStruct, UpdateStatus, vector};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tuwen_qdrant::Address;

/// How the server misbehaves.
#[derive(Clone, Debug)]
pub struct Manners {
    /// What it says its version is.
    pub version: String,
    /// So many of the next changes are refused with this code and these words.
    pub refuse: (usize, Code, &'static str),
    /// So many of the next changes are made, and their answers are lost.
    pub lose_answers: usize,
    /// It waits before each answer.
    pub slowness: Duration,
    /// Points are given in the wrong order.
    pub backwards: bool,
    /// Scores are no numbers.
    pub scoreless: bool,
    /// What is said of changes.
    pub status: UpdateStatus,
    /// This part of every point's payload is not there.
    pub without: Option<&'static str>,
    /// Stored values are off by a little.
    pub forgetful: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            version: "1.18.3".into(),
            refuse: (0, Code::Ok, ""),
            lose_answers: 0,
            slowness: Duration::ZERO,
            backwards: false,
            scoreless: false,
            status: UpdateStatus::Completed,
            without: None,
            forgetful: false,
        }
    }
}

/// What the server keeps.
#[derive(Default)]
pub struct Kept {
    pub collections: HashMap<String, Collection>,
    pub manners: Manners,
    /// Changes that were asked for.
    pub changes: usize,
    /// Changes that were going on at the same time, at most, and now.
    pub most_at_a_time: usize,
    pub now: usize,
}

/// A collection with its points.
pub struct Collection {
    pub made: CreateCollection,
    pub points: BTreeMap<u64, PointStruct>,
    pub indexes: BTreeMap<String, i32>,
}

/// A running server; it ends with the value.
pub struct StandIn {
    pub kept: Arc<Mutex<Kept>>,
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl StandIn {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0", Arc::default())
    }

    fn start_at(address: &str, kept: Arc<Mutex<Kept>>) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = services::Service(Arc::clone(&kept));
        let server = tonic::transport::Server::builder()
            .add_service(QdrantServer::new(service.clone()))
            .add_service(CollectionsServer::new(service.clone()))
            .add_service(PointsServer::new(service));
        runtime.spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { kept, address, runtime: Some(runtime) }
    }

    /// Ends it at once, in the middle of what it does; what it keeps stays.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }

    /// Starts it again where it was.
    pub fn revive(&mut self) {
        *self = Self::start_at(&self.address.to_string(), Arc::clone(&self.kept));
    }

    pub fn address(&self, collection: &str) -> Address {
        let text = format!("qdrant://{}/{collection}", self.address);
        Address::parse(&text).expect("an address").with_patience(Duration::from_secs(2))
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panicked")
    }

    pub fn behave(&self, manners: Manners) {
        self.kept().manners = manners;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The one vector of a point, with its name.
fn vector_of(point: &PointStruct) -> Option<(String, Vec<f32>)> {
    let VectorsOptions::Vectors(named) = point.vectors.as_ref()?.vectors_options.as_ref()? else {
        return None;
    };
    let (name, vector) = named.vectors.iter().next()?;
    match vector.vector.as_ref()? {
        vector::Vector::Dense(dense) => Some((name.clone(), dense.data.clone())),
        _ => None,
    }
}

fn missing(name: &str) -> Status {
    Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"))
}
