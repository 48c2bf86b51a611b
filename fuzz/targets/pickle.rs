//! Pickles.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drop(tuwen_files::pickle::parse(data)));
