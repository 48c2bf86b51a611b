//! Outputs that a library writes as a whole: new folders and weights.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tuwen_files::staged::StagedFolder;

use super::parent;
use crate::query::Usage;
use crate::stop;

/// A new folder whose temporary name a signal removes.
pub struct StagedOutput {
    _announced: stop::Temporary,
}

impl StagedOutput {
    /// Runs `make`, which begins the folder by [`StagedFolder`], and announces its temporary name.
    ///
    /// # Errors
    /// The folder lies inside one of the inputs, which the next reading would then find twice, or `make` fails.
    pub fn begin<T, E>(
        folder: &Path,
        inputs: &[&Path],
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Self, T)>
    where
        E: Into<anyhow::Error>,
    {
        for input in inputs {
            not_inside(folder, input)?;
        }
        let made = stop::temporary(&StagedFolder::temporary_name(folder), make);
        let (announced, made) = made.map_err(Into::into)?;
        Ok((Self { _announced: announced }, made))
    }
}

/// Refuses a folder that is an input folder or would lie in it.
fn not_inside(output: &Path, input: &Path) -> Result<()> {
    let (Ok(whole), true) = (std::fs::canonicalize(input), input.is_dir()) else { return Ok(()) };
    if future(output)?.starts_with(&whole) {
        bail!(Usage(format!(
            "{} lies inside {}, which is read: the next reading would find everything twice; give a folder \
             outside of it",
            output.display(),
            input.display()
        )));
    }
    Ok(())
}

/// The full path that something will have, links resolved as far as there is something.
fn future(path: &Path) -> Result<PathBuf> {
    if let Ok(there) = std::fs::canonicalize(path) {
        return Ok(there);
    }
    let name = path.file_name().with_context(|| format!("{}: no folder's name", path.display()))?;
    Ok(future(parent(path))?.join(name))
}
