//! What a user may choose of an explanation.

use tuwen_image::RgbImage;

use crate::hide::Fill;
use crate::perturb::LIME_WIDTH;
use crate::{Error, Method, Result, Watch};

/// The largest number of samples that is taken: a million pictures take hours, and more memory than there is.
pub const MOST_SAMPLES: usize = 100_000;

/// What a user may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How.
    pub method: Method,
    /// Masks of pictures for LIME, SHAP, Owen and FIxLIP.
    pub samples: usize,
    /// What stands where something is hidden.
    pub fill: Fill,
    /// Parts along a side for what hides squares; superpixels are about as many as squares.
    pub cells: usize,
    /// Blocks that [`Method::Chefer`] goes back through, counted from the last.
    pub blocks: usize,
    /// With [`Method::Fixlip`]: how likely a part is shown.
    pub shown: f32,
    /// Of LIME's kernel.
    pub width: f32,
    /// Of everything random.
    pub seed: u64,
    /// Whether words are weighed, too: measurements of maps need none.
    pub words: bool,
    /// Who looks on.
    pub watch: Watch,
}

impl Settings {
    /// The usual ones.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            samples: 512,
            fill: if method == Method::Lime { Fill::Own } else { Fill::default() },
            cells: 7,
            blocks: 1,
            shown: 0.5,
            width: LIME_WIDTH,
            seed: 42,
            words: true,
            watch: Watch::default(),
        }
    }

    /// The same with no more parts along a side than a picture has pixels, for who has named no number of them.
    pub fn within(self, picture: &RgbImage) -> Self {
        let side = picture.width().min(picture.height()).max(1) as usize;
        Self { cells: self.cells.min(side), ..self }
    }

    /// Whether they make sense for a picture.
    pub(crate) fn check(&self, picture: &RgbImage) -> Result<()> {
        let side = picture.width().min(picture.height()) as usize;
        let refuse = |what: String| Err(Error::Refused(what));
        match self {
            _ if !(1..=side.min(64)).contains(&self.cells) => refuse(format!(
                "{} parts along a side: 1 to {} are possible",
                self.cells,
                side.min(64)
            )),
            _ if !(2..=MOST_SAMPLES).contains(&self.samples) => refuse(format!(
                "{} samples: 2 to {MOST_SAMPLES} are possible; a thousand are usual, and more than ten thousand \
                 change little",
                self.samples
            )),
            _ if !(0.01..=0.99).contains(&self.shown) => refuse(format!(
                "parts shown with probability {}: it must be from 0.01 to 0.99",
                self.shown
            )),
            _ if !(self.width > 0.0 && self.width.is_finite()) => {
                refuse(format!("a kernel of width {}: it must be above 0", self.width))
            }
            _ => Ok(()),
        }
    }
}
