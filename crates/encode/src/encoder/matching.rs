//! The matching head that a model brings along (ALBEF, BLIP): texts and the rows of pictures to logits.

use rayon::prelude::*;

use super::source::Multiplied;
use super::{CpuEncoder, failed};
use crate::towers::FusionTower;
use crate::{Fusion, Result, TextInput};
use tuwen_files::Error as DataError;

/// Pairs that go through the blocks on one thread at a time.
const PAIRS: usize = 4;

impl CpuEncoder {
    /// The matching head that the model brings along, where it does.
    pub fn fusion(&self) -> Option<Fusion> {
        self.config.fusion
    }

    /// For each pair of a text and a picture the logits of no match and of a match. Of a text in several pieces the first
    /// one is looked at.
    ///
    /// # Shapes
    /// `pictures`: of each one the rows that [`Self::image_tokens`] gives, (P + 1, W); `pairs`: places among the texts and
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
            tower.try_logits(text, &ids, &rows, &pairs).map_err(failed)
        };
        let parts: Vec<_> = chunks(pairs).into_par_iter().map(some).collect::<Result<_, _>>()?;
        let logits = parts.concat();
        match logits.iter().flatten().all(|logit| logit.is_finite()) {
            true => Ok(logits),
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
