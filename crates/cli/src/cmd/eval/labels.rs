//! Files with what is in a picture: a line has its id or file name, and its class or its labels.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_sets::Sample;
use tuwen_sets::import::picture_id;

/// What a line says.
struct Labelled {
    /// The file and the line's number.
    place: String,
    id: String,
    /// Behind the id.
    said: String,
}

/// The lines that say something; `split` divides an id from what is said of it where there is no tab.
fn lines(
    path: &Path,
    encoding: Option<Encoding>,
    wanted: &str,
    split: fn(&str) -> Option<(&str, &str)>,
) -> Result<Vec<Labelled>> {
    let mut all = Vec::new();
    for (number, line) in TextFile::look_as(path, encoding)?.open()?.lines().enumerate() {
        let line = line.with_context(|| path.display().to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        let place = format!("{}, line {}", path.display(), number + 1);
        let parts = line.split_once('\t').or_else(|| split(&line));
        let (id, said) =
            parts.with_context(|| format!("{place}: expected `{wanted}`, found {line:?}"))?;
        // A header names columns.
        let is_header = number == 0 && ["label", "labels", "class"].contains(&said.trim());
        if !is_header {
            all.push(Labelled { place, id: picture_id(id.trim()), said: said.trim().to_owned() });
        }
    }
    Ok(all)
}

/// The class of each picture.
///
/// # Errors
/// The file cannot be read, a picture has two classes or none.
pub fn classes(path: &Path, samples: &[Sample]) -> Result<Vec<String>> {
    let mut found: HashMap<String, String> = HashMap::new();
    for Labelled { place, id, said } in lines(path, None, "ID,CLASS", |line| line.rsplit_once(','))?
    {
        if let Some(other) = found.insert(id.clone(), said.clone()).filter(|o| *o != said) {
            bail!("{place}: `{id}` has the classes `{other}` and `{said}`");
        }
    }
    let class = |sample: &Sample| {
        let class = found.get(&picture_id(&sample.id));
        let missing = || format!("{}: no class for the picture `{}`", path.display(), sample.id);
        class.cloned().with_context(missing)
    };
    samples.iter().map(class).collect()
}

/// The labels of each picture, divided by `|`; several lines of one add up.
///
/// # Errors
/// The file cannot be read, or has no label.
pub fn several(path: &Path, encoding: Option<Encoding>) -> Result<HashMap<String, Vec<String>>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for Labelled { id, said, .. } in lines(path, encoding, "ID,LABEL", |line| line.split_once(','))?
    {
        let labels = said.split('|').map(|label| label.trim().to_owned());
        all.entry(id).or_default().extend(labels.filter(|label| !label.is_empty()));
    }
    if all.values().all(Vec::is_empty) {
        bail!("{}: there is no label in it: write `ID,LABEL` a line", path.display());
    }
    Ok(all)
}
