//! MetaCLIP 2's table of 901,629 tokens stays in its file: a text reads its own rows and nothing else.

#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use common::{close, golden, ids, json};
use serde_json::{Value, json as object};
use tuwen_encode::Checkpoint;
use tuwen_encode::towers::{Heads, Record, TextTower};
use tuwen_nn::Tape;

const ROWS: usize = 901_629;
const TABLE: &str = "text_model.embeddings.token_embedding.weight";

/// The tiny MetaCLIP 2 with so many tokens as the published ones have: the first rows are its own, the others a hole in the
/// file, which takes up no disk. Returns the table's bytes.
fn worldwide(folder: &Path) -> u64 {
    for name in ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"] {
        let _ = std::fs::copy(golden("metaclip-2").join(name), folder.join(name));
    }
    let config = std::fs::read_to_string(golden("metaclip-2").join("config.json")).expect("a file");
    let config = config.replace("\"vocab_size\": 143", &format!("\"vocab_size\": {ROWS}"));
    assert!(config.contains(&ROWS.to_string()));
    std::fs::write(folder.join("config.json"), config).expect("a file");

    let bytes = std::fs::read(golden("metaclip-2").join("model.safetensors")).expect("weights");
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
    let (header, data) = rest.split_at(length);
    let header: serde_json::Map<String, Value> = serde_json::from_slice(header).expect("JSON");
    let (mut named, mut all) = (serde_json::Map::new(), Vec::new());
    let place =
        |tensor: &Value, at: usize| tensor["data_offsets"][at].as_u64().expect("a place") as usize;
    let table = &header[TABLE];
    for (name, tensor) in
        header.iter().filter(|(name, _)| *name != TABLE && *name != "__metadata__")
    {
        let own = &data[place(tensor, 0)..place(tensor, 1)];
        let mut tensor = tensor.clone();
        tensor["data_offsets"] = object!([all.len(), all.len() + own.len()]);
        all.extend_from_slice(own);
        named.insert(name.clone(), tensor);
    }
    // Behind all others, so that the hole is the end of the file.
    let width = table["shape"][1].as_u64().expect("a width");
    let size = ROWS as u64 * width * 2;
    let start = all.len() as u64;
    named.insert(
        TABLE.to_owned(),
        object!({"dtype": "F16", "shape": [ROWS, width], "data_offsets": [start, start + size]}),
    );
    all.extend_from_slice(&data[place(table, 0)..place(table, 1)]);
    let header = serde_json::to_vec(&named).expect("JSON");
    let mut file = File::create(folder.join("model.safetensors")).expect("a file");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("written");
    file.write_all(&header).expect("written");
    file.write_all(&all).expect("written");
    let begin = file.stream_position().expect("a place") - all.len() as u64;
    file.set_len(begin + start + size).expect("a hole");
    size
}

/// Bytes that this process has read so far, from whatever file.
fn read_so_far() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").expect("Linux says it");
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a line");
    line.parse().expect("a number")
}

#[test]
fn a_text_reads_the_rows_of_its_tokens_and_not_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = worldwide(folder.path());
    assert!(table > 80 << 20);
    let before = read_so_far();
    let (config, checkpoint) = Checkpoint::open(folder.path()).expect("a checkpoint");
    assert_eq!(config.vocab, ROWS);
    let tower = TextTower::new(&config, &checkpoint).expect("the text tower");
    let heads = Heads::new(&config, &checkpoint).expect("both heads");
    let all = json("metaclip_2.json");
    let wanted = &all["metaclip-2"];
    let ids = ids(wanted);
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    let features = tower.forward(&ids, Record::No).features;
    let read = read_so_far() - before;

    let mut tape = Tape::forward_only();
    let features = tape.leaf(features, config.text.width, false);
    let found = heads.texts(&mut tape, &features);
    let rows: Vec<Vec<f32>> = found.chunks_exact(found.width()).map(<[f32]>::to_vec).collect();
    close("vectors", &rows, &wanted["text"], 1e-5);
    assert!(read < 1 << 20, "{read} bytes were read, and the table has {table}");
}
