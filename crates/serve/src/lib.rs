//! Galleries over HTTP: what is searched by `tuwen search` is searched here, by the same engine.
//!
//! [`State`] holds galleries, queues and caches; [`app`] makes a router of it, a value that tests ask directly;
//! [`listen`] serves one on a socket. `routes/` are the questions, one file each; `guard` decides who may ask,
//! `extract` reads what they send within limits, `problem` is the one table from an error to its status, `chinese` says it to who reads Chinese.
//! What costs time runs off the async threads: `embedder` and `scans` gather what waits in a `queue` and do it
//! together, everything else waits for a place in a `room`. `shelf` is a gallery that is served, swapped by
//! `watch` when somebody has written it; `alike` tells by vectors what is nearly the same, `why` by words why something was found. `writer` is the one thread
//! that changes galleries; `folders` are what it indexes in the background, also because `follow` heard of a change,
//! `jobs` what is known of that. `traces` tells a collector what took how long.
//!
//! ```
//! use tuwen_encode::builtin;
//! use tuwen_index::Gallery;
//! use tuwen_serve::{Settings, Source, State, app};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let folder = home.path();
//! let model = tuwen_retrieve::model_id(builtin::BUILT_IN, &builtin::open()?)?;
//! drop(Gallery::open_for_writing(folder, &model)?);
//! let state = State::open(vec![Source::of(folder)], Settings::default())?;
//! let router = app(state); // asked by `tower::Service`, or served by `listen`
//! # drop(router);
//! # Ok(())
//! # }
//! ```

mod alike;
mod app;
mod bodies;
mod calibrate;
mod chinese;
mod data_uri;
mod edits;
mod embedder;
mod extract;
mod fetch;
mod folders;
mod follow;
mod guard;
mod hits;
mod jobs;
mod keys;
mod listen;
mod lru;
mod mcp;
mod mcp_wire;
mod metrics;
mod openapi;
mod patience;
mod places;
mod problem;
mod queue;
mod room;
mod routes;
mod scans;
mod settings;
mod shelf;
mod state;
mod thumbnail;
mod traces;
mod ui;
mod valid;
mod watch;
mod why;
mod wire;
mod wording;
mod writer;

pub use app::app;
pub use bodies::refusal_of;
pub use follow::Followed;
pub use keys::Keys;
pub use listen::listen;
pub use mcp::serve_assistant;
pub use openapi::document as openapi;
pub use places::Connections;
pub use problem::{Error, Result};
pub use settings::{Limits, Settings, Waiting};
pub use shelf::Source;
pub use state::State;
pub use traces::{Telemetry, start as start_telemetry};
