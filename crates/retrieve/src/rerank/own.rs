//! The matching head that a model brings along (BLIP, BLIP-2): it reads all rows of a picture as the image tower gives them, which no
//! gallery keeps, so that they are computed for each search.

use std::sync::Arc;

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_image::RgbImage;

use super::store::fitted_items;
use super::{Asked, Candidate, Reranker, Scores};
use crate::Result;

/// Pictures whose rows are in memory together: of a ViT-B/16 at 384 pixels one has 1.8 MB.
const BATCH: usize = 16;

/// See the module.
pub struct OwnReranker {
    encoder: Arc<CpuEncoder>,
}

impl OwnReranker {
    /// The matching head of `encoder`, which has one.
    pub fn new(encoder: Arc<CpuEncoder>) -> Self {
        Self { encoder }
    }
}

impl Reranker for OwnReranker {
    fn name(&self) -> String {
        "itm".into()
    }

    fn score(&self, query: Asked<'_>, items: &[Candidate]) -> Result<Scores> {
        let text = self.encoder.tokenise(query.words)?;
        let (mut values, mut failed) = (vec![None; items.len()], Vec::new());
        let mut rows = 0;
        for (batch, some) in items.chunks(BATCH).enumerate() {
            let files: Vec<_> = some.iter().map(|candidate| &candidate.item).collect();
            let (mut places, mut pictures): (Vec<usize>, Vec<RgbImage>) = Default::default();
            for (at, picture) in fitted_items(&self.encoder, &files).into_iter().enumerate() {
                match picture {
                    Ok(picture) => {
                        places.push(batch * BATCH + at);
                        pictures.push(picture);
                    }
                    Err(error) => failed.push(error),
                }
            }
            if pictures.is_empty() {
                continue;
            }
            let found = self.encoder.match_rows(&pictures)?;
            let seen: Vec<&[f32]> = found.rows().collect();
            rows = seen[0].len() / found.width;
            let pairs: Vec<(usize, usize)> = (0..seen.len()).map(|at| (0, at)).collect();
            let text = std::slice::from_ref(&text);
            let cosine = |(_, at): (usize, usize)| items[places[at]].cosine;
            let scores = self.encoder.match_scores(text, &seen, &pairs, cosine)?;
            places.iter().zip(scores).for_each(|(&at, score)| values[at] = Some(score));
        }
        let mut remarks = vec![format!(
            "the {rows} rows of each of {} reranked photos were computed for this search: the model's own matching head \
             reads all of them, and a gallery does not keep them",
            items.len() - failed.len(),
        )];
        if let Some(first) = failed.first() {
            remarks.push(format!(
                "{} of {} photos could not be looked at again and stand behind the others ({first})",
                failed.len(),
                items.len()
            ));
        }
        Ok(Scores { values, remarks })
    }
}
