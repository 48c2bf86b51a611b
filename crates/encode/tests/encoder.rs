//! The built-in model as every command sees it.

use tuwen_encode::Encoder;
use tuwen_encode::{Checkpoint, CpuEncoder, LongText, ModelConfig, builtin};
use tuwen_image::RgbImage;

fn picture(seed: u32, size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| {
        image::Rgb([(x * seed) as u8, (y * (seed + 1)) as u8, (x * y / (seed + 3)) as u8])
    })
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn one_item_embeds_the_same_alone_and_in_a_batch() {
    let encoder = builtin::open().expect("the built-in model");
    let size = encoder.preprocess().size;
    let pictures: Vec<RgbImage> = (1..=9).map(|seed| picture(seed, size)).collect();
    let together = encoder.encode_images(&pictures).expect("embeddings");
    for (picture, row) in pictures.iter().zip(together.chunks_exact(encoder.dim())) {
        let alone = encoder.encode_images(std::slice::from_ref(picture)).expect("an embedding");
        assert!(close(&alone, row));
        assert!((row.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5, "a unit vector");
    }
    let long = "很长的句子".repeat(40);
    let texts = ["", "狗", "a dog runs on the grass", &long, "草地上奔跑的狗"];
    let together = encoder.encode_texts(&texts).expect("embeddings");
    for (text, row) in texts.iter().zip(together.chunks_exact(encoder.dim())) {
        assert!(close(&encoder.encode_texts(&[text]).expect("an embedding"), row), "{text}");
    }
    assert_eq!(encoder.tokenise(texts[1]).expect("tokens").lost, 0);
    assert!(encoder.tokenise(&long).expect("tokens").lost > 50);
    assert!(encoder.encode_images(&[]).expect("nothing").is_empty());
}

#[test]
fn a_picture_of_another_size_is_refused_with_both_sizes() {
    let encoder = builtin::open().expect("the built-in model");
    let error = encoder.encode_images(&[picture(1, 32)]).expect_err("another size").to_string();
    assert!(error.contains("224x224") && error.contains("32x32"), "{error}");
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let encoder = builtin::open().expect("the built-in model");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tuwen-small");
    let open = |change: fn(&mut ModelConfig)| {
        let mut config = encoder.config().clone();
        change(&mut config);
        let (_, checkpoint) = Checkpoint::open(&root).expect("the built-in model");
        let result = CpuEncoder::from_checkpoint(config, checkpoint);
        result.err().expect("it does not fit").to_string()
    };
    assert!(open(|config| config.image.layers = 13).contains("image.blocks.12"));
    assert!(open(|config| config.text.layers = 13).contains("text.blocks."));
    let shape = open(|config| config.embed_dim = 100);
    assert!(shape.contains("256") && shape.contains("100"), "{shape}");
    let typo = r#"{"name": "x", "embeding_dim": 3}"#;
    assert!(
        ModelConfig::parse(typo, &root).expect_err("a typo").to_string().contains("embeding_dim")
    );
}

#[test]
fn a_long_text_is_cut_and_counted_or_embedded_in_windows() {
    let sentence = |at: usize| format!("第{at}只狗在绿色的草地上奔跑，一个孩子在旁边看着它。");
    let long: String = (0..8).map(sentence).collect();
    let cut = builtin::open().expect("the built-in model");
    let lost = cut.tokenise(&long).expect("tokens").lost;
    assert!(lost > 50, "{lost}");
    let cut_vector = cut.encode_texts(&[&long, "狗"]).expect("two texts");
    assert_eq!(cut.lost(), (1, lost));

    let window = builtin::open().expect("the built-in model").with_long_text(LongText::Window);
    let vectors = window.encode_texts(&["狗", &long, "狗"]).expect("three texts");
    let rows: Vec<&[f32]> = vectors.chunks_exact(window.dim()).collect();
    assert_eq!((window.lost(), window.tokenise(&long).expect("tokens").lost), ((0, 0), 0));
    assert_eq!(rows[0], &cut_vector[cut.dim()..]);
    assert_eq!((rows[0], rows[1].len()), (rows[2], cut.dim()));
    // Its end counts now: a text that begins alike and ends otherwise is another.
    let other = format!("{}海滩上有很多人。", &long[..long.len() / 2]);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!((dot(rows[1], rows[1]) - 1.0).abs() < 1e-5);
    let other_window = window.encode_texts(&[&other]).expect("a text");
    let other_cut = cut.encode_texts(&[&other]).expect("a text");
    assert!(dot(rows[1], &other_window) < dot(&cut_vector[..cut.dim()], &other_cut) - 1e-4);
}

#[test]
fn text_as_in_cn_clips_data_sets_has_straight_quotes() {
    let plain = builtin::open().expect("the built-in model");
    let data = builtin::open().expect("the built-in model").with_dataset_text(true);
    let embed = |encoder: &CpuEncoder, text| encoder.encode_texts(&[text]).expect("a text");
    let (curly, straight) = ("一只“狗”在跑", "一只\"狗\"在跑");
    assert_eq!(embed(&data, curly), embed(&plain, straight));
    assert_ne!(embed(&plain, curly), embed(&plain, straight));
    assert_eq!(embed(&data, "A DOG"), embed(&plain, "a dog"));
}
