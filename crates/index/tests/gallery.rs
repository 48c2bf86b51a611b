//! The store by itself: all or nothing, readers beside a writer, formats and widths.

use tuwen_index::{Error, Gallery, Kind, ModelId, NewItem};

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: 3 }
}

fn item(origin: &str, vector: [f32; 3]) -> NewItem {
    NewItem {
        kind: Kind::Image,
        origin: origin.as_bytes().to_vec(),
        text: None,
        owner: None,
        hash: [7; 32],
        size: 5,
        mtime_ns: 9,
        metadata: "{}".into(),
        vector: vector.to_vec(),
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
        assert_eq!(gallery.count(Kind::Image)?, 2);
        assert_eq!(reader.count(Kind::Image)?, 1, "not yet committed");
        Err(Error::Missing("made up".into()))
    });
    failed.expect_err("the change failed");
    assert_eq!(writer.count(Kind::Image).expect("a count"), 1);
    writer.transaction(|gallery| gallery.insert(&item("b", [0.0, 1.0, 0.0]))).expect("committed");
    let vectors = reader.vectors(Kind::Image).expect("vectors");
    let hits = vectors.search(&[0.1, 0.9, 0.0], 5, None).expect("hits");
    let found = reader.item(hits[0].id as i64).expect("readable").expect("there");
    assert_eq!((hits.len(), found.origin.as_slice()), (2, b"b".as_slice()));
}

#[test]
fn an_updated_item_keeps_its_captions() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let id = gallery.insert(&item("a", [1.0, 0.0, 0.0])).expect("an item");
    let caption = NewItem {
        kind: Kind::Text,
        text: Some("一只狗".into()),
        owner: Some(id),
        ..item("captions.csv", [0.0, 0.0, 1.0])
    };
    gallery.insert(&caption).expect("a caption");
    gallery.update(id, &item("a", [0.0, 1.0, 0.0])).expect("updated");
    assert_eq!(gallery.vector(id).expect("a vector"), [0.0, 1.0, 0.0]);
    assert_eq!(gallery.all(Kind::Text).expect("texts")[0].owner, Some(id));
    gallery.remove(id).expect("removed");
    let texts = gallery.all(Kind::Text).expect("texts");
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
        gallery.all(Kind::Image).expect("items").into_iter().map(|item| item.origin).collect()
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
    assert_eq!(second.count(Kind::Image).expect("a count"), 1);
}
