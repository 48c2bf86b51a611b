//! ImageNet's networks beside torchvision and timm (`scripts/golden/imagenet.py`): features, what each stage gives, and
//! gradients, of files whose weights are made by the script's formula.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{self, Target};
use tuwen_encode::towers::{AnyImageTower, PassGradients, Record, Wanted};
use tuwen_encode::{
    Array, Arrays, Checkpoint, CpuEncoder, Encoder, ModelConfig, Network, Vision, arrays,
};
use tuwen_image::{Filter, Picture, Resize, RgbImage};

/// What the reference gave, with the stored names and shapes of a network whose weights are not at hand.
#[derive(Deserialize)]
struct Golden {
    size: usize,
    rows: Vec<Vec<f32>>,
    pixels: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
    #[serde(default)]
    shapes: BTreeMap<String, Vec<usize>>,
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn goldens(path: &Path) -> BTreeMap<String, Golden> {
    let text = std::fs::read_to_string(path).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON of the script")
}

/// The script's `values`.
fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |seed, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let fan: usize = shape[1.min(shape.len())..].iter().product();
    let size = (6.0 / fan as f64).sqrt() as f32;
    let one = |at: usize| {
        let mut z = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let unit = (z >> 40) as f32 * 2.0f32.powi(-23) - 1.0;
        match shape.len() {
            _ if name.ends_with("running_var") => 1.0 + 0.5 * unit,
            _ if name.ends_with("bias") || name.ends_with("running_mean") => 0.1 * unit,
            1 => 0.7 + 0.2 * unit,
            3 => 0.5 * unit,
            _ => size * unit,
        }
    };
    (0..shape.iter().product()).map(one).collect()
}

/// A file as the library would write it, by the formula.
fn file(folder: &Path, name: &str, shapes: &BTreeMap<String, Vec<usize>>) -> PathBuf {
    let array = |(name, shape): (&String, &Vec<usize>)| {
        (name.clone(), Array { shape: shape.clone(), data: values(name, shape) })
    };
    let path = folder.join(format!("{name}.safetensors"));
    let made = Arrays(shapes.iter().map(array).collect());
    arrays::write(&made, Precision::F32, &BTreeMap::new(), &path).expect("a file");
    path
}

/// The script's `pixels`.
fn pixels(size: usize) -> Vec<f32> {
    (0..3 * size * size).map(|i| ((i as f64 * 0.37).sin() * 0.8) as f32).collect()
}

/// The largest difference, in parts of the largest value.
fn difference(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    let apart = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f32::max) / largest
}

/// The script's `some`.
fn some(values: &[f32]) -> Vec<f32> {
    values.iter().copied().step_by((values.len() / 48).max(1)).take(48).collect()
}

/// What pictures of any size are for a ViT, whose class tokens stand first among a picture's rows.
fn hidden(config: &ModelConfig, pass: &tuwen_encode::towers::Pass<'_>) -> Vec<Vec<f32>> {
    let row = |tokens: &tuwen_encode::towers::Tokens| match config.vision {
        Vision::Network(_) => tokens.values.clone(),
        _ => tokens.values[..config.image.width].to_vec(),
    };
    pass.hidden.iter().map(row).collect()
}

