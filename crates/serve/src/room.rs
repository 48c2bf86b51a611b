//! A bounded room for work that blocks: so many at once, so many at the door, all others are told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Whether somebody still waits for an answer.
#[derive(Clone)]
pub(crate) struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// False once the client is gone, or its time is up.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lives as long as somebody waits.
struct Waiting(Awaited);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
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

    /// The same for work of minutes, which looks now and then whether it is still awaited, and else ends.
    pub async fn run_while_awaited<T: Send + 'static>(
        &self,
        work: impl FnOnce(Awaited) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = Waiting(Awaited(Arc::new(AtomicBool::new(true))));
        let awaited = waiting.0.clone();
        self.run(move || work(awaited)).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Work that would never end by itself leaves the room once nobody waits for it.
    #[tokio::test]
    async fn work_that_nobody_waits_for_makes_room() {
        let room = Room::new("tests", 1, 1);
        let endless = |awaited: Awaited| {
            while awaited.is_so() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        let first = timeout(Duration::from_millis(50), room.run_while_awaited(endless)).await;
        assert!(first.is_err(), "it goes on while somebody waits");
        let next = timeout(Duration::from_secs(60), room.run(|| Ok(7))).await;
        assert_eq!(next.expect("a free room").expect("an answer"), 7);
    }
}
