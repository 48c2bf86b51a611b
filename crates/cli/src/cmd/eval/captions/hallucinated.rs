//! Objects that captions make up.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_eval::captions::{Hallucination, Language};
use tuwen_files::encoding::{Encoding, TextFile};
use tuwen_sets::import::picture_id;
use tuwen_sets::objects::Objects;
use tuwen_text::caption;

use super::read::Described;

/// Counts the mentions of the labels' objects, and those that are not in the picture.
///
/// The objects are the labels of the whole file, each with its names of `tuwen_sets::names`
/// ([`tuwen_sets::objects`] says which); a mention is true where one of the labels that it may mean is one of the
/// picture's. So labels must be complete: what nobody wrote down counts as made up.
pub(super) fn measure(
    path: &Path,
    encoding: Option<Encoding>,
    set: &[Described],
    language: Language,
) -> Result<Hallucination> {
    let labels = labels(path, encoding)?;
    let chinese = language == Language::Chinese;
    let objects = Objects::new(labels.values().flatten().map(String::as_str), chinese);
    let mut captions = Vec::with_capacity(set.len());
    for one in set {
        let own = labels.get(&one.id).or_else(|| labels.get(one.name.as_ref()?));
        let own = own.with_context(|| {
            format!(
                "{}: no label for the picture `{}`: write `{},LABEL`, or `{},` where none of the labels is in it",
                path.display(),
                one.id,
                one.id,
                one.id
            )
        })?;
        let there: Vec<usize> = own.iter().filter_map(|label| objects.label(label)).collect();
        let tokens =
            if chinese { caption::words(&one.caption) } else { caption::english(&one.caption) };
        let is_true = |meant: &[usize]| meant.iter().any(|label| there.contains(label));
        captions.push(objects.mentions(&tokens).into_iter().map(is_true).collect());
    }
    Ok(Hallucination::new(&captions))
}

/// The labels of each picture; several lines of one add up.
fn labels(path: &Path, encoding: Option<Encoding>) -> Result<HashMap<String, Vec<String>>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for (number, line) in TextFile::look_as(path, encoding)?.open()?.lines().enumerate() {
        let line = line.with_context(|| path.display().to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        let parts = line.split_once('\t').or_else(|| line.split_once(','));
        let (id, labels) = parts.with_context(|| {
            format!("{}, line {}: expected `ID,LABEL`, found {line:?}", path.display(), number + 1)
        })?;
        let labels: Vec<String> = labels
            .split('|')
            .map(|label| label.trim().to_owned())
            .filter(|l| !l.is_empty())
            .collect();
        // A header names columns.
        let is_header =
            number == 0 && labels.iter().any(|label| ["label", "labels"].contains(&&**label));
        if !is_header {
            all.entry(picture_id(id.trim())).or_default().extend(labels);
        }
    }
    if all.values().all(Vec::is_empty) {
        bail!("{}: there is no label in it: write `ID,LABEL` a line", path.display());
    }
    Ok(all)
}
