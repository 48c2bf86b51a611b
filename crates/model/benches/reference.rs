//! Times a forward and a training step of tuwen-tiny on random input: `cargo bench --workspace --bench reference`.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};
use tuwen_encode::ModelConfig;
use tuwen_model::{DualEncoder, burn, loss};

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/models/tuwen-tiny.json");
    let config = ModelConfig::load(path.as_ref()).expect("the committed configuration");
    let plain = Device::default();
    let model = DualEncoder::new(&config, &plain).valid();
    for batch in [1, 8, 32] {
        let pixels = Tensor::random([batch, 3, 224, 224], Distribution::Default, &plain);
        time(&format!("forward, {batch} pictures"), batch, || {
            let _ = model.embed_images(pixels.clone(), None).into_data();
        });
    }
    let ids: Tensor<2, Int> = Tensor::ones([64, 20], &plain);
    time("forward, 64 texts of 20 tokens", 64, || {
        let _ = model.embed_texts(ids.clone()).into_data();
    });
    let device = Device::default().autodiff();
    let model = DualEncoder::new(&config, &device).train();
    for kept in [98, 196] {
        let batch = 32;
        let pixels = Tensor::<4>::random([batch, 3, 224, 224], Distribution::Default, &device);
        let ids: Tensor<2, Int> = Tensor::ones([batch, 20], &device);
        let pairs: Vec<_> = (0..batch as u64).map(|i| (i, i)).collect();
        time(&format!("training step, {batch} pairs, {kept} patches"), batch, || {
            let keep =
                Tensor::<1, Int>::arange(0..kept, &device).unsqueeze::<2>().repeat_dim(0, batch);
            let images = model.embed_images(pixels.clone(), Some(keep));
            let texts = model.embed_texts(ids.clone());
            let positives = loss::positives(&pairs, &pairs, &device);
            let loss =
                loss::contrastive(images, texts, model.heads.logit_scale.val(), positives, 0.0);
            let _ = loss.backward();
        });
    }
}

/// Median of five runs after one to warm up.
fn time(what: &str, items: usize, mut run: impl FnMut()) {
    run();
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{what}: {:.1} ms, {:.1} items/s", seconds[2] * 1e3, items as f64 / seconds[2]);
}
