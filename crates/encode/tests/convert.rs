//! Models in the layouts of others and back: the same outputs. `scripts/golden/converted.py` checks
//! by hand that cn_clip, OpenAI's loader and transformers read them.

mod common;

use std::path::{Path, PathBuf};

use common::{Outputs, close, golden, ids, json, outputs};
use tuwen_encode::arrays::Precision;
use tuwen_encode::checkpoint::{Resized, Target, write};
use tuwen_encode::towers::Record;
use tuwen_encode::{Checkpoint, Vision, Weights};

/// A folder that vanishes.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tuwen-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const MODELS: [&str; 9] = [
    "clip",
    "chinese-clip",
    "cn_clip.pt",
    "cn_clip-flash.pt",
    "cn_clip-resnet.pt",
    "openai.pt",
    "open_clip-resnet",
    "siglip",
    "siglip2",
];

fn converted(name: &str, target: Target, precision: Precision, to: &Path) -> Result<(), String> {
    let (config, checkpoint) = Checkpoint::open(&golden(name)).expect("a checkpoint");
    write(&config, &&checkpoint, target, precision, to).map_err(|e| e.to_string())
}

/// What `path` gives for the texts that the golden model `name` knows.
fn outputs_of(path: &Path, name: &str) -> Outputs {
    let towers = json("towers.json");
    let own = &towers[name];
    let ids = ids(if own["ids"].is_null() { &towers } else { own });
    outputs(path, 2, &ids, Record::No)
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn place(folder: &Folder, name: &str, target: Target) -> PathBuf {
    let end = if target == Target::Torch { ".pt" } else { "" };
    folder.0.join(format!("{name}-{target:?}{end}"))
}

#[test]
fn every_model_gives_the_same_in_every_layout_that_has_a_place_for_it() {
    let folder = Folder::new("layouts");
    let mut written = 0;
    for name in MODELS {
        let wanted = outputs_of(&golden(name), name);
        for target in [Target::Tuwen, Target::Hf, Target::Torch] {
            let path = place(&folder, name, target);
            if let Err(what) = converted(name, target, Precision::F32, &path) {
                let known = ["no CLIP with a ResNet", "no .pt layout", "how many heads"];
                assert!(known.iter().any(|known| what.contains(known)), "{name}: {what}");
                assert!(!path.exists());
                continue;
            }
            let found = outputs_of(&path, name);
            for (what, found, wanted) in [
                ("image", &found.image, &wanted.image),
                ("text", &found.text, &wanted.text),
                ("logits", &found.logits, &wanted.logits),
            ] {
                let difference = largest_difference(found, wanted);
                assert!(difference < 1e-6, "{name} as {target:?}, {what}: {difference}");
            }
            written += 1;
        }
    }
    assert_eq!(written, 3 * MODELS.len() - 6);
}

#[test]
fn half_the_bits_are_nearly_the_same() {
    let folder = Folder::new("halves");
    for (precision, bound) in [(Precision::F16, 1e-3), (Precision::Bf16, 1e-2)] {
        for target in [Target::Tuwen, Target::Hf, Target::Torch] {
            let path = place(&folder, &format!("{precision:?}"), target);
            converted("cn_clip.pt", target, precision, &path).expect("a copy");
            let (found, wanted) = (outputs_of(&path, ""), outputs_of(&golden("cn_clip.pt"), ""));
            let difference = largest_difference(&found.image, &wanted.image);
            assert!((1e-7..bound).contains(&difference), "{precision:?}, {target:?}: {difference}");
        }
    }
}

#[test]
fn what_a_layout_cannot_say_is_refused() {
    let folder = Folder::new("refused");
    // GELU instead of quick GELU: OpenAI's loader would run it wrongly.
    let (mut config, checkpoint) = Checkpoint::open(&golden("openai.pt")).expect("a checkpoint");
    config.text.activation = tuwen_encode::Activation::Gelu;
    let path = folder.0.join("x.pt");
    let error = write(&config, &&checkpoint, Target::Torch, Precision::F32, &path);
    assert!(error.expect_err("it cannot say so").to_string().contains("quick GELU"));
    let (config, checkpoint) = Checkpoint::open(&golden("siglip")).expect("a checkpoint");
    let error = Resized::new(&config, &&checkpoint, 33).err().expect("no multiple of 8");
    assert!(error.contains("33") && error.contains('8'), "{error}");
}

#[test]
fn another_resolution_is_what_transformers_makes_of_it() {
    let folder = Folder::new("resized");
    for (name, size) in [("clip", 48), ("clip", 24), ("siglip", 56)] {
        let (config, checkpoint) = Checkpoint::open(&golden(name)).expect("a checkpoint");
        let source = &checkpoint;
        let resized = Resized::new(&config, &source, size).expect("a multiple of 8");
        let path = folder.0.join(format!("{name}-{size}"));
        write(resized.config(), &resized, Target::Hf, Precision::F32, &path).expect("a folder");
        let (config, again) = Checkpoint::open(&path).expect("a checkpoint");
        assert_eq!((config.preprocess.size, config.vision), (size, resized.config().vision));
        assert!(config.vision != Vision::Probe || (&again).find("image.cls_token").is_err());
        let wanted = json("towers.json");
        close(name, &outputs_of(&path, name).image, &wanted[format!("{name} at {size}")], 1e-5);
    }
}
