//! Everything a run needs to go on, in one file that is written under another name and renamed:
//! a run killed at any moment finds either the old or the new one, never half of one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{Array, Arrays, CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE};
use tuwen_files::file;
use tuwen_files::lock::Lock;

use crate::history::History;
use crate::knowledge::KNOWLEDGE;
use crate::optim::State;
use crate::{Error, Result, TrainConfig};

const STATE: &str = "state-";
/// The resolved configuration.
pub(crate) const CONFIG: &str = "config.toml";
/// A line of JSON for each step.
pub(crate) const LOG: &str = "log.jsonl";
/// The weights that learned, with LoRA.
pub(crate) const ADAPTERS: &str = "adapters.safetensors";
/// Held by the one program that writes there.
pub(crate) const LOCK: &str = "lock";

/// A run's folder; others are kept out of it as long as this lives.
pub(crate) struct RunFolder {
    path: PathBuf,
    lock: Option<Lock>,
}

impl RunFolder {
    /// The folder of this configuration, which may not be there yet.
    pub(crate) fn find(config: &TrainConfig) -> Result<Self> {
        let path = config.out.clone();
        let file = path.join(CONFIG);
        if !file.exists() {
            nothing_else_is_there(&path)?;
            return Ok(Self { path, lock: None });
        }
        let lock = Some(Lock::take(&path.join(LOCK))?);
        match difference(config, &file)? {
            None => Ok(Self { path, lock }),
            Some(_) if !has_learned(&path) => {
                let folder = Self { path, lock };
                folder.forget_start()?;
                Ok(folder)
            }
            Some(what) => Err(Error::OtherRun { path, what }),
        }
    }

