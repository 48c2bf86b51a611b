//! A card: commands in the order in which they are given, and what went wrong with them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tuwen_nn::{ExecutorError, Memory};

use crate::kernels::{Kernel, Kernels};
use crate::memory::{Block, Pool, bytes};

/// Commands that are given to the card together.
const TOGETHER: usize = 64;
/// Groups of threads along one axis of a command, on every card.
const MOST_GROUPS: u32 = 65_535;

/// See the module.
pub(crate) struct Card {
    pub(crate) name: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pool: Arc<Pool>,
    kernels: Kernels,
    waiting: Mutex<Waiting>,
    failure: Arc<Failure>,
    turn: Mutex<()>,
}

/// Commands that the card does not have yet.
#[derive(Default)]
struct Waiting {
    encoder: Option<wgpu::CommandEncoder>,
    count: usize,
}

/// The first error since somebody asked; that the card is gone stays true.
#[derive(Default)]
struct Failure(Mutex<Option<ExecutorError>>);

impl Failure {
    fn note(&self, error: ExecutorError) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*first, &error) {
            (None, _) | (Some(_), ExecutorError::Lost { .. }) => *first = Some(error),
            _ => {}
        }
    }

    fn take(&self) -> Option<ExecutorError> {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*first {
            Some(ExecutorError::Lost { .. }) => first.clone(),
            _ => first.take(),
        }
    }
}

impl Card {
    pub(crate) fn new(name: String, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let failure = Arc::new(Failure::default());
        let (on, noted) = (name.clone(), Arc::clone(&failure));
        device.on_uncaptured_error(Arc::new(move |error| noted.note(in_words(&on, &error))));
        let (on, noted) = (name.clone(), Arc::clone(&failure));
        device.set_device_lost_callback(move |_, what| {
            noted.note(ExecutorError::Lost { on: on.clone(), what });
        });
        Self {
            name,
            device,
            queue,
            pool: Arc::default(),
            kernels: Kernels::default(),
            waiting: Mutex::default(),
            failure,
            turn: Mutex::default(),
        }
    }

    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn most_values(&self) -> usize {
        let limits = self.device.limits();
        let bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        // A block may be a quarter longer than its values, and places are counted in 32 bits.
        (bytes.min(u64::from(u32::MAX)) / 5 * 4) as usize / size_of::<f32>()
    }

    /// Brings values to the card. What waits goes first: it may read old values of the same block.
    pub(crate) fn put(&self, values: &[f32]) -> Memory {
        let block = self.pool.take(&self.device, values.len());
        self.waiting().send(&self.queue);
        self.queue.write_buffer(&block.buffer, 0, bytemuck::cast_slice(values));
        Arc::new(block)
    }

