//! Pixels to features: a ViT with a class token, or pooled by attention.

use std::ops::Range;

use tuwen_nn::{Linear, Patches, Spans, Tape, Value, Weight};

use super::probe::Probe;
use super::queries::QFormer;
use super::{Found, ON_THE_HOST, Pass, PassGradients, Record, Runner, Wanted};
use crate::block::{Depth, OutputRows, Stack};
use crate::layers::{Weights, linear, weight_of};
use crate::{ImagePool, ModelConfig, Result, Vision};

/// The image tower, wherever its weights are.
pub struct ImageTower<'a> {
    stack: Stack<'a>,
    patch_embed: Linear<'a>,
    /// None where a probe pools the patches.
    cls_token: Option<Weight<'a>>,
    probe: Option<Probe<'a>>,
    pos_embed: Weight<'a>,
    pool: ImagePool,
    /// How a picture of R x R is cut.
    cut: Patches,
    /// Whether pictures have grids of their own, to which the positions are resized.
    any_shape: bool,
    /// What makes a feature of each patch, where the model has such.
    dense: Option<Probe<'a>>,
    /// What looks at the rows and becomes the picture's vectors, where the model has such.
    queries: Option<QFormer<'a>>,
    runner: Runner,
}

impl<'a> ImageTower<'a> {
    /// The weights under `image.`. Borrowed ones allow the backward pass.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &ModelConfig, weights: impl Weights<'a>) -> Result<Self> {
        let pools = config.vision == Vision::Probe;
        let cls_token = || weight_of(&weights, "image.cls_token".to_owned());
        let dense = || Probe::of_each(&config.image, &weights, "image.dense");
        Ok(Self {
            stack: Stack::new(&config.image, false, &weights, "image")?,
            patch_embed: linear(&weights, "image.patch_embed", config.patch_bias)?,
            cls_token: (!pools).then(cls_token).transpose()?,
            probe: pools.then(|| Probe::new(&config.image, &weights, "image.pool")).transpose()?,
            pos_embed: weight_of(&weights, "image.pos_embed".to_owned())?,
            pool: config.image_pool,
            cut: Patches::square(config.preprocess.size as usize, config.patch),
            any_shape: config.any_shape(),
            dense: config.dense.then(dense).transpose()?,
            queries: QFormer::find(config, &weights)?,
            runner: Runner::new(
                &weights,
                &config.image,
                3 * config.patch * config.patch,
                format!("the image tower of {}", config.name),
            ),
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass<'_> {
        self.forward_with(pixels, keep, record, &Wanted::default())
    }

    /// The same with more than features.
    pub fn forward_with(
        &self,
        pixels: &[f32],
        keep: Option<&[Vec<usize>]>,
        record: Record,
        wanted: &Wanted,
    ) -> Pass<'_> {
        let cuts = self.cuts(pixels);
        self.try_forward_cut(pixels, &cuts, keep, record, wanted).expect(ON_THE_HOST)
    }

    /// How pictures of R x R are cut.
    pub(super) fn cuts(&self, pixels: &[f32]) -> Vec<Patches> {
        vec![self.cut; pixels.len() / self.cut.values()]
    }

