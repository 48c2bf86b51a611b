//! The claims.

use tuwen_index::filter::Filter;
use tuwen_index::store::{Ask, Copying, Record, Store, copy};
use tuwen_index::{Gallery, Modality};

use super::each;
use super::items::{DIM, PICTURES, model, picture, vector};

const COPYING: Copying<'static> = Copying { delete: false, force: false, goes_on: &|_| true };

/// How far a score may be from the exact one: sums go another way.
const NEAR: f32 = 1e-5;

fn all(store: &dyn Store) -> Vec<Record> {
    store.scroll(1, 10_000).expect("records")
}

fn filter(text: &str) -> Filter {
    Filter::parse(text).expect("a filter")
}

#[test]
fn what_is_copied_there_and_back_is_equal_in_every_bit() {
    each("there-and-back", |store, original| {
        let sent = copy(original, store, &COPYING).expect("copied");
        assert_eq!((sent.items, sent.sent, sent.surplus), (800, 800, 0));
        assert_eq!(all(store), all(original));
        let again = copy(original, store, &COPYING).expect("copied");
        assert_eq!((again.sent, again.unchanged, again.digest), (0, 800, sent.digest));
        let folder = tempfile::tempdir().expect("a folder");
        let back = Gallery::open_for_writing(folder.path(), &model()).expect("a gallery");
        let back_again = copy(store, &back, &COPYING).expect("copied");
        assert_eq!(back_again.digest, sent.digest);
        assert_eq!(all(&back), all(original));
    });
}

#[test]
fn hits_are_those_of_exact_search() {
    each("hits", |store, original| {
        copy(original, store, &COPYING).expect("copied");
        for (modality, k) in [(Modality::Image, 10), (Modality::Text, 3), (Modality::Image, 1)] {
            for seed in 0..20 {
                let vector = vector(seed + 777);
                let ask = Ask { modality, vector: &vector, k, filter: None, exact: true };
                let wanted = Store::search(original, &ask).expect("hits");
                for exact in [true, false] {
                    let found = store.search(&Ask { exact, ..ask }).expect("hits");
                    let ids = |hits: &[tuwen_index::Hit]| -> Vec<u64> {
                        hits.iter().map(|hit| hit.id).collect()
                    };
                    assert_eq!(ids(&found), ids(&wanted), "exact: {exact}");
                    let near = |(a, b): (&tuwen_index::Hit, &tuwen_index::Hit)| {
                        (a.score - b.score).abs() < NEAR
                    };
                    assert!(found.iter().zip(&wanted).all(near));
                }
            }
        }
    });
}

#[test]
fn filters_are_true_of_the_same_items() {
    let filters = [
        "year >= 2020",
        "year BETWEEN 2003 AND 2005 AND NOT tag = 狗",
        "share < 0.01",
        "share = 0.25",
        "date = 2018",
        "date > 2018-03-01 AND date <= 2018-05",
        "tag = dog",
        "tag = DOG OR tag = 写的",
        "tag IN (狗, favourite)",
        "tag != 狗",
        "folder = 假期",
        "folder = \"holiday pictures\"",
        "folder CONTAINS holi",
        "folder STARTS WITH 工",
        "folder CONTAINS nowhere",
        "name STARTS WITH img_000",
        "name > img_0590.jpg",
        "name BETWEEN img_0010.jpg AND img_0019.jpg",
        "HAS tag",
        "NOT HAS tag",
        "HAS nothing",
        "NOT HAS nothing",
        "nothing = 1",
        "nothing CONTAINS x",
        "year = 2001 OR (folder = 工作 AND year > 2025)",
        "NOT (year > 2001 OR HAS tag)",
    ];
    each("filters", |store, original| {
        copy(original, store, &COPYING).expect("copied");
        let vector = vector(4242);
        for text in filters {
            let filter = filter(text);
            for modality in [Modality::Image, Modality::Text] {
                let wanted = original.list(modality, Some(&filter), 10_000).expect("items");
                let found = store.list(modality, Some(&filter), 10_000).expect(text);
                assert_eq!(found, wanted, "{text} of {modality:?}");
                let (k, exact) = (7, false);
                let ask = Ask { modality, vector: &vector, k, filter: Some(&filter), exact };
                let wanted = Store::search(original, &ask).expect("hits");
                let found = store.search(&ask).expect(text);
                let ids = |hits: &[tuwen_index::Hit]| -> Vec<u64> {
                    hits.iter().map(|hit| hit.id).collect()
                };
                assert_eq!(ids(&found), ids(&wanted), "{text} of {modality:?}");
            }
        }
    });
}

