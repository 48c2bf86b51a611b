//! Picture files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_image::{Limits, Preprocess, decode};

fuzz_target!(|data: &[u8]| {
    if let Ok(picture) = decode(data, Limits { pixels: 1_000_000, bytes: 1 << 20 }) {
        Preprocess::squash(8).fit(&picture);
    }
});
