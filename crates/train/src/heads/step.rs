//! One training step of each head, up to the gradients.

use rayon::prelude::*;
use tuwen_matching::{Heads, Pair, Patches, Spanned, spans_of};
use tuwen_nn::{Arrays, Pairs, Tape, Value, grads};

use super::config::ItmLoss;

/// Photos of one tape.
const PHOTOS: usize = 8;
/// Anchors of the matching head, each with its negatives, of one tape.
const ANCHORS: usize = 2;

/// Rows of several items, standardised, one item behind the other.
pub(super) struct Rows {
    pub(super) values: Vec<f32>,
    pub(super) lengths: Vec<usize>,
}

/// A batch of late interaction: photo i belongs to text i.
pub(super) struct LateBatch {
    pub(super) photos: Rows,
    pub(super) texts: Rows,
    /// Which pairs belong together, texts by photos.
    pub(super) pairs: Pairs,
}

/// What is minimised beside the contrastive loss.
#[derive(Clone, Copy)]
pub(super) struct Margin {
    pub(super) by: f32,
    pub(super) weight: f32,
}

/// Loss and gradients of late interaction.
pub(super) fn late(heads: &Heads<'_>, batch: &LateBatch, margin: Margin) -> (f32, Arrays) {
    let (patch_width, word_width) = (heads.config().patch_width, heads.config().word_width);
    let mut start = 0;
    let parts = batch.photos.lengths.chunks(PHOTOS).map(|lengths| {
        let len = lengths.iter().sum::<usize>() * patch_width;
        start += len;
        &batch.photos.values[start - len..start]
    });
    let project = |rows: &[f32]| {
        let mut tape = Tape::recording();
        let x = tape.leaf(rows.to_vec(), patch_width, false);
        let y = heads.patch_rows(&mut tape, &x);
        (tape, y)
    };
    let photos: Vec<(Tape<'_>, Value)> =
        parts.collect::<Vec<_>>().into_par_iter().map(project).collect();
    let text_spans = spans_of(batch.texts.lengths.iter().copied());
    let mut text_tape = Tape::recording();
    let x = text_tape.leaf(batch.texts.values.clone(), word_width, false);
    let words = heads.word_rows(&mut text_tape, &x);
    let shares = heads.shares(&mut text_tape, &x, &text_spans);

    let mut tape = Tape::recording();
    let dim = heads.config().dim;
    let all: Vec<f32> = photos.iter().flat_map(|(_, y)| y.iter().copied()).collect();
    let leaves = Leaves {
        patches: tape.leaf(all, dim, true),
        words: tape.leaf(words.to_vec(), dim, true),
        shares: shares.as_ref().map(|shares| tape.leaf(shares.to_vec(), 1, true)),
        scale: tape.leaf(heads.scale().expect("a late head").values.to_vec(), 1, true),
    };
    let photo_spans = spans_of(batch.photos.lengths.iter().copied());
    let texts = Spanned { rows: &leaves.words, spans: &text_spans };
    let patches = Spanned { rows: &leaves.patches, spans: &photo_spans };
    let scores = heads.late_scores(&mut tape, texts, leaves.shares.as_ref(), patches);
    let loss = late_loss(&mut tape, &scores, &leaves.scale, batch, margin);
    let number = loss[0];
    let (mut sums, mut found) = grads::collect(vec![tape], |tape, grads| {
        let mut found = tape.backward(vec![(&loss, vec![1.0])], grads);
        let mut take = |leaf: &Value| found.take(leaf).unwrap_or_else(|| vec![0.0; leaf.len()]);
        let scale = take(&leaves.scale);
        grads.put("late.scale", &[1], |out| out.copy_from_slice(&scale));
        (take(&leaves.patches), take(&leaves.words), leaves.shares.as_ref().map(take))
    });
    let (dpatches, dwords, dshares) = found.pop().expect("of the one tape");
    let mut start = 0;
    let chunks = photos.into_iter().map(|(tape, y)| {
        start += y.len();
        (tape, dpatches[start - y.len()..start].to_vec(), y)
    });
    let backward = |(tape, grad, y): (Tape<'_>, Vec<f32>, Value), grads: &mut grads::Grads<'_>| {
        tape.backward(vec![(&y, grad)], grads);
    };
    sums.accumulate(grads::collect(chunks.collect(), backward).0);
    let (text, _) = grads::collect(vec![text_tape], |tape, grads| {
        let mut given = vec![(&words, dwords.clone())];
        if let (Some(shares), Some(dshares)) = (&shares, &dshares) {
            given.push((shares, dshares.clone()));
        }
        tape.backward(given, grads);
    });
    sums.accumulate(text);
    (number, sums)
}

struct Leaves {
    patches: Value,
    words: Value,
    shares: Option<Value>,
    scale: Value,
}

fn late_loss(
    tape: &mut Tape<'_>,
    scores: &Value,
    scale: &Value,
    batch: &LateBatch,
    margin: Margin,
) -> Value {
    let logits = tape.scale(scores, scale);
    let contrastive = tape.contrastive(&logits, &batch.pairs, 0.0);
    if margin.weight == 0.0 {
        return contrastive;
    }
    let triplet = tape.triplet(scores, &batch.pairs, margin.by);
    tape.total(&[(contrastive, 1.0), (triplet, margin.weight)])
}

/// A text with its photo, and what belongs to neither.
pub(super) struct Anchor<'p> {
    /// Standardised words of the text.
    pub(super) text: Vec<f32>,
    /// The photo.
    pub(super) photo: &'p Patches,
    /// Photos that the text does not describe.
    pub(super) photos: Vec<&'p Patches>,
    /// Texts that do not describe the photo.
    pub(super) texts: Vec<Vec<f32>>,
}

/// Loss and gradients of the matching head.
pub(super) fn itm(heads: &Heads<'_>, anchors: &[Anchor<'_>], loss: ItmLoss) -> (f32, Arrays) {
    let all = anchors.len() as f32;
    let forward = |some: &[Anchor<'_>]| {
        let mut tape = Tape::recording();
        let own = of_anchors(heads, &mut tape, some, loss);
        let share = tape.total(&[(own, some.len() as f32 / all)]);
        (tape, share)
    };
    let tapes: Vec<(Tape<'_>, Value)> = anchors.par_chunks(ANCHORS).map(forward).collect();
    let total = tapes.iter().map(|(_, loss)| loss[0]).sum();
    let (sums, _) = grads::collect(tapes, |(tape, loss), grads| {
        tape.backward(vec![(&loss, vec![1.0])], grads);
    });
    (total, sums)
}

/// The mean loss of some anchors.
fn of_anchors<'w>(
    heads: &'w Heads<'_>,
    tape: &mut Tape<'w>,
    anchors: &[Anchor<'_>],
    loss: ItmLoss,
) -> Value {
    let matcher = heads.matcher().expect("a matching head");
    let (width, dim, count) =
        (heads.config().word_width, heads.config().dim, heads.config().patches);
    let (mut words, mut patches, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    let mut photos = 0;
    for anchor in anchors {
        let mut text = |rows: &[f32]| {
            let start = words.len() / width;
            words.extend_from_slice(rows);
            start..words.len() / width
        };
        let own = text(&anchor.text);
        let others: Vec<_> = anchor.texts.iter().map(|rows| text(rows)).collect();
        let first = photos;
        for photo in std::iter::once(anchor.photo).chain(anchor.photos.iter().copied()) {
            patches.extend(photo.rows());
            pairs.push(Pair { words: own.clone(), patches: photos * count..(photos + 1) * count });
            photos += 1;
        }
        let photo = first * count..(first + 1) * count;
        pairs.extend(others.into_iter().map(|words| Pair { words, patches: photo.clone() }));
    }
    let text = tape.leaf(words, width, false);
    let patches = tape.leaf(patches, dim, false);
    let logits = matcher.logits(tape, &text, &patches, &pairs);
    let (wrong, each) = (anchors[0].photos.len(), pairs.len() / anchors.len());
    match loss {
        ItmLoss::Binary => {
            let truth = (0..pairs.len()).map(|at| Some(at % each == 0)).collect();
            tape.sigmoid(&logits, &Pairs { truth, columns: 1 })
        }
        ItmLoss::Ranking => {
            let mut one = |places: &dyn Fn(usize) -> Vec<usize>| {
                let rows: Vec<usize> = (0..anchors.len()).flat_map(places).collect();
                let columns = rows.len() / anchors.len();
                let picked = tape.pick(&logits, rows);
                let picked = tape.rows_of(picked, columns);
                let right = |at: usize| if at.is_multiple_of(columns) { 1.0 } else { 0.0 };
                let targets: Vec<f32> = (0..picked.len()).map(right).collect();
                tape.cross_entropy(&picked, &targets)
            };
            let photos = one(&|at| (at * each..at * each + 1 + wrong).collect());
            let texts = one(&|at| {
                let others = at * each + 1 + wrong..(at + 1) * each;
                std::iter::once(at * each).chain(others).collect()
            });
            tape.total(&[(photos, 0.5), (texts, 0.5)])
        }
    }
}
