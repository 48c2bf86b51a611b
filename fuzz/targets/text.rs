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
    // Bytes that may have either of two encodings are refused by name.
    let Ok(found) = TextFile::look(&file("t.txt", data)) else { return };
    let mut text = String::new();
    let mut reader = found.open().expect("what was looked at is opened");
    std::io::Read::read_to_string(&mut reader, &mut text).expect("UTF-8");
});
