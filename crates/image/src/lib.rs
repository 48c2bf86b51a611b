//! Pictures: bytes -> a decoded `picture` -> the square a model takes -> floats.
//!
//! `file_type` tells what a file is, `decode` reads any supported one (`avif` by a decoder of its own) after
//! `clean` took out what does harm, all threads within one `budget` of memory; `resize` is Pillow's, `geometry` decides what is resized to
//! what (`reduced` decodes no more of a JPEG than that needs), `exif` reads what the file says about the picture, `augment` varies pictures for training, with the
//! seeded numbers of `rng`, `canvas` and `cutout` draw scenes.
//!
//! ```
//! use tuwen_image::{Filter, Picture, Preprocess, RgbImage, resize};
//!
//! let grey = RgbImage::from_pixel(40, 30, [90, 90, 90].into());
//! assert_eq!(resize(&grey, 4, 3, Filter::Bicubic), RgbImage::from_pixel(4, 3, [90, 90, 90].into()));
//! let square = Preprocess::squash(16).fit(&Picture::Rgb(grey));
//! assert_eq!((square.width(), square.height()), (16, 16));
//! ```

mod augment;
mod avif;
mod budget;
pub mod canvas;
mod clean;
mod cutout;
mod decode;
mod directory;
mod exif;
mod file_type;
mod geometry;
mod hash;
mod picture;
mod png;
mod rand_augment;
mod reduced;
mod resize;
pub mod rng;
mod tiff;

pub use augment::Augment;
pub use cutout::Cutout;
pub use decode::{
    Decoded, Limits, decode, decode_file, decode_for, decode_then, encode_jpeg, read_file,
};
pub use exif::{DateTime, Exif, Place};
pub use file_type::{ARCHIVES, FileType, HEAD, file_type, format};
pub use geometry::{Budget, Centre, Geometry, Grid, Preprocess, Resize, ToRgb, Window};
pub use hash::{PerceptualHash, duplicate_groups};
pub use picture::Picture;
pub use png::encode_png;
pub use rand_augment::RandAugment;
pub use reduced::Decoding;
pub use resize::{Filter, resize, shrink};

pub use ::image::RgbImage;
