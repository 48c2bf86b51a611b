//! What detectors find.

/// A place in a picture with its size and direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// From the left, in pixels.
    pub x: f32,
    /// From above.
    pub y: f32,
    /// The diameter that it stands for.
    pub size: f32,
    /// Degrees, clockwise from the right.
    pub angle: f32,
    /// How strong it is.
    pub response: f32,
    /// Halvings of the picture; -1 is the one that is twice as large.
    pub octave: i32,
}
