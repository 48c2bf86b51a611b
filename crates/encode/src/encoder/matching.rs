//! The matching head that a model brings along (ALBEF, BLIP, BLIP-2, R2D2): texts and the rows of pictures to logits, and to the
//! scores by which its authors rank pictures.

use rayon::prelude::*;

use super::source::Multiplied;
use super::{CpuEncoder, failed, project};
use crate::towers::{FusionTower, Match};
use crate::{Batch, Encoder, Fusion, Output, Result, TextInput};
use tuwen_files::Error as DataError;

/// Pairs that go through the blocks on one thread at a time.
const PAIRS: usize = 4;

impl CpuEncoder {
    /// The matching head that the model brings along, where it does.
    pub fn fusion(&self) -> Option<Fusion> {
        self.config.fusion
    }

    /// For each pair of a text and a picture the score that orders pictures: [`Match::score`], and as much of the
    /// contrastive score as the model's authors add ([`Fusion::cosine`]). That is the cosine of the two vectors, `cosine` of
    /// a pair; of a model with queries the best one of the picture's queries, which is computed here.
    ///
    /// # Shapes
    /// `pictures`: of each one the rows that [`Self::match_rows`] gives, (P + 1, W); `pairs`: as in
    /// [`Self::match_logits`].
    ///
    /// # Errors
    /// As [`Self::match_logits`].
    ///
    /// # Panics
    /// As there.
    pub fn match_scores(
        &self,
        texts: &[TextInput],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
        cosine: impl Fn((usize, usize)) -> f32,
    ) -> tuwen_files::Result<Vec<f32>> {
        let matches = self.matches(texts, pictures, pairs)?;
        let share = self.fusion().map_or(0.0, |fusion| fusion.cosine);
        let cosines = match self.config.queries {
            Some(_) => self.contrasts(texts, pictures, pairs)?,
            None => pairs.iter().map(|&pair| cosine(pair)).collect(),
        };
        let one = |(pair, cosine): (Match, f32)| pair.score() + share * cosine;
        Ok(matches.into_iter().zip(cosines).map(one).collect())
    }

