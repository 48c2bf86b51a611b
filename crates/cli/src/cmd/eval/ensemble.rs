//! Several models as one.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, bail};
use tuwen_eval::fuse::{Member, Recipe, learn_weights};
use tuwen_sets::import::{self, DataSet};
use tuwen_sets::{Sample, relation};
use tuwen_train::{Embedded, embed_set};

use super::Args;
use crate::progress;
use crate::query::{Usage, note_lost, open_model};
use crate::terminal::note;

/// Among how many the shares that are learned look for the truth.
const FIRST: usize = 5;

/// The set as the models see it together.
pub fn embed(args: &Args, set: &DataSet, samples: &[Sample]) -> Result<Embedded> {
    let (models, weights) = (args.model.len(), args.weight.len());
    if weights != 0 && weights != models {
        bail!(Usage(format!("{weights} --weight for {models} --model: give one for each")));
    }
    let other = args.learn_weights.as_ref().map(|ids| others(set, ids, samples)).transpose()?;
    let (mut parts, mut other_parts) = (Vec::new(), Vec::new());
    for model in &args.model {
        let encoder = open_model(model, &args.text_args)?.with_dataset_text(args.dataset_text);
        let embed = |samples: &[Sample]| {
            let texts = relation::texts(samples).values().map(Vec::len).sum::<usize>();
            let bar = progress::bar(Some(samples.len() + texts), "pictures and texts");
            let embedded = embed_set(&encoder, samples, &|count| {
                bar.inc(count as u64);
                Ok(())
            });
            bar.finish_and_clear();
            embedded
        };
        parts.push(embed(samples)?);
        if let Some(other) = &other {
            other_parts.push(embed(other)?);
        }
        note_lost(&encoder);
    }
    let shares = match (&other, args.weight.is_empty()) {
        (Some(other), _) => learned(args, &other_parts, other.len()),
        (None, true) => vec![1.0; models],
        (None, false) => args.weight.clone(),
    };
    Ok(Embedded::joined(&parts.into_iter().zip(shares).collect::<Vec<_>>()))
}

/// The pictures that the shares are learned on.
fn others(set: &DataSet, ids: &Path, samples: &[Sample]) -> Result<Vec<Sample>> {
    let found = import::read(&DataSet { ids: Some(ids.to_path_buf()), ..set.clone() })?;
    let scored: HashSet<&String> = samples.iter().map(|sample| &sample.id).collect();
    if let Some(both) = found.iter().find(|sample| scored.contains(&sample.id)) {
        bail!(Usage(format!(
            "{}: `{}` is in --ids as well: shares learned on what is scored say nothing, give other pictures",
            ids.display(),
            both.id
        )));
    }
    Ok(found)
}

/// The shares that answer most captions, and a line about them.
fn learned(args: &Args, parts: &[Embedded], pictures: usize) -> Vec<f32> {
    let queries: Vec<Vec<f32>> = parts
        .iter()
        .map(|part| part.texts.values().flat_map(|texts| &texts.vectors).copied().collect())
        .collect();
    let members: Vec<Member<'_>> = parts
        .iter()
        .zip(&queries)
        .map(|(part, queries)| Member {
            queries,
            gallery: &part.images,
            dim: part.dim(),
            weight: 1.0,
        })
        .collect();
    let truth = parts.iter().take(1).flat_map(|part| part.texts.values());
    let truth: Vec<Vec<usize>> = truth.flat_map(|texts| &texts.truth).cloned().collect();
    let shares = learn_weights(&members, &truth, Recipe { top: FIRST, ..Recipe::default() });
    let named = args.model.iter().zip(&shares);
    let named: Vec<String> = named.map(|(model, share)| format!("{model} {share}")).collect();
    note!("shares learned on {pictures} other pictures: {}", named.join(", "));
    shares
}
