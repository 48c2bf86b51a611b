//! One TOML for one run. An unknown key is an error; the resolved file lies beside the results. Paths are
//! relative to the folder that the file is in.

mod parts;
mod paths;
mod ranges;
mod sense;

pub use parts::{
    BestBy, ClassConfig, ImageMix, Lora, LoraTarget, LossConfig, LossKind, OptimConfig, Products,
    Start, Tower,
};

pub use paths::seen_from;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_files::encoding::TextFile;
use tuwen_image::Augment;
use tuwen_sets::import::DataSet;
use tuwen_sets::loader::CaptionGroup;

use crate::{Error, Result};

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The folder that the configuration was read from, as the program sees it.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// Folder for everything the run writes.
    pub out: PathBuf,
    /// The architecture, a JSON file; not needed where `start.model` gives it.
    #[serde(default)]
    pub model: Option<PathBuf>,
    /// Seeds weights, order, augmentation and dropped patches.
    pub seed: u64,
    /// Passes over the data.
    pub epochs: usize,
    /// Pictures in a batch.
    pub batch: usize,
    /// Longest text in tokens while training.
    pub context: usize,
    /// Probability that a token becomes `[MASK]`.
    #[serde(default)]
    pub token_mask: f32,
    /// Probability that a token is left out.
    #[serde(default)]
    pub token_drop: f32,
    /// Probability that a name (a text with an id, such as those of `names`) stands in a sentence.
    #[serde(default)]
    pub sentences: f32,
    /// Random patches kept of each picture (FLIP, <https://arxiv.org/abs/2212.00794>); 0 keeps all.
    #[serde(default)]
    pub keep_patches: usize,
    /// Pictures whose activations are in memory at once; 0 for the whole batch. The gradient is that of
    /// the whole batch all the same (GradCache, <https://arxiv.org/abs/2101.06983>), for one more
    /// forward pass.
    #[serde(default)]
    pub chunk: usize,
    /// Whether activations are recomputed in the backward pass instead of being kept: less memory for
    /// one more forward pass. On the CPU only.
    #[serde(default)]
    pub recompute: bool,
    /// How rows are multiplied with weights. Weights, sums, gradients and moments stay f32, and so does
    /// what is measured and exported.
    #[serde(default)]
    pub precision: Products,
    /// Whether matrices that learn are multiplied with as a file of 8 bits keeps them, and their gradients taken
    /// for those of the weights themselves: such a model loses nothing when it is converted (Jacob et al. 2018,
    /// <https://arxiv.org/abs/1712.05877>).
    #[serde(default)]
    pub int8: bool,
    /// Validate after this many steps, and at the end.
    pub validate_every: usize,
    /// Write a checkpoint after this many steps, and at the end.
    pub checkpoint_every: usize,
    /// Checkpoints that are kept: when the last is damaged, the one before it serves.
    #[serde(default = "two")]
    pub keep_checkpoints: usize,
    /// Stop when so many validations in a row were not better; 0 never does.
    #[serde(default)]
    pub patience: usize,
    /// Which recall decides what is better.
    #[serde(default)]
    pub best_by: BestBy,
    /// Whether pictures that look the same stay out of each other's batches, and where they cannot, are
    /// not each other's negatives. (Pictures with the very same text never are.)
    #[serde(default)]
    pub avoid_duplicates: bool,
    /// Weights to start from.
    #[serde(default)]
    pub start: Start,
    /// One text a picture is drawn for each group.
    pub captions: Vec<CaptionGroup>,
    /// Variation of the pictures.
    #[serde(default)]
    pub augment: Augment,
    /// The loss.
    pub loss: LossConfig,
    /// The optimiser.
    pub optim: OptimConfig,
    /// What a classifier on the image tower's feature knows, to be kept and put into words.
    #[serde(default)]
    pub classes: Option<ClassConfig>,
    /// Adapters instead of the towers' own weights.
    #[serde(default)]
    pub lora: Option<Lora>,
    /// What is learned from.
    pub train: Vec<DataSet>,
    /// What recall is measured on.
    pub valid: DataSet,
    /// A set of another kind, measured before and after: what was forgotten?
    #[serde(default)]
    pub other: Option<DataSet>,
    /// Labelled sets, measured as one gallery at each validation: a name looks for its pictures. It does not
    /// decide which model is best.
    #[serde(default)]
    pub named: Vec<DataSet>,
}

fn two() -> usize {
    2
}