    /// Of each pair the best cosine of the picture's queries with the text, of a model that has such.
    fn contrasts(
        &self,
        texts: &[TextInput],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> tuwen_files::Result<Vec<f32>> {
        let Some(tower) = self.fusion_tower().map_err(failed)? else { return Ok(Vec::new()) };
        let (own, asked) = sides(pairs.iter().map(|pair| pair.0));
        let texts: Vec<TextInput> = own.into_iter().map(|at| texts[at].clone()).collect();
        let texts = self.forward(Batch::Texts(&texts), Output::Embedding)?;
        let (_, head) = self.image_tower().map_err(failed)?;
        let vectors = |at: usize| {
            let rows = tower.query_rows(&pictures[at..=at]);
            let count = rows.len() / self.patch_width();
            let vectors = project(rows, count, |tape, rows| match head {
                Some(head) => tape.linear(rows, head),
                None => rows.clone(),
            });
            self.sound(&vectors, count, |row| format!("query {} of a picture", row + 1))?;
            Ok::<_, DataError>(vectors)
        };
        let (own, seen) = sides(pairs.iter().map(|pair| pair.1));
        let queries: Vec<_> = own.into_par_iter().map(vectors).collect::<Result<_, _>>()?;
        let dim = self.config.embed_dim;
        let best = |(text, picture): (usize, usize)| {
            let text = &texts[text * dim..][..dim];
            let cosine = |query: &[f32]| query.iter().zip(text).map(|(a, b)| a * b).sum();
            queries[picture].chunks_exact(dim).map(cosine).fold(f32::NEG_INFINITY, f32::max)
        };
        Ok(asked.into_iter().zip(seen).map(best).collect())
    }

    /// For each pair of a text and a picture the logits of no match and of a match. Of a text in several pieces the first
    /// one is looked at.
    ///
    /// # Shapes
    /// `pictures`: of each one the rows that [`Self::match_rows`] gives, (P + 1, W); `pairs`: places among the texts and
    /// among the pictures, best sorted by picture, whose keys and values neighbours share.
    ///
    /// # Errors
    /// The model has no such head, a file cannot be read, or its weights are damaged.
    ///
    /// # Panics
    /// A pair names a text or picture that is not there.
    pub fn match_logits(
        &self,
        texts: &[TextInput],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> tuwen_files::Result<Vec<[f32; 2]>> {
        let found = self.matches(texts, pictures, pairs)?;
        Ok(found.into_iter().map(|pair| pair.text).collect())
    }

    /// What the head says of each pair.
    fn matches(
        &self,
        texts: &[TextInput],
        pictures: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> tuwen_files::Result<Vec<Match>> {
        let Some(tower) = self.fusion_tower().map_err(failed)? else {
            let name = &self.config.name;
            return Err(DataError::Encode(format!("{name} has no matching head of its own")));
        };
        // The head's blocks run on the host, and with them those of the text tower that it goes through.
        let text = match &self.executor {
            Some(_) => self.text_side(&self.traced_text, true),
            None => self.text_tower(),
        };
        let (text, _) = text.map_err(failed)?;
        let first = |text: &TextInput| text.pieces.first().cloned().unwrap_or_default();
        let ids: Vec<Vec<u32>> = texts.iter().map(first).collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let some = |pairs: &[(usize, usize)]| {
            // Of these pairs alone.
            let (own, texts) = sides(pairs.iter().map(|pair| pair.0));
            let ids: Vec<&[u32]> = own.into_iter().map(|at| ids[at]).collect();
            let (own, seen) = sides(pairs.iter().map(|pair| pair.1));
            let rows: Vec<&[f32]> = own.into_iter().map(|at| pictures[at]).collect();
            let pairs: Vec<_> = texts.into_iter().zip(seen).collect();
            tower.try_matches(text, &ids, &rows, &pairs).map_err(failed)
        };
        // A picture that looks at texts has all its rows in each pair.
        let chunks = match self.config.fusion.is_some_and(|fusion| fusion.both_ways) {
            true => pairs.chunks(PAIRS).collect(),
            false => chunks(pairs),
        };
        let parts: Vec<_> = chunks.into_par_iter().map(some).collect::<Result<_, _>>()?;
        let found = parts.concat();
        let sound = |pair: &Match| {
            pair.text.iter().chain(pair.picture.iter().flatten()).all(|v| v.is_finite())
        };
        match found.iter().all(sound) {
            true => Ok(found),
            false => Err(DataError::Encode(format!(
                "{}: its matching head gives what is not finite: its weights are damaged; fetch the model again",
                self.config.name
            ))),
        }
    }

    fn fusion_tower(&self) -> Result<Option<&FusionTower<'static>>> {
        if self.fusion.get().is_none() {
            let found = FusionTower::find(
                &self.config,
                Multiplied { executor: None, ..self.weights(false) },
            )?;
            let _ = self.fusion.set(found);
        }
        Ok(self.fusion.get().expect("just set").as_ref())
    }
}

/// The items that pairs name, each once, and for each pair which of these.
fn sides(named: impl Iterator<Item = usize> + Clone) -> (Vec<usize>, Vec<usize>) {
    let mut own: Vec<usize> = named.clone().collect();
    own.sort_unstable();
    own.dedup();
    let place = |at: usize| own.binary_search(&at).expect("it is named");
    let places = named.map(place).collect();
    (own, places)
}

/// Neighbouring pairs, at least [`PAIRS`] of them: those of one picture stay together, whose keys and values are made once.
fn chunks(pairs: &[(usize, usize)]) -> Vec<&[(usize, usize)]> {
    let (mut all, mut rest) = (Vec::new(), pairs);
    while !rest.is_empty() {
        let least = PAIRS.min(rest.len());
        let last = rest[least - 1].1;
        let more = rest[least..].iter().take_while(|pair| pair.1 == last).count();
        let (own, others) = rest.split_at(least + more);
        all.push(own);
        rest = others;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn pairs_of_one_picture_stay_together() {
        let pairs: Vec<(usize, usize)> =
            [0, 1, 1, 2, 2, 2, 2, 3, 4].into_iter().enumerate().collect();
        let found: Vec<usize> = chunks(&pairs).iter().map(|some| some.len()).collect();
        assert_eq!(found, [7, 2]);
        assert!(chunks(&[]).is_empty());
    }
}