    /// Lets so many groups of threads run a kernel with numbers and blocks that it reads; gives the block that it writes.
    pub(crate) fn run(
        &self,
        kernel: Kernel,
        args: &[u32],
        reads: &[&Memory],
        values: usize,
        groups: usize,
    ) -> Memory {
        let made = self.pool.take(&self.device, values);
        if values == 0 {
            return Arc::new(made);
        }
        let pipeline = self.kernels.get(&self.device, kernel);
        let numbers = self.numbers(args);
        let blocks = reads.iter().map(|memory| block(memory)).chain([&made]);
        let bound = blocks.map(|block| (&block.buffer, block.bytes()));
        let bound = std::iter::once((&numbers, numbers.size())).chain(bound);
        let entry = |(at, (buffer, bytes)): (usize, (_, u64))| wgpu::BindGroupEntry {
            binding: at as u32,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: wgpu::BufferSize::new(bytes),
            }),
        };
        let entries: Vec<_> = bound.enumerate().map(entry).collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut waiting = self.waiting();
        {
            let encoder = waiting.encoder(&self.device);
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [across, down] = across_and_down(groups);
            pass.dispatch_workgroups(across, down, 1);
        }
        waiting.count += 1;
        if waiting.count >= TOGETHER {
            waiting.send(&self.queue);
        }
        drop(waiting);
        Arc::new(made)
    }

    /// A kernel's numbers on the card.
    fn numbers(&self, args: &[u32]) -> wgpu::Buffer {
        let words: &[u8] = bytemuck::cast_slice(args);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("numbers"),
            size: words.len() as u64,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: true,
        });
        // Without memory for it there is nothing to write to, and the failure has been noted.
        if let Ok(mut view) = buffer.slice(..).get_mapped_range_mut() {
            view.copy_from_slice(words);
        }
        buffer.unmap();
        buffer
    }

    /// Waits for all commands and brings blocks back.
    pub(crate) fn get(&self, from: &[&Memory]) -> Result<Vec<Vec<f32>>, ExecutorError> {
        let blocks: Vec<&Block> = from.iter().map(|memory| block(memory)).collect();
        let copies: Vec<wgpu::Buffer> = blocks.iter().map(|block| self.landing(block)).collect();
        {
            let mut waiting = self.waiting();
            let encoder = waiting.encoder(&self.device);
            for (block, copy) in blocks.iter().zip(&copies) {
                encoder.copy_buffer_to_buffer(&block.buffer, 0, copy, 0, block.bytes());
            }
            waiting.send(&self.queue);
        }
        for copy in &copies {
            // Whether that worked is seen when it is read.
            copy.slice(..).map_async(wgpu::MapMode::Read, |_| ());
        }
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        if let Some(error) = self.failure.take() {
            self.pool.clear();
            return Err(error);
        }
        let failed = |what: String| ExecutorError::Failed { on: self.name.clone(), what };
        polled.map_err(|error| failed(error.to_string()))?;
        let read = |(block, copy): (&&Block, &wgpu::Buffer)| {
            let view = copy.slice(..).get_mapped_range().map_err(|e| failed(e.to_string()))?;
            let mut values: Vec<f32> = bytemuck::pod_collect_to_vec(&view);
            values.truncate(block.values);
            Ok(values)
        };
        blocks.iter().zip(&copies).map(read).collect()
    }

    /// Where a block's values come to so that the host can read them.
    fn landing(&self, block: &Block) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("landing"),
            size: bytes(block.values),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn encoder(&mut self, device: &wgpu::Device) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    fn send(&mut self, queue: &wgpu::Queue) {
        self.count = 0;
        if let Some(encoder) = self.encoder.take() {
            queue.submit([encoder.finish()]);
        }
    }
}

fn block(memory: &Memory) -> &Block {
    memory.downcast_ref().expect("memory of this card")
}

/// At least so many groups on two axes.
fn across_and_down(groups: usize) -> [u32; 2] {
    let down = groups.div_ceil(MOST_GROUPS as usize);
    [groups.div_ceil(down.max(1)) as u32, down as u32]
}

fn in_words(on: &str, error: &wgpu::Error) -> ExecutorError {
    let (on, what) = (on.to_owned(), error.to_string());
    match error {
        wgpu::Error::OutOfMemory { .. } => ExecutorError::Memory { on, what },
        _ => ExecutorError::Failed { on, what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_on_two_axes_are_enough_and_few_too_many() {
        for groups in [1, 2, 65_535, 65_536, 1_000_003] {
            let [across, down] = across_and_down(groups).map(|axis| axis as usize);
            assert!(across <= 65_535 && across * down >= groups, "{groups}");
            assert!(across * down - groups < down, "{groups}");
        }
    }

    #[test]
    fn a_card_that_vanishes_is_an_error_by_name_from_then_on() {
        let (card, _) = match crate::adapter::best() {
            Ok(found) => found,
            Err(why) => return println!("NOT RUN: {why}"),
        };
        let memory = card.put(&[1.0, 2.0]);
        assert_eq!(card.get(&[&memory]), Ok(vec![vec![1.0, 2.0]]));
        card.device.destroy();
        for _ in 0..2 {
            let sum = card.run(Kernel::Add, &[2], &[&memory, &memory], 2, 1);
            let error = card.get(&[&sum]).expect_err("it is gone");
            assert!(matches!(error, ExecutorError::Lost { .. }), "{error}");
            assert!(error.to_string().contains(&card.name), "{error}");
        }
    }
}
