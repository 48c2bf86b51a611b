//! The partition of a model's weights into trainable and frozen ones. Trainable are all of them, some of them
//! by their learning rates, or LoRA adapters, which are weights of their own beside frozen matrices.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;
use tuwen_encode::arrays::Int8;
use tuwen_encode::params::{Param, ParamKind, Part, Role};
use tuwen_encode::{Array, Arrays, Error, ModelConfig, Packs, Weights};
use tuwen_gemm::{Mat, Precision, gemm};
use tuwen_image::rng::Rng;
use tuwen_nn::{Adapter, Rows, Weight};

use crate::config::{Lora, LoraTarget, Tower};
use crate::optim::{Group, group};
use crate::{Result, TrainConfig};

/// The frozen weights, and how the trainable ones combine with them.
pub(crate) struct Partition {
    base: Arrays,
    lora: Option<Lora>,
    precision: Precision,
    /// Frozen matrices as 8 bits have them; None where nothing is rounded.
    rounded: Option<HashMap<String, Rounded>>,
    /// Learning rate and decay of each trainable weight.
    groups: HashMap<String, Group>,
    /// Frozen matrices, packed when they are first needed.
    packs: Packs,
}

impl Partition {
    /// Divides a model's weights into frozen and trainable ones; returns the latter. A new adapter adds 0 to
    /// its matrix.
    pub(crate) fn new(config: &TrainConfig, model: &ModelConfig, all: Arrays) -> (Self, Arrays) {
        let (mut base, mut trainable) = (all, Arrays::default());
        let mut groups = HashMap::new();
        for param in model.params() {
            let found = group(&param, &config.optim, model);
            let fixed = param.part == Part::Logits && config.loss.fixed_scale;
            let adapted = tower(param.part).is_some_and(|tower| config.has_adapters(tower));
            if found.lr > 0.0 && !fixed && !adapted {
                trainable.0.extend(base.0.remove_entry(&param.name));
                groups.insert(param.name, found);
            }
        }
        if let Some(lora) = &config.lora {
            let adapted = Group { lr: lora.lr, decay: config.optim.weight_decay };
            for param in model.params().iter().filter(|param| lora.adapts(param)) {
                let (out, wide) = (param.shape[0], param.shape[1]);
                let mut rng = Rng::new(&[config.seed, 6, trainable.0.len() as u64]);
                let bound = 1.0 / (wide as f32).sqrt();
                let down = (0..lora.rank * wide).map(|_| rng.range(-bound, bound)).collect();
                let down = Array { shape: vec![lora.rank, wide], data: down };
                let names = names(&param.name);
                trainable.0.insert(names[0].clone(), down);
                trainable.slot(&names[1], &[out, lora.rank]);
                groups.extend(names.map(|name| (name, adapted)));
            }
        }
        let (lora, precision) = (config.lora.clone(), config.precision.into());
        let rounded = config.int8.then(|| Rounded::all(&base));
        (Self { base, lora, precision, rounded, groups, packs: Packs::default() }, trainable)
    }

    /// Refuses a run in which nothing learns.
    pub(crate) fn learns(config: &TrainConfig, trainable: &Arrays) -> Result<()> {
        match trainable.0.is_empty() {
            true => Err(crate::Error::config(
                &config.out,
                "nothing learns: of what this model has every learning rate is 0, or it is frozen: give one of \
                 `optim`'s rates",
            )),
            false => Ok(()),
        }
    }

    /// The frozen weights.
    pub(crate) fn frozen(&self) -> &Arrays {
        &self.base
    }

    /// Learning rate and decay of each trainable weight.
    pub(crate) fn groups(&self) -> &HashMap<String, Group> {
        &self.groups
    }

    /// The model with these trainable weights.
    pub(crate) fn view<'a>(&'a self, trainable: &'a Arrays) -> View<'a> {
        let (lora, packs) = (self.lora.as_ref(), Some(&self.packs));
        let rounded = self
            .rounded
            .as_ref()
            .map(|frozen| RoundedView { own: Rounded::all(trainable), frozen });
        View { trainable, rounded, base: &self.base, lora, precision: self.precision, packs }
    }
}

fn tower(part: Part) -> Option<Tower> {
    match part {
        Part::Image => Some(Tower::Image),
        Part::Text => Some(Tower::Text),
        _ => None,
    }
}

/// The names of a weight's LoRA adapter: of A, (r, in), and of B, (out, r).
fn names(weight: &str) -> [String; 2] {
    ["/lora_a", "/lora_b"].map(|end| format!("{weight}{end}"))
}

impl Lora {
    fn scale(&self) -> f32 {
        self.alpha / self.rank as f32
    }

    /// The first matrix whose rank this one's exceeds, with the largest that makes sense there.
    pub(crate) fn too_wide(&self, model: &ModelConfig) -> Option<(String, usize)> {
        let adapted = model.params().into_iter().filter(|param| self.adapts(param));
        let mut ranks = adapted.map(|param| {
            let most = param.shape.iter().copied().min().unwrap_or(0);
            (param.name, most)
        });
        ranks.find(|(_, most)| self.rank > *most)
    }

    fn adapts(&self, param: &Param) -> bool {
        let target = match param.kind {
            ParamKind::Matrix(Role::Qkv) => LoraTarget::Qkv,
            ParamKind::Matrix(Role::Proj) => LoraTarget::Proj,
            ParamKind::Matrix(Role::Up | Role::Down) => LoraTarget::Mlp,
            _ => return false,
        };
        let tower = tower(param.part).is_some_and(|tower| self.towers.contains(&tower));
        tower && self.targets.contains(&target)
    }
}

