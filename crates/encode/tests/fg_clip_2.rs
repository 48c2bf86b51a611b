//! FG-CLIP 2 beside its authors' code, whose image tower is transformers' (`scripts/golden/fg_clip_2.py`).

mod common;

use std::path::{Path, PathBuf};

use common::{close, golden, json};
use serde_json::{Value, json as object};
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Resized, Target, write};
use tuwen_encode::params::Part;
use tuwen_encode::towers::{AnyImageTower, PassGradients, Record, Wanted};
use tuwen_encode::{Checkpoint, CpuEncoder, Encoder, Long, LongText, Weights};
use tuwen_image::{Budget, Geometry, Grid, Picture, RgbImage};
use tuwen_nn::Patches;

const NAME: &str = "fg-clip-2";

/// The pictures of the script.
fn noise(width: u32, height: u32) -> RgbImage {
    let count = u64::from(width) * u64::from(height) * 3;
    let bytes = (0..count).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    RgbImage::from_raw(width, height, bytes).expect("three bytes a pixel")
}

fn encoder() -> CpuEncoder {
    CpuEncoder::open(&golden(NAME)).expect("a model")
}

fn fitted(encoder: &CpuEncoder, all: &Value) -> Vec<RgbImage> {
    let fit = |picture: &Value| {
        let [width, height] = [0, 1].map(|at| picture["size"][at].as_u64().expect("a size") as u32);
        encoder.preprocess().fit(&Picture::Rgb(noise(width, height)))
    };
    all["pictures"].as_array().expect("pictures").iter().map(fit).collect()
}

fn rows(values: &[f32], width: usize) -> Vec<Vec<f32>> {
    values.chunks_exact(width).map(<[f32]>::to_vec).collect()
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).expect("texts")
}

#[test]
fn its_settings_are_read() {
    let (config, _) = Checkpoint::open(&golden(NAME)).expect("a checkpoint");
    let grid = Grid { patch: 4, budget: Budget::Stepped };
    assert_eq!(config.preprocess.geometry, Geometry::Grid(grid));
    assert_eq!((config.preprocess.size, config.image_positions()), (16, 16));
    assert_eq!((config.long, config.dense), (Some(Long { context: 24, kept: 5 }), true));
    assert_eq!((config.context, config.pad, config.is_sigmoid()), (16, Some(0), true));
}

#[test]
fn pictures_of_any_shape_have_the_vectors_of_the_reference_alone_and_together() {
    let (encoder, all) = (encoder(), json("fg_clip_2.json"));
    let pictures = fitted(&encoder, &all);
    let wanted: Vec<Value> =
        all["pictures"].as_array().expect("pictures").iter().map(|p| p["vector"].clone()).collect();
    let found = encoder.encode_images(&pictures).expect("vectors");
    close("together", &rows(&found, encoder.dim()), &Value::Array(wanted), 1e-5);
    for (picture, row) in pictures.iter().zip(rows(&found, encoder.dim())) {
        assert_eq!(encoder.encode_images(std::slice::from_ref(picture)).expect("a vector"), row);
    }
}

#[test]
fn patches_have_the_dense_features_of_the_reference() {
    let (encoder, all) = (encoder(), json("fg_clip_2.json"));
    let pictures = fitted(&encoder, &all);
    let found = encoder.encode_patches(&pictures).expect("features");
    for (found, wanted) in found.iter().zip(all["pictures"].as_array().expect("pictures")) {
        assert_eq!(object!([found.rows, found.columns]), wanted["grid"]);
        let some: Vec<usize> = serde_json::from_value(wanted["some"].clone()).expect("places");
        let all = rows(&found.vectors, encoder.dim());
        assert_eq!(all.len(), found.rows * found.columns);
        let some: Vec<Vec<f32>> = some.into_iter().map(|at| all[at].clone()).collect();
        close("patches", &some, &wanted["dense"], 1e-5);
    }
}

#[test]
fn short_long_and_region_texts_have_the_tokens_vectors_and_logits_of_the_reference() {
    let (encoder, all) = (encoder(), json("fg_clip_2.json"));
    let dim = encoder.dim();
    let (scale, bias) = encoder.logits().expect("a scale");
    let pictures = rows(&encoder.encode_images(&fitted(&encoder, &all)).expect("vectors"), dim);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    for kind in ["short", "long", "box"] {
        let wanted = &all["texts"][kind];
        let texts = strings(&wanted["texts"]);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = match kind {
            "box" => encoder.encode_regions(&texts).expect("vectors"),
            _ => {
                let ids = |text: &&str| encoder.tokenise(text).expect("tokens").pieces.remove(0);
                assert_eq!(
                    object!(texts.iter().map(ids).collect::<Vec<_>>()),
                    wanted["ids"],
                    "{kind}"
                );
                encoder.encode_texts(&texts).expect("vectors")
            }
        };
        let found = rows(&found, dim);
        close(kind, &found, &wanted["vectors"], 1e-5);
        let logits = |picture: &Vec<f32>| {
            found.iter().map(|text| scale * dot(picture, text) + bias).collect::<Vec<f32>>()
        };
        close(kind, &pictures.iter().map(logits).collect::<Vec<_>>(), &wanted["logits"], 1e-4);
    }
}