/// A network of the golden, checked; gives the largest difference of a feature.
fn checked(name: &str, golden: &Golden, path: &Path) -> f32 {
    let (mut config, checkpoint) = Checkpoint::open(path).expect(name);
    if config.preprocess.size as usize != golden.size {
        panic!("{name} takes pictures of {}", config.preprocess.size);
    }
    config.name = name.to_owned();
    let arrays = checkpoint.to_arrays(&config).expect("all weights");
    let tower = AnyImageTower::new(&config, &arrays).expect("a tower");
    let is_vit = !matches!(config.vision, Vision::Network(_));
    // The last row of the golden is the feature.
    let stages = golden.rows.len() - usize::from(is_vit);
    let whole = golden.shapes.is_empty();
    let all = if whole { Vec::new() } else { (0..stages).collect() };
    let wanted = Wanted { hidden: all, input_gradient: !whole, ..Wanted::default() };
    let record = if whole { Record::No } else { Record::All };
    let pass = tower.forward_with(&pixels(golden.size), None, record, &wanted);
    for (stage, (found, wanted)) in hidden(&config, &pass).iter().zip(&golden.rows).enumerate() {
        let apart = difference(found, wanted);
        assert!(apart < 1e-5, "{name}: stage {stage} differs by {apart}");
    }
    let feature = golden.rows.last().expect("a feature");
    let apart = difference(&pass.features, feature);
    // Of millions of values some lie so near to a rectifier's edge that rounding moves them over it, and their gradients with
    // them: at full size these are no measure.
    if whole {
        return apart;
    }
    let dfeature: Vec<f32> = (0..feature.len()).map(|i| (i as f64 * 0.7).sin() as f32).collect();
    let of = PassGradients { features: &dfeature, ..PassGradients::default() };
    let (weights, dpixels) = tower.backward_from(pass, of);
    let of_pixels = difference(&some(&dpixels.expect("the pixels' gradient")), &golden.pixels);
    assert!(of_pixels < 1e-4, "{name}: the gradient of the pixels differs by {of_pixels}");
    for (weight, wanted) in &golden.gradients {
        let found = &weights.get(weight).expect("it learns").data;
        let apart = difference(&some(found), wanted);
        assert!(apart < 1e-4, "{name}: the gradient of {weight} differs by {apart}");
    }
    apart
}

#[test]
fn networks_of_torchvision_and_timm_give_their_features() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = goldens(&golden("imagenet.json"));
    assert_eq!(all.len(), 13);
    for (name, golden) in all {
        let path = file(folder.path(), &name, &golden.shapes);
        let apart = checked(&name, &golden, &path);
        assert!(apart < 1e-5, "{name}: the feature differs by {apart}");
    }
}

/// All at their full size, where `imagenet.py --full DIR` has written them into `TUWEN_FULL_SIZE`.
#[test]
fn full_size_networks_give_their_features() {
    let Some(folder) = std::env::var_os("TUWEN_FULL_SIZE").map(PathBuf::from) else { return };
    let answers = folder.join("imagenet.json");
    if !answers.exists() {
        return;
    }
    for (name, golden) in goldens(&answers) {
        let apart = checked(&name, &golden, &folder.join(format!("{name}.pth")));
        println!("{name}: {apart:e}");
        assert!(apart < 1e-5, "{name}: the feature differs by {apart}");
    }
}

/// A picture that is nowhere the same.
fn picture() -> RgbImage {
    RgbImage::from_fn(300, 260, |x, y| image::Rgb([x as u8, y as u8, (x * y / 7) as u8]))
}

#[test]
fn a_file_of_torchvisions_is_opened_as_it_lies() {
    let path = golden("resnet-tiny.pth");
    let encoder = CpuEncoder::open(&path).expect("a ResNet inside a trainer's checkpoint");
    let config = encoder.config();
    let net = Network::Residual { stem: 4, blocks: [1; 4], bottleneck: false };
    assert_eq!((config.vision, config.embed_dim), (Vision::Network(net), 32));
    let pictures = &config.preprocess;
    assert_eq!((pictures.size, pictures.resize), (224, Resize::Shortest(256)));
    assert_eq!((pictures.filter, pictures.mean), (Filter::Bilinear, [0.485, 0.456, 0.406]));
    assert!(encoder.notes().iter().any(|note| note.contains("resized to 256 and cut to 224")));
    let fitted = pictures.fit(&Picture::Rgb(picture()));
    let vector = encoder.encode_images(std::slice::from_ref(&fitted)).expect("a vector");
    assert!((vector.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
    // One picture has the same vector among others.
    let grey = RgbImage::from_pixel(224, 224, image::Rgb([128; 3]));
    let several = [grey.clone(), fitted.clone(), grey.clone(), fitted, grey];
    let all = encoder.encode_images(&several).expect("vectors");
    assert_eq!(all[32..64], vector[..]);
    assert_eq!(all[96..128], vector[..]);
    let said = encoder.encode_texts(&["a dog"]).expect_err("no texts").to_string();
    assert!(said.contains("resnet-tiny") && said.contains("no text tower"), "{said}");
    assert!(encoder.logits().is_err() && encoder.image_tokens(&several).is_err());
}

/// The network of the golden, as a folder that timm would write for the hub.
fn timms(folder: &Path, name: &str, config: &str) -> PathBuf {
    let golden = &goldens(&golden("imagenet.json"))[name];
    let inner = folder.join(format!("{name}-{}", config.len()));
    std::fs::create_dir_all(&inner).expect("a folder");
    let weights = file(folder, name, &golden.shapes);
    std::fs::rename(weights, inner.join("model.safetensors")).expect("weights");
    std::fs::write(inner.join("config.json"), config).expect("a configuration");
    inner
}

fn config_of(architecture: &str, pool: &str, more: &str) -> String {
    format!(
        r#"{{"architecture": "{architecture}", "num_classes": 10, "global_pool": "{pool}", "pretrained_cfg":
        {{"tag": "x_in1k", "input_size": [3, 64, 64], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.5, 0.5], "classifier": "head"{more}}}}}"#
    )
}

