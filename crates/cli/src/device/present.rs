//! The system's graphics card, opened when the first model is, for all of them.

use std::sync::{Arc, OnceLock};

use anyhow::Result;
use tuwen_gpu::{Found, NotFound};
use tuwen_retrieve::Device;

use crate::terminal::note;

/// Opens it once; what is not there stays away.
fn found() -> Result<&'static Found, NotFound> {
    static FOUND: OnceLock<Result<Found, NotFound>> = OnceLock::new();
    FOUND.get_or_init(tuwen_gpu::open).as_ref().map_err(Clone::clone)
}

pub(super) fn card() -> Result<Device> {
    let Found { executor, software } = found()?;
    if *software {
        note!("note: --device gpu: {} is no card but a program, on the CPU", executor.name());
    }
    Ok(Device::Card(Arc::clone(executor)))
}

/// What only imitates a card is slower than the CPU itself.
pub(super) fn card_if_there() -> Device {
    match found() {
        Ok(Found { executor, software: false }) => Device::CardIfAble(Arc::clone(executor)),
        Ok(Found { executor, .. }) => {
            note!("note: --device auto: the CPU is taken, for {} is no card", executor.name());
            Device::Cpu
        }
        Err(why) => {
            note!("note: --device auto: the CPU is taken: {why}");
            Device::Cpu
        }
    }
}
