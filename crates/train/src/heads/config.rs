//! One TOML for one training of heads. An unknown key is an error; paths are relative to the folder that it lies in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_encode::builtin;
use tuwen_files::encoding::TextFile;
use tuwen_matching::Pooling;
use tuwen_sets::import::DataSet;

use crate::{Error, Result};

/// A training of heads on a frozen dual encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadsTrainConfig {
    /// Folder for the heads.
    pub out: PathBuf,
    /// Folder for the towers' tokens, which several trainings can share.
    pub cache: PathBuf,
    /// A name for people.
    pub name: String,
    /// The model whose towers give the tokens: a name of `tuwen model list`, a folder, or a `.pt` file.
    pub model: String,
    /// Seeds first weights, order, and everything that is drawn.
    pub seed: u64,
    /// Values of a stored patch.
    pub dim: usize,
    /// Which captions are learned from and measured, by their source.
    pub sources: Vec<Source>,
    /// Late interaction, and the way from the tower's patches to the stored ones.
    pub late: LateConfig,
    /// The matching head, on the patches that late interaction has learned to store.
    #[serde(default)]
    pub itm: Option<ItmConfig>,
    /// Pictures with captions to learn from.
    pub train: Vec<DataSet>,
    /// Pictures with captions to measure on.
    pub valid: DataSet,
}

/// A source of captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, as the captions' files say.
    pub name: String,
    /// How often a text is drawn from it beside the others.
    pub share: f32,
    /// Captions of each picture that are used, in their order; 0 for all.
    #[serde(default)]
    pub captions: usize,
}

/// How late interaction is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateConfig {
    /// What the words' best patches make together.
    pub pooling: Pooling,
    /// Steps and rates.
    pub optim: Schedule,
    /// Patches of each picture that a step sees, drawn anew each time; 0 for all.
    #[serde(default)]
    pub patches: usize,
    /// Probability that a word is left out of a step.
    #[serde(default)]
    pub word_drop: f32,
    /// Share of the batches that are neighbours: one picture and those that the dual encoder finds most like it.
    #[serde(default)]
    pub neighbours: f32,
    /// The hardest negative of each picture and text must be so much less alike, after the first epoch (CHAN); 0 for
    /// the contrastive loss alone.
    #[serde(default)]
    pub margin: f32,
}

/// How the matching head is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItmConfig {
    /// Width of a word in the blocks.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Heads of both kinds of attention.
    pub heads: usize,
    /// Width of the MLPs.
    pub mlp: usize,
    /// Longest text in words.
    pub words: usize,
    /// Steps and rates.
    pub optim: Schedule,
    /// Probability that a word is left out of a step.
    #[serde(default)]
    pub word_drop: f32,
    /// Share of the batches that are neighbours.
    #[serde(default)]
    pub neighbours: f32,
    /// Wrong pictures for each text and wrong texts for each picture, drawn by how much the dual encoder takes them for
    /// right (ALBEF).
    pub negatives: usize,
    /// Inverse temperature of that draw, on cosines.
    pub hardness: f32,
    /// Which question is asked.
    pub loss: ItmLoss,
}

/// What the matching head is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItmLoss {
    /// Of each pair whether it belongs together (ALBEF).
    Binary,
    /// Which of a text's pictures, and which of a picture's texts, is the right one.
    Ranking,
}

/// Steps and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Pictures in a batch.
    pub batch: usize,
    /// Number of steps.
    pub steps: usize,
    /// Steps of linear warm-up; a half cosine to 0 follows.
    pub warmup: usize,
    /// Learning rate.
    pub lr: f32,
    /// Decay of matrices.
    pub weight_decay: f32,
}

impl HeadsTrainConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It is no such TOML, or asks for what cannot be.
    pub fn load(path: &Path) -> Result<Self> {
        let text = TextFile::read_document(path)?;
        let mut config: Self =
            toml::from_str(&text).map_err(|e| Error::config(path, e.to_string().trim()))?;
        config.check().map_err(|what| Error::config(path, what))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        for path in [&mut config.out, &mut config.cache] {
            *path = folder.join(&path);
        }
        let sets = config.train.iter_mut().chain([&mut config.valid]);
        beside(&folder, &mut config.model, sets);
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        share("late.word_drop", self.late.word_drop)?;
        if self.train.is_empty() {
            return Err("there is no [[train]] set to learn from".into());
        }
        check_sources(&self.sources)?;
        self.late.optim.check("late.optim")?;
        if let Some(itm) = &self.itm {
            itm.optim.check("itm.optim")?;
        }
        if let Some(itm) = &self.itm {
            share("itm.word_drop", itm.word_drop)?;
            if itm.negatives == 0 || itm.negatives >= itm.optim.batch {
                return Err(format!(
                    "`itm.negatives` is {} in batches of {}: give at least 1, and fewer than the batch has pictures",
                    itm.negatives, itm.optim.batch
                ));
            }
        }
        Ok(())
    }
}

impl Schedule {
    /// `name` is where the configuration has it.
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        if self.batch < 2 || self.steps == 0 {
            return Err(format!(
                "`{name}` has batches of {} and {} steps: give at least 2 and 1",
                self.batch, self.steps
            ));
        }
        if !(self.lr > 0.0 && self.lr.is_finite() && self.weight_decay >= 0.0) {
            return Err(format!(
                "`{name}` has lr {} and weight_decay {}: give a number above 0 and one from 0",
                self.lr, self.weight_decay
            ));
        }
        Ok(())
    }
}

/// A share that may be none and is never all.
pub(crate) fn share(name: &str, value: f32) -> Result<(), String> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => Err(format!("`{name}` is {value}: give a share from 0 to below 1")),
    }
}

pub(crate) fn check_sources(sources: &[Source]) -> Result<(), String> {
    let total: f32 = sources.iter().map(|source| source.share).sum();
    let below = sources.iter().any(|source| source.share < 0.0);
    if below || !(total > 0.0 && total.is_finite()) {
        let cure = "give `[{ name = \"en\", share = 1.0 }]`";
        return Err(format!("`sources` has shares below 0, or none above: {cure}"));
    }
    Ok(())
}

/// Paths of a configuration as seen from its folder.
pub(crate) fn beside<'s>(
    folder: &Path,
    model: &mut String,
    sets: impl Iterator<Item = &'s mut DataSet>,
) {
    let there = folder.join(&*model);
    if model != builtin::BUILT_IN && there.exists() {
        *model = there.to_string_lossy().into_owned();
    }
    for set in sets {
        set.images = folder.join(&set.images);
        set.ids = set.ids.take().map(|ids| folder.join(ids));
        set.captions.iter_mut().for_each(|captions| captions.file = folder.join(&captions.file));
    }
}
