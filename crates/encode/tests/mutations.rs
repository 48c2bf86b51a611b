//! Damaged checkpoints and configurations are errors or models, and never a crash.

mod common;
#[path = "../../sets/tests/damage/mod.rs"]
mod damage;

use std::path::Path;

use common::golden;
use damage::{damaged, rounds};
use tuwen_encode::{Checkpoint, Weights};
use tuwen_image::rng::Rng;

/// Opens a model and reads all of it, as far as it lets itself be read.
fn read_all(path: &Path) -> bool {
    let Ok((config, checkpoint)) = Checkpoint::open(path) else { return false };
    config.weight_shapes().iter().all(|(name, _)| (&checkpoint).find(name).is_ok())
}

fn survive(files: &[(&str, &str)], usual: usize) {
    let folder = std::env::temp_dir().join(format!(
        "tuwen-damage-{}-{}",
        std::process::id(),
        files[0].0.len()
    ));
    std::fs::create_dir_all(&folder).expect("a folder");
    let whole = files.len() == 1;
    let path = if whole { folder.join(files[0].1) } else { folder.clone() };
    for (source, name) in files {
        std::fs::copy(golden(source), folder.join(name)).expect("a copy");
    }
    assert!(read_all(&path), "{files:?} as it is");
    let mut rng = Rng::new(&[files[0].0.len() as u64]);
    let mut refused = 0;
    for (source, name) in files {
        let bytes = std::fs::read(golden(source)).expect("a golden file");
        // The part that describes the rest is where damage matters: the front, and a zip's end.
        let front = bytes.len().min(6000);
        for round in 0..rounds(usual) {
            let damaged = match round % 3 {
                0 => damaged(&bytes, &mut rng),
                1 => [&damaged(&bytes[..front], &mut rng)[..], &bytes[front..]].concat(),
                _ => {
                    let end = bytes.len() - front;
                    [&bytes[..end], &damaged(&bytes[end..], &mut rng)[..]].concat()
                }
            };
            std::fs::write(folder.join(name), damaged).expect("a file");
            refused += usize::from(!read_all(&path));
        }
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    assert!(refused > 0, "some damage is noticed");
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

#[test]
fn a_damaged_transformers_folder() {
    survive(
        &[("clip/config.json", "config.json"), ("clip/model.safetensors", "model.safetensors")],
        400,
    );
}

#[test]
fn a_damaged_torch_file() {
    survive(&[("cn_clip-resnet.pt", "x.pt")], 400);
}

#[test]
fn a_damaged_scripted_file() {
    survive(&[("openai.pt", "x.pt")], 200);
}

#[test]
fn a_damaged_file_of_authors() {
    survive(&[("r2d2/r2d2.pth", "x.pth")], 200);
}

#[test]
fn damaged_shards_with_queries() {
    let shard = |at: usize| format!("model-0000{at}-of-00005.safetensors");
    let shards: Vec<(String, String)> =
        (1..=5).map(|at| (format!("blip-2/{}", shard(at)), shard(at))).collect();
    let index = "model.safetensors.index.json";
    let own = format!("blip-2/{index}");
    let mut files = vec![("blip-2/config.json", "config.json"), (&own[..], index)];
    files.push(("blip-2/tokenizer.json", "tokenizer.json"));
    files.extend(shards.iter().map(|(source, name)| (&source[..], &name[..])));
    survive(&files, 60);
}
