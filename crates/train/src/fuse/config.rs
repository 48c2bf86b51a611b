//! One TOML for one training of a fuser. An unknown key is an error; paths are relative to the folder that it lies in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_files::encoding::TextFile;
use tuwen_matching::{Network, Role};
use tuwen_sets::import::DataSet;

use crate::heads::config::{beside, check_sources, share};
use crate::heads::{Schedule, Source};
use crate::{Error, Result};

/// A training of a fuser on a frozen dual encoder's vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FuseTrainConfig {
    /// File for the fuser.
    pub out: PathBuf,
    /// Folder for the model's vectors, which several trainings can share.
    pub cache: PathBuf,
    /// A name for people.
    pub name: String,
    /// The model whose vectors are joined: a name of `tuwen model list`, a folder, or a `.pt` file.
    pub model: String,
    /// Seeds first weights and everything that is drawn.
    pub seed: u64,
    /// What is joined: pictures with their texts as items, or pictures with words as queries.
    pub role: Role,
    /// What is learned beside the sum.
    pub network: Network,
    /// Which captions are learned from, by their source.
    pub sources: Vec<Source>,
    /// Of items: the share of queries that are a piece of the picture; the others are another of its captions.
    #[serde(default)]
    pub pieces: f32,
    /// Of items: probability that the text of an item is left out.
    #[serde(default)]
    pub drop_text: f32,
    /// Of items: probability that the picture of an item is left out.
    #[serde(default)]
    pub drop_image: f32,
    /// Pictures' vectors are moved by up to so many times the difference of two other pictures': the model knows the
    /// pictures that it learned from better than others, and who trusts them learns too much trust.
    #[serde(default)]
    pub noise: f32,
    /// Steps and rates.
    pub optim: Schedule,
    /// Pictures with captions to learn from.
    pub train: Vec<DataSet>,
}

impl FuseTrainConfig {
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
        beside(&folder, &mut config.model, config.train.iter_mut());
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let shares = [
            ("pieces", self.pieces),
            ("drop_text", self.drop_text),
            ("drop_image", self.drop_image),
        ];
        for (name, value) in shares {
            share(name, value)?;
            if self.role == Role::Queries && value > 0.0 {
                return Err(format!(
                    "`{name}` is of items: leave it out, or give `role = \"items\"`"
                ));
            }
        }
        if self.drop_text + self.drop_image >= 1.0 {
            return Err(format!(
                "`drop_text` {} and `drop_image` {} leave no item with both: give less than 1 together",
                self.drop_text, self.drop_image
            ));
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(format!("`noise` is {}: give a number from 0, such as 0.5", self.noise));
        }
        if self.train.is_empty() {
            return Err("there is no [[train]] set to learn from".into());
        }
        check_sources(&self.sources)?;
        self.optim.check("optim")
    }
}
