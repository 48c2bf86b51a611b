//! Checkpoints of others against transformers and cn_clip (`scripts/golden/families.py`).

mod common;

use std::path::{Path, PathBuf};

use common::{close, golden, ids, json, not_run, outputs};
use serde_json::Value;
use tuwen_encode::towers::Record;
use tuwen_encode::{Checkpoint, CpuEncoder, ModelConfig, Pool, Tokenizer};

fn same_embeddings(path: &str, key: &str, bound: f32) {
    let wanted = json("families.json");
    for record in [Record::No, Record::All] {
        let found = outputs(&golden(path), 2, &ids(&wanted), record);
        close(&format!("{path}, image"), &found.image, &wanted[key]["image"], bound);
        close(&format!("{path}, text, {record:?}"), &found.text, &wanted[key]["text"], bound);
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

/// `docs/model-files.md` is what this test prints; `TUWEN_WRITE_DOCS=1` writes it.
#[test]
fn the_documentation_has_every_key_of_the_files_of_others() {
    let mut text = String::from(DOCUMENTATION);
    let mut last = "";
    for (file, key, what) in tuwen_encode::checkpoint::known_keys() {
        if file != last {
            text += &format!("\n## `{}`\n\n| key | what is done with it |\n|---|---|\n", file);
            last = file;
        }
        text += &format!("| `{key}` | {} |\n", what.replace('|', "\\|"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/model-files.md");
    if std::env::var_os("TUWEN_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("a file");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "run this test with TUWEN_WRITE_DOCS=1 and look at the difference");
}

const DOCUMENTATION: &str = "# Model files of other programs

Every key of these files is read, known to be of no consequence for a vector, or refused with an error
that names file, key, value and cure. A key that is not listed is refused as well, unless its value says
\"off\" (null, false, 0, an empty text or list) or its name contains `dropout`. In `tokenizer_config.json`
only the listed keys are looked at: `tokenizer.json` decides the rest.

Where a folder has both, the part `image_processor` of `processor_config.json` wins over
`preprocessor_config.json`, as in transformers. `text_config_dict` and `vision_config_dict` win over
`text_config` and `vision_config`, as there.

Pictures are resized as Pillow 12 does, in all of its six filters. transformers 5 has a second backend,
torchvision's: over 100 photos of Flickr8k its pixels were equal to Pillow's (bicubic, CLIP's processor;
smallest cosine of a ViT-B/32 between the two: 1.0000000), with the bilinear filter they differ by 1 of
255 levels at most. `tuwen model info` says where a folder names that one.
";

/// By hand: `scripts/golden/full_size.py` makes the folder and says how to run this.
#[test]
fn full_size_models_equal_transformers() {
    let Some(folder) = std::env::var_os("TUWEN_FULL_SIZE").map(PathBuf::from) else {
        return not_run("TUWEN_FULL_SIZE names no folder (scripts/golden/full_size.py)");
    };
    let mut models = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of TUWEN_FULL_SIZE") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(path.join("golden.json")).expect("a golden file");
        let wanted: Value = serde_json::from_str(&text).expect("JSON");
        let (config, _) = Checkpoint::open(&path).expect("a checkpoint");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/models");
        let known =
            ModelConfig::load(&known.join(format!("{name}.json"))).expect("an architecture");
        assert_eq!(ModelConfig { name, ..config }, known);
        let start = std::time::Instant::now();
        CpuEncoder::open(&path).expect("a model").load().expect("both towers");
        let loaded = start.elapsed();
        let found = outputs(&path, 1, &ids(&wanted), Record::No);
        let cosine = |found: &[f32], wanted: &Value| -> f64 {
            let wanted: Vec<f64> = serde_json::from_value(wanted[0].clone()).expect("a row");
            found.iter().zip(&wanted).map(|(a, b)| f64::from(*a) * b).sum()
        };
        let a = cosine(&found.image[0], &wanted["image"]);
        let b = cosine(&found.text[0], &wanted["text"]);
        eprintln!("{}: cosine {a:.7} {b:.7}, loaded in {loaded:.2?}", path.display());
        assert!(a > 0.99999 && b > 0.99999);
        models += 1;
    }
    assert!(models > 0, "{} is empty", folder.display());
}
