//! Parameters' gradients, summed over the chunks of a batch by several threads. A parameter's sum is in
//! memory once, and always adds the chunks in their order, so that its bits do not depend on the number of
//! threads.
//!
//! Each chunk adds to each use of a parameter exactly once, and waits with that until the chunk before it has. That
//! cannot deadlock: threads take chunks in their order, so a thread is already at work on the one before.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

use crate::math;
use crate::{Array, Arrays};

/// How often a waiting thread checks whether another one has panicked.
const LOOK: Duration = Duration::from_millis(200);

/// The sums, by parameter name.
#[derive(Default)]
struct Shared {
    sums: RwLock<HashMap<String, Arc<Sum>>>,
    /// Whether a thread has panicked: then its chunk's turn would never end.
    broken: AtomicBool,
}

#[derive(Default)]
struct Sum {
    /// How many chunks were added, and their sum.
    state: Mutex<(usize, Option<Array>)>,
    changed: Condvar,
}

/// The gradients of one chunk on their way into the sums.
pub struct Grads<'s> {
    shared: &'s Shared,
    turn: usize,
    scratch: Vec<f32>,
    /// How often this chunk has added to a parameter: each use has a sum of its own, so that it need not wait
    /// for itself.
    used: HashMap<String, usize>,
}

/// Stands before the number of a use in the name of its sum.
const USE: char = '#';

impl Grads<'_> {
    /// Adds a gradient that `fill` accumulates into zeros.
    pub fn add(&mut self, name: &str, shape: &[usize], fill: impl FnOnce(&mut [f32])) {
        self.put(name, shape, |values| {
            values.fill(0.0);
            fill(values);
        });
    }

    /// Adds a gradient that `fill` writes; the buffer holds old values, so `fill` must write all of them.
    pub fn put(&mut self, name: &str, shape: &[usize], fill: impl FnOnce(&mut [f32])) {
        let len = shape.iter().product();
        if self.scratch.len() < len {
            self.scratch.resize(len, 0.0);
        }
        let values = &mut self.scratch[..len];
        fill(values);
        let uses = self.used.entry(name.to_owned()).or_default();
        *uses += 1;
        let sum = match *uses {
            1 => self.shared.sum(name),
            again => self.shared.sum(&format!("{name}{USE}{again}")),
        };
        let mut state = sum.state.lock().expect("no panic while adding");
        while state.0 != self.turn {
            assert!(!self.shared.broken.load(Ordering::Relaxed), "another thread has failed");
            state = sum.changed.wait_timeout(state, LOOK).expect("no panic while adding").0;
        }
        match &mut state.1 {
            Some(array) => math::add(&mut array.data, values),
            none => *none = Some(Array { shape: shape.to_vec(), data: values.to_vec() }),
        }
        state.0 += 1;
        sum.changed.notify_all();
    }
}

impl Drop for Grads<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn sum(&self, name: &str) -> Arc<Sum> {
        let known = |sums: &HashMap<String, Arc<Sum>>| sums.get(name).cloned();
        let found = known(&self.sums.read().expect("no panic while looking"));
        found.unwrap_or_else(|| {
            let mut sums = self.sums.write().expect("no panic while looking");
            sums.entry(name.to_owned()).or_default().clone()
        })
    }
}

/// Runs `backward` on every chunk; returns the summed gradients and each chunk's result.
///
/// `backward` must not use rayon: a thread that waits in rayon takes other work, which could be a later
/// chunk, and that would wait for this one for ever.
pub fn collect<C: Send, T: Send>(
    chunks: Vec<C>,
    backward: impl Fn(C, &mut Grads<'_>) -> T + Sync + Send,
) -> (Arrays, Vec<T>) {
    let (shared, next) = (Shared::default(), AtomicUsize::new(0));
    let count = chunks.len();
    let rest: Vec<Mutex<Option<T>>> = chunks.iter().map(|_| Mutex::new(None)).collect();
    let chunks: Vec<_> = chunks.into_iter().map(|chunk| Mutex::new(Some(chunk))).collect();
    let work = || {
        let mut scratch = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(turn) else { break };
            let chunk = chunk.lock().expect("only this thread has it").take().expect("its turn");
            let (scratch_now, used) = (std::mem::take(&mut scratch), HashMap::new());
            let mut grads = Grads { shared: &shared, turn, scratch: scratch_now, used };
            let found = backward(chunk, &mut grads);
            *rest[turn].lock().expect("only this thread has it") = Some(found);
            scratch = std::mem::take(&mut grads.scratch);
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(count) {
            scope.spawn(|_| work());
        }
    });
    let sums = shared.sums.into_inner().expect("all threads are done");
    let sums = sums.into_iter().filter_map(|(name, sum)| {
        let sum = Arc::into_inner(sum)?;
        Some((name, sum.state.into_inner().expect("all threads are done").1?))
    });
    let rest = rest.into_iter().filter_map(|rest| rest.into_inner().expect("all are done"));
    (uses_added(sums.collect()), rest.collect())
}

/// Each parameter's sum with those of its further uses, in their order.
fn uses_added(all: BTreeMap<String, Array>) -> Arrays {
    let mut sums = Arrays::default();
    // A use's name comes behind its parameter's.
    for (name, array) in all {
        let parameter = name.split(USE).next().unwrap_or(&name).to_owned();
        sums.accumulate(Arrays([(parameter, array)].into()));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_number_of_threads() {
        let chunks: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin() * 1e3).collect();
        let sum = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let backward = |value: f32, grads: &mut Grads<'_>| {
                for name in ["a", "b", "c"] {
                    grads.put(name, &[2], |out| out.copy_from_slice(&[value, value / 3.0]));
                    grads.add(&format!("{name}2"), &[1], |out| out[0] += value);
                    // Used twice in one chunk, as a norm before and behind pooling is.
                    grads.put(name, &[2], |out| out.copy_from_slice(&[value / 7.0, value]));
                }
                value
            };
            pool.expect("a pool").install(|| collect(chunks.clone(), backward))
        };
        let (one, rest) = sum(1);
        assert_eq!((one.0.len(), rest), (6, chunks.clone()));
        for threads in [2, 3, 8] {
            assert_eq!(sum(threads).0, one);
        }
    }

    #[test]
    fn a_thread_that_fails_stops_the_others() {
        let chunks: Vec<usize> = (0..8).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.install(|| {
                collect(chunks, |chunk, grads| {
                    assert!(chunk != 2, "this one fails");
                    grads.add("a", &[1], |out| out[0] += 1.0);
                })
            })
        }));
        assert!(failed.is_err());
    }
}
