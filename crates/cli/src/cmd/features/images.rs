//! A kind of picture features with its settings, as a command or a configuration says it, and what gives the rows.

use anyhow::{Result, bail};
use std::convert::Infallible;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tuwen_encode::{Batch, CpuEncoder, Encoder, Output, builtin};
use tuwen_features::Features;
use tuwen_features::image::{Encoding, Grid, ImageFeature, ImageModel, Settings, Space};
use tuwen_image::{Picture, RgbImage};

use super::pictures::{Named, Unread, Watch, each};
use super::unless_stopped;
use crate::query::{TextArgs, Usage, open_model};

/// The names of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    ColourHsv,
    ColourLab,
    Lbp,
    Hog,
    Gist,
    SiftWords,
    Vlad,
    Fisher,
    Sift,
    Orb,
    Surf,
    Tower,
}

pub const KINDS: [(&str, Name); 12] = [
    ("colour-hsv", Name::ColourHsv),
    ("colour-lab", Name::ColourLab),
    ("lbp", Name::Lbp),
    ("hog", Name::Hog),
    ("gist", Name::Gist),
    ("sift-words", Name::SiftWords),
    ("vlad", Name::Vlad),
    ("fisher", Name::Fisher),
    ("sift", Name::Sift),
    ("orb", Name::Orb),
    ("surf", Name::Surf),
    ("tower", Name::Tower),
];

/// A kind with its settings; what is not said is as the command's `--help` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    pub kind: Name,
    pub words: Option<usize>,
    #[serde(default = "Images::sample")]
    pub sample: usize,
    #[serde(default = "Images::step")]
    pub step: usize,
    #[serde(default = "Images::seed")]
    pub seed: u64,
    #[serde(default = "Images::tower")]
    pub tower: String,
    #[serde(default)]
    pub layer: ImageLayer,
}

/// What of an image tower is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ImageLayer {
    /// The vector in the common space.
    #[default]
    Embedding,
    /// The tower's own, before it is brought there.
    Feature,
    /// What lies inside, by its name or place.
    Inside(String),
}

impl From<String> for ImageLayer {
    fn from(name: String) -> Self {
        match name.as_str() {
            "embedding" => Self::Embedding,
            "feature" => Self::Feature,
            _ => Self::Inside(name),
        }
    }
}

impl From<ImageLayer> for String {
    fn from(layer: ImageLayer) -> Self {
        match layer {
            ImageLayer::Embedding => "embedding".into(),
            ImageLayer::Feature => "feature".into(),
            ImageLayer::Inside(name) => name,
        }
    }
}

impl FromStr for ImageLayer {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(name.to_owned().into())
    }
}

/// A layer of an opened tower.
#[derive(Clone, Copy)]
pub enum Taken {
    End(Output),
    Inside(usize),
}

impl ImageLayer {
    /// Which of the tower's it is.
    fn of(&self, encoder: &CpuEncoder) -> Result<Taken> {
        Ok(match self {
            Self::Embedding => Taken::End(Output::Embedding),
            Self::Feature => Taken::End(Output::Feature),
            Self::Inside(name) => match encoder.image_layer(name) {
                Ok(place) => Taken::Inside(place),
                Err(error) => bail!(Usage(format!("--layer: {error}"))),
            },
        })
    }
}

/// What is not said.
impl Images {
    pub fn sample() -> usize {
        200_000
    }
    pub fn step() -> usize {
        8
    }
    pub fn seed() -> u64 {
        1
    }
    pub fn tower() -> String {
        builtin::BUILT_IN.into()
    }
}

/// Pictures whose descriptors a codebook is learned from, at most.
const LEARNED_FROM: usize = 2000;

/// What gives rows.
pub enum Fitted {
    Model(Box<ImageModel>),
    Tower(Box<CpuEncoder>, Taken),
}

impl Images {
    /// How the kind's descriptors become a row, where it has such.
    fn encoding(&self) -> Option<(Encoding, usize)> {
        Some(match self.kind {
            Name::SiftWords => (Encoding::Words, 500),
            Name::Vlad => (Encoding::Vlad, 16),
            Name::Fisher => (Encoding::Fisher, 16),
            _ => return None,
        })
    }

    fn kind(&self) -> Result<ImageFeature> {
        Ok(match self.kind {
            Name::ColourHsv => ImageFeature::Colour(Space::Hsv),
            Name::ColourLab => ImageFeature::Colour(Space::Lab),
            Name::Lbp => ImageFeature::Lbp,
            Name::Hog => ImageFeature::Hog,
            Name::Gist => ImageFeature::Gist,
            Name::Surf => bail!(surf()),
            _ => bail!(Usage(
                "sift and orb find as many keypoints as a picture has, which is no row: sift-words, vlad and fisher make \
                 rows of dense SIFT"
                    .into()
            )),
        })
    }

