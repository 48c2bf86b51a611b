//! What a run's folder tells of it, for the report and for `tuwen runs`: which step was the best is decided
//! here and nowhere else.

use std::path::Path;

use serde_json::Value;
use tuwen_files::file;

use crate::checkpoint::{CONFIG, LOG};
use crate::config::BestBy;
use crate::validate::{Reports, score};
use crate::{Error, Result};

/// A run's log.
pub struct History {
    /// A line for each step, and one for the start.
    pub log: Vec<Value>,
    /// By which recall the best model was chosen.
    pub best_by: BestBy,
    batch: f64,
}

impl History {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// It is none.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(LOG);
        if !path.is_file() {
            return Err(Error::config(&path, "it is no run's folder: there is no such file"));
        }
        let bytes = file::read(&path, file::DOCUMENT)?;
        let lines = bytes.split(|&byte| byte == b'\n');
        // A line that a kill cut in two is none.
        let log = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        // As a table: a run of another version may have other keys.
        let config = file::read(&folder.join(CONFIG), file::TEXT).unwrap_or_default();
        let config = String::from_utf8_lossy(&config).parse::<toml::Table>().unwrap_or_default();
        let batch = config.get("batch").and_then(toml::Value::as_integer).unwrap_or(0) as f64;
        let best_by = config.get("best_by").cloned().and_then(|by| by.try_into().ok());
        Ok(Self { log, best_by: best_by.unwrap_or_default(), batch })
    }

    /// The line of the best validation, which gave the model in the folder: the first of equal ones.
    pub fn best(&self) -> Option<&Value> {
        let mut best: Option<(&Value, f64)> = None;
        for line in &self.log {
            let Some(reports) = reports(line, "valid") else { continue };
            let score = score(&reports, self.best_by);
            // What training itself said; the runs of older versions did not say it.
            let better = best.is_none_or(|(_, before)| score > before);
            if line["best"].as_bool().unwrap_or(better) {
                best = Some((line, score));
            }
        }
        best.map(|(line, _)| line)
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.log.last().and_then(|line| line["step"].as_u64()).unwrap_or(0)
    }

    /// Minutes of training alone.
    pub fn minutes(&self) -> f64 {
        let speeds = self.log.iter().filter_map(|line| line["images_per_s"].as_f64());
        speeds.map(|speed| self.batch / speed).sum::<f64>() / 60.0
    }

    /// What was measured before the first step, of the set `valid` or `other`.
    pub(crate) fn start(&self, set: &str) -> Reports {
        let first = self.log.iter().find(|line| line["step"] == 0);
        first.and_then(|line| reports(line, set)).unwrap_or_default()
    }
}

fn reports(line: &Value, set: &str) -> Option<Reports> {
    serde_json::from_value(line.get(set)?.clone()).ok()
}
