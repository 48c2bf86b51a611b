//! Two vectors of the common space as one: a picture's and that of its texts, so that an item is found by both, or a
//! picture's and that of words about it, so that both ask together. A small network is added to their sum, and its last
//! layer begins with zeros: what is learned is what the sum lacks.
//!
//! A side that is not there is a row of zeros.
//!
//! 1. `tucker`: the outer product of both sides, each projected, times a core (Tucker's decomposition of the tensor that
//!    would join them; Ben-Younes et al. 2017, <https://arxiv.org/abs/1705.06676>).
//! 2. `mutan`: the same with a core of so many ranks: the mean of products of both sides' projections (there).
//! 3. `low-rank`: a tensor over `[1; picture]` and `[1; text]` of so many ranks (LMF, Liu et al. 2018,
//!    <https://arxiv.org/abs/1806.00064>); the weights of its ranks are within its factors.
//! 4. `gated`: a hidden layer on both sides says, value by value, how much each side counts, and what is added (the gate of
//!    GMU, Arevalo et al. 2017, <https://arxiv.org/abs/1702.01992>; the sum as in CLIP4Cir's combiner, Baldrati et al. 2022,
//!    <https://arxiv.org/abs/2308.11485>).

mod config;

use rayon::prelude::*;
use tuwen_nn::{Activation, Arrays, Linear, Named, Tape, Value};

use crate::heads::spans_of;
use crate::weights::check_shapes;
use crate::{Error, Result, Side};

pub use config::{FUSER_KEY, FuserConfig, Network, Role, is_measured};

/// Rows that are joined on one thread at a time.
const ROWS: usize = 256;

