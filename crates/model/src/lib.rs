//! The dual encoder in burn: an image tower, a text tower, a common space, and how it is trained.
//! The readable reference: differentiable, on any device.
//!
//! Shapes: B batch, L tokens, P patches, W width, H heads, D embedding, R picture side.

mod dual;
pub mod gpu;
mod image_tower;
mod imagenet;
mod layers;
pub mod loss;
mod resnet;
mod text_tower;
mod vit;
pub mod weights;

pub use burn;
pub use dual::{DualEncoder, Heads};
pub use image_tower::ImageTower;
pub use imagenet::load_imagenet_vit;
pub use text_tower::TextTower;
