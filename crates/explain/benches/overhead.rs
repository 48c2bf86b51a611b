//! What explanations cost beside the forwards that they are made of: LIME of 1,000 samples beside 1,000 forwards in
//! batches (the bound is 1.1), and the usual method beside one forward (the bound is 3). The built-in model, a drawn
//! picture; medians of what is measured in turn.
//!
//!     cargo bench --bench overhead [SAMPLES [TIMES]]

use std::path::Path;
use std::time::Instant;

use tuwen_encode::{Encoder, builtin};
use tuwen_explain::{Method, Settings, explain};
use tuwen_image::{Limits, RgbImage, decode_file};

const TEXT: &str = "a dog on the beach beside the sea";
/// Pictures that are embedded at once.
const BATCH: usize = 64;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (samples, times) = (numbers.next().unwrap_or(1000), numbers.next().unwrap_or(3));
    let encoder = builtin::open().expect("the built-in model");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png/dog_beach.png");
    let square =
        encoder.preprocess().fit(&decode_file(&path, Limits::default()).expect("a picture"));
    let batch: Vec<RgbImage> = vec![square.clone(); BATCH];
    let forwards = || {
        for start in (0..samples).step_by(BATCH) {
            encoder.encode_images(&batch[..BATCH.min(samples - start)]).expect("vectors");
        }
    };
    let by = |method, samples| {
        let settings = Settings { samples, ..Settings::new(method) };
        let found = explain(&encoder, &square, TEXT, &settings).expect("an explanation");
        assert!(method != Method::Lime || found.calls[0] == samples, "{:?}", found.calls);
    };
    let timed = |run: &dyn Fn()| {
        let begun = Instant::now();
        run();
        begun.elapsed().as_secs_f64() * 1e3
    };
    let usual = Method::usual(encoder.config());
    by(usual, 2);
    let (mut plain, mut lime) = (Vec::new(), Vec::new());
    for _ in 0..times {
        plain.push(timed(&forwards));
        lime.push(timed(&|| by(Method::Lime, samples)));
    }
    let (mut one, mut fast) = (Vec::new(), Vec::new());
    for _ in 0..times * 10 {
        one.push(timed(&|| {
            encoder.encode_images(&batch[..1]).expect("a vector");
        }));
        fast.push(timed(&|| by(usual, 2)));
    }
    let [plain, lime, one, fast] = [plain, lime, one, fast].map(median);
    println!("{samples} forwards in batches of {BATCH}: {plain:.0} ms");
    println!("lime of {samples} samples, words included: {lime:.0} ms, {:.3} times", lime / plain);
    println!("one forward: {one:.1} ms");
    println!("{}, words included: {fast:.1} ms, {:.2} times", usual.name(), fast / one);
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
