//! How signals come: on Unix as such, elsewhere (Ctrl-C of Windows' console) as flags that a thread looks at.

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Calls `signalled` for each signal, from a thread of its own.
#[cfg(unix)]
pub(super) fn install(signalled: fn()) -> std::io::Result<()> {
    let hup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let all = [SIGINT, SIGTERM].into_iter().chain(hup);
    let mut signals = signal_hook::iterator::Signals::new(all)?;
    std::thread::spawn(move || signals.forever().for_each(|_| signalled()));
    Ok(())
}

/// Whether a signal was ignored from the beginning; not where the system does not say.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Calls `signalled` for each signal, from a thread of its own, within a tenth of a second.
#[cfg(not(unix))]
pub(super) fn install(signalled: fn()) -> std::io::Result<()> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let came = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&came))?;
    }
    std::thread::spawn(move || {
        loop {
            if came.swap(false, Ordering::SeqCst) {
                signalled();
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    Ok(())
}
