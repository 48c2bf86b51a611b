//! Captioned sets in each format, and what is wrong with bad ones.

use std::path::Path;

use tuwen_sets::import::{CaptionFile, DataSet, Format, read};
use tuwen_sets::{ImageSource, Sample};

fn picture() -> Vec<u8> {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/golden/pictures/rgb.png");
    std::fs::read(golden).expect("goldens are committed")
}

fn set(format: Format, images: &Path, captions: &[(&Path, &str)]) -> DataSet {
    let file = |(path, source): &(&Path, &str)| CaptionFile {
        source: (*source).to_owned(),
        ..CaptionFile::new(path)
    };
    let captions = captions.iter().map(file).collect();
    DataSet { captions, ..DataSet::new(format, images) }
}

fn texts(sample: &Sample) -> Vec<(&str, &str)> {
    sample.captions.iter().map(|c| (c.source.as_str(), c.text.as_str())).collect()
}

/// A folder with a.png and b.png.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.png", "b.png"] {
        std::fs::write(folder.path().join(name), picture()).expect("a file");
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn archive(path: &Path, members: &[(&str, &[u8])]) {
    let mut builder = tar::Builder::new(std::fs::File::create(path).expect("a file"));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).expect("a member");
    }
    builder.finish().expect("an archive");
}

#[test]
fn flickr_files_of_two_languages_meet_at_their_picture() {
    let folder = folder();
    let en =
        write(folder.path(), "en.txt", "a.png#0\tA dog .\na.png#1\tIt runs .\nb.png#0\tA cat .\n");
    let zh = write(folder.path(), "zh.txt", "b.png#zhc#0 一只猫。\na.png#zhc#0 一只狗。\n");
    let mut set = set(Format::Flickr, folder.path(), &[(&en, "en"), (&zh, "zh")]);
    let samples = read(&set).expect("a set");
    assert_eq!(samples.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(texts(&samples[0]), [("en", "A dog ."), ("en", "It runs ."), ("zh", "一只狗。")]);
    assert_eq!(samples[1].image.read().expect("bytes"), picture());
    set.ids = Some(write(folder.path(), "ids", "b\n"));
    assert_eq!(read(&set).expect("a set")[0].id, "b");
    set.ids = Some(write(folder.path(), "ids", "b\nnobody\n"));
    assert!(read(&set).expect_err("an unknown id").to_string().contains("`nobody`"));
    let bad = write(folder.path(), "bad.txt", "a.png#0\tfine\nno separator\n");
    set.captions = vec![CaptionFile::new(&bad)];
    let message = read(&set).expect_err("a bad line").to_string();
    assert!(message.contains("line 2") && message.contains("bad.txt"), "{message}");
}

#[test]
fn jsonl_takes_a_string_or_a_list() {
    let folder = folder();
    let file = write(
        folder.path(),
        "c.jsonl",
        "{\"image\": \"a.png\", \"caption\": \"one\"}\n\n{\"image\": \"b.png\", \"caption\": [\"two\", \"三\"]}\n",
    );
    let samples = read(&set(Format::Jsonl, folder.path(), &[(&file, "x")])).expect("a set");
    assert_eq!(texts(&samples[1]), [("x", "two"), ("x", "三")]);
    let bad = write(folder.path(), "bad.jsonl", "{\"image\": \"a.png\"}\n");
    let error = read(&set(Format::Jsonl, folder.path(), &[(&bad, "x")])).expect_err("no caption");
    assert!(error.to_string().contains("`caption`"), "{error}");
}

#[test]
fn csv_has_named_columns_quotes_and_a_byte_order_mark() {
    let folder = folder();
    let file = write(
        folder.path(),
        "c.csv",
        "\u{feff}n,image,caption\n1,a.png,\"a, \"\"b\"\"\nc\"\n2,b.png,猫\n",
    );
    let samples = read(&set(Format::Csv, folder.path(), &[(&file, "x")])).expect("a set");
    assert_eq!(texts(&samples[0]), [("x", "a, \"b\"\nc")]);
    let tsv = write(folder.path(), "c.tsv", "image\tcaption\na.png\tone, two\n");
    let samples = read(&set(Format::Csv, folder.path(), &[(&tsv, "x")])).expect("a set");
    assert_eq!(texts(&samples[0]), [("x", "one, two")]);
    let bad = write(folder.path(), "bad.csv", "picture,caption\na.png,one\n");
    let error = read(&set(Format::Csv, folder.path(), &[(&bad, "x")])).expect_err("no column");
    assert!(
        error.to_string().contains("`image`") && error.to_string().contains("picture"),
        "{error}"
    );
    let missing = write(folder.path(), "m.csv", "image,caption\nz.png,one\n");
    let error = read(&set(Format::Csv, folder.path(), &[(&missing, "x")])).expect_err("no picture");
    assert!(error.to_string().contains("z.png"), "{error}");
    let latin = folder.path().join("l.csv");
    std::fs::write(&latin, b"image,caption\na.png,caf\xe9\n").expect("a file");
    let samples = read(&set(Format::Csv, folder.path(), &[(&latin, "x")])).expect("a set");
    assert_eq!(texts(&samples[0]), [("x", "café")]);
}

#[test]
fn shards_pair_members_by_key_and_pictures_are_read_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let png = picture();
    archive(
        &folder.path().join("000.tar"),
        &[
            ("0001.png", &png),
            ("0001.txt", "一只狗\n".as_bytes()),
            ("0002.json", b"{\"captions\": [\"two\", \"three\"], \"caption\": \"four\"}"),
            ("0002.png", &png),
        ],
    );
    archive(&folder.path().join("001.tar"), &[("0003.png", &png), ("0003.txt", b"five")]);
    let samples = read(&set(Format::Shards, folder.path(), &[])).expect("a set");
    let found: Vec<Vec<(&str, &str)>> = samples.iter().map(texts).collect();
    let shard = |text| ("", text);
    assert_eq!(
        found,
        [
            vec![shard("一只狗")],
            vec![shard("two"), shard("three"), shard("four")],
            vec![shard("five")],
        ]
    );
    assert!(matches!(samples[1].image, ImageSource::Tar { .. }));
    assert_eq!(samples[1].image.read().expect("bytes"), png);
    let cut = folder.path().join("000.tar");
    let bytes = std::fs::read(&cut).expect("the archive");
    std::fs::write(&cut, &bytes[..700]).expect("cut");
    read(&set(Format::Shards, folder.path(), &[])).expect_err("a damaged archive");
}

#[test]
fn a_format_that_is_given_needs_no_telling_name() {
    let folder = folder();
    let json = r#"{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "one"}]}"#;
    let file = write(folder.path(), "annotations.dat", json);
    let samples = read(&set(Format::Coco, folder.path(), &[(&file, "x")])).expect("a set");
    assert_eq!(samples[0].captions[0].text, "one");
}
