//! `--device`: where a model's towers run.

#[cfg(not(feature = "gpu"))]
mod absent;
#[cfg(feature = "gpu")]
mod present;

#[cfg(not(feature = "gpu"))]
use absent as built;
use anyhow::Result;
#[cfg(feature = "gpu")]
use present as built;
use tuwen_retrieve::Device;

/// What a value of `--device` stands for here.
///
/// # Errors
/// A card was asked for, and this program knows none or there is none.
pub fn named(device: &str) -> Result<Device> {
    match device {
        "gpu" => built::card(),
        "auto" => Ok(built::card_if_there()),
        _ => Ok(Device::Cpu),
    }
}
