//! One vector for a picture and its texts together: how it is made of both, and made for a gallery.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::str::FromStr;

use tuwen_index::{Gallery, Parts};
use tuwen_matching::{Fuser, Role};

use crate::fuser::{forget_others, fuser_for, fuser_of};
use crate::{Error, Result};

/// How a picture's vector and that of its texts become one. But for a learned way, a picture without texts keeps its own
/// vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// Their weighted mean, of length 1; the number is the picture's share.
    Weighted(f32),
    /// Both beside each other, as long as their shares say: what a query finds by it is the weighted mean of its
    /// cosines with both. As the query is the same for both halves, D values hold what 2 D would: the weighted sum,
    /// not brought to length 1.
    Concatenated(f32),
    /// A network: a fuser's file, or the fingerprint of one that the gallery keeps.
    Learned(String),
}

const KNOWN: &str = "average, weighted:SHARE or concat:SHARE, where SHARE is the picture's, from 0 to 1, or learned:FILE";

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, share) =
            text.split_once(':').map_or((text, None), |(name, share)| (name, Some(share)));
        let number = |share: &str| {
            let number = share.parse().ok().filter(|number| (0.0..=1.0).contains(number));
            number.ok_or_else(|| format!("{share:?} is no number from 0 to 1: give {KNOWN}"))
        };
        match (name, share) {
            ("average", None) => Ok(Self::Weighted(0.5)),
            ("weighted", Some(share)) => number(share).map(Self::Weighted),
            ("concat", None) => Ok(Self::Concatenated(0.5)),
            ("concat", Some(share)) => number(share).map(Self::Concatenated),
            ("learned", Some(file)) if !file.is_empty() => Ok(Self::Learned(file.to_owned())),
            _ => Err(format!("{text:?} is no way to fuse: give {KNOWN}")),
        }
    }
}

impl Display for Recipe {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weighted(share) => write!(out, "weighted:{share}"),
            Self::Concatenated(share) => write!(out, "concat:{share}"),
            Self::Learned(fuser) => write!(out, "learned:{fuser}"),
        }
    }
}

/// Who makes fused vectors.
pub enum Fuse {
    /// The weighted mean, of length 1; the number is the picture's share.
    Weighted(f32),
    /// The weighted sum.
    Concatenated(f32),
    /// A network.
    Learned(Box<Fuser<'static>>),
}

impl Fuse {
    /// The fused vector of a picture and the mean of its texts, both of length 1, (D).
    pub fn of(&self, image: &[f32], text: &[f32]) -> Vec<f32> {
        let share = match self {
            Self::Weighted(share) | Self::Concatenated(share) => share,
            Self::Learned(fuser) => return fuser.vectors(image, text, HALF),
        };
        let sum = image.iter().zip(text).map(|(image, text)| share * image + (1.0 - share) * text);
        let mut sum: Vec<f32> = sum.collect();
        if matches!(self, Self::Weighted(_)) && !to_length_1(&mut sum) {
            return image.to_vec();
        }
        sum
    }

