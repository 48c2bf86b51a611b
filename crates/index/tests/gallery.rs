//! The store by itself: all or nothing, readers beside a writer, formats and widths.

use tuwen_index::filter::{Fields, Filter};
use tuwen_index::fulltext::Match;
use tuwen_index::{Error, Gallery, Modality, ModelId, NewItem};

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: 3 }
}

fn item(origin: &str, vector: [f32; 3]) -> NewItem {
    NewItem {
        origin: origin.as_bytes().to_vec(),
        hash: [7; 32],
        size: 5,
        mtime_ns: 9,
        metadata: "{}".into(),
        vector: vector.to_vec(),
        ..NewItem::default()
    }
}

#[test]
fn a_failed_transaction_changes_nothing_and_readers_see_what_is_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    writer.insert(&item("a", [1.0, 0.0, 0.0])).expect("an item");
    let reader = Gallery::open(folder.path()).expect("a reader");
    let failed: Result<(), Error> = writer.transaction(|gallery| {
        gallery.insert(&item("b", [0.0, 1.0, 0.0]))?;
        assert_eq!(gallery.count(Modality::Image)?, 2);
        assert_eq!(reader.count(Modality::Image)?, 1, "not yet committed");
        Err(Error::Missing("made up".into()))
    });
    failed.expect_err("the change failed");
    assert_eq!(writer.count(Modality::Image).expect("a count"), 1);
    writer.transaction(|gallery| gallery.insert(&item("b", [0.0, 1.0, 0.0]))).expect("committed");
    let vectors = reader.vectors(Modality::Image).expect("vectors");
    let hits = vectors.search(&[0.1, 0.9, 0.0], 5, None).expect("hits");
    let found = reader.item(hits[0].id as i64).expect("readable").expect("there");
    assert_eq!((hits.len(), found.origin.as_slice()), (2, b"b".as_slice()));
}

/// Whoever serves the gallery would read it again.
#[test]
fn a_writer_that_changes_nothing_is_not_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    open().insert(&item("a", [1.0, 0.0, 0.0])).expect("an item");
    let reader = Gallery::open(folder.path()).expect("a reader");
    let version = || reader.data_version().expect("a number");
    let before = version();
    let writer = open();
    writer.transaction(|gallery| gallery.count(Modality::Image)).expect("a look");
    drop(writer);
    assert_eq!(version(), before);
    let writer = open();
    writer.insert(&item("b", [0.0, 1.0, 0.0])).expect("an item");
    let during = version();
    assert_ne!(during, before);
    drop(writer);
    assert_ne!(version(), during, "it notes its end as well");
}

#[test]
fn an_updated_item_keeps_its_captions() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let id = gallery.insert(&item("a", [1.0, 0.0, 0.0])).expect("an item");
    let caption = NewItem {
        modality: Modality::Text,
        text: Some("一只狗".into()),
        owner: Some(id),
        ..item("captions.csv", [0.0, 0.0, 1.0])
    };
    gallery.insert(&caption).expect("a caption");
    gallery.update(id, &item("a", [0.0, 1.0, 0.0])).expect("updated");
    assert_eq!(gallery.vector(id).expect("a vector"), [0.0, 1.0, 0.0]);
    assert_eq!(gallery.all(Modality::Text).expect("texts")[0].owner, Some(id));
    gallery.remove(id).expect("removed");
    let texts = gallery.all(Modality::Text).expect("texts");
    assert_eq!((texts[0].owner, texts[0].text.as_deref()), (None, Some("一只狗")));
}

#[test]
fn a_second_writer_another_model_and_a_newer_format_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert!(matches!(Gallery::open(path), Err(Error::Missing(_))));
    let writer = Gallery::open_for_writing(path, &model()).expect("a gallery");
    let second = Gallery::open_for_writing(path, &model());
    assert!(matches!(second, Err(Error::Busy(_))));
    drop(writer);
    let other = ModelId { fingerprint: "other-2".into(), ..model() };
    let refused = Gallery::open_for_writing(path, &other).err().expect("another model");
    assert!(refused.to_string().contains("test-1") && refused.to_string().contains("other-2"));
    let db = rusqlite::Connection::open(path.join("gallery.sqlite")).expect("the database");
    db.pragma_update(None, "user_version", 99).expect("a newer format");
    drop(db);
    assert!(matches!(Gallery::open(path), Err(Error::Newer { found: 99, .. })));
}

