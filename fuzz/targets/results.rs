//! The Taidi Cup's result files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tuwen_fuzz::file;

#[path = "../../crates/cli/src/contest/mod.rs"]
mod contest;

use contest::{Tables, Task, validate};

fuzz_target!(|data: &[u8]| {
    let images: String = (0..6).map(|i| format!("i{i}\n")).collect();
    file("附件2/image_data.csv", format!("image_id\n{images}").as_bytes());
    let words = file("附件2/word_test.csv", b"text_id,caption\nw0,x\nw1,y\n");
    let root = words.ancestors().nth(2).expect("a folder");
    let tables = Tables::read(root, Task::Words).expect("tables");
    let _ = validate(&file("result1.csv", data), Task::Words, &tables);
});
