//! `tuwen mcp`: an assistant on standard input and output.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::{TUWEN, copy_pictures, index};
use serde_json::{Value, json};

#[test]
fn an_assistant_talks_on_standard_input_and_output() {
    let folder = tempfile::tempdir().expect("a folder");
    copy_pictures(&["dog_grass.png", "cow.png", "bus.png"], &folder.path().join("photos"));
    index(folder.path(), &["photos"]);
    let mut process = Command::new(TUWEN)
        .arg("mcp")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = process.stdin.take().expect("its input");
    let mut output = BufReader::new(process.stdout.take().expect("its output"));
    let mut call = |id: i64, method: &str, params: Value| -> Value {
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(input, "{line}").expect("the program reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("an answer");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    assert_eq!(call(1, "initialize", hello)["result"]["serverInfo"]["name"], "tuwen");
    let tools = call(2, "tools/list", json!({}));
    assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(3), "without --write");
    let ask = json!({ "name": "search_images", "arguments": { "query": "a bus", "k": 1 } });
    let found = call(3, "tools/call", ask);
    let content = &found["result"]["content"];
    assert!(content[0]["text"].as_str().is_some_and(|text| text.contains("bus.png")), "{found}");
    assert_eq!(content[1]["mimeType"], "image/jpeg");
    drop(input);
    assert!(process.wait().expect("it ends").success());
}
