//! The operations of `tuwen-nn` on a graphics card: an `tuwen_nn::Executor` on `wgpu` (Vulkan, Metal), in f32,
//! forward only.
//!
//! `kernels` are the operations' programs, `memory` what lies on the card, `card` what is asked of it and in which order,
//! `operations` the executor made of these, `adapter` which card it is. No card has been tried yet: all of this was tested
//! on Mesa's lavapipe, a Vulkan that computes on the CPU.
#![cfg(feature = "card")]

mod adapter;
mod card;
mod kernels;
mod memory;
mod operations;

pub use adapter::{Found, NotFound, open};
