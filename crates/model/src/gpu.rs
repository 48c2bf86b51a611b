//! Reaching a GPU, in one place: with the feature `gpu` through Vulkan, otherwise a clear error.

use burn::tensor::Device;

/// The first GPU.
///
/// # Errors
/// The program was built without the feature `gpu`, or no Vulkan driver knows a GPU.
#[cfg(feature = "gpu")]
pub fn device() -> Result<Device, NoGpu> {
    // Asked first, because burn panics when it opens a device that is not there.
    let found = Device::enumerate(burn::tensor::DeviceType::Vulkan);
    found.into_iter().next().ok_or(NoGpu::NotFound)
}

/// The first GPU.
///
/// # Errors
/// The program was built without the feature `gpu`.
#[cfg(not(feature = "gpu"))]
pub fn device() -> Result<Device, NoGpu> {
    Err(NoGpu::NotBuilt)
}

/// This program cannot reach a GPU.
#[derive(Debug, thiserror::Error)]
pub enum NoGpu {
    /// The feature is missing.
    #[error(
        "this tuwen was built without GPU support: build it with \
         `cargo build --release --features gpu`"
    )]
    NotBuilt,
    /// The driver is missing, or the card.
    #[error("no GPU was found: install the card's Vulkan driver, or train with --device cpu")]
    NotFound,
}
