//! One training step of a decoder, up to the gradients.

use rayon::prelude::*;
use tuwen_caption::{Decoder, Drop};
use tuwen_nn::{Answers, Arrays, Tape, Value, grads};

use super::draw::{Chunk, PictureRows};

/// What is left out, and how sure the truth is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noise {
    pub(super) dropout: f32,
    pub(super) smoothing: f32,
    pub(super) seed: u64,
}

/// The sum of the chunks' losses, and its gradients.
pub(super) fn gradients(decoder: &Decoder<'_>, chunks: &[Chunk], noise: Noise) -> (f32, Arrays) {
    let forward = |(at, chunk): (usize, &Chunk)| {
        let mut tape = Tape::recording();
        let drop = Drop {
            share: noise.dropout,
            seed: noise.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(at as u64),
        };
        let loss = of_chunk(decoder, &mut tape, chunk, noise.smoothing, drop);
        (tape, loss)
    };
    let tapes: Vec<(Tape<'_>, Value)> = chunks.par_iter().enumerate().map(forward).collect();
    let total = tapes.iter().map(|(_, loss)| loss[0]).sum();
    let (sums, _) = grads::collect(tapes, |(tape, loss), grads| {
        tape.backward(vec![(&loss, vec![1.0])], grads);
    });
    (total, sums)
}

fn of_chunk<'w>(
    decoder: &'w Decoder<'_>,
    tape: &mut Tape<'w>,
    chunk: &Chunk,
    smoothing: f32,
    drop: Drop,
) -> Value {
    let pictures: Vec<_> = chunk.pictures.iter().map(PictureRows::seen).collect();
    let logits = decoder.logits(tape, &pictures, &chunk.texts, drop);
    let mut losses = Vec::new();
    for (logits, (right, weights)) in logits.into_iter().zip(&chunk.answers) {
        losses.push((tape.answer_loss(logits, Answers { right, weights, smoothing }), 1.0));
    }
    tape.total(&losses)
}
