//! Slopes of late interaction beside finite differences, and its values beside the obvious lines.

use std::sync::Arc;

use tuwen_nn::{Spans, Tape, Value, grads};

const WIDTH: usize = 5;

fn values(count: usize, seed: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * seed).sin() + 0.3 * (i as f32 * seed * 2.7).cos()).collect()
}

/// A number made of the operations, and the gradients of both inputs.
fn run(words: &[f32], patches: &[f32], kind: usize) -> (f32, [Vec<f32>; 2]) {
    let (texts, photos): (Spans, Spans) = (Arc::from([0..2, 2..5]), Arc::from([0..3, 3..4, 4..8]));
    let mut tape = Tape::recording();
    let (w, p) = (tape.leaf(words.to_vec(), WIDTH, true), tape.leaf(patches.to_vec(), WIDTH, true));
    let best = tape.best_products(&w, &p, &photos);
    let pooled = match kind {
        0 => tape.means(&best, &texts),
        1 => tape.log_sums(&best, 0.3, &texts),
        _ => {
            // Shares that depend on the words, too.
            let first: Vec<usize> = (0..5).collect();
            let column = tape.pick(&w, first);
            let column = tape.rows_of(column, 1);
            let column = tape.pick(&column, (0..5).map(|row| row * WIDTH).collect());
            let shares = tape.softmax_of_spans(&column, &texts);
            tape.shared_sums(&best, &shares, &texts)
        }
    };
    // Each value counts differently.
    let weights: Vec<f32> = (0..pooled.len()).map(|i| 0.5 + i as f32 * 0.3).collect();
    let number = pooled.iter().zip(&weights).map(|(a, b)| a * b).sum();
    let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
        let mut leaves = tape.backward(vec![(&pooled, weights.clone())], grads);
        [&w, &p].map(|leaf: &Value| leaves.take(leaf).expect("it learns"))
    });
    (number, found.pop().expect("of one tape"))
}

#[test]
fn slopes_equal_finite_differences() {
    let (words, patches) = (values(5 * WIDTH, 0.71), values(8 * WIDTH, 1.13));
    for kind in 0..3 {
        let (_, slopes) = run(&words, &patches, kind);
        let mut checked = 0;
        for (input, slopes) in slopes.iter().enumerate() {
            for (at, slope) in slopes.iter().enumerate() {
                let moved = |by: f32| {
                    let mut all = [words.clone(), patches.clone()];
                    all[input][at] += by;
                    f64::from(run(&all[0], &all[1], kind).0)
                };
                let wanted = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!(
                    (f64::from(*slope) - wanted).abs() < 5e-3,
                    "kind {kind}, input {input}, value {at}: {slope} and {wanted}"
                );
                checked += usize::from(slope.abs() > 0.1);
            }
        }
        assert!(checked > 20, "slopes that are no zeros");
    }
}

#[test]
fn each_word_takes_its_best_patch() {
    let (words, patches) = (values(5 * WIDTH, 0.71), values(8 * WIDTH, 1.13));
    let spans: Spans = Arc::from([0..3, 3..4, 4..8]);
    let mut tape = Tape::forward_only();
    let (w, p) = (tape.leaf(words.clone(), WIDTH, false), tape.leaf(patches.clone(), WIDTH, false));
    let best = tape.best_products(&w, &p, &spans);
    for (row, word) in words.chunks_exact(WIDTH).enumerate() {
        for (item, span) in spans.iter().enumerate() {
            let product = |at: usize| -> f32 {
                word.iter().zip(&patches[at * WIDTH..]).map(|(a, b)| a * b).sum()
            };
            let wanted = span.clone().map(product).fold(f32::NEG_INFINITY, f32::max);
            assert!((best[row * spans.len() + item] - wanted).abs() < 1e-6);
        }
    }
}
