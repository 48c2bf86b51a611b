//! Filters of 0.1%, 1%, 10% and 50% over 100,000 items, as many as they select, with the times printed.

use std::time::Instant;

use tuwen_index::filter::{
    Fields, Filter, Items, SqlTerms, Value, facet, fields, insert_fields, remove_fields,
};

use super::database;
use super::twin::Random;

const ITEMS: u64 = 100_000;

#[test]
fn filters_of_every_selectivity() {
    let db = database();
    let mut random = Random(1);
    // An item's place in a random order: below 100 are 0.1% of all.
    let mut order: Vec<u64> = (0..ITEMS).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at as u64 + 1) as usize);
    }
    let start = Instant::now();
    let transaction = db.unchecked_transaction().expect("a transaction");
    for (id, &place) in (1..).zip(&order) {
        let mut item = Fields::default();
        item.number("place", place as f64);
        item.number("latitude", place as f64 / 1000.0 - 50.0);
        item.push("date", Value::Date(1_577_836_800 + place as i64 * 60));
        item.text("tag", share(place));
        item.text("folder", &format!("/photos/{:03}", place % 500));
        insert_fields(&db, id, &item).expect("inserted");
    }
    transaction.commit().expect("committed");
    let pages = |what: &str| -> u64 {
        db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0)).expect("a number")
            as u64
    };
    let bytes = pages("page_count") * pages("page_size") / ITEMS;
    println!("{ITEMS} items of 5 fields: {:.1?}, {bytes} bytes an item", start.elapsed());
    let all: Items = (1..=ITEMS).collect();
    let terms = SqlTerms::new(&db, &all);
    for (share, wanted) in [("0.1%", 100), ("1%", 1_000), ("10%", 10_000), ("50%", 50_000)] {
        for filter in [
            format!("place < {wanted}"),
            format!("tag in ({})", ["a", "b", "c", "d"][..=wanted_tag(wanted)].join(", ")),
            format!("latitude < {}", wanted as f64 / 1000.0 - 50.0),
            format!("not place >= {wanted}"),
        ] {
            let start = Instant::now();
            let parsed = Filter::parse(&filter).expect("a filter");
            let found = parsed.evaluate(&terms).expect("readable");
            println!("{share:>5} {:>9.2?}  {filter}", start.elapsed());
            assert_eq!(found.len(), wanted, "{filter}");
            assert!(found.iter().all(|id| order[id as usize - 1] < wanted), "{filter}");
        }
    }
    let start = Instant::now();
    let contains = Filter::parse("folder contains /12").expect("a filter");
    let found = contains.evaluate(&terms).expect("readable");
    println!("{:>15.2?}  contains, {} items", start.elapsed(), found.len());
    let start = Instant::now();
    let counts = facet(&db, "folder", Some(&found), 20).expect("readable");
    println!("{:>15.2?}  facet within", start.elapsed());
    assert_eq!((counts.len(), counts[0].items), (10, 200));
    let start = Instant::now();
    assert_eq!(fields(&db, None).expect("readable").len(), 5);
    println!("{:>15.2?}  list of fields", start.elapsed());
    let start = Instant::now();
    for id in 1..=1000 {
        remove_fields(&db, id).expect("removed");
    }
    println!("{:>15.2?}  1,000 items removed", start.elapsed());
}

/// The tag of an item: a of 0.1%, b of 0.9%, c of 9%, d of 40%, e of the rest.
fn share(place: u64) -> &'static str {
    match place {
        0..100 => "a",
        100..1_000 => "b",
        1_000..10_000 => "c",
        10_000..50_000 => "d",
        _ => "e",
    }
}

fn wanted_tag(wanted: u64) -> usize {
    wanted.ilog10() as usize - 2 + usize::from(wanted == 50_000)
}
