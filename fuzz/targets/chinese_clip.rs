//! Chinese-CLIP's TSV and JSONL: the first line's length in the first byte divides them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_sets::import::Format;
use tuwen_fuzz::{file, read_all};

fuzz_target!(|data: &[u8]| {
    let Some((&length, bytes)) = data.split_first() else { return };
    let (images, texts) = bytes.split_at((length as usize).min(bytes.len()));
    file("tsv/train_texts.jsonl", texts);
    let path = file("tsv/train_imgs.tsv", images);
    read_all(path.parent().expect("a folder"), Format::ChineseClip);
});