    /// The fused vectors of some pictures, (N, D).
    pub fn of_all(&self, parts: &Parts, dim: usize) -> Vec<f32> {
        if let Self::Learned(fuser) = self {
            let text = |texts: &Vec<f32>| mean(texts, dim).unwrap_or_else(|| vec![0.0; dim]);
            let texts: Vec<f32> = parts.texts.iter().flat_map(text).collect();
            return fuser.vectors(&parts.images, &texts, HALF);
        }
        let pictures = parts.images.chunks_exact(dim).zip(&parts.texts);
        let fuse = |(image, texts): (&[f32], &Vec<f32>)| match mean(texts, dim) {
            Some(text) => self.of(image, &text),
            None => image.to_vec(),
        };
        pictures.flat_map(fuse).collect()
    }
}

/// Both sides of an item count as the network was trained.
const HALF: f32 = 0.5;

/// The mean of unit vectors, (T, D), of length 1; nothing of none, or where they cancel out.
pub fn mean(vectors: &[f32], dim: usize) -> Option<Vec<f32>> {
    let mut sum = vec![0.0; dim];
    for vector in vectors.chunks_exact(dim) {
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
    }
    to_length_1(&mut sum).then_some(sum)
}

fn to_length_1(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let is_long = length > 1e-6;
    if is_long {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    is_long
}

/// Looks whether a recipe can be followed in a gallery, before long work.
///
/// # Errors
/// The file of a fuser cannot be read, or it is of another model or for something else.
pub fn check(gallery: &Gallery, wanted: &Recipe) -> Result<()> {
    if let Recipe::Learned(file) = wanted {
        fuser_for(Path::new(file), &gallery.model()?.fingerprint, Role::Items)?;
    }
    Ok(())
}

/// Looks whether the fuser that a gallery's fused vectors were made by is there and as it was.
///
/// # Errors
/// It is gone, or another one; or the gallery cannot be read.
pub fn verify(gallery: &Gallery) -> Result<()> {
    let recipe = gallery.fused()?.and_then(|fused| fused.recipe.parse().ok());
    if let Some(Recipe::Learned(fingerprint)) = recipe {
        fuser_of(gallery, &fingerprint, true)?;
    }
    Ok(())
}

/// Makes a gallery's fused vectors where they are wanted and missing, old, or of another recipe: `wanted`, or where that
/// is nothing the gallery's own. Gives the recipe that they were made by, if they were.
///
/// # Errors
/// The disk is full or read-only, or the gallery says a recipe that this program does not know.
pub fn fuse(gallery: &Gallery, wanted: Option<Recipe>) -> Result<Option<Recipe>> {
    let there = gallery.fused()?;
    let is_own = wanted.is_none();
    let recipe = match (wanted, &there) {
        (Some(wanted), _) => wanted,
        (None, None) => return Ok(None),
        (None, Some(fused)) => fused.recipe.parse().map_err(|what| {
            Error::Usage(format!("the gallery's fused vectors: {what}, or `--fuse none`"))
        })?,
    };
    // What a gallery says is the fingerprint of a fuser that it keeps; what a person says may be a file.
    let (fuse, recipe) = match recipe {
        Recipe::Weighted(share) => (Fuse::Weighted(share), recipe),
        Recipe::Concatenated(share) => (Fuse::Concatenated(share), recipe),
        Recipe::Learned(named) => {
            let fuser = fuser_of(gallery, &named, is_own)?;
            let fingerprint = fuser.fingerprint().to_owned();
            (Fuse::Learned(Box::new(fuser)), Recipe::Learned(fingerprint))
        }
    };
    let name = recipe.to_string();
    if there.is_some_and(|fused| fused.recipe == name && !fused.is_old) {
        return Ok(None);
    }
    let dim = gallery.model()?.dim;
    gallery.fuse(&name, |parts| fuse.of_all(parts, dim))?;
    let fuser =
        if let Recipe::Learned(fingerprint) = &recipe { Some(&**fingerprint) } else { None };
    // A gallery that is built anew takes the old one's place later, and that one still has its fuser.
    if !gallery.replaces_another() {
        forget_others(gallery, fuser)?;
    }
    Ok(Some(recipe))
}

/// Takes a gallery's fused vectors away.
///
/// # Errors
/// The disk is full or read-only.
pub fn unfuse(gallery: &Gallery) -> Result<()> {
    gallery.unfuse()?;
    forget_others(gallery, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_read_as_it_is_written() {
        for (text, recipe) in [
            ("average", Recipe::Weighted(0.5)),
            ("weighted:0.7", Recipe::Weighted(0.7)),
            ("concat", Recipe::Concatenated(0.5)),
            ("concat:0", Recipe::Concatenated(0.0)),
            ("learned:runs/a:b.safetensors", Recipe::Learned("runs/a:b.safetensors".into())),
        ] {
            assert_eq!(text.parse(), Ok(recipe.clone()));
            assert_eq!(recipe.to_string().parse(), Ok(recipe));
        }
        for text in
            ["", "mean", "weighted", "weighted:1.1", "weighted:NaN", "average:0.5", "learned:"]
        {
            let what = text.parse::<Recipe>().expect_err(text);
            assert!(what.contains("give average, weighted:SHARE or concat:SHARE"), "{what}");
        }
    }

    #[test]
    fn concatenated_scores_are_the_weighted_mean_of_both_and_weighted_ones_have_length_1() {
        let (image, text, query) = ([0.6, 0.8], [1.0, 0.0], [0.8, 0.6]);
        let dot = |a: &[f32]| a.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let both = Fuse::Concatenated(0.25).of(&image, &text);
        assert!((dot(&both) - (0.25 * dot(&image) + 0.75 * dot(&text))).abs() < 1e-6);
        let mean = Fuse::Weighted(0.25).of(&image, &text);
        assert!((mean.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((mean[0] / mean[1] - both[0] / both[1]).abs() < 1e-5);
        // What cancels out is the picture.
        assert_eq!(Fuse::Weighted(0.5).of(&image, &[-0.6, -0.8]), image);
    }

    #[test]
    fn several_texts_count_as_one_and_a_picture_without_any_keeps_its_own() {
        let parts = Parts {
            images: vec![1.0, 0.0, 0.6, 0.8],
            texts: vec![vec![0.0, 1.0, 1.0, 0.0], Vec::new()],
        };
        let found = Fuse::Weighted(0.0).of_all(&parts, 2);
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for (found, wanted) in found.iter().zip([half, half, 0.6, 0.8]) {
            assert!((found - wanted).abs() < 1e-6, "{found} is not {wanted}");
        }
    }
}