/// The backward pass through positions of the picture's own grid and the head of its patches.
#[test]
fn gradients_of_pixels_positions_and_the_dense_head_are_those_of_the_reference() {
    let (config, checkpoint) = Checkpoint::open(&golden(NAME)).expect("a checkpoint");
    let arrays = checkpoint.to_arrays(&config).expect("weights");
    let tower = AnyImageTower::new(&config, &arrays).expect("the image tower");
    let all = json("fg_clip_2.json");
    let (encoder, wanted) = (encoder(), &all["gradients"]);
    let picture = fitted(&encoder, &all).remove(0);
    let (rows, columns) = (picture.height() as usize / 4, picture.width() as usize / 4);
    let cut = Patches { rows, columns, patch: 4 };
    let mut pixels = Vec::new();
    config.preprocess.normalise_into(&picture, &mut pixels);
    let ask = Wanted { dense: true, input_gradient: true, ..Wanted::default() };
    let waves = |count: usize, step: f64| -> Vec<f32> {
        (0..count).map(|i| (i as f64 * step).sin() as f32).collect()
    };
    let (features, tokens) = (waves(32, 0.11), waves(32 * cut.count(), 0.13));
    for record in [Record::All, Record::Inputs] {
        let pass = tower.forward_cut(&pixels, &[cut], record, &ask);
        let of = PassGradients { features: &features, tokens: &tokens, ..Default::default() };
        let (grads, dpixels) = tower.backward_from(pass, of);
        let found = |name: &str| grads.get(name).expect("it learns").data.clone();
        let dpixels = dpixels.expect("it was wanted");
        for (name, found) in [
            ("pixels", dpixels),
            ("places", found("image.pos_embed")),
            ("matrix", found("image.dense.mlp.fc1.weight")),
        ] {
            assert_eq!(
                found.len() as u64,
                wanted[name]["all"].as_u64().expect("a number"),
                "{name}"
            );
            let some: Vec<f32> =
                serde_json::from_value(wanted[name]["some"].clone()).expect("values");
            let largest = some.iter().fold(0f32, |a, b| a.max(b.abs()));
            for (found, wanted) in found.iter().step_by(29).zip(&some) {
                let off = (found - wanted).abs() / largest;
                assert!(off < 1e-5, "{name}, {record:?}: {found} and {wanted}");
            }
        }
    }
}

/// A text goes the way of its own length, whatever stands beside it.
#[test]
fn short_and_long_texts_together_are_what_each_is_alone() {
    let (encoder, all) = (encoder(), json("fg_clip_2.json"));
    let short = strings(&all["texts"]["short"]["texts"]);
    let long = strings(&all["texts"]["long"]["texts"]);
    let mixed: Vec<&str> = short.iter().zip(&long).flat_map(|(a, b)| [&**a, &**b]).collect();
    let found = rows(&encoder.encode_texts(&mixed).expect("vectors"), encoder.dim());
    for (text, row) in mixed.iter().zip(found) {
        assert_eq!(encoder.encode_texts(&[text]).expect("a vector"), row, "{text}");
    }
    // What is longer still is cut, or embedded in windows of short texts.
    let endless = long.join(", ").repeat(3);
    let cut = encoder.tokenise(&endless).expect("tokens");
    assert_eq!((cut.pieces.len(), cut.pieces[0].len()), (1, 24));
    assert!(cut.lost > 20, "{}", cut.lost);
    let windows = encoder.with_long_text(LongText::Window);
    let pieces = windows.tokenise("A dog runs. The cat. A dog plays on the grass. Two children. The dog, the cat, the dog. A dog.");
    let pieces = pieces.expect("tokens").pieces;
    assert!(pieces.len() > 1 && pieces.iter().all(|ids| ids.len() == 16), "{pieces:?}");
}

