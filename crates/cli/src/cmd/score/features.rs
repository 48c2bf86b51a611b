//! Features that another program made.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tuwen_eval::{Classified, Report, by_class, evaluate};
use tuwen_files::encoding::TextFile;
use tuwen_sets::vectors::Vectors;

use super::super::eval;
use super::predictions::truth;
use crate::terminal::{note, say};

/// Files with the classes of pictures and of texts.
pub(super) struct ClassFiles<'a> {
    pub(super) images: &'a Path,
    pub(super) texts: &'a Path,
}

/// Scores and prints.
pub(super) fn run(
    images: &Path,
    texts: &Path,
    classes: Option<ClassFiles<'_>>,
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
    let report = match classes {
        Some(files) => {
            let of_pictures = read_classes(files.images, pictures.ids.len())?;
            let of_words = read_classes(files.texts, words.ids.len())?;
            let pictures = Classified { vectors: &pictures.values, classes: &of_pictures };
            let texts = Classified { vectors: &words.values, classes: &of_words };
            by_class(pictures, texts, words.dim, &[])
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
    let truth = match reference {
        Some(reference) => relation(pictures, words, reference)?,
        None => {
            let (n, m) = (pictures.ids.len(), words.ids.len());
            if let (true, Some((images, truth))) = (n == m, once_each(pictures)) {
                let distinct = images.len() / pictures.dim;
                note!(
                    "note: {n} rows of pictures are {distinct} pictures: equal rows count as one"
                );
                return Ok(evaluate(&images, &words.values, pictures.dim, &truth));
            }
            ensure!(n > 0 && m.is_multiple_of(n), "{m} texts for {n} pictures: give --reference");
            (0..m).map(|text| vec![text / (m / n)]).collect()
        }
    };
    Ok(evaluate(&pictures.values, &words.values, pictures.dim, &truth))
}

/// A class a line, one for each row.
fn read_classes(path: &Path, rows: usize) -> Result<Vec<String>> {
    let text = TextFile::read(path)?;
    let classes: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    ensure!(classes.len() == rows, "{}: {} classes for {rows} rows", path.display(), classes.len());
    Ok(classes)
}

/// The pictures without those that are there before, value by value, and for each row its picture: a
/// folder of clip-retrieval's has a row for each caption. Nothing where no row is there twice.
fn once_each(pictures: &Vectors) -> Option<(Vec<f32>, Vec<Vec<usize>>)> {
    let (mut places, mut images, mut truth) = (HashMap::new(), Vec::new(), Vec::new());
    for row in pictures.values.chunks_exact(pictures.dim) {
        let bits: Vec<u32> = row.iter().map(|value| value.to_bits()).collect();
        let next = places.len();
        let place = *places.entry(bits).or_insert(next);
        if place == next {
            images.extend_from_slice(row);
        }
        truth.push(vec![place]);
    }
    (places.len() < truth.len()).then_some((images, truth))
}

/// For each text its pictures. As in Chinese-CLIP's programs all features are in the gallery, the
/// reference says who asks: a text that it does not know, or one without a picture, asks nothing.
fn relation(pictures: &Vectors, words: &Vectors, reference: &Path) -> Result<Vec<Vec<usize>>> {
    let images = places(pictures, "image_id")?;
    let texts = places(words, "text_id")?;
    let mut found = vec![Vec::new(); words.ids.len()];
    for (text, answers) in truth(reference, true)? {
        if answers.is_empty() {
            continue;
        }
        let missing =
            |what: &str, id: &str| format!("{}: {what} {id} has no feature", reference.display());
        let at = texts.get(&*text).with_context(|| missing("the text", &text))?;
        for image in &answers {
            let place = images.get(&**image).with_context(|| missing("the picture", image))?;
            found[*at].push(*place);
        }
        found[*at].sort_unstable();
    }
    let asked = found.iter().any(|images| !images.is_empty());
    ensure!(asked, "{}: no text has a picture", reference.display());
    Ok(found)
}

/// The row of each id.
fn places<'v>(vectors: &'v Vectors, key: &str) -> Result<HashMap<&'v str, usize>> {
    let mut places = HashMap::new();
    for (at, id) in vectors.ids.iter().enumerate() {
        if let Some(before) = places.insert(&**id, at) {
            bail!("the {key} {id} has two features, in rows {} and {}", before + 1, at + 1);
        }
    }
    Ok(places)
}
