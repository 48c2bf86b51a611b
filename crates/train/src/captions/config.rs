//! One TOML for one training of a caption decoder. An unknown key is an error; paths are relative to the folder that it
//! lies in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_encode::builtin;
use tuwen_files::encoding::TextFile;
use tuwen_sets::import::DataSet;

use super::words::SPOKEN;
use crate::heads::Schedule;
use crate::{Error, Result};

/// A training of a decoder on a frozen dual encoder's image tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionsTrainConfig {
    /// Folder for the decoder and what is needed to go on.
    pub out: PathBuf,
    /// Folder for the tower's rows, which several trainings can share.
    pub cache: PathBuf,
    /// A name for people.
    pub name: String,
    /// The model whose image tower gives the rows: a name of `tuwen model list`, a folder, or a `.pt` file.
    pub model: String,
    /// Seeds first weights, order, and everything that is drawn.
    pub seed: u64,
    /// Which captions are learned from, and what language each source is in.
    pub sources: Vec<Source>,
    /// The network.
    pub decoder: Shape,
    /// How it learns what people said.
    pub words: WordsConfig,
    /// How it learns from what its captions are worth, afterwards.
    #[serde(default)]
    pub reward: Option<RewardConfig>,
    /// Pictures of the training set that are kept from it, to choose the best weights.
    pub held_out: usize,
    /// Steps between two looks at them.
    pub measure_every: usize,
    /// Pictures with captions to learn from.
    pub train: Vec<DataSet>,
    /// Pictures with captions to measure on at the end.
    pub valid: DataSet,
}

/// A source of captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, as the captions' files say.
    pub name: String,
    /// `en` or `zh`.
    pub language: String,
    /// How often a caption is drawn from it beside other sources of its language.
    #[serde(default = "one")]
    pub share: f32,
    /// Whether captions are measured against it.
    #[serde(default = "yes")]
    pub measured: bool,
}

fn one() -> f32 {
    1.0
}

fn yes() -> bool {
    true
}

/// The shape of the network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Width.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Heads of both kinds of attention.
    pub heads: usize,
    /// Width of the MLPs.
    pub mlp: usize,
    /// Longest caption in words; what lies behind is not learned.
    pub longest: usize,
    /// A word that is there less often has no token of its own.
    pub rare: usize,
}

/// How a decoder learns what people said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordsConfig {
    /// Steps and rates.
    pub optim: Schedule,
    /// Captions of each picture and language that a step sees.
    pub captions: usize,
    /// Patches of each picture that a step sees, drawn anew each time; 0 for all.
    #[serde(default)]
    pub patches: usize,
    /// Share of the values that are left out (dropout).
    #[serde(default)]
    pub dropout: f32,
    /// Probability that a word is not shown to the words behind it.
    #[serde(default)]
    pub word_drop: f32,
    /// Label smoothing.
    #[serde(default)]
    pub smoothing: f32,
}

/// How a decoder learns from CIDEr-D of captions that it draws, against that of those it finds most probable
/// (self-critical training, Rennie et al. 2017, <https://arxiv.org/abs/1612.00563>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardConfig {
    /// Steps and rates.
    pub optim: Schedule,
    /// Captions that are drawn of each picture and language.
    pub samples: usize,
    /// Patches of each picture that a step sees; 0 for all.
    #[serde(default)]
    pub patches: usize,
}

impl CaptionsTrainConfig {
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
        let beside = folder.join(&config.model);
        if config.model != builtin::BUILT_IN && beside.exists() {
            config.model = beside.to_string_lossy().into_owned();
        }
        for set in config.train.iter_mut().chain([&mut config.valid]) {
            set.images = folder.join(&set.images);
            set.ids = set.ids.take().map(|ids| folder.join(ids));
            let files = set.captions.iter_mut();
            files.for_each(|captions| captions.file = folder.join(&captions.file));
        }
        Ok(config)
    }

    /// The languages that are learned, each once and in the order of its first source.
    pub fn languages(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for source in &self.sources {
            if !all.contains(&&*source.language) {
                all.push(&source.language);
            }
        }
        all
    }

    fn check(&self) -> Result<(), String> {
        if self.train.is_empty() {
            return Err("there is no [[train]] set to learn from".into());
        }
        if self.sources.is_empty() {
            let cure = "give `[[sources]]` with `name = \"en\"` and `language = \"en\"`";
            return Err(format!("there is no source of captions: {cure}"));
        }
        for Source { name, language, share, .. } in &self.sources {
            if !SPOKEN.iter().any(|(known, _)| known == language) {
                return Err(format!(
                    "`sources`: `{name}` is in `{language}`: captions can be in en or zh"
                ));
            }
            if !(*share >= 0.0 && share.is_finite()) {
                return Err(format!("`sources`: `{name}` has the share {share}: give one from 0"));
            }
        }
        for language in self.languages() {
            let own = || self.sources.iter().filter(|source| source.language == language);
            if own().map(|source| source.share).sum::<f32>() <= 0.0 || !own().any(|s| s.measured) {
                return Err(format!(
                    "`sources`: of those in `{language}` one has a share above 0, and one is measured"
                ));
            }
        }
        if self.words.captions == 0 || self.held_out == 0 || self.measure_every == 0 {
            return Err("`words.captions`, `held_out` and `measure_every` are at least 1".into());
        }
        if self.reward.as_ref().is_some_and(|reward| reward.samples < 2) {
            return Err("`reward.samples` is below 2: each is compared with the others".into());
        }
        for (name, value) in [
            ("dropout", self.words.dropout),
            ("word_drop", self.words.word_drop),
            ("smoothing", self.words.smoothing),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("`words.{name}` is {value}: give a share from 0 to below 1"));
            }
        }
        let reward = self.reward.as_ref().map(|reward| ("reward", &reward.optim));
        for (name, optim) in [("words", &self.words.optim)].into_iter().chain(reward) {
            if optim.batch == 0 || optim.steps == 0 {
                return Err(format!("`{name}.optim` has no batches or no steps: give at least 1"));
            }
            if !(optim.lr > 0.0 && optim.lr.is_finite() && optim.weight_decay >= 0.0) {
                return Err(format!(
                    "`{name}.optim` has lr {} and weight_decay {}: give a number above 0 and one from 0",
                    optim.lr, optim.weight_decay
                ));
            }
        }
        Ok(())
    }
}
