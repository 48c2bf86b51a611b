//! `tuwen ask`: what a dual encoder answers about drawn pictures, what it refuses, and models at an address, which captions
//! come from, too.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::http::{Request, server};
use common::{copy_pictures, demo_pictures, fail, succeed, tuwen};
use serde_json::{Value, json};

fn picture(name: &str) -> String {
    demo_pictures().join(name).to_str().expect("a plain path").to_owned()
}

fn asked(args: &[&str]) -> Value {
    let args = [&["ask"], args, &["--json"]].concat();
    serde_json::from_str(&succeed(Path::new("."), &args)).expect("JSON")
}

/// What is printed for lines of standard input, and the exit code.
fn chat(args: &[&str], lines: &str) -> (Vec<String>, String, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tuwen"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tuwen starts");
    // One that ends early reads no more.
    let _ = child.stdin.take().expect("a pipe").write_all(lines.as_bytes());
    let output = child.wait_with_output().expect("tuwen ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = text(&output.stdout).lines().map(str::to_owned).collect();
    (printed, text(&output.stderr), output.status.code())
}

#[test]
fn drawn_pictures_are_asked_about_in_both_languages() {
    let (dog, pizza) = (picture("dog_grass.png"), picture("pizza.png"));
    for (picture, question, yes) in [
        (&pizza, "Is there a pizza in the picture?", true),
        (&pizza, "图里有披萨吗？", true),
        (&pizza, "Is there a dog?", false),
        (&dog, "这里有没有潜水艇", false),
    ] {
        let said = asked(&[picture, question]);
        assert_eq!(said["answer"]["yes"], yes, "{question}: {said}");
        let probability = said["answer"]["probability"].as_f64().expect("a number");
        assert_eq!(probability >= 0.5, yes);
    }
    let traditional = asked(&[&dog, "圖裡有沒有狗"]);
    assert_eq!(traditional["answer"], asked(&[&dog, "图里有没有狗"])["answer"]);
    let said = asked(&[&pizza, "这是什么？", "--choices", "公交车，披萨、狗"]);
    assert_eq!(said["choices"][0]["choice"], "披萨", "{said}");
    let said = asked(&[&pizza, "What is it?", "--choices", "a bus, a pizza,a dog"]);
    assert_eq!(said["choices"][0]["choice"], "a pizza", "{said}");
    let shares = said["choices"].as_array().expect("choices").iter();
    let sum: f64 = shares.map(|choice| choice["probability"].as_f64().expect("a number")).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    let refused = fail(Path::new("."), &["ask", &pizza, "What?", "--choices", "red,blue,red"], 2);
    assert!(refused.contains("`red` is there twice"), "{refused}");
    let long = format!("Is there a pizza{}?", " on a table of wood".repeat(60));
    let output = tuwen(Path::new("."), &["ask", &pizza, &long]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("tokens are ignored"));
    let shown = succeed(Path::new("."), &["ask", &pizza, "Is there a pizza?"]);
    assert!(shown.starts_with("yes  (") && shown.ends_with("a pizza)\n"), "{shown}");
}

#[test]
fn a_chat_answers_line_by_line_and_what_cannot_be_answered_is_named() {
    let lines = "\nIs there a pizza?\nWhat is it? a pizza | a bus\nWhat is it?\n还有狗吗\n";
    let (printed, error, code) = chat(&["ask", &picture("pizza.png"), "--chat", "--json"], lines);
    assert_eq!((printed.len(), code), (4, Some(1)), "{printed:?} {error}");
    assert!(printed[2].contains("\"error\":") && printed[2].contains("a | b"), "{printed:?}");
    assert!(printed[1].contains("\"choices\""), "{printed:?}");
    assert!(error.contains("more than yes or no") && error.contains("--endpoint"), "{error}");
    let long = "x".repeat(200_000);
    let (_, error, code) =
        chat(&["ask", &picture("pizza.png"), "--chat"], &format!("a dog\n{long}"));
    assert!(code == Some(1) && error.contains("line 2"), "{error}");
    let here = Path::new(".");
    let pizza = picture("pizza.png");
    for (args, code, says) in [
        (&[&*pizza, "What is it?"][..], 2, "--choices"),
        (&[&*pizza, " "], 2, "empty"),
        (&[&*pizza, "x", "--choices", "one"], 2, "two or more"),
        (&[&*pizza, "Is it a dog or a cat?"], 2, "one of several"),
        (&[&*pizza, "是狗还是猫"], 2, "--choices"),
        (&[&*pizza, "Describe the picture"], 2, "more than yes or no"),
        (&[&*pizza, "描述这张图片"], 2, "more than yes or no"),
        (&[&*pizza, "Is there no dog?"], 2, "not there"),
        (&[&*pizza, "没有猫吧？"], 2, "not there"),
        (&[&*pizza, "Is it a dog? Is it a cat?"], 2, "one question"),
        (&["none.png", "a dog"], 1, "none.png"),
        (&[&*pizza, "a dog", "--endpoint", "localhost", "--endpoint-model", "m"], 2, "no address"),
        (&[&*pizza, "a dog", "--endpoint", "http://localhost"], 2, "--endpoint-model"),
    ] {
        let error = fail(here, &[&["ask"], args].concat(), code);
        assert!(error.contains(says), "{args:?}: {error}");
    }
}

