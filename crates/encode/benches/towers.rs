//! Speed of the built-in model's texts, and of both towers of a small model on random input: `cargo bench -p tuwen-encode --bench towers`.

use std::time::Instant;

use image::RgbImage;
use tuwen_encode::Encoder;
use tuwen_encode::towers::{ImageTower, Record, TextTower};
use tuwen_encode::{Arrays, CpuEncoder, ModelConfig, Products, builtin};

fn main() {
    built_in();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/models/tuwen-tiny.json");
    let config = ModelConfig::load(path.as_ref()).expect("the committed configuration");
    let mut arrays = Arrays::default();
    for (name, shape) in config.weight_shapes() {
        arrays.slot(&name, &shape).iter_mut().zip(0..).for_each(|(v, i): (_, u32)| {
            *v = (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 * 0.08 - 0.04;
        });
    }
    let images = ImageTower::new(&config, &arrays).expect("all weights");
    let texts = TextTower::new(&config, &arrays).expect("all weights");
    let ids: Vec<Vec<u32>> = (0..64).map(|i| (0..20).map(|j| 200 + 37 * i + j).collect()).collect();
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    for batch in [1, 8, 32] {
        let pixels = vec![0.1; batch * 3 * 224 * 224];
        time("image forward", batch, || drop(images.forward(&pixels, None, Record::No)));
    }
    time("text forward", 64, || drop(texts.forward(&ids, Record::No)));
    let pixels = vec![0.1; 32 * 3 * 224 * 224];
    for kept in [98, 196] {
        let keep = vec![(0..kept).collect::<Vec<_>>(); 32];
        time(&format!("image step, {kept} patches"), 32, || {
            let pass = images.forward(&pixels, Some(&keep), Record::All);
            drop(images.backward(pass, &[0.01; 32 * 192]));
        });
    }
    time("text step", 64, || {
        let pass = texts.forward(&ids, Record::All);
        drop(texts.backward(pass, &ids, &[0.01; 64 * 256]));
    });
}

/// The built-in model's texts, tokens included: one query alone, and many; with products of bytes, and with the same
/// weights as f32. What is compared takes turns, as the machine may be busy.
fn built_in() {
    let start = Instant::now();
    let encoder = builtin::open().expect("the built-in model");
    encoder.encode_texts(&["a dog"]).expect("a text");
    println!("open and the first query: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let packed = builtin::open().expect("the built-in model").with_products(Products::F32);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for size in [1, 16] {
        let pictures = vec![RgbImage::new(224, 224); size];
        for (name, encoder) in [("f32", &packed), ("bytes", &encoder)] {
            let encode = || drop(encoder.encode_images(&pictures).expect("vectors"));
            time(&format!("pictures of the built-in model, {name}, 1 thread,"), size, || {
                one.install(encode);
            });
            time(&format!("pictures of the built-in model, {name},"), size, encode);
        }
    }
    let many = ["teapot", "草地上奔跑的狗", "a dog running on the grass", "一把茶壶"].repeat(16);
    for (texts, runs) in [(&["a dog running on the grass"][..], 101), (&many, 9)] {
        let encode = |encoder: &CpuEncoder| drop(encoder.encode_texts(texts).expect("texts"));
        let mut seconds: [Vec<f64>; 4] = Default::default();
        for _ in 0..runs {
            let mut timed = |index: usize, run: &mut (dyn FnMut() + Send)| {
                let start = Instant::now();
                run();
                seconds[index].push(start.elapsed().as_secs_f64());
            };
            timed(0, &mut || one.install(|| encode(&packed)));
            timed(1, &mut || one.install(|| encode(&encoder)));
            timed(2, &mut || encode(&packed));
            timed(3, &mut || encode(&encoder));
        }
        let names = ["f32, 1 thread", "bytes, 1 thread", "f32, all threads", "bytes, all threads"];
        for (name, mut seconds) in names.iter().zip(seconds) {
            seconds.sort_by(f64::total_cmp);
            let (best, median) = (seconds[0] * 1e3, seconds[runs / 2] * 1e3);
            println!("{} queries, {name}: median {median:.1} ms, best {best:.1} ms", texts.len());
        }
    }
}

/// Median of five runs after one to warm up.
fn time(what: &str, items: usize, mut run: impl FnMut() + Send) {
    run();
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{what} of {items}: {:.1} ms, {:.1} items/s",
        seconds[2] * 1e3,
        items as f64 / seconds[2]
    );
}
