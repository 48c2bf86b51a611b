//! Convolutions of any window, pooling and gates beside loops that a reader can follow, and their gradients beside
//! differences.

use std::borrow::Cow;

use tuwen_gemm::Precision;
use tuwen_nn::{
    Arrays, BatchNorm, Behind, Bend, Convolution, Grid, Padding, Tape, Value, Weight, Window, grads,
};

/// Numbers that look like chance, of either sign.
fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|at| (((at + seed) * 7919 + 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// The weights of a convolution of `wide` to `out` channels with a normalisation behind it.
struct Given {
    kernel: Vec<f32>,
    gain: Vec<f32>,
    bias: Vec<f32>,
    mean: Vec<f32>,
    /// The convolution's own bias before a normalisation.
    own: Vec<f32>,
    variance: Vec<f32>,
    shape: Vec<usize>,
}

const EPS: f32 = 1e-3;

impl Given {
    fn new(out: usize, wide: usize, [rows, columns]: [usize; 2]) -> Self {
        let positive = |value: f32| value.abs() + 0.5;
        Self {
            kernel: numbers(out * wide * rows * columns, 1),
            gain: numbers(out, 2),
            bias: numbers(out, 3),
            mean: numbers(out, 4),
            own: numbers(out, 8),
            variance: numbers(out, 5).into_iter().map(positive).collect(),
            shape: vec![out, wide, rows, columns],
        }
    }

    fn layer(&self, window: Window, each: bool, norm: bool) -> Convolution<'_> {
        let weight = |name: &str, shape: &[usize], values: &'_ [f32]| {
            Weight::new(name.into(), shape.to_vec(), Cow::Owned(values.to_vec()), true)
        };
        let out = [self.shape[0]];
        let borrowed = Cow::Borrowed(&self.kernel[..]);
        let kernel = Weight::new("kernel".into(), self.shape.to_vec(), borrowed, true);
        let bias = weight("bias", &out, &self.bias);
        let own = weight("own", &out, &self.own);
        let (mean, variance) = (Cow::Borrowed(&self.mean[..]), Cow::Borrowed(&self.variance[..]));
        let behind = match norm {
            false => Behind::Bias(bias),
            true => {
                let weight = weight("gain", &out, &self.gain);
                let before = Some(own);
                let norm = BatchNorm { before, weight, bias, mean, variance, eps: EPS };
                Behind::Norm(Box::new(norm))
            }
        };
        match each {
            true => Convolution::of_each(kernel, behind, window),
            false => Convolution::new(kernel, behind, window, Precision::F32),
        }
    }

    /// One value of the result, at a row and column of one picture, by the definition.
    fn value(
        &self,
        picture: &[f32],
        side: usize,
        place: [i64; 2],
        channel: usize,
        norm: bool,
    ) -> f32 {
        let [_, wide, rows, columns] = self.shape[..] else { unreachable!("four axes") };
        let channels = picture.len() / side / side;
        let mut sum = 0.0;
        for c in 0..wide {
            for y in 0..rows {
                for x in 0..columns {
                    let (row, column) = (place[0] + y as i64, place[1] + x as i64);
                    let inside = 0..side as i64;
                    if inside.contains(&row) && inside.contains(&column) {
                        // Of a convolution of each channel, a kernel has one channel: its own.
                        let from = if wide == channels { c } else { channel };
                        let pixel = row as usize * side + column as usize;
                        let at = ((channel * wide + c) * rows + y) * columns + x;
                        sum += picture[pixel * channels + from] * self.kernel[at];
                    }
                }
            }
        }
        match norm {
            false => sum + self.bias[channel],
            true => {
                let deviation = (self.variance[channel] + EPS).sqrt();
                (sum + self.own[channel] - self.mean[channel]) / deviation * self.gain[channel]
                    + self.bias[channel]
            }
        }
    }
}

const PICTURES: usize = 2;

/// A window with the zeros that lie before a square of some side, and the side of its result.
struct Case {
    window: Window,
    side: usize,
    before: [i64; 2],
    result: usize,
}

