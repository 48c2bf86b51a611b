//! Chinese-CLIP's LMDB of pictures, and of pickled pairs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_sets::import::Format;
use tuwen_fuzz::{file, read_all};

fuzz_target!(|data: &[u8]| {
    file("lmdb/train/imgs/data.mdb", data);
    let path = file("lmdb/train/pairs/data.mdb", data);
    read_all(path.ancestors().nth(3).expect("a folder"), Format::ChineseClip);
});
