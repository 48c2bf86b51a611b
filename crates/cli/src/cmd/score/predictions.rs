//! Chinese-CLIP's prediction files, checked and scored as its `evaluation.py` and `evaluation_tr.py` do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;
use tuwen_eval::conventions::{chinese_clip, chinese_clip_refusal};
use tuwen_files::encoding::TextFile;

use crate::terminal::{note, say};

/// Answers that each query must have.
const ANSWERS: usize = 10;

/// Scores and prints their JSON; a refused file gives the exit code 1, which theirs does not.
pub(super) fn run(predictions: &Path, reference: &Path) -> Result<ExitCode> {
    match score(predictions, reference) {
        Ok(json) => {
            say!("{json}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let words = crate::query::in_words(&error);
            say!("{}", chinese_clip_refusal(&words));
            note!("error: {words}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn score(predictions: &Path, reference: &Path) -> Result<Value> {
    let lines = objects(predictions)?;
    let (_, first) = lines.first().context("there is no prediction")?;
    let by_text = first.get("text_id").is_some();
    let (query, answers) =
        if by_text { ("text_id", "image_ids") } else { ("image_id", "text_ids") };
    let truth = truth(reference, by_text)?;
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for (number, object) in &lines {
        let place = || format!("{}, line {number}", predictions.display());
        let id = id(&object[query]).with_context(|| format!("{}: no `{query}`", place()))?;
        let list = object[answers].as_array();
        let list = list.with_context(|| format!("{}: `{answers}` is no list", place()))?;
        let list: Option<Vec<String>> = list.iter().map(self::id).collect();
        let list =
            list.with_context(|| format!("{}: an id is neither number nor string", place()))?;
        let distinct: BTreeSet<&String> = list.iter().collect();
        anyhow::ensure!(
            list.len() == ANSWERS && distinct.len() == ANSWERS,
            "{}: {query} {id} has {} answers, {} of them different: there must be {ANSWERS}",
            place(),
            list.len(),
            distinct.len()
        );
        found.insert(id, list);
    }
    let mut missing: Vec<&String> = truth.keys().filter(|id| !found.contains_key(*id)).collect();
    missing.sort();
    if let Some(first) = missing.first() {
        anyhow::bail!(
            "{} of {} queries have no prediction, {query} {first} first",
            missing.len(),
            truth.len()
        );
    }
    let share = |k: usize| {
        let hit = |(id, truth): &(&String, &BTreeSet<String>)| {
            found[*id][..k].iter().any(|a| truth.contains(a))
        };
        truth.iter().filter(hit).count() as f64 / truth.len() as f64
    };
    Ok(chinese_clip([1, 5, 10].map(|k| 100.0 * share(k))))
}

/// For each query its true answers; from the same file for both directions.
pub(super) fn truth(path: &Path, by_text: bool) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut truth: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (number, object) in objects(path)? {
        let place = || format!("{}, line {number}", path.display());
        let ids =
            |key: &str| -> Option<Vec<String>> { object[key].as_array()?.iter().map(id).collect() };
        if let (Some(image), Some(texts)) = (id(&object["image_id"]), ids("text_ids")) {
            for text in texts {
                let (query, answer) =
                    if by_text { (text, image.clone()) } else { (image.clone(), text) };
                truth.entry(query).or_default().insert(answer);
            }
            continue;
        }
        let text = id(&object["text_id"]).with_context(|| format!("{}: no `text_id`", place()))?;
        let images = ids("image_ids").with_context(|| format!("{}: no `image_ids`", place()))?;
        if by_text {
            truth.entry(text.clone()).or_default();
        }
        for image in images {
            let (query, answer) =
                if by_text { (text.clone(), image) } else { (image, text.clone()) };
            truth.entry(query).or_default().insert(answer);
        }
    }
    anyhow::ensure!(!truth.is_empty(), "{}: there is no query", path.display());
    Ok(truth)
}

/// The objects of a file of JSON lines, each with the number of its line.
pub(super) fn objects(path: &Path) -> Result<Vec<(usize, Value)>> {
    let text = TextFile::read_document(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let place = || format!("{}, line {}", path.display(), number + 1);
            Ok((number + 1, serde_json::from_str(line).with_context(place)?))
        })
        .collect()
}

/// An id as text; theirs are numbers, others' strings.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
