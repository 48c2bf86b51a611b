//! Everything a run needs to go on, in one file that is written under another name and renamed:
//! a run killed at any moment finds either the old or the new one, never half of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tuwen_encode::Arrays;
use tuwen_encode::arrays::{self, Precision};

use crate::optim::State;
use crate::{Error, Result, TrainConfig};

const STATE: &str = "state.safetensors";
const CONFIG: &str = "config.toml";
const LOG: &str = "log.jsonl";

/// A run's folder.
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Creates the folder, or opens it when it belongs to the same configuration.
    pub(crate) fn open(config: &TrainConfig) -> Result<Self> {
        let path = config.out.clone();
        std::fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        let resolved = toml::to_string(config).map_err(|e| Error::config(&path, e))?;
        let file = path.join(CONFIG);
        match std::fs::read_to_string(&file) {
            Ok(found) if found != resolved => {
                let lines = found.lines().zip(resolved.lines());
                let differ = lines.into_iter().find(|(a, b)| a != b);
                let what = differ.map_or("a longer or shorter file".to_owned(), |(a, b)| {
                    format!("there `{a}`, here `{b}`")
                });
                return Err(Error::OtherRun { path, what });
            }
            Ok(_) => {}
            Err(_) => std::fs::write(&file, resolved).map_err(|e| Error::io(&file, e))?,
        }
        Ok(Self { path })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes weights, moments, average, step and best score.
    pub(crate) fn save(&self, state: &State, best: f64) -> Result<()> {
        let mut all = Arrays::default();
        let parts = [&state.weights, &state.mean, &state.square, &state.ema];
        for (prefix, part) in PREFIXES.iter().zip(parts) {
            let named =
                part.0.iter().map(|(name, array)| (format!("{prefix}/{name}"), array.clone()));
            all.0.extend(named);
        }
        let metadata = BTreeMap::from([
            ("step".to_owned(), state.step.to_string()),
            ("best".to_owned(), best.to_string()),
        ]);
        Ok(arrays::write(&all, Precision::F32, &metadata, &self.file(STATE))?)
    }

    /// The last saved state and best score, if there is one.
    pub(crate) fn load(&self) -> Result<Option<(State, f64)>> {
        let path = self.file(STATE);
        if !path.exists() {
            return Ok(None);
        }
        let metadata = arrays::metadata(&path)?;
        let number = |key: &str| metadata.get(key).and_then(|value| value.parse::<f64>().ok());
        let (Some(step), Some(best)) = (number("step"), number("best")) else {
            return Err(Error::config(&path, "the checkpoint lacks its step and best score"));
        };
        let mut parts = [const { Arrays(BTreeMap::new()) }; 4];
        for (name, array) in arrays::read(&path)?.0 {
            let (prefix, name) = name.split_once('/').unwrap_or(("", &name));
            let Some(part) = PREFIXES.iter().position(|known| *known == prefix) else {
                return Err(Error::config(&path, format!("unknown entry `{prefix}/{name}`")));
            };
            parts[part].0.insert(name.to_owned(), array);
        }
        let [weights, mean, square, ema] = parts;
        Ok(Some((State { step: step as usize, weights, mean, square, ema }, best)))
    }

    /// Opens the log and drops lines that lie behind the checkpoint.
    pub(crate) fn open_log(&self, step: usize) -> Result<File> {
        let path = self.file(LOG);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = old.lines().filter(|line| {
            let value = serde_json::from_str::<serde_json::Value>(line);
            value.is_ok_and(|v| v["step"].as_u64().is_some_and(|s| s <= step as u64))
        });
        let mut file = File::create(&path).map_err(|e| Error::io(&path, e))?;
        for line in kept {
            writeln!(file, "{line}").map_err(|e| Error::io(&path, e))?;
        }
        Ok(file)
    }

    /// All lines of the log.
    pub(crate) fn read_log(&self) -> Result<Vec<serde_json::Value>> {
        let path: &Path = &self.file(LOG);
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

const PREFIXES: [&str; 4] = ["weights", "mean", "square", "ema"];
