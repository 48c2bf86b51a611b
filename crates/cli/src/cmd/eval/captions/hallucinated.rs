//! Objects that captions make up.

use std::path::Path;

use anyhow::{Context, Result};
use tuwen_eval::captions::{Hallucination, Language};
use tuwen_files::encoding::Encoding;
use tuwen_sets::objects::Objects;
use tuwen_text::caption;

use super::super::labels::several;
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
    let labels = several(path, encoding)?;
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
