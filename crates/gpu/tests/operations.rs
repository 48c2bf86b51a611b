//! Each operation on the card beside the same one on the host.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{card, close, wave};
use tuwen_nn::{
    Activation, Attention, Executor, Factor, Linear, Norm, Part, Patches, Rows, Sequence, Spans,
    Tape, Value, Weight,
};

/// Of sums of up to 768 products, in another order: their terms are 16 times as large as 1.
const BOUND: f32 = 3e-5;

fn weight(shape: &[usize], seed: f64) -> Weight<'static> {
    let values = wave(shape.iter().product(), seed);
    Weight::new("w".into(), shape.to_vec(), values.into(), false)
}

/// A layer on the card, or on the host.
fn linear(
    on: Option<&Arc<dyn Executor>>,
    out: usize,
    wide: usize,
    biased: bool,
) -> Linear<'static> {
    let rows = Rows::Floats(wave(out * wide, 0.3).into());
    let there = on.map(|executor| Factor::on(&**executor, &rows));
    let bias = biased.then(|| weight(&[out], 0.9));
    Linear::new("w".into(), &[out, wide], rows, bias, Default::default(), there)
}

/// What a pass gives on the host and on the card, where there is one.
fn both<W>(
    make: impl Fn(Option<&Arc<dyn Executor>>) -> W,
    pass: impl for<'w> Fn(&mut Tape<'w>, &'w W) -> Value,
) -> Option<[Vec<f32>; 2]> {
    let card = card()?;
    let here = make(None);
    let wanted = pass(&mut Tape::forward_only(), &here).to_vec();
    let there = make(Some(&card));
    let _turn = card.turn();
    let mut tape = Tape::forward_only().on(Arc::clone(&card));
    let found = pass(&mut tape, &there);
    assert_eq!(found.len(), wanted.len());
    let found = tape.fetch(&[&found]).expect("a card that works").remove(0);
    Some([found.to_vec(), wanted])
}

fn same<W>(
    what: &str,
    make: impl Fn(Option<&Arc<dyn Executor>>) -> W,
    pass: impl for<'w> Fn(&mut Tape<'w>, &'w W) -> Value,
) {
    let Some([found, wanted]) = both(&make, &pass) else { return };
    close(what, &found, &wanted, BOUND);
    let [again, _] = both(make, pass).expect("the same card");
    assert_eq!(found, again, "{what}: the same bits each time");
}

#[test]
fn products_of_all_sizes() {
    let sizes = [(1, 1, 1), (3, 5, 7), (64, 16, 64), (65, 17, 129), (130, 300, 48), (1, 768, 512)];
    for (rows, wide, out) in sizes {
        for biased in [false, true] {
            let make = |on: Option<&Arc<dyn Executor>>| linear(on, out, wide, biased);
            same(&format!("{rows} {wide} {out} {biased}"), make, |tape, layer| {
                let x = tape.leaf(wave(rows * wide, 0.5), wide, false);
                tape.linear(&x, layer)
            });
        }
    }
}

#[test]
fn matrices_of_bytes_are_what_they_stand_for() {
    let rows = || Rows::Bytes { values: vec![1, 255, 3, 128].into(), scales: vec![0.5, 2.0] };
    let make = |on: Option<&Arc<dyn Executor>>| {
        let there = on.map(|executor| Factor::on(&**executor, &rows()));
        let floats = Rows::Floats(vec![0.5, -0.5, 6.0, -256.0].into());
        Linear::new("w".into(), &[2, 2], floats, None, Default::default(), there)
    };
    same("bytes", make, |tape, layer| {
        let x = tape.leaf(vec![1.0, 2.0, -1.0, 0.25], 2, false);
        tape.linear(&x, layer)
    });
}

#[test]
fn what_stands_before_a_matrix_and_sums() {
    for activation in [Activation::Gelu, Activation::QuickGelu, Activation::GeluTanh] {
        let make = |on: Option<&Arc<dyn Executor>>| {
            let norm = Norm { weight: weight(&[70], 0.1), bias: weight(&[70], 0.2), eps: 1e-5 };
            (norm, linear(on, 70, 70, true))
        };
        same(&format!("{activation:?}"), make, |tape, (norm, layer)| {
            let x = tape.leaf(wave(9 * 70, 0.5).iter().map(|x| x * 9.0).collect(), 70, false);
            let normed = tape.layer_norm(&x, norm);
            let hidden = tape.normed_linear(&normed, norm, layer);
            let branch = tape.active_linear(&hidden, activation, layer);
            let sum = tape.add(branch, &normed);
            tape.normalise(&sum)
        });
        let far = || vec![-1e4, -100.0, -20.0, -1.0, 0.0, 0.5, 6.0, 100.0, 1e4];
        same(
            &format!("{activation:?} far out"),
            |_| (),
            |tape, ()| {
                let x = tape.leaf(far(), 3, false);
                tape.activate(&x, activation)
            },
        );
    }
}