    /// Learns a codebook of these pictures where the kind has one; none where it was stopped.
    pub fn fit(
        &self,
        pictures: &[Named],
        text_args: &TextArgs,
        watch: &Watch<'_>,
    ) -> Result<Option<Fitted>> {
        if self.kind == Name::Tower {
            let encoder = open_model(&self.tower, text_args)?;
            let layer = self.layer.of(&encoder)?;
            return Ok(Some(Fitted::Tower(Box::new(encoder), layer)));
        }
        let Some((encoding, words)) = self.encoding() else {
            return Ok(Some(Fitted::Model(Box::new(ImageModel::new(self.kind()?)?))));
        };
        if !(2..=1000).contains(&self.step) {
            bail!(Usage(format!("the step is {}; give from 2 to 1000 pixels", self.step)));
        }
        let grid = Grid { step: self.step, ..Grid::default() };
        let every = pictures.len().div_ceil(LEARNED_FROM);
        let some: Vec<Named> = pictures.iter().step_by(every.max(1)).cloned().collect();
        let unread = match watch.unread {
            Unread::Error => Unread::Error,
            // Said when all are read.
            _ => Unread::Silent,
        };
        let watch = Watch { done: &|_| {}, unread, ..*watch };
        let of = |picture| ImageModel::descriptors(&picture, &grid);
        let Some(found) = each(&some, &watch, of)? else { return Ok(None) };
        let found: Vec<Vec<f32>> = found.into_iter().flatten().collect();
        let settings =
            Settings { words: self.words.unwrap_or(words), sample: self.sample, seed: self.seed };
        let model = ImageModel::learn(encoding, grid, &found, settings, watch.stop);
        Ok(unless_stopped(model)?.map(|model| Fitted::Model(Box::new(model))))
    }
}

/// Why there is no SURF.
pub fn surf() -> Usage {
    Usage(
        "surf is left out, for it is patented (US 8,165,401): take sift, whose patent has ended, or orb, which has none"
            .into(),
    )
}

/// A row for each picture that was read, and which were.
pub struct Rows {
    pub features: Features,
    pub read: Vec<bool>,
}

impl Fitted {
    /// A row for each picture; none where it was stopped.
    pub fn rows(&self, pictures: &[Named], watch: &Watch<'_>) -> Result<Option<Rows>> {
        let found = match self {
            Self::Model(model) => each(pictures, watch, |picture| model.row(&picture))?,
            Self::Tower(encoder, layer) => tower(encoder, *layer, pictures, watch)?,
        };
        let Some(found) = found else { return Ok(None) };
        let read: Vec<bool> = found.iter().map(Option::is_some).collect();
        let rows: Vec<Vec<f32>> = found.into_iter().flatten().collect();
        let Some(width) = rows.first().map(Vec::len) else {
            bail!("none of the pictures can be read");
        };
        Ok(Some(Rows { features: Features { values: rows.concat(), width }, read }))
    }
}

/// A model's vectors.
fn tower(
    encoder: &CpuEncoder,
    layer: Taken,
    pictures: &[Named],
    watch: &Watch<'_>,
) -> Result<Option<Vec<Option<Vec<f32>>>>> {
    let mut rows = Vec::with_capacity(pictures.len());
    for part in pictures.chunks(64) {
        let fit = |picture| encoder.preprocess().fit(&Picture::Rgb(picture));
        let quiet = Watch { done: &|_| {}, ..*watch };
        let Some(fitted) = each(part, &quiet, fit)? else { return Ok(None) };
        let read: Vec<bool> = fitted.iter().map(Option::is_some).collect();
        let fitted: Vec<RgbImage> = fitted.into_iter().flatten().collect();
        let vectors = match layer {
            _ if fitted.is_empty() => Vec::new(),
            Taken::End(output) => encoder.forward(Batch::Images(&fitted), output)?,
            Taken::Inside(layer) => encoder.encode_layer(&fitted, layer)?,
        };
        let mut vectors = vectors.chunks_exact((vectors.len() / fitted.len().max(1)).max(1));
        let row = |read: bool| if read { vectors.next().map(<[f32]>::to_vec) } else { None };
        rows.extend(read.into_iter().map(row));
        (watch.done)(rows.len());
    }
    Ok(Some(rows))
}
