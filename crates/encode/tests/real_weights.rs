//! Published weights against published numbers. Needs `TUWEN_WEIGHTS=DIR` with Chinese-CLIP's
//! ViT-B/16 (`clip_cn_vit-b-16.pt`, or the folder `chinese-clip-vit-base-patch16`) and its
//! `pokemon.jpeg`; both are on <https://github.com/OFA-Sys/Chinese-CLIP>.

mod common;

use std::path::PathBuf;

use tuwen_encode::CpuEncoder;
use tuwen_encode::Encoder;
use tuwen_image::{Limits, decode_file};

#[test]
fn the_pokemon_of_chinese_clips_readme() {
    let Some(folder) = std::env::var_os("TUWEN_WEIGHTS").map(PathBuf::from) else {
        return common::not_run(
            "TUWEN_WEIGHTS names no folder with clip_cn_vit-b-16.pt and pokemon.jpeg",
        );
    };
    let files = ["clip_cn_vit-b-16.pt", "chinese-clip-vit-base-patch16"];
    let model = files.map(|name| folder.join(name)).into_iter().find(|path| path.exists());
    let model = model.unwrap_or_else(|| panic!("none of {files:?} in {}", folder.display()));
    let encoder = CpuEncoder::open(&model).expect("Chinese-CLIP");
    let picture = decode_file(&folder.join("pokemon.jpeg"), Limits::default()).expect("a picture");
    let picture = encoder.encode_images(&[encoder.preprocess().fit(&picture)]).expect("a vector");
    let texts = encoder.encode_texts(&["杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"]).expect("vectors");
    let scale = encoder.logits().expect("a scale").0;
    let logit = |text: &[f32]| scale * text.iter().zip(&picture).map(|(a, b)| a * b).sum::<f32>();
    let powers: Vec<f32> =
        texts.chunks_exact(encoder.dim()).map(|text| logit(text).exp()).collect();
    let sum: f32 = powers.iter().sum();
    // README_En.md of Chinese-CLIP, "API Use Case".
    let wanted = [1.2687e-03, 5.4369e-02, 6.7958e-04, 9.4368e-01];
    for (power, wanted) in powers.iter().zip(wanted) {
        assert!((power / sum - wanted).abs() < 1e-4, "{} is not {wanted}", power / sum);
    }
}
