//! CLIPScore and RefCLIPScore, by any model.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use tuwen_encode::builtin;
use tuwen_eval::captions::{Measured, clip_score, mean, ref_clip_score};
use tuwen_index::exact;
use tuwen_sets::import::ImageIndex;
use tuwen_sets::{Caption, ImageSource, Sample};
use tuwen_train::embed_set;

use super::Args;
use super::read::Described;
use crate::progress;
use crate::query::{note_lost, open_model};

/// The sources of captions of the set that is embedded.
const CAPTION: &str = "caption";
const REFERENCE: &str = "reference";

/// What a model thinks of the captions.
#[derive(Serialize)]
pub(super) struct ClipScores {
    pub model: String,
    pub clip_score: Measured,
    pub ref_clip_score: Measured,
}

/// Scores all captions. They are taken as they are: "A photo depicts", which the paper writes before each, is
/// English and CLIP's.
pub(super) fn measure(args: &Args, images: &Path, set: &[Described]) -> Result<ClipScores> {
    let model = args.model.clone().unwrap_or_else(|| builtin::BUILT_IN.into());
    let index = ImageIndex::open(images)?;
    let samples = set.iter().map(|one| sample(&index, images, one)).collect::<Result<Vec<_>>>()?;
    let encoder = open_model(&model, &args.text_args)?;
    let texts: usize = set.iter().map(|one| 1 + one.references.len()).sum();
    let bar = progress::bar(Some(set.len() + texts), "pictures and texts");
    let embedded = embed_set(&encoder, &samples, &|count| {
        bar.inc(count as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    note_lost(&encoder);
    let dim = embedded.dim();
    let row = |vectors: &'_ [f32], at: usize| -> Vec<f32> { vectors[at * dim..][..dim].to_vec() };
    let captions = &embedded.texts[CAPTION];
    let references = &embedded.texts[REFERENCE];
    let of_picture = |truth: &[Vec<usize>]| -> Vec<Vec<usize>> {
        let mut all = vec![Vec::new(); set.len()];
        truth
            .iter()
            .enumerate()
            .for_each(|(text, of)| of.iter().for_each(|&at| all[at].push(text)));
        all
    };
    let (own, said) = (of_picture(&captions.truth), of_picture(&references.truth));
    let (mut scores, mut both) = (Vec::new(), Vec::new());
    for at in 0..set.len() {
        let caption = row(&captions.vectors, own[at][0]);
        let cosine = f64::from(exact::score(&caption, &row(&embedded.images, at)));
        let like =
            |&text: &usize| f64::from(exact::score(&caption, &row(&references.vectors, text)));
        let like: Vec<f64> = said[at].iter().map(like).collect();
        scores.push(clip_score(cosine));
        both.push(ref_clip_score(cosine, &like));
    }
    Ok(ClipScores { model, clip_score: mean(&scores), ref_clip_score: mean(&both) })
}

fn sample(index: &ImageIndex, images: &Path, one: &Described) -> Result<Sample> {
    let caption = |text: &String, source: &str| Caption {
        source: source.into(),
        ..Caption::new(text.as_str())
    };
    let references = one.references.iter().map(|text| caption(text, REFERENCE));
    Ok(Sample {
        id: one.id.clone(),
        image: picture(index, images, one)?,
        captions: std::iter::once(caption(&one.caption, CAPTION)).chain(references).collect(),
        split: None,
        metadata: BTreeMap::new(),
    })
}

/// The picture of an id; COCO writes numbers with twelve digits in names.
pub(super) fn picture(index: &ImageIndex, images: &Path, one: &Described) -> Result<ImageSource> {
    let number = one.id.parse::<u64>().ok().map(|number| format!("{number:012}"));
    for name in [one.name.as_ref(), Some(&one.id), number.as_ref()].into_iter().flatten() {
        if let Some(found) = index.find(name)? {
            return Ok(found);
        }
    }
    let name = one.name.as_ref().unwrap_or(&one.id);
    None.with_context(|| {
        format!(
            "{}: there is no picture `{name}`: give the folder or archive that has it",
            images.display()
        )
    })
}
