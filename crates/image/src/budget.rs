//! One budget of memory for all pictures that are being decoded, whatever the number of threads.
//!
//! A thread waits until its picture fits beside those of the others; one that is larger than the whole
//! budget waits until it is alone. Whoever holds a permit must neither wait for another nor run other
//! threads' work (no `rayon` inside), so that permits always come back.

use std::sync::{Condvar, Mutex, PoisonError};

/// At least so many bytes: a picture of 100 megapixels with 16 bits a channel is decoded in about that.
const LEAST: u64 = 1 << 30;
/// Bytes for each thread: a photo of 24 megapixels.
const FOR_A_THREAD: u64 = 192 << 20;

static USED: Mutex<u64> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A part of the budget, given back when dropped.
pub(super) struct Permit(u64);

/// Waits for a part of the budget.
pub(super) fn permit(bytes: u64) -> Permit {
    let budget = LEAST.max(FOR_A_THREAD * rayon::current_num_threads() as u64);
    let used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    let full = |used: &mut u64| *used > 0 && used.saturating_add(bytes) > budget;
    let mut used = FREED.wait_while(used, full).unwrap_or_else(PoisonError::into_inner);
    *used = used.saturating_add(bytes);
    Permit(bytes)
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.0);
        FREED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_permit_beyond_the_budget_is_given_to_one_alone() {
        let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _permit = permit(u64::MAX / 2);
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }
}
