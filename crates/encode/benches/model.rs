//! Forward passes of a model's folder, timed one by one as `scripts/bench/embed.py` asks for them, so that peers take
//! turns with it: `cargo bench --workspace --bench model -- FOLDER f32|bf16|int8`.
//!
//! A line of standard input is `images B`, or `texts N N ...`, texts of so many tokens; the answer is the milliseconds
//! of one pass with everything behind the resized picture or the token ids.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::Instant;

use image::RgbImage;
use tuwen_encode::{Batch, CpuEncoder, Encoder, Output, Products, TextInput};

/// An id that every vocabulary of the models that are compared has, and that means nothing to any of them.
const FIRST_ID: u32 = 200;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [folder, precision] = &args[..] else {
        return println!(
            "asked by scripts/bench/embed.py: cargo bench --bench model -- FOLDER f32|bf16|int8"
        );
    };
    let products = match precision.as_str() {
        "f32" => Products::F32,
        "int8" => Products::Int8,
        "bf16" => Products::Bf16,
        other => panic!("{other}: f32 or int8"),
    };
    let encoder = CpuEncoder::open(Path::new(folder)).expect("a model").with_products(products);
    encoder.load().expect("both towers");
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let mut words = line.split(' ');
        let what = words.next().expect("a word");
        let numbers: Vec<usize> = words.map(|word| word.parse().expect("a number")).collect();
        let taken = match what {
            "images" => {
                let side = encoder.preprocess().size;
                let pictures = vec![RgbImage::new(side, side); numbers[0]];
                timed(&encoder, Batch::Images(&pictures))
            }
            _ => {
                let texts: Vec<TextInput> = numbers.iter().map(|&tokens| text(tokens)).collect();
                timed(&encoder, Batch::Texts(&texts))
            }
        };
        println!("{taken}");
        std::io::stdout().flush().expect("standard output");
    }
}

fn text(tokens: usize) -> TextInput {
    let ids = (FIRST_ID..).take(tokens).collect();
    TextInput { text: String::new(), pieces: vec![ids], lost: 0 }
}

fn timed(encoder: &CpuEncoder, batch: Batch<'_>) -> f64 {
    let start = Instant::now();
    drop(encoder.forward(batch, Output::Embedding).expect("vectors"));
    start.elapsed().as_secs_f64() * 1e3
}
