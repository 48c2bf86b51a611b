//! Blocks of a card's memory, which are used again: to make one takes longer than most operations do.
//!
//! Whoever drops a block may still have given commands that read it. That is no harm: all commands are executed in the
//! order in which they were given, so that who takes the block next writes to it later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The smallest block, in bytes.
const LEAST: u64 = 1 << 10;

/// Blocks that nobody uses at the moment, by their sizes in bytes.
#[derive(Default)]
pub(crate) struct Pool(Mutex<BTreeMap<u64, Vec<wgpu::Buffer>>>);

/// So many values, which go back to their pool when they are dropped.
pub(crate) struct Block {
    pub(crate) buffer: wgpu::Buffer,
    pub(crate) values: usize,
    home: Arc<Pool>,
}

impl Block {
    /// Bytes that hold its values; a binding of none is not allowed.
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.values)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Ok(mut free) = self.home.0.lock() {
            free.entry(self.buffer.size()).or_default().push(self.buffer.clone());
        }
    }
}

pub(crate) fn bytes(values: usize) -> u64 {
    (values.max(1) * size_of::<f32>()) as u64
}

/// Sizes of which there are few, so that a block fits again: a quarter of a power of two apart.
fn class(bytes: u64) -> u64 {
    let bytes = bytes.max(LEAST);
    bytes.next_multiple_of((1 << bytes.ilog2()) / 4)
}

impl Pool {
    /// A block of old values.
    pub(crate) fn take(self: &Arc<Self>, device: &wgpu::Device, values: usize) -> Block {
        let size = class(bytes(values));
        let old = self.0.lock().expect("no panic while taking").get_mut(&size).and_then(Vec::pop);
        let make = || {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("values"),
                size,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        Block { buffer: old.unwrap_or_else(make), values, home: Arc::clone(self) }
    }

    /// Gives the memory of all free blocks back to the card.
    pub(crate) fn clear(&self) {
        self.0.lock().expect("no panic while taking").clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_few_sizes_and_waste_a_quarter_at_most() {
        for bytes in [1, 1023, 1024, 1025, 1281, 4096, 5000, 1_000_001, u64::from(u32::MAX)] {
            let size = class(bytes);
            assert!(size >= bytes.max(LEAST) && size <= bytes.max(LEAST) / 4 * 5 + 4, "{bytes}");
            assert_eq!((class(size), size % 4), (size, 0));
        }
    }
}
