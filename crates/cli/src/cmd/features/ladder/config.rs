//! One TOML for a set's two parts and the rungs. An unknown key is an error; paths are relative to the folder that the
//! file lies in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use tuwen_files::encoding::TextFile;
use tuwen_sets::import::DataSet;
use tuwen_space::config::Method;

use crate::cmd::features::images::Images;
use crate::cmd::features::texts::Texts;
use crate::query::Usage;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the set is called.
    pub name: String,
    /// To learn from.
    pub train: DataSet,
    /// To measure on.
    pub valid: DataSet,
    /// What is compared, from below.
    pub rungs: Vec<Rung>,
}

/// Features of both sides, and how their common space is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// As the table calls it.
    pub name: String,
    image: OneOrMore<Images>,
    text: OneOrMore<Texts>,
    /// As `tuwen space` has it; left out where both sides are in one space already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn: Option<Method>,
}

/// One kind, or several side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

/// By hand, for an untagged enum's error does not say which key is wrong.
impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(from)?;
        let found = match value.is_array() {
            true => value.try_into().map(Self::More),
            false => value.try_into().map(Self::One),
        };
        found.map_err(|e| D::Error::custom(e.to_string().trim()))
    }
}

impl<T> OneOrMore<T> {
    fn list(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(list) => list,
        }
    }

    fn list_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => std::slice::from_mut(one),
            Self::More(list) => list,
        }
    }
}

impl Rung {
    /// Of pictures.
    pub fn images(&self) -> &[Images] {
        self.image.list()
    }

    /// Of texts.
    pub fn texts(&self) -> &[Texts] {
        self.text.list()
    }
}

impl Config {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = TextFile::read(path)?;
        let named = || path.display().to_string();
        let mut config: Self = toml::from_str(&text)
            .map_err(|e| anyhow::anyhow!(e.to_string().trim().replace('\n', " ")))
            .with_context(named)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let at = |file: &mut PathBuf| *file = folder.join(&*file);
        for set in [&mut config.train, &mut config.valid] {
            at(&mut set.images);
            set.ids.iter_mut().for_each(at);
            set.captions.iter_mut().for_each(|captions| at(&mut captions.file));
        }
        for rung in &mut config.rungs {
            if rung.images().is_empty() || rung.texts().is_empty() {
                bail!("{}: rung {}: image and text need a kind each", named(), rung.name);
            }
            for side in rung.image.list_mut() {
                if !tuwen_hub::is_name(&side.tower) {
                    side.tower = folder.join(&side.tower).display().to_string();
                }
            }
            for side in rung.text.list_mut() {
                side.vectors.iter_mut().chain(&mut side.dictionary).for_each(at);
            }
        }
        for (at, rung) in config.rungs.iter().enumerate() {
            if config.rungs[..at].iter().any(|other| other.name == rung.name) {
                bail!("{}: two rungs are called {}", named(), rung.name);
            }
        }
        Ok(config)
    }

    /// The rungs of these names, or all.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&Rung>> {
        if names.is_empty() {
            return Ok(self.rungs.iter().collect());
        }
        let named = |name: &String| {
            let all = || self.rungs.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join("; ");
            let found = self.rungs.iter().find(|rung| rung.name == *name);
            found.ok_or_else(|| {
                Usage(format!("there is no rung {name}; there are {}", all())).into()
            })
        };
        names.iter().map(named).collect()
    }
}
