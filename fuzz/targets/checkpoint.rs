//! Checkpoints: torch's files, safetensors, transformers' configurations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_encode::{Checkpoint, Weights};
use tuwen_fuzz::file;

const CONFIG: &[u8] = include_bytes!("../../crates/encode/tests/golden/clip/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../crates/encode/tests/golden/clip/model.safetensors");

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let path = match kind % 3 {
        0 => file("x.pt", bytes),
        1 => {
            file("a/config.json", CONFIG);
            file("a/model.safetensors", bytes).with_file_name("")
        }
        _ => {
            file("b/model.safetensors", WEIGHTS);
            file("b/config.json", bytes).with_file_name("")
        }
    };
    let Ok((config, checkpoint)) = Checkpoint::open(&path) else { return };
    for (name, _) in config.weight_shapes() {
        let _ = (&checkpoint).find(&name);
    }
});
