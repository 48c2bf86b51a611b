//! Features of texts beside scikit-learn's and gensim's (`scripts/golden/features.py`), and what may be wrong with texts
//! and files of vectors.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tuwen_features::Error;
use tuwen_features::text::topics::{self, Topics};
use tuwen_features::text::vectors::{Wanted, read};
use tuwen_features::text::{Kept, Source, TextFeature, TextModel, Vocabulary, Weighting, word2vec};

const ALL: Kept = Kept { least_texts: 1, most: 10_000 };
const GO: &(dyn Fn() -> bool + Sync) = &|| false;

fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn golden() -> Value {
    let text = fs::read_to_string(golden_file("texts.json")).expect("a golden file");
    serde_json::from_str(&text).expect("JSON")
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).expect("a list of words")
}

fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn close(found: &[f32], wanted: &[f32], within: f32) {
    assert_eq!(found.len(), wanted.len());
    for (at, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= within, "{at}: {a} for {b}");
    }
}

fn fitted(texts: &[String], kind: &TextFeature) -> TextModel {
    TextModel::fit(texts, "", kind, ALL, GO).expect("a model")
}

fn counted(texts: &[String]) -> (Vocabulary, Vec<topics::Counts>) {
    let own = tuwen_text::Dictionary::default();
    let cut: Vec<Vec<String>> = texts.iter().map(|text| tuwen_text::words(text, &own)).collect();
    let words = Vocabulary::count(&cut, ALL).expect("words");
    let counts = cut.iter().map(|text| words.counts(text)).collect();
    (words, counts)
}

#[test]
fn bags_are_scikit_learns() {
    let golden = golden();
    let texts = strings(&golden["texts"]);
    let bag = fitted(&texts, &TextFeature::Bag(Weighting::Counts));
    assert_eq!(bag.columns(), strings(&golden["words"]));
    let rows: Vec<Vec<f32>> = serde_json::from_value(golden["counts"].clone()).expect("rows");
    close(&bag.apply(&texts).expect("rows").values, &rows.concat(), 0.0);
    for (key, weighting) in
        [("tfidf", Weighting::TfIdf), ("bm25", Weighting::Bm25 { k1: 1.2, b: 0.75 })]
    {
        let model = fitted(&texts, &TextFeature::Bag(weighting));
        close(&model.apply(&texts).expect("rows").values, &floats(&golden[key]), 2e-6);
    }
}

#[test]
fn topics_are_scikit_learns() {
    let golden = golden();
    let texts = strings(&golden["texts"]);
    let (words, counts) = counted(&texts);
    let mut topics = Topics::of(floats(&golden["first"]), words.len());
    for _ in 0..5 {
        topics.step(&counts, 1.0, 1.0);
    }
    close(&topics.weights, &floats(&golden["topics"]), 2e-3);
    let shares: Vec<f32> = counts.iter().flat_map(|text| topics.shares(text)).collect();
    close(&shares, &floats(&golden["shares"]), 1e-4);
    let wanted = golden["perplexity"].as_f64().expect("a number");
    let found = topics.perplexity(&counts);
    assert!((found / wanted - 1.0).abs() < 1e-4, "{found} for {wanted}");
}

#[test]
fn two_topics_are_found() {
    let texts = strings(&golden()["texts"]);
    for batch in [8, 1000] {
        let settings = topics::Settings { topics: 2, epochs: 30, batch, seed: 1 };
        let model = fitted(&texts, &TextFeature::Topics(settings));
        let rows =
            model.apply(&["dog cat horse beach", "child bird ball snow", ""].map(str::to_owned));
        let rows = rows.expect("rows").values;
        assert!((rows[0] - rows[2]).abs() > 0.3, "{rows:?}");
        assert_eq!(rows[4..], [0.5, 0.5], "an empty text");
    }
}

#[test]
fn words_that_stand_in_the_same_places_are_near() {
    let texts: Vec<String> =
        std::iter::repeat_n(strings(&golden()["texts"]), 30).flatten().collect();
    let settings = word2vec::Settings { width: 16, epochs: 10, sample: 0.0, ..Default::default() };
    let kind = |threads| TextFeature::Words {
        vectors: Source::Learned(word2vec::Settings { threads, ..settings }),
        sif: false,
    };
    let model = fitted(&texts, &kind(1));
    assert_eq!(model, fitted(&texts, &kind(1)), "one thread, one result");
    for model in [model, fitted(&texts, &kind(2))] {
        let vectors = model.word_vectors().expect("vectors");
        let row = |word: &str| {
            let at = vectors.words.iter().position(|w| w == word).expect("a word");
            &vectors.values[at * 16..][..16]
        };
        let cosine = |a: &str, b: &str| -> f32 {
            let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
            dot(row(a), row(b)) / (dot(row(a), row(a)) * dot(row(b), row(b))).sqrt()
        };
        for (a, near, far) in
            [("dog", "cat", "tree"), ("bird", "ball", "horse"), ("snow", "river", "beach")]
        {
            assert!(cosine(a, near) > cosine(a, far) + 0.1, "{a} {near} {far}");
        }
    }
}

#[test]
fn sentences_lose_what_all_have_in_common() {
    let texts = strings(&golden()["texts"]);
    let vectors = Source::File(golden_file("word2vec.txt"));
    let plain = fitted(&texts, &TextFeature::Words { vectors: vectors.clone(), sif: false });
    assert_eq!(plain.columns(), ["dog", "cat", "beach"]);
    let rows = plain.apply(&["dog dog beach".into(), "boat".into()]).expect("rows");
    close(&rows.values[..6], &[-5.0 / 3.0, -1.0, -1.0 / 3.0, 1.0 / 3.0, 1.0, 5.0 / 3.0], 1e-5);
    assert_eq!(rows.values[6..], [0.0; 6], "no known word");
    // All of these vectors are multiples of one.
    let sif = fitted(&texts, &TextFeature::Words { vectors, sif: true });
    let rows = sif.apply(&texts).expect("rows");
    assert!(rows.values.iter().all(|value| value.abs() < 1e-5), "{:?}", &rows.values[..6]);
}