fn cases() -> Vec<Case> {
    let around = |kernel, stride, pad| Window { kernel, stride, padding: Padding::Around(pad) };
    let same = |side: usize, stride| Window { kernel: [side; 2], stride, padding: Padding::Same };
    let case = |window, side, before, result| Case { window, side, before, result };
    vec![
        case(Window::around(1, 1), 3, [0, 0], 3),
        case(Window::around(1, 2), 5, [0, 0], 3),
        case(Window::around(3, 1), 4, [1, 1], 4),
        case(Window::around(3, 2), 5, [1, 1], 3),
        case(Window::around(7, 2), 6, [3, 3], 3),
        case(around([1, 7], 1, [0, 3]), 4, [0, 3], 4),
        case(around([5, 1], 1, [2, 0]), 3, [2, 0], 3),
        case(around([3, 3], 2, [0, 0]), 7, [0, 0], 3),
        case(around([4, 4], 1, [0, 0]), 4, [0, 0], 1),
        case(same(3, 2), 4, [0, 0], 2),
        case(same(3, 2), 5, [1, 1], 3),
        case(same(5, 1), 4, [2, 2], 4),
    ]
}

fn grid(tape: &mut Tape<'_>, values: &[f32], channels: usize, side: usize) -> Grid {
    Grid { value: tape.leaf(values.to_vec(), channels, true), side }
}

fn close(found: &[f32], wanted: &[f32], bound: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= bound, "{what}: differs by {worst}");
}

#[test]
fn a_convolution_of_any_window_is_its_definition() {
    for Case { window, side, before, result } in cases() {
        for (each, norm) in [(false, true), (false, false), (true, true), (true, false)] {
            let channels = 3;
            let (out, wide) = if each { (channels, 1) } else { (4, channels) };
            let given = Given::new(out, wide, window.kernel);
            let values = numbers(PICTURES * side * side * channels, 6);
            let layer = given.layer(window, each, norm);
            let mut tape = Tape::forward_only();
            let x = grid(&mut tape, &values, channels, side);
            let found = tape.convolution(&x, &layer);
            assert_eq!((found.side, found.value.width()), (result, out));
            let mut wanted = Vec::new();
            for picture in values.chunks_exact(side * side * channels) {
                for at in 0..result * result {
                    let place = [at / result, at % result].map(|at| (at * window.stride) as i64);
                    let place = [place[0] - before[0], place[1] - before[1]];
                    let one = |channel| given.value(picture, side, place, channel, norm);
                    wanted.extend((0..out).map(one));
                }
            }
            close(&found.value, &wanted, 2e-5, &format!("{window:?}, each {each}, norm {norm}"));
        }
    }
}

/// `sum of weights * value`, whose gradient a backward pass is asked for.
fn seed(len: usize) -> Vec<f32> {
    numbers(len, 9)
}

fn score(values: &[f32]) -> f64 {
    values.iter().zip(seed(values.len())).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
}

/// Gradients beside differences, of which the largest counts.
fn slopes(found: &[f32], score: impl Fn(usize, f32) -> f64, what: &str) {
    for (at, found) in found.iter().enumerate() {
        let slope = (score(at, 1e-2) - score(at, -1e-2)) / 2e-2;
        assert!((slope - f64::from(*found)).abs() < 5e-3, "{what} {at}: {slope} and {found}");
    }
}

fn moved(values: &[f32], at: usize, by: f32) -> Vec<f32> {
    let mut moved = values.to_vec();
    moved[at] += by;
    moved
}

#[test]
fn gradients_of_convolutions_are_slopes() {
    for Case { window, side, .. } in cases() {
        for (each, norm) in [(false, true), (true, true), (false, false), (true, false)] {
            let channels = 2;
            let (out, wide) = if each { (channels, 1) } else { (3, channels) };
            let values = numbers(PICTURES * side * side * channels, 6);
            let run = |given: &Given, values: &[f32]| {
                let layer = given.layer(window, each, norm);
                let mut tape = Tape::forward_only();
                let x = grid(&mut tape, values, channels, side);
                score(&tape.convolution(&x, &layer).value)
            };
            let given = || Given::new(out, wide, window.kernel);
            let (base, layer_of) = (given(), given());
            let layer = layer_of.layer(window, each, norm);
            let mut tape = Tape::recording();
            let x = grid(&mut tape, &values, channels, side);
            let y = tape.convolution(&x, &layer);
            let (mut weights, dx) = grads::collect(vec![tape], |tape, grads| {
                tape.backward(vec![(&y.value, seed(y.value.len()))], grads).take(&x.value)
            });
            layer.unfold_gradients(&mut weights);
            let what = format!("{window:?}, each {each}, norm {norm}");
            let dx = dx.into_iter().next().flatten().expect("the input's gradient");
            slopes(&dx, |at, by| run(&base, &moved(&values, at, by)), &format!("{what}: input"));
            let of =
                |name: &str, weights: &Arrays| weights.get(name).expect("it learns").data.clone();
            let kernel =
                |at, by| run(&Given { kernel: moved(&base.kernel, at, by), ..given() }, &values);
            slopes(&of("kernel", &weights), kernel, &format!("{what}: kernel"));
            let bias = |at, by| run(&Given { bias: moved(&base.bias, at, by), ..given() }, &values);
            slopes(&of("bias", &weights), bias, &format!("{what}: bias"));
            if norm {
                let gain =
                    |at, by| run(&Given { gain: moved(&base.gain, at, by), ..given() }, &values);
                slopes(&of("gain", &weights), gain, &format!("{what}: gain"));
                let own =
                    |at, by| run(&Given { own: moved(&base.own, at, by), ..given() }, &values);
                slopes(&of("own", &weights), own, &format!("{what}: own bias"));
            }
        }
    }
}