impl TrainConfig {
    /// Reads a run's configuration; its paths become those that the program sees.
    ///
    /// ```
    /// use std::path::Path;
    /// use tuwen_train::TrainConfig;
    ///
    /// let config = TrainConfig::load(Path::new("../../configs/train/flickr8k-cn/frozen.toml"))?;
    /// assert!(config.image_is_frozen() && !config.text_is_frozen());
    /// // `out = "../../../runs/..."` is relative to the file; here it is relative to where the program runs.
    /// assert!(config.out.starts_with("../../configs/train/flickr8k-cn"));
    /// # Ok::<(), tuwen_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, or numbers that make no sense.
    pub fn load(path: &Path) -> Result<Self> {
        let text = TextFile::read(path)?;
        let config = Self::parse(&text).map_err(|what| Error::config(path, what))?;
        let config = config.read_in(path.parent().unwrap_or(Path::new("")));
        config.paths_are_of_the_file(path)?;
        Ok(config)
    }

    /// The configuration of a run's folder, as [`crate::train`] wrote it there.
    pub(crate) fn parse_in(text: &str, folder: &Path) -> Result<Self, String> {
        Ok(Self::parse(text)?.read_in(folder))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| in_a_line(text, &error))?;
        let wrong = match () {
            () if config.train.is_empty() => Some("`train` is empty: give one set at least".into()),
            () if !config.says_what_to_begin_with() => Some(
                "give one of `model` (an architecture), `start.model` (a model), or `start.image_tower` \
                 with `start.text_tower` (of two models)"
                    .into(),
            ),
            () => config.out_of_range().or_else(|| config.contradiction()),
        };
        wrong.map_or(Ok(config), Err)
    }

    /// Paths were once relative to the folder that the program was started in: what is found from there
    /// alone is told, and a run that lies there is not begun again elsewhere.
    fn paths_are_of_the_file(&self, path: &Path) -> Result<()> {
        let from_here = |path: &Path| path.strip_prefix(&self.folder).map(Path::to_path_buf).ok();
        let sets = self.train.iter().chain([&self.valid]).chain(&self.other);
        let needed = sets.map(|set| &set.images).chain(&self.model).find(|path| !path.exists());
        let old_run = (!self.out.exists()).then_some(&self.out);
        for (wanted, mark) in [(needed, ""), (old_run, "config.toml")] {
            let Some((wanted, here)) = wanted.and_then(|p| Some((p, from_here(p)?))) else {
                continue;
            };
            if here != *wanted && here.join(mark).exists() {
                let what = format!(
                    "{} is not there, {} is: paths are relative to the configuration's own folder",
                    wanted.display(),
                    here.display()
                );
                return Err(Error::config(path, what));
            }
        }
        Ok(())
    }

    /// The same after a change by the program: its numbers must make sense as those of a file.
    ///
    /// # Errors
    /// One does not.
    pub fn checked(self) -> Result<Self> {
        match self.out_of_range().or_else(|| self.contradiction()) {
            Some(what) => Err(Error::config(&self.out, what)),
            None => Ok(self),
        }
    }

    fn says_what_to_begin_with(&self) -> bool {
        let Start { model, image_tower, text_tower, .. } = &self.start;
        match (image_tower.is_some(), text_tower.is_some()) {
            (true, true) => model.is_none() && self.model.is_none(),
            (false, false) => model.is_some() || self.model.is_some(),
            _ => false,
        }
    }

    /// Whether the image tower stays as it is.
    pub fn image_is_frozen(&self) -> bool {
        self.is_frozen(Tower::Image, self.optim.image_lr == 0.0)
    }

    /// Whether the text tower stays as it is.
    pub fn text_is_frozen(&self) -> bool {
        self.is_frozen(Tower::Text, self.optim.text_lr == 0.0 && self.optim.embed_lr == 0.0)
    }

    fn is_frozen(&self, tower: Tower, by_rate: bool) -> bool {
        by_rate && !self.has_adapters(tower)
    }

    /// Whether a tower learns by adapters alone.
    pub fn has_adapters(&self, tower: Tower) -> bool {
        self.lora.as_ref().is_some_and(|lora| lora.towers.contains(&tower))
    }
}

/// The parser's words in one line: where, what, and of an unknown key the nearest known one.
fn in_a_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    let place =
        error.span().and_then(|span| text.get(..span.start)).map_or_else(String::new, |before| {
            let line = 1 + before.matches('\n').count();
            let column = 1 + before.rsplit('\n').next().map_or(0, |line| line.chars().count());
            format!("line {line}, column {column}: ")
        });
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = message.contains("unknown field") || message.contains("unknown variant");
    let nearest = quoted
        .split_first()
        .filter(|_| unknown)
        .and_then(|(unknown, known)| known.iter().min_by_key(|name| distance(unknown, name)));
    let nearest = nearest.map_or_else(String::new, |name| format!("; nearest: `{name}`"));
    format!("{place}{message}{nearest}")
}

/// Letters to insert, remove or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
