//! Everything a run needs to go on, in one file that is written under another name and renamed:
//! a run killed at any moment finds either the old or the new one, never half of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Array, Arrays};

use crate::optim::State;
use crate::{Error, Result, TrainConfig};

const STATE: &str = "state-";
const CONFIG: &str = "config.toml";
const LOG: &str = "log.jsonl";

/// A run's folder.
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder of this configuration, which may not be there yet.
    pub(crate) fn find(config: &TrainConfig) -> Result<Self> {
        let path = config.out.clone();
        let resolved = resolved(config)?;
        match std::fs::read_to_string(path.join(CONFIG)) {
            Ok(found) if found != resolved => {
                let lines = found.lines().zip(resolved.lines());
                let differ = lines.into_iter().find(|(a, b)| a != b);
                let what = differ.map_or("a longer or shorter file".to_owned(), |(a, b)| {
                    format!("there `{a}`, here `{b}`")
                });
                Err(Error::OtherRun { path, what })
            }
            _ => Ok(Self { path }),
        }
    }

    /// Makes the folder with its configuration.
    pub(crate) fn create(&self, config: &TrainConfig) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| Error::io(&self.path, e))?;
        let file = self.file(CONFIG);
        std::fs::write(&file, resolved(config)?).map_err(|e| Error::io(&file, e))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes weights, moments, average and progress as the newest checkpoint, and removes those beyond
    /// the last `keep`. A disk that is full is an error before anything old is gone.
    pub(crate) fn save(&self, state: &State, progress: &Progress, keep: usize) -> Result<()> {
        let parts = [&state.weights, &state.mean, &state.square, &state.ema];
        let named = PREFIXES.iter().zip(parts).flat_map(|(prefix, part)| {
            part.0.iter().map(move |(name, array)| (format!("{prefix}/{name}"), array))
        });
        let mut all: Vec<(String, &Array)> = named.collect();
        // The order in which they are read.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let metadata = BTreeMap::from([
            ("step".to_owned(), state.step.to_string()),
            ("best".to_owned(), progress.best.to_string()),
            ("not_better".to_owned(), progress.not_better.to_string()),
            ("data".to_owned(), progress.data.clone()),
            ("blake3".to_owned(), checksum(all.iter().map(|(name, array)| (name, *array)))),
        ]);
        let path = self.file(&format!("{STATE}{:08}.safetensors", state.step));
        arrays::write_named(&all, Precision::F32, &metadata, &path)?;
        let saved = self.saved();
        for old in &saved[..saved.len().saturating_sub(keep)] {
            std::fs::remove_file(old).map_err(|e| Error::io(old, e))?;
        }
        Ok(())
    }

    /// All checkpoints, the newest last.
    fn saved(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let name = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(STATE) && name.ends_with(".safetensors")
        };
        let mut saved: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(name).collect();
        saved.sort();
        saved
    }

    /// The newest checkpoint that is whole, if there is one; `tell` hears of those that are not.
    pub(crate) fn load(&self, tell: &dyn Fn(String)) -> Result<Option<(State, Progress)>> {
        let mut failed = None;
        for path in self.saved().iter().rev() {
            match read(path) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => {
                    tell(format!("{error}; trying the checkpoint before it"));
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Opens the log and drops lines that lie behind the checkpoint.
    pub(crate) fn open_log(&self, step: usize) -> Result<File> {
        let path = self.file(LOG);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = old.lines().filter(|line| {
            let value = serde_json::from_str::<serde_json::Value>(line);
            // Without a checkpoint the start is measured again.
            value.is_ok_and(|v| step > 0 && v["step"].as_u64().is_some_and(|s| s <= step as u64))
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

/// What a run knows beside its weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// The best score so far.
    pub(crate) best: f64,
    /// Validations since then.
    pub(crate) not_better: usize,
    /// The training data's fingerprint.
    pub(crate) data: String,
}

fn resolved(config: &TrainConfig) -> Result<String> {
    toml::to_string(config).map_err(|e| Error::config(&config.out, e))
}

fn read(path: &Path) -> Result<(State, Progress)> {
    let metadata = arrays::metadata(path)?;
    let text = |key: &str| metadata.get(key).cloned().unwrap_or_default();
    let number = |key: &str| text(key).parse::<f64>().ok();
    let (Some(step), Some(best)) = (number("step"), number("best")) else {
        return Err(Error::config(path, "the checkpoint lacks its step and best score"));
    };
    let all = arrays::read(path)?;
    let (found, wanted) = (checksum(all.0.iter()), text("blake3"));
    if found != wanted {
        let what = format!("the checkpoint is damaged: checksum {found}, written was {wanted}");
        return Err(Error::config(path, what));
    }
    let mut parts = [const { Arrays(BTreeMap::new()) }; 4];
    for (name, array) in all.0 {
        let (prefix, name) = name.split_once('/').unwrap_or(("", &name));
        let Some(part) = PREFIXES.iter().position(|known| *known == prefix) else {
            return Err(Error::config(path, format!("unknown entry `{prefix}/{name}`")));
        };
        parts[part].0.insert(name.to_owned(), array);
    }
    let [weights, mean, square, ema] = parts;
    let not_better = number("not_better").unwrap_or_default() as usize;
    let progress = Progress { best, not_better, data: text("data") };
    Ok((State { step: step as usize, weights, mean, square, ema }, progress))
}

/// Of all names and values.
fn checksum<'a>(all: impl Iterator<Item = (&'a String, &'a Array)>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, array) in all {
        hasher.update(name.as_bytes());
        for piece in array.data.chunks(1 << 16) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}