#[test]
fn names_of_fields_may_hold_anything() {
    each("names", |store, original| {
        copy(original, store, &COPYING).expect("copied");
        let records = all(original);
        let name = records[0].own.iter().find(|field| field.name.contains("quoted"));
        let name = name.expect("the field").name.clone();
        let has = Filter::Has(name);
        let found = store.list(Modality::Image, Some(&has), 10_000).expect("items");
        assert_eq!(found.len(), PICTURES - PICTURES.div_ceil(11), "all that can be found");
    });
}

#[test]
fn what_changed_is_sent_alone_and_what_is_gone_is_removed() {
    each("changes", |store, original| {
        copy(original, store, &COPYING).expect("copied");
        // Each store sees another change of the same gallery.
        let at = 5_000 + original.last_id().expect("a number") as usize;
        let gone = original.all(Modality::Text).expect("items")[3].clone();
        Gallery::remove(original, gone.id).expect("removed");
        let new = original.insert(&picture(at)).expect("inserted");
        original.exclude(new).expect("excluded");
        let kept = copy(original, store, &COPYING).expect("copied");
        assert_eq!((kept.sent, kept.removed, kept.surplus), (2, 0, 1), "its picture, the new one");
        let vector = vector(at as u64 + 1);
        let ask =
            Ask { modality: Modality::Image, vector: &vector, k: 1, filter: None, exact: false };
        assert_ne!(store.search(&ask).expect("hits")[0].id, new as u64, "it is excluded");
        original.restore(new).expect("restored");
        let deleted = copy(original, store, &Copying { delete: true, ..COPYING }).expect("copied");
        // In a gallery the picture had what its caption says for as long as the caption was there.
        assert!((1..=2).contains(&deleted.sent), "{deleted:?}");
        assert_eq!((deleted.removed, deleted.surplus), (1, 0));
        assert_eq!(store.search(&ask).expect("hits")[0].id, new as u64);
        assert!(store.items(&[gone.id]).expect("items").is_empty());
        assert_eq!(store.items(&[new, 1]).expect("items").len(), 2);
        assert_eq!(all(store), all(original));
    });
}

#[test]
fn a_copy_that_was_stopped_goes_on() {
    each("stopped", |store, original| {
        let calls = std::cell::Cell::new(0);
        let stops = |_| {
            calls.set(calls.get() + 1);
            calls.get() < 3
        };
        let stopped = copy(original, store, &Copying { goes_on: &stops, ..COPYING });
        assert_eq!(stopped.expect("stopped").sent, 512);
        assert_eq!(store.len().expect("a number"), 512);
        let went_on = copy(original, store, &COPYING).expect("copied");
        assert_eq!((went_on.items, went_on.digest.is_some()), (800, true));
        assert!(went_on.sent <= 289, "{}", went_on.sent);
    });
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    each("refused", |store, original| {
        let record = original.scroll(1, 1).expect("records").remove(0);
        let refused = |change: &dyn Fn(&mut Record)| {
            let mut record = record.clone();
            change(&mut record);
            let put = store.put(vec![record]).and_then(|()| store.settle());
            put.expect_err("refused").to_string()
        };
        let nan = refused(&|record| record.vector[2] = f32::NAN);
        assert!(nan.contains("item 1: its vector has a value that is no number"), "{nan}");
        let short = refused(&|record| record.vector.truncate(3));
        assert!(short.contains(&format!("has 3 values and not {DIM}")), "{short}");
        assert!(store.is_empty().expect("a number"));
        assert_eq!(store.scroll(1, 5).expect("records"), []);
        assert_eq!(store.digests(1, i64::MAX).expect("digests"), []);
    });
}