#[test]
fn rows_moved_added_and_averaged() {
    let make = |_: Option<&Arc<dyn Executor>>| (weight(&[5], 0.1), weight(&[9, 5], 0.2));
    same("rows", make, |tape, (row, table)| {
        let x = tape.leaf(wave(7 * 5, 0.5), 5, false);
        let x = tape.add_row(x, row);
        // Sequences of three rows, none and four.
        let x = tape.before_each(&x, row, vec![3, 0, 4]);
        let x = tape.add_places(x, table, vec![0, 1, 8, 3, 0, 0, 4, 5, 6, 7]);
        let x = tape.behind(&x, row);
        let picked = tape.pick(&x, vec![10, 0, 0, 7]);
        let spans: Spans = vec![0..4, 4..5, 5..11, 0..11].into();
        let means = tape.means(&x, &spans);
        tape.add(picked, &means)
    });
}

#[test]
fn patches_and_positions_of_any_shape() {
    let make = |_: Option<&Arc<dyn Executor>>| weight(&[16, 48], 0.4);
    same("patches", make, |tape, table| {
        let cuts =
            [Patches { rows: 2, columns: 3, patch: 4 }, Patches { rows: 5, columns: 1, patch: 4 }];
        let pixels = wave(cuts.iter().map(Patches::values).sum(), 0.7);
        let keep: [&[usize]; 2] = [&[0, 1, 2, 3, 4, 5], &[4, 1]];
        let x = tape.patches(&pixels, None, &cuts, &keep);
        tape.add_resized_places(x, table, &cuts, &keep)
    });
}

#[test]
fn attention_over_ragged_rows() {
    for (heads, width, causal) in [(2, 10, false), (3, 192, true), (1, 130, false), (4, 32, true)] {
        let shape = Attention { heads, width, causal };
        let what = format!("{heads} heads, {width}, {causal}");
        same(
            &what,
            |_| (),
            |tape, ()| {
                let x = tape.leaf(
                    wave(250 * 3 * width, 0.5).iter().map(|x| x * 3.0).collect(),
                    3 * width,
                    false,
                );
                let part = |at: usize| Part { of: &x, column: at * width };
                let sequences: Arc<[Sequence]> = vec![
                    Sequence::itself(0..1),
                    Sequence::itself(1..150),
                    Sequence::one(180, 150..200),
                    Sequence { queries: 200..210, keys: 200..250, first: 40 },
                ]
                .into();
                tape.attention(shape, part(0), part(1), part(2), &sequences)
            },
        );
    }
}

#[test]
fn an_operation_without_a_kernel_says_so_and_gives_no_number() {
    let Some(card) = card() else { return };
    let _turn = card.turn();
    let refusal = |pass: &dyn Fn(&mut Tape<'_>, Value) -> Value| {
        let mut tape = Tape::forward_only().on(Arc::clone(&card));
        let x = tape.leaf(wave(8, 0.1), 4, false);
        let panic = catch_unwind(AssertUnwindSafe(|| pass(&mut tape, x))).expect_err("a refusal");
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        words.or(panic.downcast_ref::<String>().cloned()).expect("words")
    };
    for words in [
        refusal(&|tape, x| tape.tanh(x)),
        refusal(&|tape, x| tape.multiply(&x, &x)),
        refusal(&|tape, x| tape.stack(&[&x])),
        refusal(&|tape, x| tape.dropout(x, 0.5, 1)),
        refusal(&|tape, x| {
            let host = x.iter().sum();
            tape.leaf(vec![host], 1, false)
        }),
    ] {
        assert!(words.contains("runs on the CPU only"), "{words}");
    }
}

#[test]
fn blocks_that_are_used_again_mix_no_numbers() {
    let Some(card) = card() else { return };
    let run = |seed: usize| {
        let mut tape = Tape::forward_only().on(Arc::clone(&card));
        let mut sum = tape.leaf(vec![seed as f32; 300], 3, false);
        for at in 0..200 {
            // A block that is written from the host while commands wait that read its old values.
            let one = tape.leaf(vec![at as f32; 300], 3, false);
            sum = tape.add(sum, &one);
        }
        let _turn = card.turn();
        let found = tape.fetch(&[&sum]).expect("a card that works").remove(0);
        let wanted = seed as f32 + (0..200).sum::<i32>() as f32;
        assert!(found.iter().all(|value| *value == wanted), "{} is not {wanted}", found[0]);
    };
    std::thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || run(seed));
        }
    });
}

#[test]
fn too_large_a_matrix_is_an_error_with_its_cure_and_the_card_goes_on() {
    let Some(card) = card() else { return };
    let _turn = card.turn();
    let width = 1 << 16;
    let row = weight(&[width], 0.1);
    let rows = 2 * card.most_values() / width;
    let error = {
        let mut tape = Tape::forward_only().on(Arc::clone(&card));
        let x = tape.leaf(vec![1.0; width], width, false);
        let large = tape.pick(&x, vec![0; rows]);
        let large = tape.add_row(large, &row);
        let first = tape.pick(&large, vec![0]);
        tape.fetch(&[&first]).expect_err("more than a matrix may have").to_string()
    };
    assert!(error.contains(card.name()) && error.contains("--device cpu"), "{error}");
    let mut tape = Tape::forward_only().on(Arc::clone(&card));
    let x = tape.leaf(vec![2.0; 4], 4, false);
    let y = tape.add(x.clone(), &x);
    assert_eq!(tape.fetch(&[&y]).expect("a card that works")[0][..], [4.0; 4]);
}