#[test]
fn in_our_own_layout_it_is_the_same_and_no_other_has_a_place_for_it() {
    let (config, checkpoint) = Checkpoint::open(&golden(NAME)).expect("a checkpoint");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own");
    write(&config, &&checkpoint, Target::Tuwen, Precision::F32, &path).expect("a model");
    std::fs::copy(golden(NAME).join("tokenizer.json"), path.join("tokenizer.json"))
        .expect("a copy");
    let (own, theirs) = (CpuEncoder::open(&path).expect("what was written"), encoder());
    assert_eq!(own.config(), theirs.config());
    let all = json("fg_clip_2.json");
    let pictures = fitted(&own, &all);
    assert_eq!(own.encode_images(&pictures).unwrap(), theirs.encode_images(&pictures).unwrap());
    let texts = strings(&all["texts"]["long"]["texts"]);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(own.encode_texts(&texts).unwrap(), theirs.encode_texts(&texts).unwrap());
    for (target, name) in [(Target::Hf, "folder"), (Target::Torch, "file.pt")] {
        let path = folder.path().join(name);
        let error = write(&config, &&checkpoint, target, Precision::F32, &path);
        let error = error.expect_err("no place for it").to_string();
        assert!(error.contains("pictures of any shape") && !path.exists(), "{error}");
    }
    let error = Resized::new(&config, &&checkpoint, 32).err().expect("any size");
    assert!(error.contains("any shape"), "{error}");
    let checkpoint = &checkpoint;
    let same = Resized::new(&config, &checkpoint, 16).expect("its own");
    let table = "image.pos_embed";
    assert_eq!(
        same.find(table).expect("positions").1,
        checkpoint.find(table).expect("positions").1
    );
}

#[test]
fn what_its_tower_or_another_cannot_give_is_named() {
    let encoder = encoder();
    let square = encoder.preprocess().fit(&Picture::Rgb(noise(20, 20)));
    let error =
        encoder.image_tokens(std::slice::from_ref(&square)).expect_err("many shapes").to_string();
    assert!(error.contains("tokens of pictures") && error.contains("shape"), "{error}");
    let error = encoder.token_projections().expect_err("many shapes").to_string();
    assert!(error.contains("tokens of pictures"), "{error}");
    let wanted = Wanted { from: Some(0), ..Wanted::default() };
    let error = encoder.trace_image(&square, &[0.0; 32], &wanted).expect_err("many shapes");
    assert!(error.to_string().contains("explanations"), "{error}");
    for (width, height) in [(18, 16), (4, 4 * 1025), (0, 4)] {
        let error = encoder.encode_images(&[RgbImage::new(width, height)]).expect_err("no grid");
        let error = error.to_string();
        assert!(error.contains(&format!("{width}x{height}")) && error.contains("4x4"), "{error}");
    }
    let other = CpuEncoder::open(&golden("siglip2")).expect("a model");
    for error in [
        other.encode_patches(&[]).expect_err("no head").to_string(),
        other.encode_regions(&["a dog"]).expect_err("no head").to_string(),
    ] {
        assert!(error.contains("siglip2") && error.contains("feature of each patch"), "{error}");
    }
    let dense = Wanted { dense: true, ..Wanted::default() };
    let error = dense.check(encoder.config(), Part::Text).expect_err("no patches").to_string();
    assert!(error.contains("text tower") && error.contains("feature of each patch"), "{error}");
}

fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(golden(NAME)).expect("a golden folder") {
        let path: PathBuf = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, folder.path().join(name)).expect("a copy");
    }
    folder
}

/// What opening the folder says once `from` is `to` in one of its files.
fn refused(folder: &Path, file: &str, from: &str, to: &str) -> String {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).expect("a file");
    let error = Checkpoint::open(folder).expect_err(to).to_string();
    std::fs::write(&path, text).expect("a file");
    error
}

