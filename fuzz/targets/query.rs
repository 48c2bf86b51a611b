//! What people type: a line of the language of queries, and a filter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_index::filter::Filter;
use tuwen_retrieve::language::Line;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Line::parse(text);
    if let Ok(filter) = Filter::parse(text) {
        drop(filter.fields());
    }
});
