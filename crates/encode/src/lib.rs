//! The fast CPU twin of the towers, and what describes a model without burn: architecture,
//! named weights, safetensors files.
//!
//! `math` are the kernels beside `tuwen-gemm`, `block` a stack of transformer blocks, `towers` the two
//! towers with their backward pass for training, `encoder` the [`CpuEncoder`]. The readable reference
//! of the same towers is `tuwen-model`.
//!
//! Shapes: B batch, L tokens, P patches, W width, H heads, D embedding, R picture side.

pub mod arrays;
mod attention;
mod block;
pub mod builtin;
pub mod checkpoint;
pub mod config;
mod encoder;
pub mod error;
mod grads;
mod interface;
mod layers;
mod linear;
mod math;
mod shapes;
pub mod stream;
pub mod towers;

pub use arrays::{Array, Arrays};
pub use checkpoint::{Checkpoint, TOKENIZER_FILE, TokenizerFile};
pub use config::{
    Activation, ImagePool, ModelConfig, NormPlace, Pool, ResNet, Tokenizer, TowerConfig, Vision,
};
pub use encoder::{CONFIG_FILE, CpuEncoder, DATASET_TEXT, LongText, WEIGHTS_FILE, WINDOW};
pub use error::{Error, Result};
pub use interface::{Batch, Encoder, Output, TextInput};
pub use layers::{Rows, Weights};
