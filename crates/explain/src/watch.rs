//! Who looks on while an explanation is made, which may take minutes: for progress, and to end what nobody waits for.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Result};

/// Is told how many pictures or texts with hidden parts are asked for next, and says whether to go on.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(usize) -> bool + Send + Sync>>);

impl Watch {
    /// `goes_on` is asked before every batch, from whichever thread makes the explanation.
    pub fn new(goes_on: impl Fn(usize) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(goes_on)))
    }

    /// Before a batch.
    ///
    /// # Errors
    /// Whoever looks on wants no more.
    pub(crate) fn next(&self, batch: usize) -> Result<()> {
        match &self.0 {
            Some(goes_on) if !goes_on(batch) => Err(Error::Stopped),
            _ => Ok(()),
        }
    }
}

/// Who looks on is no part of what is wanted: settings are equal without it.
impl PartialEq for Watch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "watched" } else { "unwatched" })
    }
}