#[test]
fn what_contradicts_it_is_named() {
    let folder = copied();
    const CONFIG: &str = "config.json";
    const PIXELS: &str = "preprocessor_config.json";
    for (file, from, to, says) in [
        (
            CONFIG,
            "\"num_patches\": 16",
            "\"num_patches\": 15",
            &["num_patches", "15", "square"][..],
        ),
        (CONFIG, "\"num_patches\": 16", "\"num_patches\": 25", &["position_embedding", "16", "25"]),
        (CONFIG, "\"num_patches\": 16", "\"num_patches\": 99999980000001", &["preprocess.size"]),
        (CONFIG, "\"num_patches\": 16", "\"image_size\": 16", &["image_size", "any shape"]),
        (CONFIG, "\"longtext_len\": 24", "\"longtext_len\": 16", &["long", "16"]),
        (
            CONFIG,
            "\"longtext_len\": 24",
            "\"longtext_len\": 30",
            &["position_embedding_ori", "24", "30"],
        ),
        (CONFIG, "\"longtext_len\": 24", "\"longtext_len\": 4000000000", &["long.context"]),
        (CONFIG, "\"keep_len\": 5", "\"keep_len\": 25", &["24", "25"]),
        (CONFIG, "\"keep_len\": 5", "\"keep_len\": \"five\"", &["keep_len", "whole number"]),
        (CONFIG, "\"projection_size\": 32", "\"projection_size\": 16", &["embed_dim", "16", "32"]),
        (CONFIG, "\"fgclip2\"", "\"fgclip2_text_model\"", &["one tower"]),
        (CONFIG, "\"keep_len\": 5", "\"keep\": 5", &["text_config.keep", "not known"]),
        (PIXELS, "\"patch_size\": 4", "\"patch_size\": 16", &["patch_size", "16", "4"]),
        (PIXELS, "\"do_resize\": true", "\"do_resize\": false", &["do_resize"]),
        (PIXELS, "\"do_resize\": true", "\"do_center_crop\": true", &["do_center_crop", "shape"]),
        (
            PIXELS,
            "Fgclip2ImageProcessor\"",
            "SiglipImageProcessor\"",
            &["image_processor_type", "another"],
        ),
        (
            PIXELS,
            "\"max_num_patches\": 256",
            "\"size_of_patch\": 1",
            &["size_of_patch", "not known"],
        ),
    ] {
        let error = refused(folder.path(), file, from, to);
        assert!(says.iter().all(|word| error.contains(word)), "{to}: {error}");
    }
    for most in ["0", "20000", "99999999999"] {
        let path = folder.path().join(PIXELS);
        let text = std::fs::read_to_string(&path).expect("a file");
        let fixed = text.replace("\"dynamic_max_patches\": true", "\"dynamic_max_patches\": false");
        std::fs::write(&path, fixed.replace("256", most)).expect("a file");
        let error = Checkpoint::open(folder.path()).expect_err(most).to_string();
        assert!(error.contains("patches") && error.contains("16384"), "{error}");
        std::fs::write(&path, text).expect("a file");
    }
}

#[test]
fn a_budget_that_is_the_same_for_all_is_obeyed() {
    let folder = copied();
    let path = folder.path().join("preprocessor_config.json");
    let text = std::fs::read_to_string(&path).expect("a file");
    let fixed = text.replace("\"dynamic_max_patches\": true", "\"dynamic_max_patches\": false");
    std::fs::write(&path, fixed.replace("256", "30")).expect("a file");
    let encoder = CpuEncoder::open(folder.path()).expect("a model");
    let fitted = encoder.preprocess().fit(&Picture::Rgb(noise(200, 9)));
    assert_eq!(fitted.dimensions(), (92, 4));
    assert!(encoder.encode_images(&[fitted]).is_ok());
}

/// Where a tensor's bytes are in the folder's file.
fn place(bytes: &[u8], name: &str) -> usize {
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let json: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("JSON");
    8 + header + json[name]["data_offsets"][0].as_u64().expect(name) as usize
}

#[test]
fn damaged_and_missing_weights_are_named() {
    let folder = copied();
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).expect("weights");
    for name in [
        "dense_feature_head.attention.out_proj.bias",
        "vision_model.embeddings.patch_embedding.weight",
        "longtext_head.bias",
        "boxtext_head.weight",
        "text_model.embeddings.position_embedding_ori.weight",
    ] {
        let mut bytes = whole.clone();
        let at = place(&bytes, name);
        bytes[at..at + 2].copy_from_slice(&0x7e00u16.to_le_bytes());
        std::fs::write(&path, bytes).expect("weights");
        let encoder = CpuEncoder::open(folder.path()).expect("a model");
        let error = encoder.load().expect_err("a NaN").to_string();
        assert!(error.contains(name) && error.contains("NaN"), "{error}");
    }
    let text = String::from_utf8_lossy(&whole).into_owned();
    assert!(text.contains("longtext_head.weight"));
    let header = u64::from_le_bytes(whole[..8].try_into().expect("8 bytes")) as usize;
    for (from, says) in [
        ("longtext_head.weight", "longtext_head.weight"),
        ("dense_feature_head.layernorm.bias", "dense_feature_head.layernorm.bias"),
        ("text_model.embeddings.position_embedding_res.weight", "position_embedding_res"),
    ] {
        let header_text = String::from_utf8_lossy(&whole[8..8 + header]).into_owned();
        let other =
            header_text.replace(from, &from.replace("weight", "weighs").replace("bias", "byas"));
        let bytes = [&whole[..8], other.as_bytes(), &whole[8 + header..]].concat();
        std::fs::write(&path, bytes).expect("weights");
        let error = Checkpoint::open(folder.path()).expect_err("one is missing").to_string();
        assert!(error.contains(says), "{error}");
    }
}
