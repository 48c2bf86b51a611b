//! A bounded room for work that blocks: so many at once, so many at the door, all others are told to come again.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::problem::{Problem, ProblemType};
use crate::traces;

/// A place for work of one sort.
pub(crate) struct Room {
    name: &'static str,
    most: usize,
    /// Those inside and at the door.
    door: Semaphore,
    inside: Arc<Semaphore>,
}

impl Room {
    /// `at_once` run, `waiting` more may wait.
    pub fn new(name: &'static str, at_once: usize, waiting: usize) -> Self {
        let most = at_once + waiting;
        let inside = Arc::new(Semaphore::new(at_once));
        Self { name, most, door: Semaphore::new(most), inside }
    }

    /// How many are inside or wait.
    pub fn len(&self) -> usize {
        self.most - self.door.available_permits()
    }

    /// Runs blocking work on a thread that may block. Where the caller goes away before it began, it is not
    /// done.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(_door) = self.door.try_acquire() else {
            let detail = format!(
                "{} {} are done or wait, which is the most: ask again after a second, or ask less at once",
                self.len(),
                self.name
            );
            return Err(Problem::new(ProblemType::Busy, detail));
        };
        let span = traces::asked(self.name, 1);
        let inside = Arc::clone(&self.inside).acquire_owned().await.expect("never closed");
        let work = move || {
            let done = span.in_scope(work);
            // Held until it is done, not until the caller is gone: the thread is busy as long.
            drop(inside);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
    }
}
