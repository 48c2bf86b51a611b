//! Vectors of other programs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_sets::vectors::Vectors;
use tuwen_fuzz::file;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let name = ["v.npy", "v.fbin", "v.jsonl"][*kind as usize % 3];
    if let Ok(found) = Vectors::read(&file(name, bytes), "image_id") {
        assert_eq!(found.values.len(), found.ids.len() * found.dim);
        assert!(found.values.iter().all(|value| value.is_finite()));
    }
});