/// See the module. One that learns borrows its weights, one that is used owns what it needs.
pub struct Fuser<'a> {
    config: FuserConfig,
    sides: [Side; 2],
    layers: Layers<'a>,
    fingerprint: String,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a program, and it lies in a box where it lives long"
)]
enum Layers<'a> {
    Tucker { proj: [Linear<'a>; 2], out: Linear<'a> },
    Mutan { proj: [Linear<'a>; 2], ranks: [Linear<'a>; 2], out: Linear<'a> },
    LowRank { ranks: [Linear<'a>; 2] },
    Gated { proj: [Linear<'a>; 2], gate: Linear<'a>, out: Linear<'a> },
}

impl Fuser<'static> {
    /// One that is used.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(config: FuserConfig, arrays: &Arrays) -> Result<Self> {
        Self::of(config, Named::Fixed(arrays), arrays)
    }
}

impl<'a> Fuser<'a> {
    /// One that learns, of weights that it borrows.
    ///
    /// # Errors
    /// As [`Fuser::new`].
    pub fn learning(config: FuserConfig, arrays: &'a Arrays) -> Result<Self> {
        Self::of(config, Named::Learning(arrays), arrays)
    }

    fn of(config: FuserConfig, source: Named<'a, '_>, arrays: &Arrays) -> Result<Self> {
        config.check()?;
        check_shapes(config.weight_shapes(), arrays)?;
        let side = |side: &str| -> Result<Side> {
            let mean = source.constant(&format!("{side}.mean"))?;
            let spread = source.constant(&format!("{side}.spread"))?[0].max(1e-6);
            Ok(Side { mean, spread })
        };
        let both = |name: &str| -> Result<[Linear<'a>; 2]> {
            let of = |side| source.linear(&format!("{side}.{name}"), true);
            Ok([of("image")?, of("text")?])
        };
        let layers = match config.network {
            Network::Tucker { .. } => {
                Layers::Tucker { proj: both("proj")?, out: source.linear("out", true)? }
            }
            Network::Mutan { .. } => Layers::Mutan {
                proj: both("proj")?,
                ranks: both("ranks")?,
                out: source.linear("out", true)?,
            },
            Network::LowRank { .. } => Layers::LowRank { ranks: both("ranks")? },
            Network::Gated { .. } => Layers::Gated {
                proj: both("proj")?,
                gate: source.linear("gate", true)?,
                out: source.linear("out", true)?,
            },
        };
        let fingerprint = fingerprint(&config, arrays);
        Ok(Self { sides: [side("image")?, side("text")?], layers, fingerprint, config })
    }

    /// What it is.
    pub fn config(&self) -> &FuserConfig {
        &self.config
    }

    /// Of its name, its model and all of its weights.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it joins vectors of this model, for this.
    ///
    /// # Errors
    /// Both models, or both roles.
    pub fn check(&self, model: &str, role: Role) -> Result<()> {
        let FuserConfig { name, model: own, role: made_for, .. } = &self.config;
        if own != model {
            let (name, found, wanted) = (name.clone(), model.to_owned(), own.clone());
            return Err(Error::FuserOfOther { name, found, wanted });
        }
        if *made_for != role {
            let said = |role| match role {
                Role::Items => "items (`role = \"items\"`, for `index --fuse learned:FILE`)",
                Role::Queries => "queries (`role = \"queries\"`, for `search --combiner FILE`)",
            };
            return Err(Error::Config(format!(
                "the fuser `{name}` was trained for {}, and is asked to join {}: take one of these",
                said(*made_for),
                said(role)
            )));
        }
        Ok(())
    }

    /// Rows of a side (N, D) without what all of it share, with deviation 1; rows of zeros, which stand for what is not
    /// there, stay.
    pub fn standard(&self, is_text: bool, rows: &[f32]) -> Vec<f32> {
        let side = &self.sides[usize::from(is_text)];
        let one = |row: &[f32]| -> Vec<f32> {
            match row.iter().all(|value| *value == 0.0) {
                true => row.to_vec(),
                false => side.centred(row),
            }
        };
        rows.chunks_exact(self.config.dim).flat_map(one).collect()
    }

    /// Joins rows of both sides as [`Self::standard`] gives them, (N, D) each, to unit vectors (N, D). `share` is the
    /// picture's: of one half both count as they were trained to, at 0 and 1 one side alone.
    pub fn join<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        image: &Value,
        text: &Value,
        share: f32,
    ) -> Value {
        let root = (self.config.dim as f32).sqrt();
        let mut times = |x: &Value, factor: f32| tape.times(x.clone(), vec![factor; x.len()]);
        let (own, other) =
            (times(image, 2.0 * share / root), times(text, 2.0 * (1.0 - share) / root));
        let sum = tape.add(own, &other);
        let learned = self.learned(tape, image, text);
        let counts = 4.0 * share * (1.0 - share);
        let learned = tape.times(learned.clone(), vec![counts; learned.len()]);
        let sum = tape.add(learned, &sum);
        tape.normalise(&sum)
    }

    /// What is added to the sum, (N, D).
    fn learned<'w>(&'w self, tape: &mut Tape<'w>, image: &Value, text: &Value) -> Value {
        let mut each = |layers: &'w [Linear<'a>; 2], sides: [&Value; 2]| {
            [0, 1].map(|side| tape.linear(sides[side], &layers[side]))
        };
        match &self.layers {
            Layers::Tucker { proj, out } => {
                let [image, text] = each(proj, [image, text]);
                let products = tape.outer(&image, &text);
                tape.linear(&products, out)
            }
            Layers::Mutan { proj, ranks, out } => {
                let [image, text] = each(proj, [image, text]);
                let [image, text] = each(ranks, [&image, &text]);
                let mean = mean_of_products(tape, &image, &text, proj[0].out());
                tape.linear(&mean, out)
            }
            Layers::LowRank { ranks } => {
                let [image, text] = each(ranks, [image, text]);
                mean_of_products(tape, &image, &text, self.config.dim)
            }
            Layers::Gated { proj, gate, out } => {
                let [hidden_image, hidden_text] = each(proj, [image, text]);
                let hidden = tape.beside(&hidden_image, &hidden_text);
                let gate = tape.active_linear(&hidden, Activation::Gelu, gate);
                let gate = tape.tanh(gate);
                let added = tape.active_linear(&hidden, Activation::Gelu, out);
                // tanh(g) (picture - text) moves both shares from one half, as a sigmoid's gate does.
                let root = (self.config.dim as f32).sqrt();
                let away = tape.times(text.clone(), vec![-1.0; text.len()]);
                let between = tape.add(away, image);
                let moved = tape.multiply(&gate, &between);
                let moved = tape.times(moved.clone(), vec![1.0 / root; moved.len()]);
                tape.add(added, &moved)
            }
        }
    }

    /// Joins vectors, (N, D) each, to unit vectors (N, D); rows of zeros stand for what is not there.
    pub fn vectors(&self, images: &[f32], texts: &[f32], share: f32) -> Vec<f32> {
        let dim = self.config.dim;
        let some = |(images, texts): (&[f32], &[f32])| -> Vec<f32> {
            let mut tape = Tape::forward_only();
            let image = tape.leaf(self.standard(false, images), dim, false);
            let text = tape.leaf(self.standard(true, texts), dim, false);
            self.join(&mut tape, &image, &text, share).into_vec()
        };
        let parts = images.par_chunks(ROWS * dim).zip(texts.par_chunks(ROWS * dim));
        parts.flat_map_iter(some).collect()
    }
}

/// The mean over ranks of both sides' products, (N, ranks x width) to (N, width).
fn mean_of_products(tape: &mut Tape<'_>, image: &Value, text: &Value, width: usize) -> Value {
    let products = tape.multiply(image, text);
    let ranks = products.width() / width;
    let rows = products.rows();
    let products = tape.rows_of(products, width);
    tape.means(&products, &spans_of(std::iter::repeat_n(ranks, rows)))
}

fn fingerprint(config: &FuserConfig, arrays: &Arrays) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&serde_json::to_vec(config).expect("numbers and names"));
    for (name, _) in config.weight_shapes() {
        for value in arrays.0.get(&name).into_iter().flat_map(|array| &array.data) {
            hasher.update(&value.to_le_bytes());
        }
    }
    format!("{}-{}", config.name, &hasher.finalize().to_hex()[..16])
}
