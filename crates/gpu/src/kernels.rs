//! The programs of the operations, compiled when they are first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Values of keys that a group of attention's threads has in shared memory, and as many of values: 16 KiB together, which
/// every card has.
const SHARED: usize = 2048;
/// Keys that it has there at most.
const MOST_KEYS: usize = 32;

/// What a program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    Product,
    Norm,
    Unit,
    Activate,
    Add,
    Gather,
    /// With heads of so many values.
    Attention(usize),
}

impl Kernel {
    fn source(self) -> String {
        const TOTAL: &str = include_str!("kernels/total.wgsl");
        match self {
            Self::Product => include_str!("kernels/product.wgsl").to_owned(),
            Self::Norm => [TOTAL, include_str!("kernels/norm.wgsl")].concat(),
            Self::Unit => [TOTAL, include_str!("kernels/unit.wgsl")].concat(),
            Self::Activate => include_str!("kernels/activate.wgsl").to_owned(),
            Self::Add => include_str!("kernels/add.wgsl").to_owned(),
            Self::Gather => include_str!("kernels/gather.wgsl").to_owned(),
            Self::Attention(depth) => {
                let some = (SHARED / depth).clamp(1, MOST_KEYS);
                let sizes = format!("const DEPTH = {depth}u;\nconst SOME = {some}u;\n");
                sizes + include_str!("kernels/attention.wgsl")
            }
        }
    }
}

/// Those that were compiled.
#[derive(Default)]
pub(crate) struct Kernels(Mutex<HashMap<Kernel, Arc<wgpu::ComputePipeline>>>);

impl Kernels {
    pub(crate) fn get(&self, device: &wgpu::Device, kernel: Kernel) -> Arc<wgpu::ComputePipeline> {
        let mut all = self.0.lock().expect("no panic while compiling");
        let compile = || {
            let label = format!("{kernel:?}");
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(kernel.source().into()),
            });
            Arc::new(device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            }))
        };
        Arc::clone(all.entry(kernel).or_insert_with(compile))
    }
}