/// The gradient of an operation on a grid of three channels beside differences.
fn checked(side: usize, what: &str, f: impl for<'w> Fn(&mut Tape<'w>, &Grid) -> Value) {
    // No two are so near to each other that a difference changes which is the larger one.
    let len = PICTURES * side * side * 3;
    let values: Vec<f32> = (0..len).map(|at| (at * 7 % len) as f32 * 0.05 - 1.63).collect();
    let mut tape = Tape::recording();
    let x = grid(&mut tape, &values, 3, side);
    let y = f(&mut tape, &x);
    let (_, dx) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&y, seed(y.len()))], grads).take(&x.value)
    });
    let dx = dx.into_iter().next().flatten().expect("a gradient");
    let run = |at: usize, by: f32| {
        let mut tape = Tape::forward_only();
        let x = grid(&mut tape, &moved(&values, at, by), 3, side);
        score(&f(&mut tape, &x))
    };
    slopes(&dx, run, what);
}

#[test]
fn gradients_of_pools_and_gates_are_slopes() {
    let plain = Window { kernel: [2; 2], stride: 2, padding: Padding::Around([0; 2]) };
    for window in [Window::around(3, 1), Window::around(3, 2), plain] {
        checked(5, "the largest", |tape, x| tape.max_pool(x, window).value);
        checked(5, "the mean", |tape, x| tape.mean_pool(x, window).value);
    }
    checked(3, "all pixels", |tape, x| tape.mean_pixels(x));
    for bend in [Bend::None, Bend::Relu, Bend::Relu6, Bend::Silu, Bend::Sigmoid] {
        checked(3, "bent", |tape, x| {
            let large = tape.add(x.value.clone(), &x.value);
            tape.bend(Grid { value: large, side: x.side }, bend).value
        });
    }
    checked(3, "gated by their own mean", |tape, x| {
        let mean = tape.mean_pixels(x);
        let gates = tape.bend(Grid { value: mean, side: 1 }, Bend::Sigmoid);
        tape.gate(x, &gates.value).value
    });
}

/// One picture of one channel whose pixels are 1 to 9.
#[test]
fn pools_and_bends_can_be_checked_by_eye() {
    let mut tape = Tape::forward_only();
    let nine: Vec<f32> = (1..=9).map(|at| at as f32).collect();
    let x = grid(&mut tape, &nine, 1, 3);
    let largest = tape.max_pool(&x, Window::around(3, 2));
    assert_eq!((&largest.value[..], largest.side), (&[5.0, 6.0, 8.0, 9.0][..], 2));
    // What lies around the picture is no value, however small the picture's own are.
    let low = grid(&mut tape, &[-3.0], 1, 1);
    assert_eq!(tape.max_pool(&low, Window::around(3, 1)).value[..], [-3.0]);
    // It counts as zeros in a mean.
    let mean = tape.mean_pool(&x, Window::around(3, 2));
    close(&mean.value, &[12.0, 16.0, 24.0, 28.0].map(|sum: f32| sum / 9.0), 1e-6, "means");
    assert_eq!(tape.mean_pixels(&x)[..], [5.0]);
    let bent = |tape: &mut Tape<'_>, bend| {
        let x = grid(tape, &[-2.0, 1.0, 5.0, 7.0], 1, 2);
        tape.bend(x, bend).value.to_vec()
    };
    assert_eq!(bent(&mut tape, Bend::Relu6), [0.0, 1.0, 5.0, 6.0]);
    // torch.nn.functional.silu and torch.sigmoid of the same.
    let silu = [-0.238_405_85, 0.731_058_6, 4.966_536, 6.993_623];
    close(&bent(&mut tape, Bend::Silu), &silu, 1e-6, "SiLU");
    let sigmoid = [0.119_202_92, 0.731_058_6, 0.993_307_1, 0.999_089];
    close(&bent(&mut tape, Bend::Sigmoid), &sigmoid, 1e-6, "sigmoid");
}
