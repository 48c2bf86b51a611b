//! Features of pictures: `colour` histograms, local binary patterns (`lbp`), `hog`, `gist`; `sift` and `orb` find keypoints
//! and describe them, and `codebook` makes one row of a picture's dense descriptors. [`ImageModel`] is any that gives a
//! row. Definitions are OpenCV's and scikit-image's, as each module says.
//!
//! A blank picture has a row as any other: its one colour, zeros of gradients, no keypoint.

mod codebook;
mod colour;
mod dense;
mod fft;
mod gist;
mod hog;
mod keypoint;
pub(crate) mod kmeans;
mod lbp;
mod mixture;
mod model;
pub mod orb;
mod plane;
pub mod sift;

pub use codebook::Settings;
pub use colour::{Space, histogram};
pub use dense::Grid;
pub use gist::gist;
pub use hog::hog;
pub use keypoint::Keypoint;
pub use lbp::lbp;
pub use model::{Encoding, ImageFeature, ImageModel};
pub use plane::Plane;
