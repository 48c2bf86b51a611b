//! What stands beneath the operations, with an executor in plain loops: each operation gives on it what it gives on the
//! host, and what it does not have is refused. It is also what the kernels of a card say, in few lines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use tuwen_nn::{
    Activation, Attention, Columns, Executor, ExecutorError, Factor, Linear, Matrix, Memory, Norm,
    Part, Patches, Rows, Sequence, Spans, Tape, Taps, Value, Weight,
};

/// Values in a vector that only this executor can read; `asked` counts what is brought back.
#[derive(Debug, Default)]
struct Plain {
    turn: Mutex<()>,
    asked: Mutex<usize>,
    broken: Option<ExecutorError>,
}

fn values(memory: &Memory) -> &[f32] {
    memory.downcast_ref::<Vec<f32>>().expect("memory of this executor")
}

fn rows<'m>(x: &Matrix<'m>) -> impl Iterator<Item = &'m [f32]> {
    assert_eq!(values(x.memory).len(), x.rows * x.width, "a matrix is as large as it says");
    values(x.memory).chunks_exact(x.width)
}

fn made(values: impl IntoIterator<Item = f32>) -> Memory {
    Arc::new(values.into_iter().collect::<Vec<f32>>())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Executor for Plain {
    fn name(&self) -> &str {
        "plain loops"
    }

    fn most_values(&self) -> usize {
        1 << 20
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().expect("no panic")
    }

    fn put(&self, values: &[f32]) -> Memory {
        made(values.iter().copied())
    }

    fn get(&self, from: &[Matrix<'_>]) -> Result<Vec<Vec<f32>>, ExecutorError> {
        *self.asked.lock().expect("no panic") += 1;
        match &self.broken {
            Some(error) => Err(error.clone()),
            None => Ok(from.iter().map(|x| rows(x).flatten().copied().collect()).collect()),
        }
    }

    fn linear(&self, x: Matrix<'_>, weight: Matrix<'_>, bias: Option<&Memory>) -> Memory {
        let row = |x| move |(at, w)| dot(x, w) + bias.map_or(0.0, |bias| values(bias)[at]);
        made(rows(&x).flat_map(|x| rows(&weight).enumerate().map(row(x)).collect::<Vec<_>>()))
    }

    fn layer_norm(&self, x: Matrix<'_>, weight: &Memory, bias: &Memory, eps: f32) -> Memory {
        let row = |x: &[f32]| {
            let mean = x.iter().sum::<f32>() / x.len() as f32;
            let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / x.len() as f32;
            let normal = |(at, x): (usize, &f32)| {
                (x - mean) / (square + eps).sqrt() * values(weight)[at] + values(bias)[at]
            };
            x.iter().enumerate().map(normal).collect::<Vec<_>>()
        };
        made(rows(&x).flat_map(row))
    }

    fn activate(&self, x: Matrix<'_>, activation: Activation) -> Memory {
        assert_eq!(activation, Activation::QuickGelu, "the one of this test");
        made(rows(&x).flatten().map(|x| x / (1.0 + (-1.702 * x).exp())))
    }

    fn add(&self, a: Matrix<'_>, b: Matrix<'_>) -> Memory {
        made(rows(&a).flatten().zip(rows(&b).flatten()).map(|(a, b)| a + b))
    }

    fn gather(&self, sources: [Matrix<'_>; 2], taps: &Taps) -> Memory {
        let width = sources[0].width;
        let mut y = vec![0.0; taps.ends.len() * width];
        let mut start = 0;
        for (y, &end) in y.chunks_exact_mut(width).zip(&taps.ends) {
            for tap in &taps.taps[start as usize..end as usize] {
                let row = rows(&sources[tap.source as usize]).nth(tap.row as usize).expect("a row");
                y.iter_mut().zip(row).for_each(|(y, x)| *y += tap.share * x);
            }
            start = end;
        }
        made(y)
    }

    fn normalise(&self, x: Matrix<'_>) -> Memory {
        let row = |x: &[f32]| x.iter().map(|v| v / dot(x, x).sqrt()).collect::<Vec<_>>();
        made(rows(&x).flat_map(row))
    }

    fn attention(
        &self,
        shape: Attention,
        parts: [Columns<'_>; 3],
        sequences: &[Sequence],
    ) -> Memory {
        let depth = shape.width / shape.heads;
        let of = |part: usize, row: usize, head: usize| {
            let Columns { of, column } = parts[part];
            &values(of.memory)[row * of.width + column + head * depth..][..depth]
        };
        let mut y = Vec::new();
        for Sequence { queries, keys, first } in sequences {
            for (at, query) in queries.clone().enumerate() {
                let seen = if shape.causal { first + at + 1 } else { keys.len() };
                for head in 0..shape.heads {
                    let score = |key| dot(of(0, query, head), of(1, key, head));
                    let keys = keys.clone().take(seen);
                    let weights: Vec<f32> = keys
                        .clone()
                        .map(|key| (score(key) / (depth as f32).sqrt()).exp())
                        .collect();
                    let all: f32 = weights.iter().sum();
                    y.extend((0..depth).map(|column| {
                        let values = keys.clone().map(|key| of(2, key, head)[column]);
                        values.zip(&weights).map(|(value, weight)| value * weight).sum::<f32>()
                            / all
                    }));
                }
            }
        }
        made(y)
    }
}

fn wave(count: usize, step: f32) -> Vec<f32> {
    (0..count).map(|at| (at as f32 * step).sin()).collect()
}

fn weight(shape: &[usize], step: f32) -> Weight<'static> {
    Weight::new("w".into(), shape.to_vec(), wave(shape.iter().product(), step).into(), false)
}

/// The weights of a small tower of 6 values a row.
struct Tower {
    embed: Linear<'static>,
    qkv: Linear<'static>,
    out: Linear<'static>,
    norm: Norm<'static>,
    token: Weight<'static>,
    places: Weight<'static>,
    square: Weight<'static>,
}

impl Tower {
    fn new(on: Option<&Arc<dyn Executor>>) -> Self {
        let linear = |out: usize, wide: usize, bias: bool| {
            let rows = Rows::Floats(wave(out * wide, 0.37).into());
            let there = on.map(|executor| Factor::on(&**executor, &rows));
            let bias = bias.then(|| weight(&[out], 0.91));
            Linear::new("w".into(), &[out, wide], rows, bias, Default::default(), there)
        };
        Self {
            embed: linear(6, 12, false),
            qkv: linear(18, 6, true),
            out: linear(6, 6, true),
            norm: Norm { weight: weight(&[6], 0.7), bias: weight(&[6], 0.3), eps: 1e-5 },
            token: weight(&[6], 0.5),
            places: weight(&[7, 6], 0.2),
            square: weight(&[4, 6], 0.6),
        }
    }

    /// Every operation that an executor has, of two pictures of two and four patches.
    fn forward<'w>(&'w self, tape: &mut Tape<'w>) -> Value {
        let cut = |rows, columns| Patches { rows, columns, patch: 2 };
        let cuts = [cut(1, 2), cut(2, 2)];
        let keep: [&[usize]; 2] = [&[0, 1], &[0, 1, 2, 3]];
        let x = tape.patches(&wave(6 * 12, 0.11), None, &cuts, &keep);
        let x = tape.linear(&x, &self.embed);
        let x = tape.add_resized_places(x, &self.square, &cuts, &keep);
        let x = tape.before_each(&x, &self.token, vec![2, 4]);
        let x = tape.add_places(x, &self.places, vec![0, 1, 2, 0, 1, 2, 3, 6]);
        let x = tape.behind(&x, &self.token);
        let x = tape.add_row(x, &self.token);
        let qkv = tape.normed_linear(&x, &self.norm, &self.qkv);
        let part = |at: usize| Part { of: &qkv, column: at * 6 };
        let sequences = [Sequence::itself(0..3), Sequence::itself(3..8), Sequence::one(8, 3..9)];
        let shape = Attention { heads: 2, width: 6, causal: true };
        let mixed = tape.attention(shape, part(0), part(1), part(2), &sequences.into());
        let x = tape.add(mixed, &x);
        let branch = tape.active_linear(&x, Activation::QuickGelu, &self.out);
        let x = tape.add(branch, &x);
        let x = tape.activate(&x, Activation::QuickGelu);
        let x = tape.layer_norm(&x, &self.norm);
        let spans: Spans = vec![0..3, 3..8].into();
        let means = tape.means(&x, &spans);
        let picked = tape.pick(&x, vec![8, 0]);
        let sum = tape.add(picked, &means);
        tape.normalise(&sum)
    }
}

#[test]
fn a_pass_on_an_executor_is_the_hosts_and_comes_back_once() {
    let plain = Arc::new(Plain::default());
    let executor: Arc<dyn Executor> = plain.clone();
    let (here, there) = (Tower::new(None), Tower::new(Some(&executor)));
    let wanted = here.forward(&mut Tape::forward_only());
    let mut tape = Tape::forward_only().on(executor);
    let found = there.forward(&mut tape);
    assert_eq!((found.rows(), found.width(), found.len()), (2, 6, 12));
    let found = tape.fetch(&[&found]).expect("an executor that works").remove(0);
    assert!(
        found.iter().zip(&wanted[..]).all(|(a, b)| (a - b).abs() < 1e-5),
        "{found:?} {wanted:?}"
    );
    assert_eq!(*plain.asked.lock().expect("no panic"), 1);
}

#[test]
fn values_elsewhere_are_never_read_as_if_they_were_here() {
    let refusal = |pass: &dyn Fn(&mut Tape<'_>, Value)| {
        let mut tape = Tape::forward_only().on(Arc::new(Plain::default()));
        let x = tape.leaf(vec![1.0, 2.0], 2, false);
        let panic = catch_unwind(AssertUnwindSafe(|| pass(&mut tape, x))).expect_err("a refusal");
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        words.or(panic.downcast_ref::<String>().cloned()).expect("words")
    };
    let told = [
        refusal(&|tape, x| drop(tape.rectify(x))),
        refusal(&|tape, x| drop(tape.outer(&x, &x))),
        refusal(&|tape, x| drop(tape.best_products(&x, &x, &std::iter::once(0..1).collect()))),
        refusal(&|tape, x| drop(tape.grid(&x, 1))),
        refusal(&|_, x| drop(x.into_vec())),
        refusal(&|_, x| assert_eq!(x[0], 1.0)),
    ];
    for words in told {
        assert!(words.contains("runs on the CPU only"), "{words}");
    }
    let host = Rows::Floats(vec![1.0, 2.0].into());
    let layer = Linear::new("layer".into(), &[1, 2], host, None, Default::default(), None);
    let mut tape = Tape::forward_only().on(Arc::new(Plain::default()));
    let x = tape.leaf(vec![1.0, 2.0], 2, false);
    let mixed = catch_unwind(AssertUnwindSafe(|| drop(tape.linear(&x, &layer))));
    let words = mixed.expect_err("a matrix that is not there");
    assert!(
        words
            .downcast_ref::<String>()
            .is_some_and(|words| words.contains("`layer` lies on the host"))
    );
}

#[test]
fn what_went_wrong_is_told_where_values_come_back() {
    let lost = ExecutorError::Lost { on: "plain loops".into(), what: "unplugged".into() };
    let executor = Plain { broken: Some(lost.clone()), ..Plain::default() };
    let mut tape = Tape::forward_only().on(Arc::new(executor));
    let x = tape.leaf(vec![1.0], 1, false);
    let error = tape.fetch(&[&x]).expect_err("it is gone");
    assert_eq!(error, lost);
    let words = error.to_string();
    assert!(words.contains("plain loops is gone (unplugged)") && words.contains("--device cpu"));
}
