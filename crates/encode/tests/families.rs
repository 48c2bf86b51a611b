//! Checkpoints of others against transformers and cn_clip (`scripts/golden/families.py`).

use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::towers::{ImageTower, Record, TextTower};
use tuwen_encode::{Checkpoint, CpuEncoder, Pool, Tokenizer, Weights};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The same pictures as the script's.
fn pixels(count: u32) -> Vec<f32> {
    (0..count).map(|i| ((f64::from(i) * 0.37).sin() * 0.8) as f32).collect()
}

/// Features to unit vectors.
fn project(features: &[f32], head: &[f32], width: usize) -> Vec<Vec<f32>> {
    let project = |row: &[f32]| {
        let dot = |w: &[f32]| row.iter().zip(w).map(|(a, b)| a * b).sum::<f32>();
        let out: Vec<f32> = head.chunks_exact(width).map(dot).collect();
        let length = out.iter().map(|v| v * v).sum::<f32>().sqrt();
        out.into_iter().map(|v| v / length).collect()
    };
    features.chunks_exact(width).map(project).collect()
}

fn close(what: &str, found: &[Vec<f32>], wanted: &Value, bound: f32) {
    let wanted: Vec<Vec<f32>> = serde_json::from_value(wanted.clone()).expect("rows");
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found.len(), wanted.len(), "{what}");
        let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < bound, "{what}: differs by {worst}");
    }
}

fn same_embeddings(path: &str, key: &str, bound: f32) {
    let text = std::fs::read_to_string(golden("families.json")).expect("goldens are committed");
    let wanted: Value = serde_json::from_str(&text).expect("JSON");
    let (config, checkpoint) = Checkpoint::open(&golden(path)).expect("a checkpoint");
    let head = |name: &str| (&checkpoint).find(name).expect("a projection").1;
    let tower = ImageTower::new(&config, &checkpoint).expect("the image tower");
    let features = tower.forward(&pixels(2 * 3 * 32 * 32), None, Record::No).features;
    let found = project(&features, &head("heads.image_proj.weight"), config.image.width);
    close(&format!("{path}, image"), &found, &wanted[key]["image"], bound);
    let ids: Vec<Vec<u32>> = serde_json::from_value(wanted["ids"].clone()).expect("ids");
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let tower = TextTower::new(&config, &checkpoint).expect("the text tower");
    for record in [Record::No, Record::From(0)] {
        let features = tower.forward(&ids, record).features;
        let found = project(&features, &head("heads.text_proj.weight"), config.text.width);
        close(&format!("{path}, text, {record:?}"), &found, &wanted[key]["text"], bound);
    }
}

#[test]
fn clip_as_transformers_saves_it() {
    same_embeddings("clip", "clip", 1e-5);
    same_embeddings("clip-shards", "clip", 1e-5);
    let (config, _) = Checkpoint::open(&golden("clip")).expect("a checkpoint");
    assert_eq!(
        (config.tokenizer, config.pool, config.causal),
        (Tokenizer::ClipBpe, Pool::Last, true)
    );
}

#[test]
fn chinese_clip_as_transformers_saves_it() {
    same_embeddings("chinese-clip", "chinese-clip", 1e-5);
    let (config, _) = Checkpoint::open(&golden("chinese-clip")).expect("a checkpoint");
    assert_eq!((config.tokenizer, config.pool), (Tokenizer::WordPiece, Pool::First));
}

#[test]
fn half_precision_and_pickled() {
    same_embeddings("chinese-clip-bin", "chinese-clip", 5e-3);
}

#[test]
fn chinese_clip_as_cn_clip_saves_it_after_fine_tuning() {
    same_embeddings("cn_clip.pt", "cn_clip", 1e-5);
}

#[test]
fn clip_as_openai_publishes_it() {
    same_embeddings("openai.pt", "openai", 1e-5);
}

