//! A bounded queue with a thread behind it, which takes what waits and does it together.
//!
//! Nobody waits for a batch to fill: an idle worker begins with the first input, and whatever came while it
//! worked is the next batch. So one client has the latency of one input, and many share a pass; only where others are
//! known to be about to ask does a worker wait for them, for a moment. Who would have to
//! wait for long is refused at once, as on a machine that has other work to do: places alone do not say how long
//! waiting is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::problem::{Problem, ProblemType};
use crate::traces;

/// Work that may wait: who comes then is refused, so that answers come soon, and what waits is done soon after the
/// last one has asked.
const LONGEST: Duration = Duration::from_millis(1500);
/// How long a worker waits for those who are [`Coming`]: answers that left a worker together come to the next one
/// within less, and work of which most is the same for all of them is done once.
const GATHER: Duration = Duration::from_micros(200);

type Answer<O> = Result<O, Problem>;

struct Job<I, O> {
    input: I,
    /// Of who asks.
    span: Span,
    reply: oneshot::Sender<Answer<O>>,
}

/// The asking side.
pub(crate) struct Queue<I, O> {
    name: &'static str,
    sender: Sender<Job<I, O>>,
    /// Nanoseconds that an input has taken lately.
    pace: Arc<AtomicU64>,
    /// How many will ask soon.
    coming: Arc<AtomicUsize>,
}

