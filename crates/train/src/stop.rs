//! Stopping: a question that is asked wherever a run spends more than a moment.

use crate::{Error, Result};

/// Whether the user wants an end, or the time is over.
pub type Stop<'a> = dyn Fn() -> bool + Sync + 'a;

/// Ends what is going on when the user asks for it.
pub(crate) fn go_on(stop: &Stop<'_>) -> Result<()> {
    if stop() { Err(Error::Stopped) } else { Ok(()) }
}