    /// Removes what a run wrote that ended before its first step, so that nothing of it is taken for this run's.
    fn forget_start(&self) -> Result<()> {
        for name in [CONFIG, LOG, KNOWLEDGE, ADAPTERS, CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE] {
            match std::fs::remove_file(self.file(name)) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(self.file(name), e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the folder with its configuration.
    pub(crate) fn create(&mut self, config: &TrainConfig) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| Error::io(&self.path, e))?;
        if self.lock.is_none() {
            self.lock = Some(Lock::take(&self.path.join(LOCK))?);
        }
        let resolved = lines(&config.written_in(&self.path))?;
        Ok(file::replace(&self.file(CONFIG), resolved.as_bytes())?)
    }

    /// Whether the folder is still this program's alone; to be asked before anything of worth is written.
    pub(crate) fn is_ours(&self) -> Result<()> {
        Ok(self.lock.as_ref().map_or(Ok(()), Lock::check)?)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Puts a file in the place of the one before.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.is_ours()?;
        Ok(file::replace(&self.file(name), bytes)?)
    }

    /// Writes weights, moments, average and progress as the newest checkpoint, and removes those beyond
    /// the last `keep`. A disk that is full is an error before anything old is gone.
    pub(crate) fn save(&self, state: &State, progress: &Progress, keep: usize) -> Result<()> {
        self.is_ours()?;
        let path = self.file(&format!("{STATE}{:08}.safetensors", state.step));
        write(state, progress, &path)?;
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

    /// Opens the log to add the lines of step `next` and later ones; what it has of these lies behind the
    /// checkpoint and is done again.
    pub(crate) fn open_log(&self, next: usize) -> Result<File> {
        let path = self.file(LOG);
        let old = match path.exists() {
            true => file::read(&path, file::DOCUMENT)?,
            false => Vec::new(),
        };
        let counts = |line: &&[u8]| {
            let value = serde_json::from_slice::<serde_json::Value>(line);
            value.is_ok_and(|v| v["step"].as_u64().is_some_and(|step| step < next as u64))
        };
        let kept: Vec<&[u8]> = old.split(|&byte| byte == b'\n').filter(counts).collect();
        let kept: Vec<u8> = kept.into_iter().flat_map(|line| [line, b"\n"].concat()).collect();
        if kept != old {
            self.put(LOG, &kept)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(&path);
        log.map_err(|e| Error::io(&path, e))
    }
}

/// Whether a run's folder holds a step.
fn has_learned(folder: &Path) -> bool {
    let run = RunFolder { path: folder.to_path_buf(), lock: None };
    let learned = match History::read(folder) {
        Ok(history) => history.steps() > 0,
        // What has weights and no log is not a start that failed.
        Err(_) => run.file(WEIGHTS_FILE).exists(),
    };
    learned || !run.saved().is_empty()
}

/// A folder with files of others is left alone: the best model would replace the one that lies there.
pub(crate) fn nothing_else_is_there(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(folder, error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    // What a start leaves that was killed before its configuration was written.
    let mut foreign = names.filter(|name| name != LOCK && !name.starts_with('.'));
    match foreign.next() {
        Some(name) => {
            let what =
                format!("`out` holds {name}, which no run wrote there: give a folder of its own");
            Err(Error::config(folder, what))
        }
        None => Ok(()),
    }
}

/// Where the configuration in a run's folder differs. Once it was written as the user had it, with
/// paths from where the program was started.
fn difference(config: &TrainConfig, path: &Path) -> Result<Option<String>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = tuwen_files::encoding::TextFile::read(path)?;
    let wanted = config.settled();
    let mut first = None;
    for base in [folder, &config.folder, Path::new("")] {
        let found = match TrainConfig::parse_in(&text, base) {
            Ok(found) => found.settled(),
            Err(what) => return Ok(Some(what)),
        };
        if found == wanted {
            return Ok(None);
        }
        // The one that at least lies there.
        if first.is_none() || found.out == wanted.out {
            first = Some(found);
        }
    }
    let (found, wanted) = (lines(&first.expect("three were compared"))?, lines(&wanted)?);
    let differ = found.lines().zip(wanted.lines()).find(|(there, here)| there != here);
    Ok(Some(differ.map_or("a longer or shorter file".to_owned(), |(there, here)| {
        format!("there `{there}`, here `{here}`")
    })))
}

const PREFIXES: [&str; 4] = ["weights", "mean", "square", "ema"];

/// What a run knows beside its weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// The best score so far.
    pub(crate) best: f64,
    /// Validations since then.
    pub(crate) not_better: usize,
    /// The hash of the training data; the key in the file is `data`.
    pub(crate) data_hash: String,
    /// The usual loss, by which an explosion is told.
    pub(crate) usual: Option<f32>,
    /// The last step's line of the log, when the run was stopped before its validation.
    pub(crate) unmeasured: Option<String>,
}

fn lines(config: &TrainConfig) -> Result<String> {
    toml::to_string(config).map_err(|e| Error::config(&config.out, e))
}

/// Writes weights, moments, average and progress, under another name first.
pub(crate) fn write(state: &State, progress: &Progress, path: &Path) -> Result<()> {
    let parts = [&state.weights, &state.mean, &state.square, &state.ema];
    let named = PREFIXES.iter().zip(parts).flat_map(|(prefix, part)| {
        part.0.iter().map(move |(name, array)| (format!("{prefix}/{name}"), array))
    });
    let mut all: Vec<(String, &Array)> = named.collect();
    // The order in which they are read.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut metadata = BTreeMap::from([
        ("step".to_owned(), state.step.to_string()),
        ("best".to_owned(), progress.best.to_string()),
        ("not_better".to_owned(), progress.not_better.to_string()),
        ("data".to_owned(), progress.data_hash.clone()),
        ("blake3".to_owned(), checksum(all.iter().map(|(name, array)| (name, *array)))),
    ]);
    metadata.extend(progress.usual.map(|usual| ("usual".to_owned(), usual.to_string())));
    metadata.extend(progress.unmeasured.clone().map(|line| ("unmeasured".to_owned(), line)));
    Ok(arrays::write_named(&all, Precision::F32, &metadata, path)?)
}

/// Reads what [`write`] wrote.
pub(crate) fn read(path: &Path) -> Result<(State, Progress)> {
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
    let usual = text("usual").parse().ok();
    let unmeasured = metadata.get("unmeasured").cloned();
    let progress = Progress { best, not_better, data_hash: text("data"), usual, unmeasured };
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
