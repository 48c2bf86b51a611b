//! The towers, and what describes a model: architecture, named weights, safetensors files.
//!
//! `block` is a stack of transformer blocks, `towers` the two towers, written in the operations of `tuwen-nn`,
//! which give the backward pass; `encoder` is the [`CpuEncoder`].
//!
//! Shapes: B batch, L tokens, P patches, W width, H heads, D embedding, R picture side.

pub mod arrays;
mod block;
pub mod builtin;
pub mod checkpoint;
pub mod config;
mod encoder;
pub mod error;
mod interface;
mod layers;
pub mod params;
mod random;
pub mod stream;
pub mod towers;

pub use arrays::{Array, Arrays};
pub use checkpoint::{Checkpoint, TOKENIZER_FILE, TokenizerFile};
pub use config::{ImagePool, ModelConfig, NormPlace, Pool, ResNet, Tokenizer, TowerConfig, Vision};
pub use encoder::{
    CONFIG_FILE, CpuEncoder, DATASET_TEXT, LongText, TokenProjection, WEIGHTS_FILE, WINDOW,
    WithTokens,
};
pub use error::{Error, Result};
pub use interface::{Batch, Encoder, Output, TextInput};
pub use layers::{Packs, Weights};
pub use tuwen_nn::{Activation, Rows, Table};
