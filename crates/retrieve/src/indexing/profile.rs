//! Where the time of a run goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Time by what was done. Reading, decoding and fitting run on all threads at once, beside the network, so that all
/// together are more than the run took.
#[derive(Debug, Default)]
pub struct Profile {
    read: AtomicU64,
    decode: AtomicU64,
    fit: AtomicU64,
    network: AtomicU64,
    store: AtomicU64,
}

/// What is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// Bytes from the disk, their hash, and what they say of themselves.
    Read,
    /// Bytes to pixels.
    Decode,
    /// Pixels to the model's size.
    Fit,
    /// Pixels to vectors.
    Network,
    /// Vectors, items, fields and words to the disk.
    Store,
}

/// The same in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// Reading files, hashing them, and what they say of themselves: of all threads.
    pub read: f64,
    /// Decoding: of all threads.
    pub decode: f64,
    /// Bringing to the model's size: of all threads.
    pub fit: f64,
    /// The network: as long as somebody waited for it.
    pub network: f64,
    /// Storing: as long as somebody waited for it.
    pub store: f64,
}

impl Profile {
    /// Runs something and counts its time.
    pub(crate) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(stage, began.elapsed());
        done
    }

    pub(crate) fn add(&self, stage: Stage, time: Duration) {
        let sum = match stage {
            Stage::Read => &self.read,
            Stage::Decode => &self.decode,
            Stage::Fit => &self.fit,
            Stage::Network => &self.network,
            Stage::Store => &self.store,
        };
        sum.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// So far.
    pub fn seconds(&self) -> Seconds {
        let of = |sum: &AtomicU64| sum.load(Ordering::Relaxed) as f64 / 1e9;
        Seconds {
            read: of(&self.read),
            decode: of(&self.decode),
            fit: of(&self.fit),
            network: of(&self.network),
            store: of(&self.store),
        }
    }
}
