//! Texts: CLIP's cleaning, both tokenizers, windows, encodings of files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_files::encoding::TextFile;
use tuwen_text::token::{ClipBpe, WordPiece};
use tuwen_fuzz::file;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        ClipBpe::shared().pieces(text);
        WordPiece::shared().pieces(text);
    }
    let found = TextFile::look(&file("t.txt", data)).expect("any bytes are text");
    let mut text = String::new();
    let mut reader = found.open().expect("any bytes are text");
    std::io::Read::read_to_string(&mut reader, &mut text).expect("UTF-8");
});
