//! What a person says of items: it is found, it stays when files are indexed again, and it can be taken back.

use tuwen_index::filter::{Fields, Filter};
use tuwen_index::fulltext::Match;
use tuwen_index::{Gallery, Modality, ModelId, NewItem};

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: 2 }
}

fn picture(origin: &str) -> NewItem {
    let mut fields = Fields::default();
    fields.text("tag", "holiday");
    NewItem {
        origin: origin.as_bytes().to_vec(),
        hash: *blake3_of(origin),
        metadata: "{}".into(),
        words: origin.into(),
        vector: vec![1.0, 0.0],
        fields,
        ..NewItem::default()
    }
}

/// Any 32 bytes that differ with the name.
fn blake3_of(name: &str) -> Box<[u8; 32]> {
    let mut hash = Box::new([0; 32]);
    hash[..name.len()].copy_from_slice(name.as_bytes());
    hash
}

fn caption(owner: i64) -> NewItem {
    NewItem {
        modality: Modality::Text,
        text: Some("a beach".into()),
        owner: Some(owner),
        words: "a beach".into(),
        ..picture("captions.csv")
    }
}

/// What is found in each way: by vectors, by number, by words, by the tag `holiday`.
fn found(gallery: &Gallery) -> [usize; 5] {
    let words = tuwen_text::for_query("beach");
    let words = gallery.with_words(Match::All(&words), Modality::Image, 9, None).expect("hits");
    let tagged = gallery.facet("tag", None, 9).expect("values");
    let tagged = tagged.iter().find(|facet| facet.value.to_string() == "holiday");
    [
        gallery.vectors(Modality::Image).expect("vectors").len(),
        gallery.vectors(Modality::Text).expect("vectors").len(),
        gallery.ids(Modality::Image).expect("ids").len() as usize,
        words.len(),
        tagged.map_or(0, |facet| facet.items as usize),
    ]
}

#[test]
fn excluded_items_are_found_by_nothing_until_they_are_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let ids: Vec<i64> =
        ["a", "b"].map(|name| gallery.insert(&picture(name)).expect("an item")).to_vec();
    gallery.insert(&caption(ids[0])).expect("a caption");
    let all = [2, 1, 2, 1, 3];
    assert_eq!(found(&gallery), all);
    assert!(gallery.exclude(ids[0]).expect("excluded"));
    assert!(!gallery.exclude(ids[0]).expect("already"));
    assert!(!gallery.exclude(77).expect("no such item"));
    assert_eq!(found(&gallery), [1, 0, 1, 0, 1]);
    gallery.update(ids[0], &picture("a")).expect("indexed again");
    gallery.merge().expect("merged");
    assert_eq!(found(&gallery), [1, 0, 1, 0, 1], "it stays excluded");
    assert_eq!(gallery.excluded().expect("a list"), [ids[0]]);
    assert!(gallery.restore(ids[0]).expect("restored"));
    assert_eq!(found(&gallery), all);
    gallery.exclude(ids[1]).expect("excluded");
    gallery.remove(ids[1]).expect("its file is gone");
    assert_eq!(gallery.excluded().expect("a list"), Vec::<i64>::new());
}

#[test]
fn tags_filter_stay_and_are_taken_back_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    let id = gallery.insert(&picture("a")).expect("an item");
    assert!(gallery.add_tag(id, "Sea").expect("new"));
    assert!(!gallery.add_tag(id, "sea").expect("the same"));
    gallery.add_tag(id, "holiday").expect("that of the file, by hand too");
    gallery.update(id, &picture("a")).expect("indexed again");
    let tagged = |tag: &str| {
        let filter = Filter::parse(&format!("tag = \"{tag}\"")).expect("a filter");
        gallery.select(&filter, Modality::Image).expect("items").len()
    };
    assert_eq!((tagged("SEA"), tagged("holiday")), (1, 1));
    assert!(gallery.remove_tag(id, "SEA").expect("taken back"));
    assert!(gallery.remove_tag(id, "holiday").expect("taken back"));
    assert!(!gallery.remove_tag(id, "holiday").expect("that of the file stays"));
    assert_eq!((tagged("sea"), tagged("holiday")), (0, 1));
}

#[test]
fn a_gallery_that_is_built_anew_takes_over_what_was_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let gallery = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
    for name in ["a", "b", "c"] {
        let id = gallery.insert(&picture(name)).expect("an item");
        gallery.add_tag(id, name).expect("a tag");
        if name == "b" {
            gallery.exclude(id).expect("excluded");
        }
    }
    drop(gallery);
    let new = Gallery::rebuild(folder.path(), &model()).expect("a new gallery");
    // Another order, `a` lies elsewhere, and `c` is not there any more.
    new.insert(&picture("b")).expect("an item");
    new.insert(&NewItem { origin: b"elsewhere".to_vec(), ..picture("a") }).expect("an item");
    new.finish().expect("in its place");
    let gallery = Gallery::open(folder.path()).expect("the new one");
    assert_eq!(gallery.excluded().expect("a list"), [1]);
    assert_eq!([1, 2].map(|id| gallery.given_tags(id).expect("tags")), [["b"], ["a"]]);
}
