//! Features that another program made: `.jsonl` as Chinese-CLIP writes them, `.npy`, or `.fbin`.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tuwen_eval::{Ask, Direction, Ranking, Report, evaluate, rank_all};

use super::super::eval;
use super::predictions::{id, truth};

/// Vectors with their ids, made to unit length.
struct Features {
    ids: Vec<String>,
    values: Vec<f32>,
    dim: usize,
}

/// Scores and prints.
pub(super) fn run(
    [images, texts]: [&Path; 2],
    labels: Option<(&Path, &Path)>,
    reference: Option<&Path>,
    json: bool,
) -> Result<()> {
    let (pictures, words) =
        (Features::read(images, "image_id")?, Features::read(texts, "text_id")?);
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
            by_class((&pictures, &of_pictures), (&words, &of_words))
        }
        None => by_pairs(&pictures, &words, reference)?,
    };
    let name = texts.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let reports = BTreeMap::from([(name, report)]);
    if json {
        println!("{}", serde_json::to_string(&reports)?);
    } else {
        eval::print(&reports);
    }
    Ok(())
}

fn by_pairs(pictures: &Features, words: &Features, reference: Option<&Path>) -> Result<Report> {
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

/// Whatever has the same class is right.
fn by_class(pictures: (&Features, &[String]), words: (&Features, &[String])) -> Report {
    let direction = |(queries, asked): (&Features, &[String]),
                     (gallery, given): (&Features, &[String])| {
        let mut members: HashMap<&String, Vec<usize>> = HashMap::new();
        given.iter().enumerate().for_each(|(at, class)| members.entry(class).or_default().push(at));
        let truth = |class: &String| members.get(class).cloned().unwrap_or_default();
        let truth: Vec<Vec<usize>> = asked.iter().map(truth).collect();
        let ranked =
            rank_all(&queries.values, &gallery.values, queries.dim, &truth, Ranking::default());
        Direction::new(&ranked, Ask { gallery: given.len(), cutoffs: &[], clusters: &[] })
    };
    let (text_to_image, image_to_text) = (direction(words, pictures), direction(pictures, words));
    let six = text_to_image.recall.iter().chain(&image_to_text.recall).sum::<f64>();
    Report { text_to_image, image_to_text, mean_recall: six / 6.0 }
}

/// Texts with a picture, and for each of them its picture.
fn owners(
    pictures: &Features,
    words: &Features,
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

impl Features {
    fn read(path: &Path, key: &str) -> Result<Self> {
        let mut found = match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Self::npy(path)?,
            Some("fbin") => Self::fbin(path)?,
            _ => Self::jsonl(path, key)?,
        };
        for (row, id) in found.values.chunks_exact_mut(found.dim).zip(&found.ids) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            ensure!(
                length.is_finite() && length > 0.0,
                "{}: the feature of {id} is {}: a model never gives that",
                path.display(),
                if length == 0.0 { "all zeros" } else { "no number" }
            );
            row.iter_mut().for_each(|value| *value /= length);
        }
        Ok(found)
    }

    fn jsonl(path: &Path, key: &str) -> Result<Self> {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        let mut out = Self { ids: Vec::new(), values: Vec::new(), dim: 0 };
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let place = || format!("{}, line {}", path.display(), number + 1);
            let object: Value =
                serde_json::from_str(&line.with_context(place)?).with_context(place)?;
            let name = id(&object[key]).with_context(|| format!("{}: no `{key}`", place()))?;
            let feature: Vec<f32> = serde_json::from_value(object["feature"].clone())
                .with_context(|| format!("{}: `feature`", place()))?;
            ensure!(
                !feature.is_empty() && (out.dim == 0 || out.dim == feature.len()),
                "{}: {} values, the lines before have {}",
                place(),
                feature.len(),
                out.dim
            );
            out.dim = feature.len();
            out.ids.push(name);
            out.values.extend(feature);
        }
        ensure!(!out.ids.is_empty(), "{}: there is no feature", path.display());
        Ok(out)
    }

    /// big-ann's format: the numbers of rows and columns as u32, then the values as f32.
    fn fbin(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let (words, rest) = bytes.as_chunks::<4>();
        let number = |at: usize| words.get(at).map_or(0, |&word| u32::from_le_bytes(word) as usize);
        let (rows, dim) = (number(0), number(1));
        ensure!(
            dim > 0 && rest.is_empty() && rows.checked_mul(dim) == words.len().checked_sub(2),
            "{}: {} values for {rows} rows of {dim}",
            path.display(),
            words.len().saturating_sub(2)
        );
        let values = words[2..].iter().map(|&word| f32::from_le_bytes(word)).collect();
        Ok(Self { ids: (0..rows).map(|row| row.to_string()).collect(), values, dim })
    }

    /// NumPy's format, <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>: f4 or
    /// f2, little-endian, (n, d) row by row. Ids are the rows' numbers.
    fn npy(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let Some((b"\x93NUMPY", rest)) = bytes.split_first_chunk::<6>() else {
            bail!(wrong("no .npy file"));
        };
        let (len, start) = match rest {
            [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
            [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
            _ => bail!(wrong("an unknown version of .npy")),
        };
        let header = bytes.get(start..start + len).with_context(|| wrong("it is cut short"))?;
        let header = String::from_utf8_lossy(header);
        ensure!(
            header.contains("'fortran_order': False"),
            wrong("its columns lie together; save it in C order")
        );
        let shape = header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')'));
        let shape = shape.with_context(|| wrong("its header has no shape"))?.0;
        let sizes: Result<Vec<usize>, _> =
            shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect();
        let Ok([rows, dim]) = sizes.as_deref() else {
            bail!(wrong(&format!("its shape is ({shape}); (n, d) is needed")));
        };
        let (rows, dim) = (*rows, *dim);
        let half = header.contains("'<f2'");
        ensure!(half || header.contains("'<f4'"), wrong("its values are not f4 or f2"));
        let data = &bytes[start + len..];
        let width = if half { 2 } else { 4 };
        ensure!(dim > 0 && data.len() == rows * dim * width, wrong("it is cut short"));
        let values = if half {
            data.as_chunks::<2>().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect()
        } else {
            data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
        };
        Ok(Self { ids: (0..rows).map(|row| row.to_string()).collect(), values, dim })
    }
}
