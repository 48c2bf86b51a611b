//! Captions without pictures, and the objects that captions name.

use tuwen_sets::Result;
use tuwen_sets::import::captions;
use tuwen_sets::objects::Objects;
use tuwen_text::caption::{english, words};

fn read(name: &str, text: &str) -> Result<Vec<(String, Option<String>, String)>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    let lines = captions(&path, None)?;
    Ok(lines.into_iter().map(|line| (line.id, line.name, line.caption)).collect())
}

fn line(id: &str, name: Option<&str>, caption: &str) -> (String, Option<String>, String) {
    (id.into(), name.map(str::to_owned), caption.into())
}

#[test]
fn every_format_gives_the_same_captions() {
    let wanted = [line("7", None, "a dog"), line("8", None, "a cat")];
    for (name, text) in [
        (
            "results.json",
            r#"[{"image_id": 7, "caption": "a dog"}, {"image_id": "8", "caption": "a cat"}]"#,
        ),
        ("dictionary.json", r#"{"7": ["a dog"], "8": "a cat"}"#),
        (
            "objects.json",
            "{\"7\": [{\"caption\": \"a dog\"}],\n \"8\": [{\"caption\": \"a cat\"}]}\n",
        ),
        (
            "annotations.json",
            r#"{"annotations": [{"image_id": 7, "caption": "a dog"}, {"image_id": 8, "caption": "a cat"}]}"#,
        ),
        (
            "lines.jsonl",
            "{\"image_id\": 7, \"caption\": \"a dog\"}\n{\"image_id\": 8, \"caption\": \"a cat\"}\n",
        ),
        (
            "lines.txt",
            "{\"image\": \"7.jpg\", \"caption\": \"a dog\"}\n{\"image\": \"8.jpg\", \"caption\": \"a cat\"}\n",
        ),
        ("table.csv", "image,caption\n7.jpg,a dog\n8.jpg,a cat\n"),
        ("table.tsv", "image_id\tcaption\n7\ta dog\n8\ta cat\n"),
        ("token.txt", "7.jpg#0\ta dog\n8.jpg#0\ta cat\n"),
    ] {
        assert_eq!(read(name, text).expect(name), wanted, "{name}");
    }
    let coco = r#"{"images": [{"id": 7, "file_name": "val/dog.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "caption": "a dog"}]}"#;
    assert_eq!(read("coco.json", coco).expect("COCO"), [line("7", Some("val/dog"), "a dog")]);
    let karpathy = r#"{"images": [{"filename": "dog.jpg", "imgid": 7, "split": "val",
        "sentences": [{"raw": "a dog", "tokens": ["a", "dog"]}]}], "dataset": "flickr8k"}"#;
    assert_eq!(read("karpathy.json", karpathy).expect("it"), [line("7", Some("dog"), "a dog")]);
    let one = "{\"image\": \"7.jpg\", \"caption\": \"a dog\"}\n";
    assert_eq!(read("one.json", one).expect("a line"), [line("7", None, "a dog")]);
}

#[test]
fn what_is_wrong_is_named() {
    for (name, text, part) in [
        ("empty.json", "\n", "empty"),
        ("none.json", "{}", "no caption"),
        ("none.csv", "image,caption\n", "no caption"),
        ("twice.json", r#"{"7": ["a"], "7": ["b"]}"#, "`7` is there twice"),
        ("bare.json", r#"{"7": []}"#, "`7` has no caption"),
        ("numbers.json", r#"{"7": [1]}"#, "`7` is no caption"),
        ("cut.json", r#"{"7": ["a"#, "EOF"),
        ("images.json", r#"{"images": [{"id": 1}]}"#, "neither COCO's"),
        ("strange.json", r#"{"annotations": [{"image": 1, "caption": "a"}]}"#, "image_id"),
        ("text.txt", "just words\n", "format does not show"),
    ] {
        let error = read(name, text).expect_err(name).to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
}

/// The first of the labels that each mention may mean.
fn named<'l>(labels: &[&'l str], chinese: bool, caption: &str) -> Vec<&'l str> {
    let objects = Objects::new(labels.iter().copied(), chinese);
    let tokens = if chinese { words(caption) } else { english(caption) };
    let of_number = |number: usize| {
        labels.iter().copied().find(|label| objects.label(label) == Some(number)).expect("a label")
    };
    objects.mentions(&tokens).into_iter().map(|meant| of_number(meant[0])).collect()
}

#[test]
fn synonyms_kinds_and_plurals_name_a_label() {
    let labels = ["Dog", "cat", "traffic_light"];
    let caption = "Two dogs, a golden retriever and cats near a traffic light.";
    assert_eq!(named(&labels, false, caption), ["Dog", "Dog", "cat", "traffic_light"]);
    assert!(named(&labels, false, "A man eats a hot dog on a bench.").is_empty());
    let objects = Objects::new(labels, false);
    assert_eq!(objects.label("DOG"), objects.label("dog"));
    assert_eq!(objects.label("bird"), None);
}

#[test]
fn the_larger_kind_of_what_is_there_is_there() {
    let objects = Objects::new(["dog", "golden retriever"], false);
    let tokens = english("a dog");
    let retriever = objects.label("golden retriever").expect("a label");
    assert!(objects.mentions(&tokens)[0].contains(&retriever));
    // Of the retriever alone nobody asked for dogs, so that a dog says nothing.
    let alone = Objects::new(["golden retriever"], false);
    assert!(alone.mentions(&tokens).is_empty());
}

#[test]
fn chinese_words_name_labels_of_either_language() {
    for labels in [["dog", "umbrella"], ["狗", "雨伞"]] {
        assert_eq!(named(&labels, true, "一只金毛寻回犬和打雨伞的人"), labels);
        assert!(named(&labels, true, "热狗").is_empty(), "{labels:?}");
    }
}
