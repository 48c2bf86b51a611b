//! `tuwen data translate` against an HTTP server on this machine that speaks OpenAI's chat completions,
//! with the faults that real ones have.

mod common;

use common::http::{self, Request};
use common::{fail, succeed};
use serde_json::json;

fn answer(Request { turn, key, body, .. }: &Request) -> (u16, String) {
    let texts: Vec<String> =
        serde_json::from_str(body["messages"][1]["content"].as_str().expect("texts"))
            .expect("texts");
    let mut translated: Vec<String> = texts.iter().map(|text| format!("译 {text}")).collect();
    if body["model"] == "mute" {
        translated.iter_mut().for_each(String::clear);
    }
    if texts.len() > 1 && *turn == 1 {
        // It loses count.
        translated.pop();
    }
    let content = format!("Here you are:\n{}", json!(translated));
    let (status, text) = match turn {
        0 => (503, json!({ "error": "busy" })),
        _ if *key == "bearer wrong" => (401, json!({ "error": "who are you?" })),
        _ => (200, json!({ "choices": [{ "message": { "content": content } }] })),
    };
    (status, text.to_string())
}

fn server() -> String {
    http::server(answer) + "/v1"
}

#[test]
fn captions_are_translated_through_faults_and_the_work_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..5).map(|i| format!("{i}.jpg,a dog {i}\n")).collect();
    std::fs::write(folder.path().join("en.csv"), format!("image,caption\n{rows}")).expect("a file");
    let url = server();
    let args =
        ["data", "translate", "en.csv", "zh.jsonl", "--url", &url, "--model", "m", "--batch", "2"];
    let out = succeed(folder.path(), &args);
    assert!(out.contains("5 captions"), "{out}");
    let path = folder.path().join("zh.jsonl");
    let whole = std::fs::read_to_string(&path).expect("a file");
    assert_eq!(whole.lines().count(), 5);
    assert!(whole.contains("{\"caption\":\"译 a dog 4\",\"image\":\"4.jpg\"}"), "{whole}");
    // After a stop the rest is asked for, and the file is the same.
    let part: String = whole.lines().take(3).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, part).expect("a file");
    succeed(folder.path(), &args);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), whole);
    std::fs::write(&path, "{\"image\": \"0.jpg\"").expect("a file");
    assert!(fail(folder.path(), &args, 1).contains("its last line is cut"));
    // A file of something else is nobody's beginning.
    std::fs::write(&path, "precious\n").expect("a file");
    assert!(fail(folder.path(), &args, 1).contains("line 1: it is no translation"));
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious\n");
}

#[test]
fn empty_answers_are_no_translation() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("en.csv"), "image,caption\na.jpg,x\n").expect("a file");
    let url = server();
    let args = ["data", "translate", "en.csv", "o.jsonl", "--url", &url, "--model", "mute"];
    let error = fail(folder.path(), &args, 1);
    assert!(error.contains("a.jpg") && error.contains("answers nothing"), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("o.jsonl")).expect("a file"), "");
}

#[test]
fn refusals_are_told_with_their_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("en.csv"), "image,caption\na.jpg,x\n").expect("a file");
    let url = server();
    let output = std::process::Command::new(common::TUWEN)
        .args(["data", "translate", "en.csv", "o.jsonl", "--url", &url, "--model", "m"])
        .env("OPENAI_API_KEY", "wrong")
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("401") && error.contains("is the key right?"), "{error}");
    let nobody =
        ["data", "translate", "en.csv", "o.jsonl", "--url", "http://127.0.0.1:9", "--model", "m"];
    assert!(fail(folder.path(), &nobody, 1).contains("127.0.0.1:9/chat/completions"));
}
