//! CIDEr: how alike a caption and its references are in what is rare.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Item, ngrams};

/// Width of CIDEr-D's penalty of another length.
const SIGMA: f64 = 6.0;

/// Both forms of CIDEr of one caption, from 0 to 10.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cider {
    /// As in the paper: `10/(4m) Σ_n Σ_r cos(g_n(caption), g_n(reference r))` over the `m` references, `g_n` the
    /// vector of an n-gram's count times its rarity.
    pub plain: f64,
    /// CIDEr-D, against captions that repeat themselves: each element at most the reference's, times
    /// `exp(-Δ²/2σ²)` with `Δ` the difference in length and `σ = 6`.
    pub d: f64,
}

/// CIDEr of each caption, in their order; of several captions the mean counts.
///
/// An n-gram's rarity is `ln(pictures / max(1, pictures whose references have it))`, learned from the references
/// given here (coco-caption's `corpus`), so that numbers over different sets of pictures do not compare, and one
/// picture alone has 0.
///
/// Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation" (2015); `cider` and `ciderD` of
/// <https://github.com/vrama91/cider>. What coco-caption and pycocoevalcap call `CIDEr` is CIDEr-D, with the length
/// in bigrams, as it is here. Words are not stemmed, as in that code.
pub fn cider(items: &[Item<'_>]) -> Vec<Cider> {
    let rarity = Rarity::of(items);
    let of_item = |item: &Item<'_>| {
        let candidate = rarity.vectors(item.candidate);
        let mut sum = Cider::default();
        for reference in item.references {
            let found = alike(&candidate, &rarity.vectors(reference));
            sum.plain += found.plain;
            sum.d += found.d;
        }
        let share = 10.0 / item.references.len().max(1) as f64;
        Cider { plain: sum.plain * share, d: sum.d * share }
    };
    items.iter().map(of_item).collect()
}

/// How many pictures' references have an n-gram: what captions are weighed by, also those of other pictures.
pub struct Rarity<'a> {
    pictures: f64,
    having: HashMap<&'a [String], f64>,
}

/// The vectors of a text, one for each n, with their lengths.
pub struct Vectors<'a> {
    // Ordered, so that sums have the same bits every time.
    of_n: [BTreeMap<&'a [String], f64>; 4],
    norms: [f64; 4],
    bigrams: f64,
}

impl<'a> Rarity<'a> {
    fn of(items: &[Item<'a>]) -> Self {
        Self::of_references(items.iter().map(|item| item.references))
    }

    /// Of each picture's references.
    pub fn of_references(pictures: impl ExactSizeIterator<Item = &'a [Vec<String>]>) -> Self {
        let mut having: HashMap<&[String], f64> = HashMap::new();
        let count = pictures.len() as f64;
        for references in pictures {
            let all: HashSet<&[String]> = references
                .iter()
                .flat_map(|reference| (1..=4).flat_map(|n| reference.windows(n)))
                .collect();
            for ngram in all {
                *having.entry(ngram).or_default() += 1.0;
            }
        }
        Self { pictures: count, having }
    }

    /// A text as CIDEr sees it.
    pub fn vectors<'t>(&self, tokens: &'t [String]) -> Vectors<'t> {
        let of_n = std::array::from_fn(|at| {
            let weighted = ngrams(tokens, at + 1).into_iter().map(|(ngram, count)| {
                let having = self.having.get(ngram).copied().unwrap_or(0.0).max(1.0);
                (ngram, count as f64 * (self.pictures.ln() - having.ln()))
            });
            weighted.collect::<BTreeMap<_, _>>()
        });
        let norms = std::array::from_fn(|at| {
            let of_n: &BTreeMap<&[String], f64> = &of_n[at];
            of_n.values().map(|value| value * value).sum::<f64>().sqrt()
        });
        Vectors { of_n, norms, bigrams: tokens.len().saturating_sub(1) as f64 }
    }
}

impl Vectors<'_> {
    /// CIDEr of this text against a single reference, from 0 to 10.
    pub fn against(&self, reference: &Vectors<'_>) -> Cider {
        let found = alike(self, reference);
        Cider { plain: 10.0 * found.plain, d: 10.0 * found.d }
    }
}

/// The mean over n of two texts' cosines, without the factor of ten.
fn alike(candidate: &Vectors<'_>, reference: &Vectors<'_>) -> Cider {
    let mut sum = Cider::default();
    for n in 0..4 {
        let length = candidate.norms[n] * reference.norms[n];
        if length == 0.0 {
            continue;
        }
        let (mut plain, mut clipped) = (0.0, 0.0);
        for (ngram, value) in &candidate.of_n[n] {
            if let Some(other) = reference.of_n[n].get(ngram) {
                plain += value * other;
                clipped += value.min(*other) * other;
            }
        }
        sum.plain += plain / length;
        sum.d += clipped / length;
    }
    let delta = candidate.bigrams - reference.bigrams;
    let penalty = (-delta * delta / (2.0 * SIGMA * SIGMA)).exp();
    Cider { plain: sum.plain / 4.0, d: sum.d / 4.0 * penalty }
}
