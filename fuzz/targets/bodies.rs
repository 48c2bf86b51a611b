//! Bodies of requests: searching, adding, tagging, embedding, comparing, and messages of assistants.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    // What is refused is refused in words, and none of them is a type of ours.
    if let Some(said) = tuwen_serve::refusal_of(*kind, body) {
        assert!(!said.is_empty());
    }
});