#[test]
fn a_rebuilt_gallery_takes_the_place_of_the_old_one_at_its_end_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let old = Gallery::open_for_writing(path, &model()).expect("a gallery");
    old.insert(&item("old", [1.0, 0.0, 0.0])).expect("an item");
    drop(old);
    let reader = Gallery::open(path).expect("a reader");
    let origins = |gallery: &Gallery| -> Vec<Vec<u8>> {
        gallery.all(Modality::Image).expect("items").into_iter().map(|item| item.origin).collect()
    };
    let other = ModelId { fingerprint: "other-2".into(), ..model() };
    let given_up = Gallery::rebuild(path, &other).expect("a new gallery");
    given_up.insert(&item("new", [0.0, 1.0, 0.0])).expect("an item");
    assert!(matches!(Gallery::rebuild(path, &other), Err(Error::Busy(_))));
    drop(given_up);
    assert_eq!(origins(&Gallery::open(path).expect("a gallery")), [b"old"]);
    let new = Gallery::rebuild(path, &other).expect("a new gallery");
    new.insert(&item("new", [0.0, 1.0, 0.0])).expect("an item");
    assert_eq!(origins(&reader), [b"old"], "while it is made");
    new.finish().expect("replaced");
    assert_eq!(origins(&reader), [b"new"], "a reader that was there before sees the new one whole");
    let files =
        std::fs::read_dir(path).expect("the gallery").map(|e| e.expect("an entry").file_name());
    let mut files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    files.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    files.sort_unstable();
    assert_eq!(files, ["gallery.sqlite", "lock", "vectors"]);
    let segments = std::fs::read_dir(path.join("vectors")).expect("the segments").count();
    assert_eq!(segments, 2, "vectors and ids of one segment: the old ones are gone");
    Gallery::open_for_writing(path, &other).expect("the new one has its model");
}

#[test]
fn a_lock_file_that_is_taken_away_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let writer = Gallery::open_for_writing(path, &model()).expect("a gallery");
    std::fs::remove_file(path.join("lock")).expect("somebody removes it");
    let change = |gallery: &Gallery| gallery.insert(&item("a", [1.0, 0.0, 0.0]));
    assert!(matches!(writer.transaction(change), Err(Error::Unlocked(_))));
    let second = Gallery::open_for_writing(path, &model()).expect("it can be locked again");
    second.transaction(change).expect("the one with the lock writes");
    assert!(matches!(writer.transaction(change), Err(Error::Unlocked(_))), "another file");
    assert_eq!(second.count(Modality::Image).expect("a count"), 1);
}

#[test]
fn what_a_caption_says_is_true_of_its_picture_as_long_as_it_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let fields = |tags: &[&str], price: f64| {
        let mut fields = Fields::default();
        tags.iter().for_each(|tag| fields.text("tag", tag));
        fields.number("price", price);
        fields
    };
    let picture = |origin: &str, tags: &[&str]| NewItem {
        fields: fields(tags, 5.0),
        words: origin.into(),
        ..item(origin, [1.0, 0.0, 0.0])
    };
    let dog = gallery.insert(&picture("dog.jpg", &["狗"])).expect("a picture");
    let cat = gallery.insert(&picture("cat.jpg", &["猫"])).expect("a picture");
    let caption = |tags: &[&str], price: f64, words: &str| NewItem {
        modality: Modality::Text,
        owner: Some(dog),
        text: Some(words.into()),
        fields: fields(tags, price),
        words: words.into(),
        ..item("captions.csv", [0.0, 0.0, 1.0])
    };
    let first =
        gallery.insert(&caption(&["狗", "beach"], 7.0, "索尼A7M4拍的狗")).expect("a caption");
    gallery.insert(&caption(&["beach"], 7.0, "on a beach")).expect("another");
    let found = |filter: &str| -> Vec<u64> {
        let filter = Filter::parse(filter).expect("a filter");
        gallery.select(&filter, Modality::Image).expect("items").into_iter().collect()
    };
    let worded = |words: &str| -> Vec<u64> {
        let query = tuwen_text::for_query(words);
        let hits = gallery.with_words(Match::All(&query), Modality::Image, 9, None).expect("hits");
        hits.into_iter().map(|hit| hit.id).collect()
    };
    let dog = dog as u64;
    assert_eq!(
        [found("tag = beach"), found("price = 7"), worded("A7M4"), worded("beach")],
        [[dog]; 4]
    );
    assert_eq!(found("NOT tag = beach"), [cat as u64]);
    let tags = gallery.facet("tag", None, 9).expect("values");
    let counted: Vec<(String, u64)> = tags.iter().map(|t| (t.value.to_string(), t.items)).collect();
    // Both captions and the picture itself.
    assert!(
        counted.contains(&("beach".into(), 3)) && counted.contains(&("狗".into(), 2)),
        "{counted:?}"
    );
    gallery.remove(first).expect("removed");
    assert_eq!([found("tag = beach"), found("tag = 狗"), worded("beach")], [[dog]; 3], "of others");
    assert_eq!(worded("A7M4"), [0; 0]);
    gallery.update(dog as i64, &picture("dog.jpg", &["fox"])).expect("updated");
    assert_eq!([found("tag = beach"), found("tag = fox"), worded("dog")], [[dog]; 3]);
    assert_eq!(found("tag = 狗"), [0; 0]);
    gallery.remove(dog as i64).expect("removed");
    assert_eq!([found("tag = beach"), worded("beach")], [[0; 0], [0; 0]]);
}