    /// The same of pictures that are cut as `cuts` says, each in its own way where the tower takes any shape.
    ///
    /// # Shapes
    /// `pixels`: of each picture (3, rows P, columns P), one behind the other.
    ///
    /// # Errors
    /// The weights are on an executor that has failed, or does not have all that is wanted.
    ///
    /// # Panics
    /// Where the tower takes one shape and a picture has another, or the pixels are not those of the pictures.
    pub fn try_forward_cut(
        &self,
        pixels: &[f32],
        cuts: &[Patches],
        keep: Option<&[Vec<usize>]>,
        record: Record,
        wanted: &Wanted,
    ) -> Result<Pass<'_>> {
        assert!(self.any_shape || cuts.iter().all(|cut| *cut == self.cut), "pictures of R x R");
        let items = cuts.len();
        let starts = starts(cuts);
        assert_eq!(starts[items], pixels.len(), "values of the pictures");
        let largest = cuts.iter().map(Patches::count).max().unwrap_or(0);
        let all: Vec<usize> = (0..largest).collect();
        let kept = |item: usize| match keep {
            Some(keep) => &keep[item][..],
            None => &all[..cuts[item].count()],
        };
        let rows: Vec<usize> =
            (0..items).map(|item| kept(item).len() + self.class_tokens()).collect();
        self.runner.run(&rows, record, wanted, |items, tape| {
            let kept: Vec<&[usize]> = items.clone().map(kept).collect();
            let pixels = &pixels[starts[items.start]..starts[items.end]];
            let cuts = &cuts[items];
            let input = wanted.input_gradient.then(|| tape.leaf(pixels.to_vec(), 1, true));
            let (x, spans) = self.embed(tape, pixels, input.as_ref(), cuts, &kept);
            // Where nothing else is pooled or wanted, only the class tokens are computed.
            let every = self.pools() || wanted.all_rows();
            let output = if every { OutputRows::All } else { OutputRows::First };
            let how = Depth { output, recompute: record == Record::Inputs };
            let (mut hidden, mut from, mut readouts) = (Vec::new(), None, Vec::new());
            let x = self.stack.forward(tape, x, &spans, how, |tape, block, x| {
                if wanted.hidden.contains(&block) {
                    hidden.push(x.clone());
                }
                let begins = wanted.from == Some(block);
                let reads = wanted.readouts && from.is_some();
                if reads {
                    let none = Wanted::default();
                    readouts.push(self.pooled(tape, x.clone(), &spans, true, &none).features);
                }
                if !begins && !reads {
                    return x;
                }
                let width = x.width();
                let leaf = tape.leaf(x.into_vec(), width, true);
                from.get_or_insert_with(|| leaf.clone());
                leaf
            });
            let Pooled { features, tokens, own } = self.pooled(tape, x, &spans, every, wanted);
            let spans = own.unwrap_or(spans);
            Found { input, features, spans, tokens, hidden, from, readouts }
        })
    }

    /// Gradients by name from those of the features, (B, W).
    pub fn backward(&self, pass: Pass<'_>, dfeatures: &[f32]) -> crate::Arrays {
        pass.backward(PassGradients { features: dfeatures, ..Default::default() }).0
    }

    /// Whether the feature is made of all patches.
    fn pools(&self) -> bool {
        self.probe.is_some() || self.queries.is_some() || self.pool != ImagePool::Class
    }

    fn class_tokens(&self) -> usize {
        usize::from(self.cls_token.is_some())
    }

    /// The rows of all pictures, a class token first where there is one, and where each picture's are.
    fn embed<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        pixels: &[f32],
        leaf: Option<&Value>,
        cuts: &[Patches],
        kept: &[&[usize]],
    ) -> (Value, Vec<Range<usize>>) {
        let patches = tape.patches(pixels, leaf, cuts, kept);
        let mut x = tape.linear(&patches, &self.patch_embed);
        let counts: Vec<usize> = kept.iter().map(|kept| kept.len()).collect();
        if let Some(token) = &self.cls_token {
            x = tape.before_each(&x, token, counts.clone());
        }
        let classes = self.class_tokens();
        let x = if self.any_shape {
            tape.add_resized_places(x, &self.pos_embed, cuts, kept)
        } else {
            let places = kept
                .iter()
                .flat_map(|kept| (0..classes).chain(kept.iter().map(move |patch| patch + classes)));
            tape.add_places(x, &self.pos_embed, places.collect())
        };
        let mut end = 0;
        let span = |count: usize| {
            end += count + classes;
            end - count - classes..end
        };
        (x, counts.into_iter().map(span).collect())
    }

    /// From the rows that the last block gave, `every` one or the class tokens, to one for each picture; and all of
    /// them, normalised, or what the model makes of each, where they are wanted.
    fn pooled<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        x: Value,
        spans: &[Range<usize>],
        every: bool,
        wanted: &Wanted,
    ) -> Pooled {
        let patches = || -> Spans {
            spans.iter().map(|span| span.start + self.class_tokens()..span.end).collect()
        };
        if let (None, ImagePool::MeanThenNorm) = (&self.probe, self.pool) {
            let rows = wanted.tokens.then(|| self.stack.finish(tape, x.clone()));
            let means = tape.means(&x, &patches());
            return Pooled { features: self.stack.finish(tape, means), tokens: rows, own: None };
        }
        let x = self.stack.finish(tape, x);
        if let Some(queries) = &self.queries {
            let (rows, own) = queries.look(tape, &x, spans);
            let features = tape.means(&rows, &Spans::from(&own[..]));
            return match wanted.queries {
                true => Pooled { features, tokens: Some(rows), own: Some(own) },
                false => Pooled { features, tokens: wanted.tokens.then_some(x), own: None },
            };
        }
        let rows = match &self.dense {
            Some(dense) if wanted.dense => Some(dense.each(tape, &x, spans)),
            _ => wanted.tokens.then(|| x.clone()),
        };
        let features = match (&self.probe, self.pool) {
            (Some(probe), _) => probe.pool(tape, &x, spans),
            (None, ImagePool::Class) if every => {
                tape.pick(&x, spans.iter().map(|span| span.start).collect())
            }
            (None, ImagePool::Class) => x,
            (None, _) => tape.means(&x, &patches()),
        };
        Pooled { features, tokens: rows, own: None }
    }
}

/// What a tower's last rows become.
struct Pooled {
    /// (pictures, W).
    features: Value,
    /// All rows, or what is made of them, where they are wanted.
    tokens: Option<Value>,
    /// Whose these are, where they are not those of the blocks.
    own: Option<Vec<Range<usize>>>,
}

/// Where each picture's values begin, and where the last one's end.
fn starts(cuts: &[Patches]) -> Vec<usize> {
    let ends = cuts.iter().scan(0, |end, cut| {
        *end += cut.values();
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}