#[test]
fn every_kind_of_file_has_the_same_vectors() {
    for name in ["word2vec.bin", "word2vec.txt", "glove.txt"] {
        let found = read(&golden_file(name), Wanted(None)).expect(name);
        assert_eq!(found.words, ["dog", "cat", "beach", "狗"], "{name}: Dog is dog, and later");
        assert_eq!(found.width, 6);
        close(&found.values[18..], &[-4.0, -2.4, -0.8, 0.8, 2.4, 4.0], 1e-5);
    }
    let some = read(&golden_file("glove.txt"), Wanted(Some(&|word| word == "狗"))).expect("one");
    assert_eq!(some.words, ["狗"]);
}

#[test]
fn fasttext_is_gensims() {
    let golden = golden();
    let found = read(&golden_file("fasttext.bin"), Wanted(None)).expect("a model");
    let wanted = golden["fasttext"].as_object().expect("words");
    assert_eq!(found.words.len(), wanted.len());
    for (word, row) in found.words.iter().zip(found.values.chunks(found.width)) {
        close(row, &floats(&wanted[word]), 1e-5);
    }
}

#[test]
fn cut_and_changed_files_are_errors_and_no_panics() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("v");
    for name in ["word2vec.bin", "word2vec.txt", "glove.txt", "fasttext.bin"] {
        let bytes = fs::read(golden_file(name)).expect("a golden file");
        let whole = read(&golden_file(name), Wanted(None)).expect(name);
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).expect("written");
            // Behind fastText's vectors stands what nobody needs here.
            let is_good = read(&path, Wanted(None)).is_ok_and(|found| found != whole);
            assert!(!is_good || name.ends_with("txt"), "{name} cut at {end}");
        }
        for at in 0..bytes.len().min(400) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            fs::write(&path, &changed).expect("written");
            let _ = read(&path, Wanted(None));
        }
    }
    for (text, what) in [
        ("3 999999999\na 1 2\n", "999999999 values"),
        ("1 2\na 1 nan\n", "line 2: NaN is not finite"),
        ("a 1 2\nb 1\n", "line 2"),
        ("a 1 x\n", "`x` is no number"),
        ("", "none of the words"),
        ("99999999999 4\nword \u{1}\u{2}\u{3}\u{4}", "cut short"),
    ] {
        fs::write(&path, text).expect("written");
        let error = read(&path, Wanted(None)).expect_err(what).to_string();
        assert!(error.contains(what) && error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn texts_that_say_nothing_are_errors_that_name_them() {
    let wrong = |texts: &[&str], kind: &TextFeature| {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        TextModel::fit(&texts, "", kind, ALL, GO).expect_err("wrong").to_string()
    };
    let bag = TextFeature::Bag(Weighting::TfIdf);
    assert!(wrong(&["", "，。"], &bag).contains("no word is in 1 of 2 texts"));
    let learned = TextFeature::Words { vectors: Source::Learned(Default::default()), sif: true };
    assert!(wrong(&["狗 狗", "狗"], &learned).contains("1 word alone (狗)"));
    let topics =
        |topics| TextFeature::Topics(topics::Settings { topics, epochs: 1, batch: 1, seed: 1 });
    assert!(wrong(&["a dog"], &topics(0)).contains("0 topics"));
    assert!(wrong(&["a dog"], &topics(1_000_000)).contains("1000000 topics of 2 words"));
    let bm25 = TextFeature::Bag(Weighting::Bm25 { k1: f32::NAN, b: 0.5 });
    assert!(wrong(&["a dog"], &bm25).contains("k1 is NaN"));
    let wide = TextFeature::Words {
        vectors: Source::Learned(word2vec::Settings { width: 0, ..Default::default() }),
        sif: false,
    };
    assert!(wrong(&["a dog"], &wide).contains("width is 0"));
    let stopped = TextModel::fit(&["a dog".into()], "", &topics(2), ALL, &|| true);
    assert!(matches!(stopped, Err(Error::Stopped)));
}

#[test]
fn what_is_read_is_what_was_written() {
    let texts = strings(&golden()["texts"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m");
    let kinds = [
        TextFeature::Bag(Weighting::Bm25 { k1: 1.5, b: 0.5 }),
        TextFeature::Topics(topics::Settings { topics: 3, epochs: 2, batch: 16, seed: 1 }),
        TextFeature::Words { vectors: Source::Learned(Default::default()), sif: true },
    ];
    for kind in kinds {
        let model = TextModel::fit(&texts, "图文检索 5\n", &kind, ALL, GO).expect("a model");
        let bytes = model.to_bytes().expect("bytes");
        fs::write(&path, &bytes).expect("written");
        assert_eq!(TextModel::load(&path).expect("a model"), model);
        for end in (0..bytes.len()).step_by(97) {
            fs::write(&path, &bytes[..end]).expect("written");
            assert!(TextModel::load(&path).is_err(), "cut at {end}");
        }
        let mut changed = bytes.clone();
        *changed.last_mut().expect("bytes") ^= 1;
        fs::write(&path, &changed).expect("written");
        assert!(TextModel::load(&path).is_err(), "a changed value");
    }
}
