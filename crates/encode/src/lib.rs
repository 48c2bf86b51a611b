//! The towers, and what describes a model: architecture, named weights, safetensors files.
//!
//! `block` is a stack of transformer blocks, `towers` the two towers, written in the operations of `tuwen-nn`,
//! which give the backward pass; `encoder` is the [`CpuEncoder`].
//!
//! Shapes: B batch, L tokens, P patches, W width, H heads, D embedding, R picture side.
//!
//! ```
//! use tuwen_encode::{Encoder, builtin};
//!
//! let encoder = builtin::open()?;
//! let texts = encoder.encode_texts(&["a dog", "一只狗", "an invoice"])?;
//! let [dog, chinese, invoice] = [0, 1, 2].map(|at| &texts[at * encoder.dim()..][..encoder.dim()]);
//! let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
//! assert!(cosine(dog, chinese) > cosine(dog, invoice));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arrays;
mod block;
pub mod builtin;
mod captioner;
pub mod checkpoint;
pub mod config;
mod encoder;
pub mod error;
mod interface;
mod layers;
mod networks;
pub mod params;
mod random;
pub mod stream;
pub mod towers;

pub use arrays::{Array, Arrays};
pub use captioner::{Captioner, Sentences, Shown};
pub use checkpoint::{Checkpoint, TOKENIZER_FILE, TokenizerFile};
pub use config::{
    Fusion, ImagePool, Long, MobileStage, ModelConfig, Network, NormPlace, Pool, Queries, ResNet,
    Tokenizer, TowerConfig, Vision,
};
pub use encoder::{
    CONFIG_FILE, CpuEncoder, DATASET_TEXT, Device, LongText, PatchFeatures, Products, TextTrace,
    TokenProjection, Trace, WEIGHTS_FILE, WINDOW, WithTokens,
};
pub use error::{Error, Result};
pub use interface::{Batch, Encoder, Output, TextInput};
pub use layers::{Packs, Weights};
pub use tuwen_nn::{Activation, Rows, Table};
