//! One TOML for a set, its protocol and the methods to compare. An unknown key is an error; paths are relative to the
//! folder that the file lies in.

mod like;
mod meanings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tuwen_eval::labelled::Convention;
use tuwen_files::encoding::TextFile;
use tuwen_files::error::Error as FileError;

use self::like::resolve;
pub use self::meanings::Meanings;
use crate::deep::{Acmr, Contrast, Dcmh, DeepCca, Dscmr, Masln};
use crate::error::{Error, Result, input};
use crate::hash::Hash;
use crate::set::{Part, Set};
use crate::table::Source;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the set is called.
    pub name: String,
    /// To learn from.
    pub train: PartConfig,
    /// To measure on.
    pub test: PartConfig,
    /// What the classes are.
    #[serde(default)]
    pub classes: ClassesConfig,
    /// How is measured.
    #[serde(default)]
    pub protocol: Protocol,
    /// What is compared; `like` is resolved.
    pub methods: Vec<MethodConfig>,
    /// Pairs of methods by name: whether the second is better than the first.
    #[serde(default)]
    pub compare: Vec<[String; 2]>,
}

/// Features and labels of one part, row i of each belonging together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartConfig {
    /// (N, A).
    pub images: Source,
    /// (N, B).
    pub texts: Source,
    /// (N).
    pub labels: Source,
}

/// Classes: their names and what these mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassesConfig {
    /// In the order of the labels' numbers; where there are none, all labels of the training part.
    #[serde(default)]
    pub names: Vec<String>,
    /// Where a row for each class comes from.
    #[serde(default)]
    pub meanings: Meanings,
}

/// Most runs of a protocol.
const RUNS: u64 = 1000;
/// Most directions of a closed form.
const COMPONENTS: usize = 100_000;
/// Largest penalty, as a share of what it is added to.
const PENALTY: f64 = 1e6;

/// How methods are measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protocol {
    /// Share of every class's training pairs on which networks choose their epoch.
    pub valid: f64,
    /// Runs of the standard protocol, each with a seed of its own.
    pub seeds: u64,
    /// Random splits of the classes of the extendable protocol, each with a seed of its own.
    pub splits: u64,
    /// Share of the classes that are seen.
    pub seen: f64,
    /// How average precision is counted; the first is what is compared.
    pub map: Vec<Convention>,
}

impl Default for Protocol {
    fn default() -> Self {
        Self { valid: 0.2, seeds: 5, splits: 10, seen: 0.5, map: vec![Convention::All] }
    }
}

/// A method with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodConfig {
    /// As the table calls it.
    pub name: String,
    /// What it is, with its settings.
    pub learn: Method,
    /// What stands for a class, where it is not what the set says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meanings: Option<Meanings>,
    /// Bits that are made of its codes; then these are measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashConfig>,
    /// Whether it is left out of the extendable protocol, as ablations may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standard_only: bool,
}

/// Bits of codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashConfig {
    /// How they are made.
    pub how: Hash,
    /// How many; no more than the code has values.
    pub bits: usize,
}

