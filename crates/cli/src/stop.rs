//! Ctrl-C (also TERM and HUP), for all commands.
//!
//! A command with something to finish (a batch of a gallery, a step of training, a record of a set) asks for
//! the [`flag`] and looks at it in its loop: the first signal raises it and says what happens, a second one
//! ends the program at once. All other commands are ended by the first. Either way the temporary files
//! that were announced by [`temporary`] go, and the exit code is [`CODE`]. HUP stays ignored where it was when
//! the program began, so that `nohup` does what it is for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::terminal::note;

mod signals;

/// What a stopped program gives back, as shells do for Ctrl-C.
pub const CODE: u8 = 130;

static FLAG: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static STATE: Mutex<State> = Mutex::new(State::new());
/// Whether a signal came. Not the same as the flag, which a command may raise itself.
static SIGNALLED: AtomicBool = AtomicBool::new(false);
/// Whether the program is being ended by the thread that waits for signals.
static ENDING: AtomicBool = AtomicBool::new(false);

struct State {
    /// What a command that looks at the flag says.
    says: Option<&'static str>,
    temporaries: BTreeSet<PathBuf>,
}

impl State {
    const fn new() -> Self {
        Self { says: None, temporaries: BTreeSet::new() }
    }

    fn lock() -> MutexGuard<'static, Self> {
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to wait for signals, once, in `main`.
///
/// # Errors
/// The system refuses.
pub fn install() -> std::io::Result<()> {
    signals::install(signalled)
}

/// A flag that the first signal raises; `says` tells the user what happens then.
pub fn flag(says: &'static str) -> Arc<AtomicBool> {
    State::lock().says = Some(says);
    Arc::clone(&FLAG)
}

/// Whether a signal asked the program to end.
pub fn signalled_before() -> bool {
    SIGNALLED.load(Ordering::SeqCst)
}

/// Waits for the end where a signal is ending the program already.
pub fn give_way() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Makes a temporary file or folder that a signal removes, for as long as the value lives.
///
/// # Errors
/// Those of `make`: then nothing is announced, for what is there may be another's.
pub fn temporary<T, E>(
    path: &Path,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<(Temporary, T), E> {
    // Under the lock: what a signal has removed is not made again.
    let mut state = State::lock();
    let made = make()?;
    state.temporaries.insert(path.to_path_buf());
    Ok((Temporary(path.to_path_buf()), made))
}

/// See [`temporary`].
pub struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        State::lock().temporaries.remove(&self.0);
    }
}

/// Does what no signal may cut in two.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _state = State::lock();
    work()
}

/// Ends the program from anywhere and leaves no temporary files.
pub fn leave(code: u8) -> ! {
    end(&State::lock(), code)
}

fn end(state: &State, code: u8) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    state.temporaries.iter().for_each(|path| remove(path));
    std::process::exit(i32::from(code))
}

fn signalled() {
    SIGNALLED.store(true, Ordering::SeqCst);
    let state = State::lock();
    if let Some(says) = state.says
        && !FLAG.swap(true, Ordering::SeqCst)
    {
        drop(state);
        // In a thread of its own: a terminal that takes no more text does not keep the next signal.
        std::thread::spawn(move || note!("{says}"));
        return;
    }
    end(&state, CODE)
}

/// Removes a file, or a folder into which another thread may still be writing.
fn remove(path: &Path) {
    if !path.is_dir() {
        let _ = std::fs::remove_file(path);
        return;
    }
    for _ in 0..20 {
        if std::fs::remove_dir_all(path).is_ok() {
            return;
        }
    }
}
