//! The texts of a batch: which caption is drawn, what becomes of its tokens, and by which number it is known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{CaptionGroup, Plan};
use crate::{Caption, Sample};
use tuwen_files::Result;
use tuwen_image::rng::Rng;
use tuwen_text::prompt::Templates;
use tuwen_text::token::Tokens;

/// A text of a batch.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its tokens, without those that were left out.
    pub varied: Vec<u32>,
    /// All of them.
    pub whole: Vec<u32>,
    /// By which a batch knows it ([`super::Batch::text_ids`]).
    pub number: u64,
    /// Whether it is a name.
    pub is_name: bool,
}

impl Plan {
    /// A text as a batch has it: a name now and then in a sentence, tokens left out or hidden.
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn drawn(&self, text: &str, is_name: bool, rng: &mut Rng) -> Result<Drawn> {
        let number = self.text_id(text)?;
        let sentence;
        let text = if is_name && rng.chance(self.sentences) {
            let mut all = Templates::Auto.prompts(text);
            sentence = all.swap_remove(rng.below(all.len()));
            &sentence
        } else {
            text
        };
        let (whole, _) = self.tokens.encode(text, self.context)?;
        let mut varied = whole.clone();
        self.drop_tokens(&mut varied, rng);
        if let Some(mask) = self.tokens.mask() {
            for id in varied.iter_mut().filter(|id| !self.tokens.is_special(**id)) {
                if rng.chance(self.token_mask) {
                    *id = mask;
                }
            }
        }
        Ok(Drawn { varied, whole, number, is_name })
    }

    /// The number by which a batch knows a text ([`super::Batch::text_ids`]).
    ///
    /// # Errors
    /// The tokenizer's own failure.
    pub fn text_id(&self, text: &str) -> Result<u64> {
        Ok(number(&self.tokens.encode(text, self.context)?.0))
    }

    fn drop_tokens(&self, ids: &mut Vec<u32>, rng: &mut Rng) {
        if self.token_drop == 0.0 {
            return;
        }
        let whole = ids.clone();
        ids.retain(|&id| self.tokens.is_special(id) || !rng.chance(self.token_drop));
        if ids.iter().all(|&id| self.tokens.is_special(id)) {
            *ids = whole;
        } else if let Some(pad) = self.tokens.pad() {
            ids.resize(whole.len(), pad);
        }
    }
}

/// For each sample the numbers of its names (its texts with an id); empty where none has any.
///
/// # Errors
/// The tokenizer's own failure.
pub fn name_numbers(
    samples: &[Sample],
    tokens: &Tokens,
    context: usize,
) -> Result<Vec<Arc<HashSet<u64>>>> {
    let mut known = HashMap::new();
    let mut all = Vec::with_capacity(samples.len());
    for sample in samples {
        let names = sample.captions.iter().filter(|caption| caption.id.is_some());
        let mut numbers = HashSet::new();
        for name in names {
            numbers.insert(match known.get(&name.text) {
                Some(&number) => number,
                None => {
                    let found = number(&tokens.encode(&name.text, context)?.0);
                    known.insert(&name.text, found);
                    found
                }
            });
        }
        all.push(Arc::new(numbers));
    }
    Ok(if known.is_empty() { Vec::new() } else { all })
}

/// Equal tokens, equal numbers.
fn number(ids: &[u32]) -> u64 {
    Rng::new(&ids.iter().map(|&id| u64::from(id)).collect::<Vec<_>>()).next_u64()
}

/// A random caption: first the source by weight, then one of its captions evenly.
pub(super) fn draw<'a>(
    sample: &'a Sample,
    group: &CaptionGroup,
    rng: &mut Rng,
) -> Option<&'a Caption> {
    let of = |name: &str| sample.captions.iter().filter(|c| c.source == name).collect::<Vec<_>>();
    let pools: Vec<_> = group.sources.iter().map(|(name, weight)| (of(name), *weight)).collect();
    let pools: Vec<_> = pools.into_iter().filter(|(pool, _)| !pool.is_empty()).collect();
    let total: f32 = pools.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.range(0.0, total);
    let (last, _) = pools.last()?;
    let pool = pools.iter().find(|(_, weight)| {
        at -= weight;
        at < 0.0
    });
    let pool = pool.map_or(last, |(pool, _)| pool);
    Some(pool[rng.below(pool.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageSource;
    use tuwen_image::{Augment, Preprocess};

    fn plan(sentences: f32) -> Plan {
        Plan {
            seed: 1,
            batch: 2,
            sets: Vec::new(),
            pixels: false,
            groups: Vec::new(),
            tokens: Arc::new(Tokens::WordPiece { fold_width: true }),
            context: 30,
            token_mask: 0.0,
            token_drop: 0.0,
            sentences,
            duplicate_groups: Vec::new(),
            names: Vec::new(),
            augment: Augment::default(),
            preprocess: Preprocess::squash(16),
        }
    }

    #[test]
    fn a_name_in_a_sentence_is_known_by_the_name() {
        let mut rng = Rng::new(&[1]);
        let plain = plan(0.0).drawn("茶壶", true, &mut rng).expect("tokens");
        let mut longer = 0;
        for _ in 0..40 {
            let drawn = plan(1.0).drawn("茶壶", true, &mut rng).expect("tokens");
            assert_eq!((drawn.number, drawn.is_name), (plain.number, true));
            longer += usize::from(drawn.whole.len() > plain.whole.len());
        }
        assert!(longer > 30, "{longer} of 40 stand in a sentence");
        let caption = plan(1.0).drawn("茶壶", false, &mut rng).expect("tokens");
        assert_eq!(caption.whole, plain.whole, "a caption is a sentence already");
    }

    #[test]
    fn a_samples_names_are_its_texts_with_an_id() {
        let caption = |text: &str, id: Option<&str>| Caption {
            id: id.map(str::to_owned),
            ..Caption::new(text)
        };
        let sample = |captions: Vec<Caption>| Sample {
            id: "1".into(),
            image: ImageSource::File("1".into()),
            captions,
            split: None,
            metadata: Default::default(),
        };
        let tokens = Tokens::WordPiece { fold_width: true };
        let dog = || caption("dog", Some("dog"));
        let samples =
            [sample(vec![dog(), caption("狗", Some("狗"))]), sample(vec![caption("dog", None)])];
        let found = name_numbers(&samples, &tokens, 30).expect("numbers");
        assert_eq!((found[0].len(), found[1].len()), (2, 0));
        assert!(found[0].contains(&plan(0.0).text_id("dog").expect("a number")));
        assert!(name_numbers(&samples[1..], &tokens, 30).expect("numbers").is_empty());
    }
}