/// Says how many messages there are, how many pictures, and the last question.
fn answer(Request { path, body, .. }: &Request) -> (u16, String) {
    if path != "/v1/chat/completions" {
        return (404, json!({ "error": "nothing here" }).to_string());
    }
    let messages = body["messages"].as_array().expect("messages");
    let is_picture = |part: &&Value| {
        let url = part["image_url"]["url"].as_str().unwrap_or_default();
        url.starts_with("data:image/jpeg;base64,/9j/")
    };
    let parts = || messages.iter().filter_map(|message| message["content"].as_array()).flatten();
    let pictures = parts().filter(is_picture).count();
    let last = parts().filter_map(|part| part["text"].as_str()).next_back().unwrap_or_default();
    if body["model"] == "moved" {
        return (302, json!({ "error": "elsewhere" }).to_string());
    }
    let said = match body["model"].as_str() {
        Some("mute") => "  ".to_owned(),
        _ => format!(" {} messages, {pictures} picture\n: {last}", messages.len()),
    };
    (200, json!({ "choices": [{ "message": { "content": said } }] }).to_string())
}

#[test]
fn a_model_at_an_address_sees_the_picture_and_what_was_said() {
    let url = server(answer) + "/v1";
    let pizza = picture("pizza.png");
    let talk = ["ask", &pizza, "--chat", "--json", "--endpoint", &url, "--endpoint-model", "m"];
    let (printed, error, code) = chat(&talk, "What is it?\nWarum? a | b\n");
    assert_eq!((printed.len(), code), (2, Some(0)), "{error}");
    assert!(printed[0].contains("1 messages, 1 picture\\n: What is it?"), "{printed:?}");
    assert!(
        printed[1].contains("3 messages, 1 picture\\n: Warum?\\n(one of: a, b)"),
        "{printed:?}"
    );
    let here = Path::new(".");
    let args = |url: &str, model: &str| {
        ["ask", &pizza, "x", "--endpoint", url, "--endpoint-model", model].map(str::to_owned)
    };
    for (url, model, says) in [
        (&*url, "mute", "answers nothing"),
        (&*url, "moved", "302 `{\"error\":\"elsewhere\"}`: it sends elsewhere"),
        (&url[..url.len() - 3], "m", "do URL (with its /v1) and model exist?"),
    ] {
        let args = args(url, model);
        let error = fail(here, &args.each_ref().map(String::as_str), 1);
        assert!(error.contains(says) && error.contains(url), "{error}");
    }
}

#[test]
fn captions_come_from_a_model_at_an_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    copy_pictures(&["pizza.png", "cow.png"], &home.join("pictures"));
    std::fs::write(home.join("pictures/broken.png"), "no picture").expect("a file");
    let url = server(answer) + "/v1";
    let more = ["--endpoint", &url, "--endpoint-model", "m"];
    let args = [&["caption", "pictures", "--json", "--sidecar"][..], &more].concat();
    let printed = succeed(home, &args);
    let lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]["decoder"]), (2, &json!("m")), "{printed}");
    let captions = lines[0]["captions"].as_array().expect("captions");
    assert_eq!((captions.len(), &captions[1]["language"]), (2, &json!("zh")));
    assert!(captions[0]["text"].as_str().is_some_and(|text| !text.contains('\n')), "{captions:?}");
    let beside = std::fs::read_to_string(home.join("pictures/cow.txt")).expect("a file");
    assert_eq!(beside.lines().count(), 2);
    for (extra, says) in
        [(["--candidates", "2"], "--candidates"), (["--lang", "fr"], "en and zh are")]
    {
        let args = [&["caption", "pictures"][..], &extra, &more].concat();
        assert!(fail(home, &args, 2).contains(says));
    }
}