/// A matrix as 8 bits have it.
struct Rounded {
    stored: Int8,
    /// What that stands for.
    array: Array,
}

impl Rounded {
    /// None where a file of 8 bits keeps all of 32.
    fn of(array: &Array) -> Option<Self> {
        let stored = Int8::of(array)?;
        let array = Array { shape: array.shape.clone(), data: stored.values() };
        Some(Self { stored, array })
    }

    fn all(arrays: &Arrays) -> HashMap<String, Self> {
        let round = |(name, array): (&String, &Array)| Some((name.clone(), Self::of(array)?));
        arrays.0.par_iter().filter_map(round).collect()
    }
}

/// Trainable matrices in 8 bits, made anew for each step, and frozen ones.
struct RoundedView<'a> {
    own: HashMap<String, Rounded>,
    frozen: &'a HashMap<String, Rounded>,
}

impl RoundedView<'_> {
    fn get(&self, name: &str) -> Option<&Rounded> {
        self.own.get(name).or_else(|| self.frozen.get(name))
    }
}

/// A model's weights by name, of which some learn.
pub struct View<'a> {
    trainable: &'a Arrays,
    /// Matrices as 8 bits have them, where those are what is multiplied with.
    rounded: Option<RoundedView<'a>>,
    base: &'a Arrays,
    lora: Option<&'a Lora>,
    precision: Precision,
    packs: Option<&'a Packs>,
}

impl<'a> View<'a> {
    /// Weights that are all trainable.
    pub fn plain(arrays: &'a Arrays) -> Self {
        Self::partly(arrays, arrays)
    }

    /// Weights of which some are frozen.
    pub fn partly(trainable: &'a Arrays, frozen: &'a Arrays) -> Self {
        let precision = Precision::F32;
        Self { trainable, rounded: None, base: frozen, lora: None, precision, packs: None }
    }

    /// The same with the adapters among the trainable weights beside their matrices.
    pub fn with_lora(self, lora: &'a Lora) -> Self {
        Self { lora: Some(lora), ..self }
    }

    /// The same with products of another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Whether anything of a part learns.
    pub(crate) fn any_learns(&self, model: &ModelConfig, part: Part) -> bool {
        let own = |name: &String| self.trainable.0.contains_key(name);
        let learns = |param: &Param| own(&param.name) || names(&param.name).iter().any(own);
        model.params().iter().any(|param| param.part == part && learns(param))
    }

    fn rounded(&self, name: &str) -> Option<&Rounded> {
        self.rounded.as_ref()?.get(name)
    }

    fn look(&self, name: &str) -> tuwen_encode::Result<&Array> {
        if let Some(rounded) = self.rounded(name) {
            return Ok(&rounded.array);
        }
        let found = self.trainable.0.get(name).or_else(|| self.base.0.get(name));
        found.ok_or_else(|| Error::MissingWeight(name.to_owned()))
    }

    /// A copy of the whole model, with adapters merged into their matrices.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn to_arrays(&self, model: &ModelConfig) -> Result<Arrays> {
        let copy = |(name, _): (String, _)| {
            let mut array = self.look(&name)?.clone();
            if let Some(Adapter { down, up, scale }) = self.adapter(&name)? {
                let (rank, wide) = (down.shape[0], down.shape[1]);
                let scaled: Vec<f32> = up.values.iter().map(|value| value * scale).collect();
                let up = Mat::new(&scaled, up.shape[0], rank, rank);
                gemm(&mut array.data, wide, up, Mat::new(&down.values, rank, wide, wide), true);
            }
            Ok((name, array))
        };
        model.weight_shapes().into_iter().map(copy).collect::<Result<_>>().map(Arrays)
    }
}

impl<'v> Weights<'v> for &'v View<'_> {
    fn find(&self, name: &str) -> tuwen_encode::Result<(Vec<usize>, Cow<'v, [f32]>)> {
        let array = self.look(name)?;
        Ok((array.shape.clone(), Cow::Borrowed(&array.data)))
    }

    fn matrix(&self, name: &str) -> tuwen_encode::Result<(Vec<usize>, Rows<'v>)> {
        let (shape, floats) = self.find(name)?;
        let rows = match self.rounded(name) {
            Some(Rounded { stored, .. }) => {
                let values = Cow::Borrowed(&*stored.bytes);
                Rows::Rounded { floats, values, scales: stored.scales.clone() }
            }
            None => Rows::Floats(floats),
        };
        Ok((shape, rows))
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn learns(&self, name: &str) -> bool {
        self.trainable.0.contains_key(name)
    }

    fn adapter(&self, matrix: &str) -> tuwen_encode::Result<Option<Adapter<'v>>> {
        let Some(lora) = self.lora else { return Ok(None) };
        let [down, up] = names(matrix);
        if !self.trainable.0.contains_key(&down) {
            return Ok(None);
        }
        let part = |name: String| {
            let array = self.look(&name)?;
            let values = Cow::Borrowed(&*array.data);
            Ok::<_, Error>(Weight::new(name, array.shape.clone(), values, true))
        };
        Ok(Some(Adapter { down: part(down)?, up: part(up)?, scale: lora.scale() }))
    }

    fn packs(&self) -> Option<&Packs> {
        self.packs
    }
}
