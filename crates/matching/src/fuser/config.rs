//! What a fuser is: its configuration, the shapes of its weights, and the values that they begin with.

use serde::{Deserialize, Serialize};
use tuwen_nn::{Array, Arrays};

use crate::{Error, Result, Side};

/// The most that ranks and widths may be.
const LARGEST: usize = 4096;

/// The key of a fuser's configuration in its file's header.
pub const FUSER_KEY: &str = "fuser";

/// What a fuser is, as JSON that is read strictly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FuserConfig {
    /// A name for people.
    pub name: String,
    /// Fingerprint of the model whose vectors it joins.
    pub model: String,
    /// D.
    pub dim: usize,
    /// What both are joined for.
    pub role: Role,
    /// What is added to their sum.
    pub network: Network,
}

/// What two vectors are joined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A picture and its texts are one item, as they are.
    Items,
    /// A picture and words are one query; each side loses its mean first and counts by the spread of its scores.
    Queries,
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Network {
    /// An outer product of `width` values of each side.
    Tucker {
        /// Values of a side.
        width: usize,
    },
    /// Products of `width` values of each side.
    Mutan {
        /// Values of a side, and of a product.
        width: usize,
        /// Products that are averaged.
        rank: usize,
    },
    /// Products of D values.
    LowRank {
        /// Products that are averaged.
        rank: usize,
    },
    /// A hidden layer.
    Gated {
        /// Its values for each side.
        hidden: usize,
    },
}

impl FuserConfig {
    /// Reads it.
    ///
    /// # Errors
    /// It is no such JSON, or describes what cannot be.
    pub fn parse(json: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(json)
            .map_err(|e| Error::Config(format!("the fuser's configuration: {e}")))?;
        config.check()?;
        Ok(config)
    }

    /// Whether there can be such a fuser.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self) -> Result<()> {
        let sizes = match self.network {
            Network::Tucker { width } => [width, 1],
            Network::Mutan { width, rank } => [width, rank],
            Network::LowRank { rank } => [rank, 1],
            Network::Gated { hidden } => [hidden, 1],
        };
        if self.dim == 0 || sizes.iter().any(|size| !(1..=LARGEST).contains(size)) {
            let network = self.network;
            let what = format!(
                "a fuser of vectors of {} values with {network:?}: each number is at least 1 and at most {LARGEST}",
                self.dim
            );
            return Err(Error::Config(what));
        }
        Ok(())
    }

    /// Name and shape of every weight.
    pub fn weight_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let dim = self.dim;
        let mut all = Vec::new();
        for side in ["image", "text"] {
            all.push((format!("{side}.mean"), vec![dim]));
            all.push((format!("{side}.spread"), vec![1]));
        }
        let mut affine = |name: &str, out: usize, wide: usize| {
            all.push((format!("{name}.weight"), vec![out, wide]));
            all.push((format!("{name}.bias"), vec![out]));
        };
        let mut both = |name: &str, out: usize, wide: usize| {
            affine(&format!("image.{name}"), out, wide);
            affine(&format!("text.{name}"), out, wide);
        };
        match self.network {
            Network::Tucker { width } => {
                both("proj", width, dim);
                affine("out", dim, width * width);
            }
            Network::Mutan { width, rank } => {
                both("proj", width, dim);
                both("ranks", rank * width, width);
                affine("out", dim, width);
            }
            Network::LowRank { rank } => both("ranks", rank * dim, dim),
            Network::Gated { hidden } => {
                both("proj", hidden, dim);
                affine("gate", dim, 2 * hidden);
                affine("out", dim, 2 * hidden);
            }
        }
        all
    }

    /// First weights: normal with deviation one over the root of their width, biases and what ends the network 0 (of
    /// `low-rank` the text's factors), so that a fuser begins as the sum. `normal` gives numbers of mean 0 and deviation 1; `sides` are mean and spread of pictures and of
    /// texts, which a fuser of queries needs.
    pub fn first_values(
        &self,
        sides: Option<[&Side; 2]>,
        mut normal: impl FnMut() -> f32,
    ) -> Arrays {
        let low_rank = matches!(self.network, Network::LowRank { .. });
        // The deviation of a unit vector's values.
        let plain = (self.dim as f32).powf(-0.5);
        let one = |(name, shape): (String, Vec<usize>)| {
            let ends = ["out", "gate"].iter().any(|end| name.starts_with(end))
                || low_rank && name.starts_with("text.");
            let len = shape.iter().product::<usize>();
            let wide = shape[1..].iter().product::<usize>() as f32;
            let side = sides.map(|sides| sides[usize::from(name.starts_with("text."))]);
            let data = match (name.rsplit('.').next(), side) {
                (Some("mean"), Some(side)) => side.mean.clone(),
                (Some("spread"), side) => vec![side.map_or(plain, |side| side.spread)],
                _ if shape.len() == 1 || ends => vec![0.0; len],
                _ => (0..len).map(|_| normal() / wide.sqrt()).collect(),
            };
            (name, Array { shape, data })
        };
        Arrays(self.weight_shapes().into_iter().map(one).collect())
    }
}

/// A weight that is measured before anything is learned.
pub fn is_measured(name: &str) -> bool {
    name.ends_with(".mean") || name.ends_with(".spread")
}
