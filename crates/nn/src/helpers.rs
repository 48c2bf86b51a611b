//! The other threads, for a pass that has the machine to itself: they take shares of its operations and do not go to
//! sleep in between, for to wake one takes longer than most shares do.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::Yield;
use rayon::prelude::*;

/// Values of a share that is worth being handed over.
const LEAST_VALUES: usize = 1 << 14;
/// How often a helper looks for work before it lets other programs run.
const LOOKS: usize = 64;

/// Runs `work` on a thread of the pool, while the other ones wait for shares of it. What else waits in the pool they do
/// as well, so that nobody is kept from working.
pub fn with_helpers<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = AtomicBool::new(false);
    rayon::scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| help(&done));
        }
        // Also where it panics.
        let _done = Done(&done);
        work()
    })
}

fn help(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        let works = (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            rayon::yield_now() == Some(Yield::Executed)
        });
        if !works {
            std::thread::yield_now();
        }
    }
}

struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Values of rows that are so wide.
pub(crate) struct Wide<T> {
    pub(crate) values: T,
    pub(crate) width: usize,
}

/// Calls `work` with so many parts of `x` and `y`: each row is in one part, and no
/// sum goes over rows, so that the bits are those of one part. What each part gave stands in their order.
pub(crate) fn by_rows<T: Send>(
    threads: usize,
    x: Wide<&[f32]>,
    y: Wide<&mut [f32]>,
    work: impl Fn(&[f32], &mut [f32]) -> T + Sync,
) -> Vec<T> {
    let rows = x.values.len() / x.width;
    let parts = threads.min(x.values.len() / LEAST_VALUES).max(1);
    let each = rows.div_ceil(parts).max(1);
    x.values
        .par_chunks(each * x.width)
        .zip(y.values.par_chunks_mut(each * y.width))
        .with_max_len(1)
        .map(|(x, y)| work(x, y))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_end_with_the_work_also_where_it_panics() {
        assert_eq!(with_helpers(|| (0..100).into_par_iter().sum::<usize>()), 4950);
        let panics = std::panic::catch_unwind(|| with_helpers(|| panic!("on purpose")));
        assert!(panics.is_err());
        assert_eq!(with_helpers(|| 7), 7);
    }

    #[test]
    fn every_row_is_in_one_part() {
        for (rows, threads) in [(0, 2), (1, 4), (13, 2), (1000, 3), (70_000, 4)] {
            let x: Vec<f32> = (0..rows).map(|row| row as f32).collect();
            let mut y = vec![0.0; 2 * rows];
            let counts = by_rows(
                threads,
                Wide { values: &x, width: 1 },
                Wide { values: &mut y, width: 2 },
                |x, y| {
                    x.iter().zip(y.as_chunks_mut::<2>().0).for_each(|(x, y)| *y = [*x, -x]);
                    x.len()
                },
            );
            assert!(counts.len() <= threads && counts.iter().sum::<usize>() == rows);
            let wanted: Vec<f32> = x.iter().flat_map(|&x| [x, -x]).collect();
            assert_eq!(y, wanted);
        }
    }
}
