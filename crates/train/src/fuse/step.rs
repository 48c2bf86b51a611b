//! One training step of a fuser, up to the gradients.

use rayon::prelude::*;
use tuwen_matching::Fuser;
use tuwen_nn::{Arrays, Tape, Value, grads};

use super::draw::Batch;

/// Rows of one tape.
const ROWS: usize = 64;
/// The name of the logits' scale, which is no weight of the fuser.
pub(super) const SCALE: &str = "scale";

/// Loss and gradients: the joined rows and what belongs to them find each other among all of the batch, both ways.
pub(super) fn gradients(fuser: &Fuser<'_>, batch: &Batch, log_scale: f32) -> (f32, Arrays) {
    let dim = fuser.config().dim;
    let join = |(images, texts): (&[f32], &[f32])| {
        let mut tape = Tape::recording();
        let image = tape.leaf(fuser.standard(false, images), dim, false);
        let text = tape.leaf(fuser.standard(true, texts), dim, false);
        let y = fuser.join(&mut tape, &image, &text, 0.5);
        (tape, y)
    };
    let parts = batch.images.par_chunks(ROWS * dim).zip(batch.texts.par_chunks(ROWS * dim));
    let joined: Vec<(Tape<'_>, Value)> = parts.map(join).collect();

    let mut tape = Tape::recording();
    let all: Vec<f32> = joined.iter().flat_map(|(_, y)| y.iter().copied()).collect();
    let rows = tape.leaf(all, dim, true);
    let others = tape.leaf(batch.others.clone(), dim, false);
    let scale = tape.leaf(vec![log_scale], 1, true);
    let cosines = tape.products(&others, &rows);
    let logits = tape.scale(&cosines, &scale);
    let loss = tape.contrastive(&logits, &batch.pairs, 0.0);
    let number = loss[0];
    let (mut sums, mut found) = grads::collect(vec![tape], |tape, grads| {
        let mut found = tape.backward(vec![(&loss, vec![1.0])], grads);
        let mut take = |leaf: &Value| found.take(leaf).unwrap_or_else(|| vec![0.0; leaf.len()]);
        let slope = take(&scale);
        grads.put(SCALE, &[1], |out| out.copy_from_slice(&slope));
        take(&rows)
    });
    let slopes = found.pop().expect("of the one tape");
    let chunks = joined.into_iter().zip(slopes.chunks(ROWS * dim).map(<[f32]>::to_vec));
    let (of_weights, _) = grads::collect(chunks.collect(), |((tape, y), slopes), grads| {
        tape.backward(vec![(&y, slopes)], grads);
    });
    sums.accumulate(of_weights);
    (number, sums)
}
