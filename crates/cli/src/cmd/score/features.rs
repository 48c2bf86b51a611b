//! Features that another program made.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tuwen_data::vectors::Vectors;
use tuwen_eval::{Report, by_class, evaluate};

use super::super::eval;
use super::predictions::truth;
use crate::terminal::say;

/// Scores and prints.
pub(super) fn run(
    [images, texts]: [&Path; 2],
    labels: Option<(&Path, &Path)>,
    reference: Option<&Path>,
    json: bool,
) -> Result<()> {
    let (pictures, words) = (Vectors::read(images, "image_id")?, Vectors::read(texts, "text_id")?);
    ensure!(
        pictures.dim == words.dim,
        "{} has {} values a row, {} has {}: they must come from the same model",
        images.display(),
        pictures.dim,
        texts.display(),
        words.dim
    );
    let report = match labels {
        Some((image_labels, text_labels)) => {
            let of_pictures = read_labels(image_labels, pictures.ids.len())?;
            let of_words = read_labels(text_labels, words.ids.len())?;
            by_class((&pictures.values, &of_pictures), (&words.values, &of_words), words.dim, &[])
        }
        None => by_pairs(&pictures, &words, reference)?,
    };
    let name = texts.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let reports = BTreeMap::from([(name, report)]);
    if json {
        say!("{}", serde_json::to_string(&reports)?);
    } else {
        eval::print(&reports);
    }
    Ok(())
}

fn by_pairs(pictures: &Vectors, words: &Vectors, reference: Option<&Path>) -> Result<Report> {
    let (keep, owner) = match reference {
        Some(reference) => owners(pictures, words, reference)?,
        None => {
            let (n, m) = (pictures.ids.len(), words.ids.len());
            ensure!(n > 0 && m.is_multiple_of(n), "{m} texts for {n} pictures: give --reference");
            ((0..m).collect(), (0..m).map(|text| text / (m / n)).collect())
        }
    };
    let rows = keep.iter().flat_map(|&text| &words.values[text * words.dim..][..words.dim]);
    let rows: Vec<f32> = rows.copied().collect();
    Ok(evaluate(&pictures.values, &rows, pictures.dim, &owner))
}

/// A class a line, one for each row.
fn read_labels(path: &Path, rows: usize) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    ensure!(labels.len() == rows, "{}: {} classes for {rows} rows", path.display(), labels.len());
    Ok(labels)
}

/// Texts with a picture, and for each of them its picture.
fn owners(
    pictures: &Vectors,
    words: &Vectors,
    reference: &Path,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let places: HashMap<&String, usize> =
        pictures.ids.iter().enumerate().map(|(at, id)| (id, at)).collect();
    let truth = truth(reference, true)?;
    let (mut keep, mut owner) = (Vec::new(), Vec::new());
    for (at, text) in words.ids.iter().enumerate() {
        for image in truth.get(text).into_iter().flatten() {
            let place = places.get(image);
            let place =
                place.with_context(|| format!("picture {image} of text {text} has no feature"))?;
            keep.push(at);
            owner.push(*place);
        }
    }
    ensure!(!keep.is_empty(), "no text of the features is in {}", reference.display());
    Ok((keep, owner))
}
