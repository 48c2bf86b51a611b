//! Reaching a GPU, in one place: with the feature `gpu` through Vulkan, otherwise a clear error.

use burn::tensor::Device;

/// The first GPU.
///
/// # Errors
/// The program was built without the feature `gpu`.
#[cfg(feature = "gpu")]
pub fn device() -> Result<Device, NoGpu> {
    Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice))
}

/// The first GPU.
///
/// # Errors
/// The program was built without the feature `gpu`.
#[cfg(not(feature = "gpu"))]
pub fn device() -> Result<Device, NoGpu> {
    Err(NoGpu)
}

/// This program cannot reach a GPU.
#[derive(Debug, thiserror::Error)]
#[error(
    "this tuwen was built without GPU support: build it with `cargo build --release --features gpu`"
)]
pub struct NoGpu;