/// A method and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// Random codes: what nothing learned gives.
    Random,
    /// Canonical correlations.
    Cca {
        /// Most directions.
        components: usize,
        /// Added to the covariances' diagonals, as a share of their mean.
        ridge: f64,
        /// Whether each direction counts as much as its correlation.
        #[serde(default)]
        weighted: bool,
        /// Whether the root of every value comes first.
        #[serde(default)]
        root: bool,
    },
    /// Partial least squares.
    Pls {
        /// Most directions.
        components: usize,
    },
    /// Semantic matching.
    Sm {
        /// Penalty of the regressions.
        decay: f64,
        /// Whether the root of every value comes first.
        #[serde(default)]
        root: bool,
    },
    /// Semantic matching of a CCA's codes.
    Scm {
        /// Most directions.
        components: usize,
        /// See `Cca`.
        ridge: f64,
        /// See `Sm`.
        decay: f64,
    },
    /// Deep CCA.
    DeepCca(DeepCca),
    /// ACMR.
    Acmr(Acmr),
    /// DSCMR.
    Dscmr(Dscmr),
    /// DCMH: codes of bits.
    Dcmh(Dcmh),
    /// MASLN.
    Masln(Masln),
    /// Our variant.
    Contrast(Contrast),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, is no TOML, has an unknown key, or says what cannot be.
    pub fn load(path: &Path) -> Result<Self> {
        let text = TextFile::read(path)?;
        let wrong =
            |what: String| Error::File(FileError::data_set(path, what.trim().replace('\n', " ")));
        let mut table: toml::Table = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        resolve(&mut table).map_err(wrong)?;
        let mut config: Self =
            table.try_into().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        config.look().map_err(|e| wrong(e.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.sources().into_iter().for_each(|file| *file = folder.join(&*file));
        Ok(config)
    }

    fn sources(&mut self) -> Vec<&mut PathBuf> {
        let parts = [&mut self.train, &mut self.test];
        let mut found: Vec<_> = parts
            .into_iter()
            .flat_map(|part| [&mut part.images.file, &mut part.texts.file, &mut part.labels.file])
            .collect();
        let methods = self.methods.iter_mut().filter_map(|method| method.meanings.as_mut());
        for meanings in methods.chain([&mut self.classes.meanings]) {
            if let Meanings::Rows(source) = meanings {
                found.push(&mut source.file);
            }
        }
        found
    }

    fn look(&self) -> Result<()> {
        let protocol = &self.protocol;
        for (name, share) in [("valid", protocol.valid), ("seen", protocol.seen)] {
            if !(0.0..1.0).contains(&share) {
                return input(format!(
                    "protocol.{name} is {share}; a share from 0 to below 1 is wanted"
                ));
            }
        }
        if protocol.map.is_empty() {
            return input("protocol.map is empty; `all` is the usual convention");
        }
        if protocol.seeds == 0 && protocol.splits == 0 {
            return input("protocol.seeds and protocol.splits are 0: there is nothing to do");
        }
        for (name, count) in [("seeds", protocol.seeds), ("splits", protocol.splits)] {
            if count > RUNS {
                return input(format!("protocol.{name} is {count}; give {RUNS} or less"));
            }
        }
        if let Some((at, map)) =
            protocol.map.iter().enumerate().find(|(at, map)| protocol.map[..*at].contains(map))
        {
            return input(format!(
                "protocol.map[{at}] is {map:?} again: name each convention once"
            ));
        }
        for method in &self.methods {
            method.look()?;
        }
        for (at, method) in self.methods.iter().enumerate() {
            if self.methods[..at].iter().any(|other| other.name == method.name) {
                return input(format!("two methods are called {}", method.name));
            }
        }
        let known = |name: &&String| !self.methods.iter().any(|method| method.name == **name);
        match self.compare.iter().flatten().find(known) {
            Some(name) => input(format!("compare: there is no method {name}")),
            None => Ok(()),
        }
    }

    /// Reads the set.
    ///
    /// # Errors
    /// A file cannot be read, or the set cannot be learned from.
    pub fn set(&self) -> Result<Set> {
        let read = |part: &PartConfig| -> Result<_> {
            Ok((part.images.table()?, part.texts.table()?, part.labels.labels()?))
        };
        let (train, test) = (read(&self.train)?, read(&self.test)?);
        let train = Part { name: "train", images: &train.0, texts: &train.1, labels: &train.2 };
        let test = Part { name: "test", images: &test.0, texts: &test.1, labels: &test.2 };
        Set::new(&train, &test, &self.classes.names)
    }

    /// The method of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn method(&self, name: &str) -> Result<&MethodConfig> {
        let names = || self.methods.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.methods.iter().find(|method| method.name == name);
        found.ok_or_else(|| {
            Error::Input(format!("there is no method {name}; there are {}", names()))
        })
    }
}

impl MethodConfig {
    /// Refuses numbers of closed forms that make no sense; NaN lies in no range.
    fn look(&self) -> Result<()> {
        let (components, ridge, decay) = match &self.learn {
            Method::Cca { components, ridge, .. } => (Some(components), Some(ridge), None),
            Method::Pls { components } => (Some(components), None, None),
            Method::Sm { decay, .. } => (None, None, Some(decay)),
            Method::Scm { components, ridge, decay } => {
                (Some(components), Some(ridge), Some(decay))
            }
            _ => (None, None, None),
        };
        let name = &self.name;
        if let Some(components) = components.filter(|count| !(1..=COMPONENTS).contains(*count)) {
            return input(format!(
                "{name}: components is {components}; give a number from 1 to {COMPONENTS}"
            ));
        }
        for (what, value) in [("ridge", ridge), ("decay", decay)] {
            if let Some(value) = value.filter(|value| !(0.0..=PENALTY).contains(*value)) {
                return input(format!(
                    "{name}: {what} is {value}; give a number from 0 to {PENALTY}, such as 0.001"
                ));
            }
        }
        match &self.hash {
            Some(HashConfig { bits: 0, .. }) => {
                input(format!("{name}: hash.bits is 0; give 16 or more"))
            }
            _ => Ok(()),
        }
    }
}