#[test]
fn timms_configuration_says_what_is_done_with_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |name: &str, config: &str| Checkpoint::open(&timms(folder.path(), name, config));
    let vit = "vit_tiny_patch16_224";
    let (config, _) = open(vit, &config_of(vit, "token", "")).expect("a ViT");
    let pictures = &config.preprocess;
    assert_eq!((pictures.size, pictures.resize), (64, Resize::Shortest(71)));
    assert_eq!((pictures.filter, pictures.std), (Filter::Bicubic, [0.25, 0.5, 0.5]));
    // A network of convolutions takes any size, and its name says how it pads.
    let tensorflow = |architecture: &str| {
        let config = config_of(architecture, "avg", "");
        match open("tf_efficientnet_lite0", &config).expect("an EfficientNet").0.vision {
            Vision::Network(Network::Efficient { tensorflow, squeeze, .. }) => {
                (tensorflow, squeeze)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tensorflow("tf_efficientnet_lite0"), (true, false));
    assert_eq!(tensorflow("efficientnet_lite0"), (false, false));
    let refused = |name: &str, config: &str, said: &str| {
        let error = open(name, config).expect_err(said).to_string();
        assert!(error.contains(said) && error.contains("config.json"), "{error}");
    };
    refused(vit, &config_of(vit, "avg", ""), "`token`");
    refused(vit, &config_of(vit, "token", r#", "crop_mode": "border""#), "centre");
    refused(vit, &config_of(vit, "token", r#", "anti_alias": 3"#), "anti_alias");
    let larger = config_of(vit, "token", "").replace("64, 64", "96, 96");
    refused(vit, &larger, "positions of the weights are those of 64");
    refused(vit, &config_of(vit, "token", "").replace("0.9", "9"), "crop_pct");
    refused("efficientnet_b0", &config_of("mobilenetv9", "avg", ""), "mobilenetv9");
}

#[test]
fn what_no_network_here_is_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = goldens(&golden("imagenet.json"));
    let refused = |name: &str, shapes: &BTreeMap<String, Vec<usize>>, said: &str| {
        let error = Checkpoint::open(&file(folder.path(), name, shapes)).expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    };
    // Nothing in a file of timm's says how an EfficientNet pads but its name.
    refused("best", &all["efficientnet_b0"].shapes, "put timm's config.json beside it");
    let mut wide = all["resnet50"].shapes.clone();
    wide.insert("layer1.0.conv2.weight".into(), vec![16, 8, 3, 3]);
    refused("wide_resnet50_2", &wide, "8 to 16 channels");
    let mut more = all["vit_tiny_patch16_224"].shapes.clone();
    more.insert("blocks.0.ls1.gamma".into(), vec![128]);
    refused("vit", &more, "`blocks.0.ls1.gamma`");
    let mut less = all["inception_v3"].shapes.clone();
    less.remove("Mixed_6c.branch7x7_2.bn.bias");
    refused("inception", &less, "`Mixed_6c.branch7x7_2.bn.bias` is missing");
}

#[test]
fn layers_have_names_and_places() {
    let encoder = CpuEncoder::open(&golden("resnet-tiny.pth")).expect("a ResNet");
    let names = ["stem", "layer1", "layer2", "layer3", "layer4", "pool"];
    assert_eq!(encoder.image_layers(), names);
    let place = |name: &str| encoder.image_layer(name).expect("a layer");
    assert_eq!((place("layer3"), place("3"), place("pool")), (3, 3, 5));
    let said = encoder.image_layer("layer9").expect_err("no such layer").to_string();
    assert!(said.contains("layer9") && said.contains("layer1, layer2"), "{said}");
    let fitted: Vec<RgbImage> =
        (0..20).map(|_| encoder.preprocess().fit(&Picture::Rgb(picture()))).collect();
    let rows = encoder.encode_layer(&fitted, 2).expect("rows");
    assert_eq!(rows.len(), 20 * 8);
    assert_eq!(rows[..8], rows[19 * 8..]);
    // What lies behind all stages is the feature.
    let feature =
        encoder.forward(tuwen_encode::Batch::Images(&fitted), tuwen_encode::Output::Feature);
    assert_eq!(encoder.encode_layer(&fitted, 5).expect("rows"), feature.expect("features"));
    assert!(encoder.encode_layer(&fitted, 6).is_err());
}

/// Of a transformer a layer is its class token, or where there is none the mean of its rows.
#[test]
fn layers_of_towers_are_their_blocks() {
    for folder in ["blip", "siglip"] {
        let encoder = CpuEncoder::open(&golden(folder)).expect(folder);
        let blocks = encoder.config().image.layers;
        assert_eq!(encoder.image_layers().len(), blocks + 1);
        let fitted = vec![encoder.preprocess().fit(&Picture::Rgb(picture())); 3];
        let (config, checkpoint) = Checkpoint::open(&golden(folder)).expect(folder);
        let tower = AnyImageTower::new(&config, &checkpoint).expect("a tower");
        let mut pixels = Vec::new();
        fitted.iter().for_each(|one| config.preprocess.normalise_into(one, &mut pixels));
        let wanted = Wanted { hidden: vec![blocks], ..Wanted::default() };
        let pass = tower.forward_with(&pixels, None, Record::No, &wanted);
        let (width, span) = (config.image.width, pass.hidden[0].spans[1].clone());
        let rows = pass.hidden[0].values[span.start * width..span.end * width].chunks_exact(width);
        let mean = |at: usize| {
            let all = rows.clone().map(|row| row[at]);
            if folder == "blip" {
                all.clone().next().expect("a row")
            } else {
                all.sum::<f32>() / span.len() as f32
            }
        };
        let found = encoder.encode_layer(&fitted, blocks).expect("rows");
        let wanted: Vec<f32> = (0..width).map(mean).collect();
        assert!(difference(&found[width..2 * width], &wanted) < 1e-6);
        let said = encoder.image_layer("layer3").expect_err("no name").to_string();
        assert!(said.contains(&format!("0 (the embedding) to {blocks}")), "{said}");
    }
}

#[test]
fn a_network_is_written_in_our_layout_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = goldens(&golden("imagenet.json"));
    for name in ["vgg19", "efficientnet_b0-tv", "vit_b_16"] {
        let (config, checkpoint) =
            Checkpoint::open(&file(folder.path(), name, &all[name].shapes)).expect(name);
        let path = folder.path().join(format!("{name}-ours"));
        let write = |target, path: &Path| {
            checkpoint::write(&config, &&checkpoint, target, Precision::F32, path)
        };
        write(Target::Tuwen, &path).expect("written");
        let (again, other) = Checkpoint::open(&path).expect("our layout");
        assert_eq!(again, config);
        let (a, b) = (checkpoint.to_arrays(&config), other.to_arrays(&again));
        assert_eq!(a.expect("weights"), b.expect("weights"));
        let said = write(Target::Hf, &folder.path().join("hf")).expect_err("no place").to_string();
        assert!(said.contains("image network of ImageNet"), "{said}");
    }
}
