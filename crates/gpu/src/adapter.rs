//! Which card: the best that the system's drivers tell of.

use std::fmt::{self, Display, Formatter};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tuwen_nn::Executor;
use wgpu::DeviceType;

use crate::card::Card;

/// Percent of the memory that the driver allows, from which on there is said to be none left, before the system fails.
const MEMORY: u8 = 90;

/// A card that is ready.
pub struct Found {
    /// What computes there.
    pub executor: Arc<dyn Executor>,
    /// Whether it is a program that does what a card would, on the CPU.
    pub software: bool,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No driver tells of one.
    None,
    /// One does, and it cannot be used.
    Unusable {
        /// Which one.
        name: String,
        /// Why.
        why: String,
    },
}

impl Display for NotFound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(
                "no graphics card was found: install its Vulkan driver (Debian: libvulkan1 and the maker's driver), or \
                 use --device cpu",
            ),
            Self::Unusable { name, why } => write!(f, "{name} cannot be used: {why}; use --device cpu"),
        }
    }
}

impl std::error::Error for NotFound {}

/// Opens the best card of this system: one of its own memory, or else the processor's, or else a program in its place.
///
/// # Errors
/// There is none, or it cannot be used.
pub fn open() -> Result<Found, NotFound> {
    let (card, software) = best()?;
    Ok(Found { executor: Arc::new(card), software })
}

/// See [`open`].
pub(crate) fn best() -> Result<(Card, bool), NotFound> {
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    description.memory_budget_thresholds.for_resource_creation = Some(MEMORY);
    let instance = wgpu::Instance::new(description);
    let adapters = ready(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let best = adapters.into_iter().min_by_key(|adapter| rank(adapter.get_info().device_type));
    let adapter = best.ok_or(NotFound::None)?;
    let info = adapter.get_info();
    let name = format!("{} ({})", info.name, info.backend);
    let wanted = wgpu::DeviceDescriptor {
        label: Some("tuwen"),
        required_limits: adapter.limits(),
        ..Default::default()
    };
    let (device, queue) = ready(adapter.request_device(&wanted))
        .map_err(|error| NotFound::Unusable { name: name.clone(), why: error.to_string() })?;
    Ok((Card::new(name, device, queue), info.device_type == DeviceType::Cpu))
}

fn rank(kind: DeviceType) -> usize {
    use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
    let best_first = [DiscreteGpu, IntegratedGpu, VirtualGpu, Other, Cpu];
    best_first.iter().position(|one| *one == kind).unwrap_or(best_first.len())
}

/// What a future gives that never waits, as all do that ask a driver of this system.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(found) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return found;
        }
        std::thread::yield_now();
    }
}