/// Somebody who will ask soon.
pub(crate) struct Coming<'q>(&'q AtomicUsize);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<I: Send + 'static, O: Send + 'static> Queue<I, O> {
    /// Starts the thread, which ends with the queue. `work` answers at most `most` inputs at once, each in its
    /// place; `waiting` others may wait.
    pub fn start(
        name: &'static str,
        waiting: usize,
        most: usize,
        work: impl Fn(Vec<I>) -> Vec<Answer<O>> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel(waiting.max(1));
        let pace = Arc::new(AtomicU64::new(0));
        let measured = Arc::clone(&pace);
        let timed = move |inputs: Vec<I>| {
            let (began, count) = (Instant::now(), inputs.len() as u64);
            let answers = work(inputs);
            let now = began.elapsed().as_nanos() as u64 / count;
            let before = measured.load(Ordering::Relaxed);
            let mean = if before == 0 { now } else { (3 * before + now) / 4 };
            measured.store(mean, Ordering::Relaxed);
            answers
        };
        let coming = Arc::new(AtomicUsize::new(0));
        let near = Arc::clone(&coming);
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || serve(name, receiver, most, &near, timed))?;
        Ok(Self { name, sender, pace, coming })
    }

    /// Says that somebody will ask soon, as long as it is held.
    pub fn coming(&self) -> Coming<'_> {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(&self.coming)
    }

    /// How many wait now.
    pub fn len(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Asks one thing. Where the caller goes away, it is not done.
    pub async fn ask(&self, input: I) -> Answer<O> {
        let mut all = self.ask_all(vec![input]).await?;
        Ok(all.pop().expect("an answer for each input"))
    }

    /// Asks several; all of them find a place, or none.
    pub async fn ask_all(&self, inputs: Vec<I>) -> Answer<Vec<O>> {
        let span = traces::asked(self.name, inputs.len());
        self.answers(inputs, &span).instrument(span.clone()).await
    }

    async fn answers(&self, inputs: Vec<I>, span: &Span) -> Answer<Vec<O>> {
        if self.work_that_waits() > LONGEST {
            return Err(self.busy());
        }
        let replies: Vec<_> = {
            let places = self.sender.try_reserve_many(inputs.len()).map_err(|_| self.busy())?;
            let places = places.zip(inputs).map(|(place, input)| {
                let (reply, answer) = oneshot::channel();
                place.send(Job { input, span: span.clone(), reply });
                answer
            });
            places.collect()
        };
        let mut answers = Vec::with_capacity(replies.len());
        for reply in replies {
            let gone = |_| Problem::internal(format!("the worker of {} ended", self.name));
            answers.push(reply.await.map_err(gone)??);
        }
        Ok(answers)
    }

    /// How long what waits now will take.
    fn work_that_waits(&self) -> Duration {
        let pace = Duration::from_nanos(self.pace.load(Ordering::Relaxed));
        pace * u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn busy(&self) -> Problem {
        let detail = format!(
            "{} of at most {} {} wait, for about {:.1} s: ask again after a second, or ask less at once",
            self.len(),
            self.sender.max_capacity(),
            self.name,
            self.work_that_waits().as_secs_f64()
        );
        Problem::new(ProblemType::Busy, detail)
    }
}

fn serve<I, O>(
    name: &'static str,
    mut receiver: Receiver<Job<I, O>>,
    most: usize,
    coming: &AtomicUsize,
    work: impl Fn(Vec<I>) -> Vec<Answer<O>>,
) {
    while let Some(first) = receiver.blocking_recv() {
        let mut jobs = vec![first];
        let mut take = || {
            while jobs.len() < most
                && let Ok(job) = receiver.try_recv()
            {
                jobs.push(job);
            }
        };
        take();
        if coming.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(GATHER);
            take();
        }
        // Nobody waits for these any more.
        jobs.retain(|job| !job.reply.is_closed());
        if jobs.is_empty() {
            continue;
        }
        let batch = traces::batch(name, jobs.iter().map(|job| &job.span));
        let (inputs, replies): (Vec<I>, Vec<_>) =
            jobs.into_iter().map(|job| (job.input, job.reply)).unzip();
        let Ok(answers) = catch_unwind(AssertUnwindSafe(|| batch.in_scope(|| work(inputs)))) else {
            // The replies are dropped, which is an answer; the panic itself was shown where it happened.
            continue;
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            let _ = reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    /// A worker that waits for a word before each batch, and tells what was in it.
    fn slow(waiting: usize) -> (Arc<Queue<u32, u32>>, mpsc::Sender<()>, Batches) {
        let (go, wait) = mpsc::channel();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&batches);
        let work = move |inputs: Vec<u32>| {
            wait.recv().expect("a word");
            seen.lock().expect("a lock").push(inputs.clone());
            assert!(!inputs.contains(&13), "an unlucky number");
            inputs.into_iter().map(|input| Ok(input * 2)).collect()
        };
        (Arc::new(Queue::start("numbers", waiting, 4, work).expect("a thread")), go, batches)
    }

    async fn settled() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(test);
    }

    #[test]
    fn what_waits_is_done_together_and_what_nobody_waits_for_is_not_done() {
        run(async {
            let (queue, go, batches) = slow(8);
            let ask = |input| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.ask(input).await })
            };
            let first = ask(1);
            settled().await;
            let (second, third, gone) = (ask(2), ask(3), ask(4));
            settled().await;
            assert_eq!(queue.len(), 3);
            gone.abort();
            settled().await;
            go.send(()).expect("a worker");
            go.send(()).expect("a worker");
            for (task, wanted) in [(first, 2), (second, 4), (third, 6)] {
                assert_eq!(task.await.expect("a task").expect("an answer"), wanted);
            }
            assert_eq!(*batches.lock().expect("a lock"), [vec![1], vec![2, 3]]);
        });
    }

    #[test]
    fn a_worker_waits_for_those_who_are_coming_and_for_nobody_else() {
        run(async {
            let work = |inputs: Vec<u32>| inputs.into_iter().map(Ok).collect();
            let queue = Arc::new(Queue::start("numbers", 8, 4, work).expect("a thread"));
            let coming = queue.coming();
            assert_eq!(queue.coming.load(Ordering::Relaxed), 1);
            let began = Instant::now();
            assert_eq!(queue.ask(1).await.expect("an answer"), 1);
            assert!(began.elapsed() >= GATHER);
            drop(coming);
            assert_eq!(queue.coming.load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    fn who_would_wait_for_long_is_refused_although_there_are_places() {
        run(async {
            let work = |inputs: Vec<u32>| {
                std::thread::sleep(LONGEST / 5 * 2 * inputs.len() as u32);
                inputs.into_iter().map(Ok).collect()
            };
            let queue = Arc::new(Queue::start("numbers", 100, 1, work).expect("a thread"));
            assert_eq!(queue.ask(1).await.expect("an answer"), 1);
            let ask = |input| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.ask(input).await })
            };
            let first = ask(2);
            settled().await;
            // One is being done and three wait, for more than may be; a slow machine refuses one of them already.
            let taken: Vec<_> = (3..6).map(ask).chain([first]).collect();
            settled().await;
            let refused = queue.ask(9).await.expect_err("97 places and a long wait");
            assert_eq!(refused.kind, ProblemType::Busy);
            assert!(
                refused.detail.contains("of at most 100 numbers wait, for"),
                "{}",
                refused.detail
            );
            taken.into_iter().for_each(|task| task.abort());
            settled().await;
            tokio::time::sleep(LONGEST).await;
            assert_eq!(queue.ask(10).await.expect("an answer"), 10);
        });
    }

    #[test]
    fn a_full_queue_refuses_all_or_nothing_and_recovers_also_from_a_panic() {
        run(async {
            let (queue, go, _) = slow(2);
            let held = Arc::clone(&queue);
            let held = tokio::spawn(async move { held.ask_all(vec![1]).await });
            settled().await;
            let refused = queue.ask_all(vec![2, 3, 4]).await.expect_err("three places of two");
            assert_eq!(refused.kind, ProblemType::Busy);
            assert!(refused.detail.contains("at most 2 numbers"), "{}", refused.detail);
            assert_eq!(queue.len(), 0, "none of the three waits");
            (0..3).for_each(|_| go.send(()).expect("a worker"));
            assert_eq!(held.await.expect("a task").expect("an answer"), [2]);
            assert_eq!(queue.ask(13).await.expect_err("a panic").kind, ProblemType::Internal);
            assert_eq!(queue.ask(7).await.expect("an answer"), 14);
        });
    }
}
