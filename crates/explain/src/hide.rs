//! What hidden parts of a picture look like, and pictures and texts with parts hidden.

use std::ops::Range;

use serde::Serialize;
use tuwen_encode::Encoder;
use tuwen_image::{Filter, RgbImage, resize};
use tuwen_text::units;

use crate::{Regions, Result};

/// What stands where a part of a picture is hidden. None is neutral, so that each is named where it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The middle grey.
    Grey,
    /// The picture, blurred until nothing can be recognised.
    Blur,
    /// The mean colour of the whole picture.
    #[default]
    Mean,
    /// The mean colour of each hidden region (LIME's).
    Own,
}

impl Fill {
    /// All of them by their names.
    pub const NAMES: [(&'static str, Self); 4] =
        [("grey", Self::Grey), ("blur", Self::Blur), ("mean", Self::Mean), ("own", Self::Own)];

    /// What is seen of a picture where all of it is hidden.
    pub fn hidden(self, picture: &RgbImage, regions: &Regions) -> RgbImage {
        let (width, height) = picture.dimensions();
        match self {
            Self::Grey => RgbImage::from_pixel(width, height, [128; 3].into()),
            Self::Blur => {
                // Down to a few pixels and back: cheaper than a wide Gaussian, and as empty.
                let few = resize(picture, 4, 4, Filter::Bicubic);
                resize(&few, width, height, Filter::Bicubic)
            }
            Self::Mean => {
                let one = Regions::of_picture(picture, 1);
                means(picture, &one)
            }
            Self::Own => means(picture, regions),
        }
    }
}

/// Every pixel in the mean colour of its region.
fn means(picture: &RgbImage, regions: &Regions) -> RgbImage {
    let mut sums = vec![[0u64; 4]; regions.count()];
    for (pixel, &region) in picture.pixels().zip(regions.of()) {
        let [r, g, b] = pixel.0.map(u64::from);
        let sum = &mut sums[region as usize];
        *sum = [sum[0] + r, sum[1] + g, sum[2] + b, sum[3] + 1];
    }
    let mean = |[r, g, b, n]: [u64; 4]| [r, g, b].map(|sum| ((sum + n / 2) / n.max(1)) as u8);
    let colours: Vec<[u8; 3]> = sums.into_iter().map(mean).collect();
    let mut out = picture.clone();
    for (pixel, &region) in out.pixels_mut().zip(regions.of()) {
        pixel.0 = colours[region as usize];
    }
    out
}

/// A picture of which some pixels are those of another.
pub fn mixed(picture: &RgbImage, hidden: &RgbImage, shown: impl Fn(usize) -> bool) -> RgbImage {
    let mut out = hidden.clone();
    let bytes = out.as_flat_samples_mut().samples;
    for (pixel, (to, from)) in
        bytes.chunks_exact_mut(3).zip(picture.as_raw().chunks_exact(3)).enumerate()
    {
        if shown(pixel) {
            to.copy_from_slice(from);
        }
    }
    out
}

/// A text and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    text: String,
    spans: Vec<Range<usize>>,
}

impl Words {
    /// Cuts a text, see [`units`].
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), spans: units(text) }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of each word.
    pub fn spans(&self) -> &[Range<usize>] {
        &self.spans
    }

    /// A word.
    pub fn word(&self, at: usize) -> &str {
        &self.text[self.spans[at].clone()]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Those that the model reads: of a text that is longer than its context the rest would come into it where others are
    /// left out, and so would seem to weigh something.
    ///
    /// # Errors
    /// The text cannot be cut into tokens.
    pub fn read(&self, encoder: &dyn Encoder) -> Result<Self> {
        let whole = encoder.tokenise(&self.text)?;
        if whole.lost == 0 {
            return Ok(self.clone());
        }
        // The first words whose tokens are already all that the model is given.
        let (mut few, mut enough) = (0, self.len());
        while few < enough {
            let middle = usize::midpoint(few, enough);
            let end = self.spans[..middle].last().map_or(0, |span| span.end);
            match encoder.tokenise(&self.text[..end])?.pieces == whole.pieces {
                true => enough = middle,
                false => few = middle + 1,
            }
        }
        let spans = self.spans[..enough].to_vec();
        let end = spans.last().map_or(0, |span| span.end);
        Ok(Self { text: self.text[..end].to_owned(), spans })
    }

    /// The text with only some of its words, as somebody would have written these alone.
    pub fn with(&self, shown: impl Fn(usize) -> bool) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut end = 0;
        for (at, span) in self.spans.iter().enumerate() {
            let gap = &self.text[end..span.start];
            end = span.end;
            if !shown(at) {
                continue;
            }
            if !gap.is_empty() && !out.is_empty() {
                out.push_str(gap);
            } else if !out.is_empty() && needs_space(&out, self.word(at)) {
                out.push(' ');
            }
            out.push_str(self.word(at));
        }
        out
    }
}

/// Two words of letters would become one where the ones between them are gone.
fn needs_space(before: &str, after: &str) -> bool {
    let ascii = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2e80}');
    ascii(before.chars().next_back()) && ascii(after.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_the_spaces_of_the_words_that_stay() {
        let words = Words::new(" a  red dog, running");
        assert_eq!(words.len(), 4);
        assert_eq!(words.with(|_| true), "a  red dog, running");
        assert_eq!(words.with(|at| at != 1), "a dog, running");
        assert_eq!(words.with(|_| false), "");
        let mixed = Words::new("iPhone手机A7");
        assert_eq!(mixed.with(|at| at != 1), "iPhone A7");
        assert_eq!(Words::new("一只狗在跑").with(|at| at != 1), "一只在跑");
    }

    #[test]
    fn every_fill_hides_the_picture() {
        let picture = RgbImage::from_fn(32, 32, |x, y| {
            if (x / 4 + y / 4) % 2 == 0 { [250, 10, 10].into() } else { [10, 10, 250].into() }
        });
        let regions = Regions::grid(32, 2);
        for (name, fill) in Fill::NAMES {
            let hidden = fill.hidden(&picture, &regions);
            assert_eq!(hidden.dimensions(), (32, 32), "{name}");
            let red = hidden.pixels().map(|pixel| f32::from(pixel[0]));
            let (least, most) = red.fold((255.0f32, 0.0f32), |(a, b), v| (a.min(v), b.max(v)));
            assert!(most - least < 60.0, "{name}: {least} to {most}");
        }
        let half =
            mixed(&picture, &Fill::Grey.hidden(&picture, &regions), |p| regions.of()[p] == 0);
        assert_eq!(half.get_pixel(0, 0), picture.get_pixel(0, 0));
        assert_eq!(half.get_pixel(31, 31).0, [128; 3]);
    }
}
