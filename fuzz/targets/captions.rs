//! Files with captions in any encoding: CSV, JSON lines, Flickr, COCO, Karpathy and LAVIS.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_sets::import::Format;
use tuwen_fuzz::{file, read_all};

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let (name, format) = match kind % 6 {
        0 => ("t.csv", Format::Csv),
        1 => ("t.tsv", Format::Csv),
        2 => ("t.jsonl", Format::Jsonl),
        3 => ("t.token", Format::Flickr),
        4 => ("t.json", Format::Coco),
        _ => ("t.lavis", Format::Lavis),
    };
    file("a.png", b"picture");
    read_all(&file(name, bytes), format);
});
