//! Sets written in each format and read back, and hostile ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tuwen_files::{Error, Result};
use tuwen_sets::export::{Target, Writer};
use tuwen_sets::import::{Format, Source};
use tuwen_sets::vectors::{Layout, VectorWriter, Vectors};
use tuwen_sets::{Caption, ImageSource, Sample};

fn picture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/pictures/rgb.png")
}

fn sample(id: &str, captions: &[&str], split: Option<&str>) -> Sample {
    let caption = |text: &&str| Caption::new(*text);
    Sample {
        id: id.into(),
        image: ImageSource::File(picture()),
        captions: captions.iter().map(caption).collect(),
        split: split.map(str::to_owned),
        metadata: BTreeMap::new(),
    }
}

fn set() -> Vec<Sample> {
    vec![
        sample(
            "Image14001001-0002",
            &["招聘计划\"学校\",现有教职工1500余人.", " a dog, running "],
            Some("train"),
        ),
        sample("b", &["two\nlines"], Some("train")),
        sample("c.d", &["三"], Some("test")),
    ]
}

fn written(folder: &Path, target: Target) -> PathBuf {
    let out = folder.join(format!("{target:?}"));
    let mut writer = Writer::create(&out, target).expect("a new folder");
    for sample in set() {
        writer.write(&sample, &sample.image.read().expect("a picture")).expect("a record");
    }
    let written = writer.finish().expect("a set");
    assert_eq!((written.pictures, written.captions), (3, 4));
    out
}

fn read(source: &Source) -> Vec<Result<Sample>> {
    source.open().expect("a set").records.collect()
}

/// Ids and captions, by id.
fn content(path: &Path) -> Vec<(String, Vec<String>)> {
    let source = Source::guess(path).expect("a format");
    let mut found: Vec<(String, Vec<String>)> = read(&source)
        .into_iter()
        .map(|sample| {
            let sample = sample.expect("a record");
            assert_eq!(
                sample.image.read().expect("bytes"),
                std::fs::read(picture()).expect("bytes")
            );
            (sample.id, sample.captions.into_iter().map(|caption| caption.text).collect())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (target, file) in [
        (Target::Csv, "captions.csv"),
        (Target::Jsonl, "captions.jsonl"),
        (Target::Flickr, "captions.txt"),
        (Target::Taidi, "ImageWordData.csv"),
        (Target::Folder, ""),
        (Target::Coco, "annotations.json"),
        (Target::ChineseClip, ""),
        (Target::ChineseClipLmdb, ""),
        (Target::Parquet, ""),
        (Target::Shards, ""),
    ] {
        let found = content(&written(folder.path(), target).join(file));
        let one_line = matches!(target, Target::Flickr | Target::Folder);
        let lines = |text: &str| if one_line { text.replace('\n', " ") } else { text.to_owned() };
        let wanted: Vec<(String, Vec<String>)> = set()
            .into_iter()
            .map(|sample| {
                let trim = one_line;
                let text = |c: Caption| if trim { lines(c.text.trim()) } else { lines(&c.text) };
                // A webdataset's key ends at the first dot.
                let id =
                    if target == Target::Shards { sample.id.replace('.', "_") } else { sample.id };
                (id, sample.captions.into_iter().map(text).collect())
            })
            .collect();
        assert_eq!(found, wanted, "{target:?}");
    }
    let splits: Vec<_> =
        read(&Source::guess(&folder.path().join("ChineseClip")).expect("a format"))
            .into_iter()
            .map(|sample| sample.expect("a record").split.expect("a split"))
            .collect();
    assert_eq!(splits, ["test", "train", "train"]);
}

#[test]
fn nothing_is_written_half() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("set");
    let mut writer = Writer::create(&out, Target::Csv).expect("a new folder");
    let bytes = std::fs::read(picture()).expect("bytes");
    writer.write(&sample("a", &["x"], None), &bytes).expect("a record");
    let collision = writer.write(&sample("A", &["y"], None), &bytes).expect_err("the same name");
    assert!(collision.to_string().contains("two pictures"), "{collision}");
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    // An empty folder is as good as none, one that holds something is not.
    std::fs::create_dir(&out).expect("a folder");
    drop(Writer::create(&out, Target::Csv).expect("an empty folder"));
    std::fs::write(out.join("precious"), "1").expect("a file");
    let error = Writer::create(&out, Target::Csv).err().expect("it is there");
    assert!(error.to_string().contains("exists already"), "{error}");
    let mut clip = Writer::create(&folder.path().join("c"), Target::ChineseClip).expect("a folder");
    let error =
        clip.write(&sample("a", &["x"], Some("fold-3")), &bytes).expect_err("no such split");
    assert!(error.to_string().contains("fold-3"), "{error}");
    let hostile = sample("../../evil", &["x"], None);
    clip.write(&hostile, &bytes).expect("a harmless name");
    clip.finish().expect("a set");
    assert!(!folder.path().join("../evil.png").exists());
}

fn table(folder: &Path, bytes: &[u8]) -> Vec<Result<Sample>> {
    std::fs::copy(picture(), folder.join("a.png")).expect("a picture");
    let path = folder.join("t.csv");
    std::fs::write(&path, bytes).expect("a file");
    read(&Source::guess(&path).expect("a format"))
}

fn errors(found: &[Result<Sample>]) -> Vec<String> {
    found.iter().filter_map(|record| Some(record.as_ref().err()?.to_string())).collect()
}

#[test]
fn bad_rows_are_named_and_the_others_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let wide = format!("a.png,x{}\n", ",y".repeat(200));
    let text = format!(
        "image_id,caption\na.png,好\n{wide}gone.png,x\n../a.png,x\na.png,\"quoted\nnewline\"\na.png\n"
    );
    let found = table(folder.path(), text.as_bytes());
    let errors = errors(&found);
    assert_eq!((found.len(), errors.len()), (5, 4), "{errors:?}");
    assert!(errors[0].contains("line 3") && errors[0].contains("202 fields"), "{}", errors[0]);
    assert!(errors[1].contains("gone.png") && errors[1].contains("line 4"), "{}", errors[1]);
    assert!(errors[2].contains("../a.png"), "{}", errors[2]);
    assert!(errors[3].contains("1 fields"), "{}", errors[3]);
    let read: Vec<&Sample> = found.iter().flatten().collect();
    assert_eq!(read[0].captions[1].text, "quoted\nnewline");
    // GBK, as some copies of the contest's files are.
    let (gbk, ..) = encoding_rs::GBK.encode("image_id,caption\na.png,一只狗在草地上\n");
    let found = table(folder.path(), &gbk);
    assert_eq!(found[0].as_ref().expect("a record").captions[0].text, "一只狗在草地上");
}

