//! Parquet tables. Their library panics on damaged files, which we take as an error; libFuzzer would
//! stop at the panic itself, so that its hook is taken away.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use tuwen_sets::import::Format;
use tuwen_fuzz::{file, read_all};

static QUIET: Once = Once::new();

fuzz_target!(|data: &[u8]| {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let path = file("t.parquet", data);
    let read = std::panic::catch_unwind(|| read_all(&path, Format::Parquet));
    if read.is_err() {
        std::process::abort();
    }
});
