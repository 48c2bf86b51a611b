//! Pictures: bytes -> a decoded `picture` -> the square a model takes -> floats.
//!
//! `decode` reads any supported file, `resize` is Pillow's, `geometry` decides what is resized to
//! what, `augment` varies pictures for training.

mod augment;
mod decode;
mod geometry;
mod hash;
mod picture;
mod png;
mod rand_augment;
mod resize;
mod tiff;

pub use augment::Augment;
pub use decode::{Limits, decode, decode_file, encode_jpeg};
pub use geometry::{Centre, Geometry, Preprocess, Resize, ToRgb};
pub use hash::{Fingerprint, groups};
pub use picture::Picture;
pub use png::encode_png;
pub use rand_augment::RandAugment;
pub use resize::{Filter, resize};

pub use ::image::RgbImage;
