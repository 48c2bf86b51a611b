//! Captions of other pictures, which every decoder has to beat: the first caption of the nearest picture, and the caption
//! that captions of the nearest ones are most like (Devlin et al. 2015, <https://arxiv.org/abs/1505.04467>).

use rayon::prelude::*;
use tuwen_eval::captions::{Rarity, Vectors};

use super::words::cut;
use crate::heads::cache::Items;

/// Nearest pictures whose captions are compared.
const NEAREST: usize = 30;

/// For each of the pictures `asked` of the second set the caption of the nearest picture of the first one, and the
/// consensus of several; `known` has the first set's captions.
pub(super) fn captions(
    language: &str,
    known: &[Vec<String>],
    from: &Items,
    of: &Items,
    asked: &[usize],
) -> [Vec<String>; 2] {
    let words: Vec<Vec<Vec<String>>> = known
        .par_iter()
        .map(|all| all.iter().map(|caption| cut(language, caption)).collect())
        .collect();
    let rarity = Rarity::of_references(words.iter().map(Vec::as_slice));
    let one = |&picture: &usize| {
        let near = nearest(from, of.vector(picture), known);
        let own = near.iter().flat_map(|&at| (0..known[at].len()).map(move |text| (at, text)));
        let own: Vec<(usize, usize)> = own.collect();
        let vectors: Vec<Vectors<'_>> =
            own.iter().map(|&(at, text)| rarity.vectors(&words[at][text])).collect();
        let like = |one: usize| -> f64 {
            let others = vectors.iter().zip(&own).filter(|(_, (at, _))| *at != own[one].0);
            others.map(|(other, _)| vectors[one].against(other).d).sum()
        };
        let worth: Vec<f64> = (0..own.len()).map(like).collect();
        let best = (0..own.len()).max_by(|&a, &b| worth[a].total_cmp(&worth[b]).then(b.cmp(&a)));
        let text = |(at, text): (usize, usize)| known[at][text].clone();
        [text((near[0], 0)), text(own[best.expect("captions of the nearest")])]
    };
    let found: Vec<[String; 2]> = asked.par_iter().map(one).collect();
    [0, 1].map(|which| found.iter().map(|both| both[which].clone()).collect())
}

/// The pictures with captions whose vectors are most alike, of equals the first.
fn nearest(from: &Items, vector: &[f32], known: &[Vec<String>]) -> Vec<usize> {
    let cosine = |at: usize| from.vector(at).iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    let with_captions = (0..from.len()).filter(|&at| !known[at].is_empty());
    let mut all: Vec<(f32, usize)> = with_captions.map(|at| (cosine(at), at)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(NEAREST).map(|(_, at)| at).collect()
}