#[test]
fn converted_to_our_layout_it_gives_the_same() {
    let folder = std::env::temp_dir().join(format!("tuwen-convert-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for name in ["clip", "cn_clip.pt"] {
        let (config, checkpoint) = Checkpoint::open(&golden(name)).expect("a checkpoint");
        let all = checkpoint.to_arrays(&config).expect("all weights");
        let json = serde_json::to_string(&config).expect("plain data");
        std::fs::write(folder.join("config.json"), json).expect("a file");
        let file = folder.join("model.safetensors");
        arrays::write(&all, Precision::F32, &Default::default(), &file).expect("a file");
        let path = folder.to_str().expect("UTF-8");
        same_embeddings(path, name.strip_suffix(".pt").unwrap_or(name), 1e-5);
    }
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_vocabulary_that_is_not_the_tokenizers_is_refused() {
    let error = CpuEncoder::open(&golden("clip")).err().expect("60 tokens").to_string();
    assert!(error.contains("60") && error.contains("49408"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = std::env::temp_dir().join(format!("tuwen-families-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let open = |folder: &Path| Checkpoint::open(folder).expect_err("it does not fit").to_string();
    let config = std::fs::read_to_string(golden("clip/config.json")).expect("a configuration");
    std::fs::write(folder.join("config.json"), &config).expect("a file");
    let error = open(&folder);
    assert!(error.contains("model.safetensors") && error.contains("put"), "{error}");

    let weights = std::fs::read(golden("clip/model.safetensors")).expect("weights");
    std::fs::write(folder.join("model.safetensors"), &weights).expect("a file");
    Checkpoint::open(&folder).expect("a copy");
    let change = |from: &str, to: &str| {
        assert!(config.contains(from), "{from}");
        std::fs::write(folder.join("config.json"), config.replace(from, to)).expect("a file");
        open(&folder)
    };
    let error = change("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert!(error.contains("layers.2"), "{error}");
    let error = change("\"projection_dim\": 16", "\"projection_dim\": 17");
    assert!(error.contains("16") && error.contains("17"), "{error}");
    let error = change("\"model_type\": \"clip\"", "\"model_type\": \"blip\"");
    assert!(error.contains("blip"), "{error}");

    std::fs::write(folder.join("config.json"), &config).expect("a file");
    for cut in [4, 100, weights.len() / 2] {
        std::fs::write(folder.join("model.safetensors"), &weights[..cut]).expect("a file");
        assert!(open(&folder).contains("model.safetensors"));
    }
    // OpenAI's weights without the record of its module are what open_clip would save.
    let plain = golden("open_clip.pt");
    assert!(open(&plain).contains("which GELU"));
    let torch = std::fs::read(golden("cn_clip.pt")).expect("a checkpoint");
    for cut in [0, 100, torch.len() / 2, torch.len() - 1] {
        let file = folder.join("cut.pt");
        std::fs::write(&file, &torch[..cut]).expect("a file");
        assert!(open(&file).contains("cut.pt"), "cut at {cut}");
    }
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

/// By hand: `scripts/golden/full_size.py` makes the folder and says how to run this.
#[test]
fn full_size_models_equal_transformers() {
    let Some(folder) = std::env::var_os("TUWEN_FULL_SIZE").map(PathBuf::from) else {
        return eprintln!("not run: TUWEN_FULL_SIZE names no folder (scripts/golden/full_size.py)");
    };
    let mut models = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of TUWEN_FULL_SIZE") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(path.join("golden.json")).expect("a golden file");
        let wanted: Value = serde_json::from_str(&text).expect("JSON");
        let start = std::time::Instant::now();
        let (config, checkpoint) = Checkpoint::open(&path).expect("a checkpoint");
        let images = ImageTower::new(&config, &checkpoint).expect("the image tower");
        let texts = TextTower::new(&config, &checkpoint).expect("the text tower");
        let loaded = start.elapsed();
        let head = |name: &str| (&checkpoint).find(name).expect("a projection").1;
        let size = wanted["size"].as_u64().expect("a size") as u32;
        let features = images.forward(&pixels(3 * size * size), None, Record::No).features;
        let image = project(&features, &head("heads.image_proj.weight"), config.image.width);
        let ids: Vec<Vec<u32>> = serde_json::from_value(wanted["ids"].clone()).expect("ids");
        let features = texts.forward(&[&ids[0]], Record::No).features;
        let text = project(&features, &head("heads.text_proj.weight"), config.text.width);
        let cosine = |found: &[f32], wanted: &Value| -> f64 {
            let wanted: Vec<f64> = serde_json::from_value(wanted[0].clone()).expect("a row");
            found.iter().zip(&wanted).map(|(a, b)| f64::from(*a) * b).sum()
        };
        let (a, b) = (cosine(&image[0], &wanted["image"]), cosine(&text[0], &wanted["text"]));
        eprintln!("{}: cosine {a:.7} {b:.7}, loaded in {loaded:.2?}", path.display());
        assert!(a > 0.99999 && b > 0.99999);
        models += 1;
    }
    assert!(models > 0, "{} is empty", folder.display());
}
