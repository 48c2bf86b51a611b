//! An encoder whose exact map is known, and a picture for it.

use tuwen_encode::{Arrays, CpuEncoder, ImagePool, ModelConfig, NormPlace, TowerConfig};
use tuwen_image::rng::Rng;
use tuwen_image::{Preprocess, RgbImage};

/// A text tower over Chinese-CLIP's tokens; an image tower whose blocks do nothing, and whose normalised patches'
/// mean is the feature: the score is a sum over patches but for the vector's length.
pub fn additive() -> CpuEncoder {
    let image = TowerConfig { norm: NormPlace::Pre, ..TowerConfig::new(16, 1, 2, 32) };
    let text = TowerConfig::new(16, 1, 2, 32);
    let config = ModelConfig {
        image_pool: ImagePool::NormThenMean,
        ..ModelConfig::new("additive", image, text, Preprocess::squash(112))
    };
    let mut rng = Rng::new(&[4]);
    let mut weights = Arrays::default();
    for (name, shape) in config.weight_shapes() {
        let still = name.starts_with("image.blocks.")
            && (name.contains("attn.proj") || name.contains("mlp.fc2"));
        let norm = name.contains("norm") && name.ends_with("weight");
        // Patches far from each other in a space with a common direction, as real ones are.
        let spread = if name.contains("pos_embed") { 0.02 } else { 0.3 };
        weights.slot(&name, &shape).fill_with(|| match (still, norm) {
            (true, _) => 0.0,
            (_, true) => 1.0,
            _ => rng.range(-spread, spread),
        });
    }
    CpuEncoder::new(config, weights, b"additive").expect("all weights")
}

/// Patches of many colours.
pub fn patches(side: u32, seed: u64) -> RgbImage {
    let mut rng = Rng::new(&[seed]);
    let colours: Vec<[u8; 3]> = (0..49).map(|_| [(); 3].map(|()| rng.below(256) as u8)).collect();
    RgbImage::from_fn(side, side, |x, y| colours[(y * 7 / side * 7 + x * 7 / side) as usize].into())
}
