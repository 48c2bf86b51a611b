//! Webdataset's tar archives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_sets::import::Format;
use tuwen_fuzz::{file, read_all};

fuzz_target!(|data: &[u8]| read_all(&file("t.tar", data), Format::Shards));
