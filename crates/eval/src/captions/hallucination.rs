//! CHAIR: objects that a caption names and that are not in its picture.

use serde::Serialize;

use super::report::Measured;
use crate::metrics::percentiles;

/// How much is made up.
///
/// Rohrbach et al., "Object Hallucination in Image Captioning" (2018). There the objects are COCO's 80 with the
/// authors' list of synonyms, and what the references name is true as well; here they are those of the labels that
/// the caller has, and only the labels are true.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hallucination {
    /// Mentions of objects in all captions.
    pub mentions: usize,
    /// Share of the mentions whose object is not in the picture (CHAIRi).
    pub of_mentions: Measured,
    /// Share of the captions that name at least one such object (CHAIRs).
    pub of_captions: Measured,
}

impl Hallucination {
    /// From each caption's mentions: whether what is named is in the picture.
    pub fn new(captions: &[Vec<bool>]) -> Self {
        let false_ones = |mentions: &Vec<bool>| mentions.iter().filter(|there| !**there).count();
        let of_mentions: Vec<[f64; 2]> = captions
            .iter()
            .map(|mentions| [false_ones(mentions) as f64, mentions.len() as f64])
            .collect();
        let of_captions: Vec<[f64; 2]> = captions
            .iter()
            .map(|mentions| [f64::from(u8::from(false_ones(mentions) > 0)), 1.0])
            .collect();
        Self {
            mentions: captions.iter().map(Vec::len).sum(),
            of_mentions: share(&of_mentions),
            of_captions: share(&of_captions),
        }
    }
}

fn share(sums: &[[f64; 2]]) -> Measured {
    let ratio = |[part, whole]: [f64; 2]| if whole == 0.0 { 0.0 } else { part / whole };
    let all = sums.iter().fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    Measured { value: ratio(all), interval: percentiles(sums, ratio) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_and_captions_are_counted_apart() {
        // Five mentions of which two are false, in one of four captions.
        let captions = [vec![true, false, false], vec![true], vec![], vec![true]];
        let found = Hallucination::new(&captions);
        assert_eq!(found.mentions, 5);
        assert_eq!((found.of_mentions.value, found.of_captions.value), (0.4, 0.25));
        assert!(found.of_captions.interval[0] <= 0.25 && found.of_captions.interval[1] >= 0.25);
        assert_eq!(Hallucination::new(&[vec![]]).of_mentions.value, 0.0);
    }
}
