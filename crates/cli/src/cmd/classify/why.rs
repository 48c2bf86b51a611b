//! Why a picture is the label that it is said to be: a map of what makes it this one rather than the others, in a file for
//! each picture.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_eval::classify::ranking;
use tuwen_explain::{Method, Settings, explain_direction};
use tuwen_image::{Limits, decode_file};

use super::{Args, Classified};
use crate::cmd::explain::file::Kind;
use crate::cmd::explain::{Shown, usage};
use crate::output::OutputFolder;
use crate::progress;
use crate::query::Usage;
use crate::terminal::note;

/// Files that are written at most: nobody looks at more, and each is a backward pass and a picture.
const MOST: usize = 1000;
/// Other labels that a title names.
const NAMED: usize = 3;

/// The folder, checked before the work.
pub(super) fn plan(args: &Args) -> Result<Option<OutputFolder>> {
    let Some(folder) = &args.explain else { return Ok(None) };
    let inputs: Vec<&Path> = args.paths.iter().map(|path| path.as_path()).collect();
    Ok(Some(OutputFolder::plan(folder, &inputs, args.force)?))
}

/// Refuses a method that the model, or a class, cannot be explained by, before anything is classified.
pub(super) fn check(args: &Args, encoder: &CpuEncoder) -> Result<()> {
    let Some(method) = args.method.filter(|_| args.explain.is_some()) else { return Ok(()) };
    method.check(encoder.config()).map_err(usage)?;
    tuwen_explain::explains_direction(method).map_err(usage)
}

/// A page for each picture.
pub(super) fn write(
    args: &Args,
    mut folder: OutputFolder,
    encoder: &CpuEncoder,
    labels: &[String],
    weights: &[f32],
    found: &[Classified],
) -> Result<()> {
    if found.len() > MOST {
        bail!(Usage(format!(
            "--explain: {} pictures are too many: {MOST} are the limit",
            found.len()
        )));
    }
    let method = args.method.unwrap_or_else(|| Method::usual(encoder.config()));
    let settings = Settings::new(method);
    let bar = progress::bar(Some(found.len()), "explanations");
    let mut names = HashSet::new();
    for one in found {
        let order = ranking(&one.probabilities);
        let toward = toward(&one.probabilities, order[0], weights, encoder.dim());
        let picture = decode_file(&one.path, Limits::default());
        let picture = picture.with_context(|| one.path.display().to_string())?;
        let square = encoder.preprocess().fit(&picture);
        let (width, height) = picture.dimensions();
        let why = explain_direction(encoder, &square, &toward, &settings).map_err(usage)?;
        let others: Vec<&str> =
            order[1..].iter().take(NAMED).map(|&label| labels[label].as_str()).collect();
        let others = others.join(", ");
        let shown = Shown {
            explanation: &why,
            picture: &picture.into_rgb(),
            window: encoder.preprocess().window(width, height),
            text: &labels[order[0]],
            against: Some(others.as_str()).filter(|others| !others.is_empty()),
            model: encoder.name(),
            score: "cosine",
        };
        let name = name_of(&one.path, &mut names);
        folder.write(&name, &Kind::Page.bytes(&shown, &one.path, None)?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    note!("why each picture has its label is shown in {}", folder.join("").display());
    Ok(())
}

/// The label's vector less those of the others, each by how probable it is among them: the direction in which the
/// label's odds grow fastest.
fn toward(probabilities: &[f32], best: usize, weights: &[f32], dim: usize) -> Vec<f32> {
    let mut toward = weights[best * dim..][..dim].to_vec();
    let rest: f32 = probabilities.iter().sum::<f32>() - probabilities[best];
    for (label, row) in weights.chunks_exact(dim).enumerate().filter(|(label, _)| *label != best) {
        // All others may be as good as impossible, and then equally so.
        let share = match rest > 1e-12 {
            true => probabilities[label] / rest,
            false => 1.0 / (probabilities.len() - 1) as f32,
        };
        toward.iter_mut().zip(row).for_each(|(toward, value)| *toward -= share * value);
    }
    toward
}

/// The picture's name with `.html`; a number where another folder's picture has it too.
fn name_of(path: &Path, taken: &mut HashSet<String>) -> String {
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}.html");
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{stem}-{number}.html");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_held_against_the_others_by_their_probabilities() {
        let weights = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
        let found = toward(&[0.5, 0.4, 0.1], 0, &weights, 2);
        assert!((found[0] - (1.0 - 0.2 * 0.6)).abs() < 1e-6, "{found:?}");
        assert!((found[1] + 0.8 + 0.2 * 0.8).abs() < 1e-6, "{found:?}");
        let sure = toward(&[1.0, 0.0, 0.0], 0, &weights, 2);
        assert!((sure[1] + 0.9).abs() < 1e-6, "{sure:?}");
        assert_eq!(toward(&[1.0], 0, &[0.6, 0.8], 2), [0.6, 0.8]);
    }

    #[test]
    fn pictures_of_one_name_have_files_of_their_own() {
        let mut taken = HashSet::new();
        let mut name = |path: &str| name_of(Path::new(path), &mut taken);
        assert_eq!(name("a/dog.jpg"), "dog.jpg.html");
        assert_eq!(name("b/dog.jpg"), "dog.jpg-2.html");
    }
}
