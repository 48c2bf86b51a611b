//! A gallery as a store: what is copied is equal in every bit, what was stopped goes on, and nothing of others is lost.

use std::cell::Cell;
use std::path::Path;

use tuwen_index::filter::{Fields, Filter};
use tuwen_index::fulltext::Match;
use tuwen_index::store::{Copying, Store, copy};
use tuwen_index::{Gallery, Modality, ModelId, NewItem};

const COPYING: Copying<'static> = Copying { delete: false, force: false, goes_on: &|_| true };

fn model() -> ModelId {
    ModelId { name: "test".into(), fingerprint: "test-1".into(), dim: 3 }
}

fn picture(at: usize) -> NewItem {
    let mut fields = Fields::default();
    fields.number("year", 2000.0 + (at % 30) as f64);
    fields.number("share", 1.0 / (at + 3) as f64);
    fields.text("folder", ["假期", "Holiday"][at % 2]);
    fields.date(1_500_000_000 + at as i64);
    NewItem {
        origin: format!("/pictures/{at}.jpg").into_bytes(),
        hash: *blake3::hash(&at.to_le_bytes()).as_bytes(),
        size: at as u64,
        mtime_ns: 7,
        metadata: "{\"width\":3}".into(),
        words: format!("picture {at}\n海边的狗"),
        vector: vec![1.0 / (at + 1) as f32, 0.5, 0.25],
        fields,
        ..NewItem::default()
    }
}

fn caption(owner: i64, text: &str) -> NewItem {
    let mut fields = Fields::default();
    fields.text("tag", "写的");
    NewItem {
        modality: Modality::Text,
        text: Some(text.into()),
        owner: Some(owner),
        words: text.into(),
        fields,
        ..picture(owner as usize)
    }
}

/// A gallery of pictures, of which some have captions, tags of a person, or are excluded.
fn filled(folder: &Path, pictures: usize) -> Gallery {
    let gallery = Gallery::open_for_writing(folder, &model()).expect("a gallery");
    let fill = |gallery: &Gallery| {
        for at in 0..pictures {
            let id = gallery.insert(&picture(at))?;
            if at % 3 == 0 {
                gallery.insert(&caption(id, &format!("a dog on the beach {at}")))?;
            }
            if at % 7 == 0 {
                gallery.add_tag(id, "Favourite")?;
            }
            if at % 11 == 0 {
                gallery.exclude(id)?;
            }
        }
        Ok(())
    };
    gallery.transaction(fill).expect("filled");
    gallery
}

#[test]
fn a_copy_is_equal_in_every_bit_and_is_searched_like_its_original() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let from = filled(a.path(), 700);
    let to = Gallery::open_for_writing(b.path(), &model()).expect("a gallery");
    let copied = copy(&from, &to, &COPYING).expect("copied");
    assert_eq!((copied.items, copied.sent, copied.surplus), (934, 934, 0));
    assert_eq!(from.scroll(1, 1000).expect("records"), to.scroll(1, 1000).expect("records"));
    let words = tuwen_text::for_query("海边");
    for gallery in [&from, &to] {
        let hits = gallery.with_words(Match::All(&words), Modality::Image, 5, None).expect("hits");
        assert_eq!(hits.len(), 5);
    }
    let filter = Filter::parse("tag = 写的 AND year < 2010").expect("a filter");
    let found = |gallery: &Gallery| gallery.select(&filter, Modality::Image).expect("items");
    assert_eq!(found(&from), found(&to));
    assert!(!found(&to).is_empty());
    let again = copy(&from, &to, &COPYING).expect("copied");
    assert_eq!((again.sent, again.unchanged, again.digest), (0, 934, copied.digest));
}

#[test]
fn a_stopped_copy_goes_on_and_changes_are_sent_alone() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let from = filled(a.path(), 700);
    let to = Gallery::open_for_writing(b.path(), &model()).expect("a gallery");
    let calls = Cell::new(0);
    let stops = |_| {
        calls.set(calls.get() + 1);
        calls.get() < 3
    };
    let stopped = copy(&from, &to, &Copying { goes_on: &stops, ..COPYING }).expect("stopped");
    assert_eq!((stopped.sent, stopped.digest), (512, None));
    let went_on = copy(&from, &to, &COPYING).expect("copied");
    assert_eq!((went_on.items, went_on.sent), (934, 934 - 512));
    assert!(went_on.digest.is_some());
    let gone = from.all(Modality::Image).expect("items")[5].id;
    from.remove(gone).expect("removed");
    from.add_tag(9, "new").expect("tagged");
    let kept = copy(&from, &to, &COPYING).expect("copied");
    assert_eq!((kept.sent, kept.removed, kept.surplus), (1, 0, 1));
    let deleted = copy(&from, &to, &Copying { delete: true, ..COPYING }).expect("copied");
    assert_eq!((deleted.sent, deleted.removed, deleted.surplus), (0, 1, 0));
    assert_eq!(to.count(Modality::Image).expect("a number"), 699);
}

#[test]
fn items_of_others_are_not_overwritten() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (from, to) = (filled(a.path(), 4), filled(b.path(), 5));
    let refused = copy(&from, &to, &COPYING).expect_err("it has items").to_string();
    assert!(refused.contains("has 7 items already") && refused.contains("--force"), "{refused}");
    copy(&from, &to, &Copying { force: true, ..COPYING }).expect("copied");
    copy(&from, &to, &COPYING).expect("now it is a copy");
    to.insert(&picture(90)).expect("an item of its own");
    copy(&from, &to, &COPYING).expect_err("it is a copy no more");
    let itself = copy(&from, &from, &COPYING).expect_err("the same").to_string();
    assert!(itself.contains("into itself"), "{itself}");
    let c = tempfile::tempdir().expect("a folder");
    let other = ModelId { fingerprint: "other".into(), ..model() };
    let other = Gallery::open_for_writing(c.path(), &other).expect("a gallery");
    let refused = copy(&from, &other, &COPYING).expect_err("another model").to_string();
    assert!(refused.contains("test-1") && refused.contains("other"), "{refused}");
}

#[test]
fn records_that_make_no_sense_are_refused_by_name() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let from = filled(a.path(), 2);
    let to = Gallery::open_for_writing(b.path(), &model()).expect("a gallery");
    let records = from.scroll(1, 3).expect("records");
    let refused = |change: &dyn Fn(&mut tuwen_index::store::Record)| {
        let mut record = records[1].clone();
        change(&mut record);
        to.put(vec![record]).expect_err("refused").to_string()
    };
    assert!(
        refused(&|record| record.vector[1] = f32::NAN).contains("item 2: its vector has a value")
    );
    assert!(refused(&|record| record.vector.truncate(2)).contains("2 values and not 3"));
    assert!(refused(&|record| record.item.id = 0).contains("below 1"));
    assert!(refused(&|_| ()).contains("of the picture 1, which is not there"));
    assert!(to.is_empty().expect("a number"));
}
