//! In the place of `present` in a program that was built without the feature `gpu`.

use anyhow::Result;
use tuwen_retrieve::Device;

use crate::query::Usage;

pub(super) fn card() -> Result<Device> {
    let what = "--device gpu: this program was built without the feature gpu: `cargo build --release -p tuwen-cli \
                --features gpu` builds one with it, or use --device cpu";
    Err(Usage(what.into()).into())
}

pub(super) fn card_if_there() -> Device {
    Device::Cpu
}