#[test]
fn base64_of_either_alphabet_and_broken_lines() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(picture()).expect("bytes");
    let images = format!(
        "1\t{}\n2\t{}\nno tab\n3\tnot!base64\n",
        STANDARD.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes)
    );
    std::fs::write(folder.path().join("train_imgs.tsv"), images).expect("a file");
    let texts = "{\"text_id\": 7, \"text\": \"好\", \"image_ids\": [1, 2]}\nnot JSON\n\
        {\"text_id\": \"a\", \"text\": \"x\", \"image_ids\": [\"9\"]}\n";
    std::fs::write(folder.path().join("train_texts.jsonl"), texts).expect("a file");
    let source = Source::guess(folder.path()).expect("a format");
    assert_eq!(source.format, Format::ChineseClip);
    let found = read(&source);
    let errors = errors(&found);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("line 3"), "{errors:?}");
    assert!(errors[1].contains("train_texts.jsonl, line 2"), "{errors:?}");
    assert!(errors[2].contains('9'), "{errors:?}");
    let read: Vec<&Sample> = found.iter().flatten().collect();
    assert_eq!(read.len(), 3);
    for sample in &read[..2] {
        assert_eq!(sample.image.read().expect("a picture"), bytes);
        assert_eq!(sample.captions[0].text, "好");
    }
    assert!(matches!(read[2].image.read(), Err(Error::Picture(what)) if what.contains("base64")));
}

#[test]
fn karpathys_splits_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("val2014")).expect("a folder");
    std::fs::copy(picture(), folder.path().join("val2014/x.png")).expect("a picture");
    let json = r#"{"images": [{"filename": "x.png", "filepath": "val2014", "imgid": 0, "split": "restval",
        "sentences": [{"raw": "A dog.", "tokens": []}, {"raw": "It runs."}]},
        {"filename": "gone.png", "imgid": 1, "split": "val", "sentences": []}], "dataset": "coco"}"#;
    std::fs::write(folder.path().join("dataset_coco.json"), json).expect("a file");
    let found = read(&Source::guess(&folder.path().join("dataset_coco.json")).expect("a format"));
    let first = found[0].as_ref().expect("a record");
    assert_eq!(
        (first.id.as_str(), first.split.as_deref(), first.captions.len()),
        ("x", Some("restval"), 2)
    );
    assert!(errors(&found)[0].contains("gone.png"));
}

#[test]
fn captions_that_stand_apart_meet_at_their_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(picture(), folder.path().join("b.png")).expect("a picture");
    let found =
        table(folder.path(), b"image,caption\na.png,1\nb.png,2\nbad row\na.png,3\nb.png,4\n");
    let read: Vec<(String, usize)> =
        found.iter().flatten().map(|sample| (sample.id.clone(), sample.captions.len())).collect();
    assert_eq!(read, [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    assert_eq!(errors(&found).len(), 1);
}

#[test]
fn vectors_in_every_layout_are_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let two = sample("一", &["x", "y"], None);
    for (layout, images, texts, rows) in [
        (Layout::ClipRetrieval, "img_emb", "text_emb", 2),
        (Layout::ChineseClip, "img_feat.jsonl", "txt_feat.jsonl", 1),
        (Layout::Fbin, "images.fbin", "texts.fbin", 1),
    ] {
        let out = folder.path().join(format!("{layout:?}"));
        let mut writer = VectorWriter::create(&out, layout, 2).expect("a new folder");
        writer.write(&two, &[0.6, 0.8], &[1.0, 0.0, 0.0, -1.0]).expect("a picture");
        assert_eq!(writer.finish().expect("a set"), [1, 2]);
        let images = Vectors::read(&out.join(images), "image_id").expect("images");
        let texts = Vectors::read(&out.join(texts), "text_id").expect("texts");
        assert_eq!(images.values, [0.6, 0.8].repeat(rows), "{layout:?}");
        assert_eq!((&texts.values[..], texts.dim), (&[1.0, 0.0, 0.0, -1.0][..], 2), "{layout:?}");
    }
    let set = Source::guess(&folder.path().join("ClipRetrieval")).expect("a format");
    assert_eq!(set.format, Format::Parquet);
    let missing = read(&set);
    assert!(errors(&missing)[0].contains("no picture `一`"), "{missing:?}");
    let file = folder.path().join("zero.fbin");
    std::fs::write(&file, [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).expect("a file");
    let error = Vectors::read(&file, "").expect_err("no direction").to_string();
    assert!(error.contains("all zeros"), "{error}");
}

#[test]
fn a_cut_lmdb_and_a_foreign_parquet_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = written(folder.path(), Target::ChineseClipLmdb);
    let images = set.join("lmdb/train/imgs/data.mdb");
    let whole = std::fs::read(&images).expect("bytes");
    std::fs::write(&images, &whole[..whole.len() - 4096]).expect("a file");
    let found = read(&Source::guess(&set).expect("a format"));
    assert!(errors(&found)[0].contains("the file is cut at"), "{found:?}");
    std::fs::write(&images, &whole[..100]).expect("a file");
    let found = read(&Source::guess(&set).expect("a format"));
    assert!(!errors(&found).is_empty() && found.len() >= 2, "the other split is read: {found:?}");
    // A list of two thousand million columns, by the fuzzer: its library would ask for 17 GB.
    let hostile = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hostile.parquet");
    let error =
        Source::guess(&hostile).expect("a format").open().err().expect("damaged").to_string();
    assert!(error.contains("its footer is damaged"), "{error}");
    let parquet = written(folder.path(), Target::Parquet);
    let source =
        Source { image_field: "foto".into(), ..Source::guess(&parquet).expect("a format") };
    let error = source.open().err().expect("no such column").to_string();
    assert!(error.contains("`foto`") && error.contains("captions"), "{error}");
}
