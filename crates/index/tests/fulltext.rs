//! Full text from words to hits: what is found by what, and that no word is syntax.

use rusqlite::Connection;
use tuwen_index::Hit;
use tuwen_index::filter::Items;
use tuwen_index::fulltext::{Match, TABLES, insert, matching, remove, search};
use tuwen_text::{for_index, for_phrase, for_query};

const TEXTS: [&str; 9] = [
    "索尼A7M4相机",
    "我喜歡貓",
    "Two dogs at the Café",
    "iPhone15 Pro, No. 12345",
    "AND NEAR \"quoted\" * ^ - OR NOT",
    "马路上有一辆车",
    "马上出发",
    "🐶 on the beach",
    "ＦＵＬＬ　ｗｉｄｔｈ",
];

fn database() -> Connection {
    let db = Connection::open_in_memory().expect("a database");
    db.execute_batch(TABLES).expect("a table");
    for (id, text) in (1..).zip(TEXTS) {
        insert(&db, id, &for_index(text)).expect("inserted");
    }
    db
}

fn ids(hits: &[Hit]) -> Vec<u64> {
    hits.iter().map(|hit| hit.id).collect()
}

fn all(db: &Connection, text: &str) -> Vec<u64> {
    ids(&search(db, Match::All(&for_query(text)), 10, None).expect("readable"))
}

fn exact(db: &Connection, text: &str) -> Vec<u64> {
    ids(&search(db, Match::Phrase(&for_phrase(text)), 10, None).expect("readable"))
}

#[test]
fn what_people_write_finds_what_people_wrote() {
    let db = database();
    for (query, wanted) in [
        ("A7M4", &[1][..]),
        ("a7", &[1]),
        ("索尼", &[1]),
        ("索尼 相機", &[1]),
        ("猫", &[2]),
        ("喜欢", &[2]),
        ("喜欢猫", &[2]),
        ("cafe", &[3]),
        ("CAFÉ", &[3]),
        ("dog", &[3]),
        ("dogs cafe", &[3]),
        ("dog beach", &[]),
        ("iphone 15", &[4]),
        ("iphone15", &[4]),
        ("12345", &[4]),
        ("1234", &[]),
        ("马", &[6, 7]),
        ("🐶", &[8]),
        ("full width", &[9]),
        ("", &[]),
        ("，。！", &[]),
    ] {
        let mut found = all(&db, query);
        found.sort_unstable();
        assert_eq!(found, wanted, "{query}");
    }
    // A word comes before characters that meet by chance: 马路上 has 马 and 上, not 马上.
    assert_eq!(all(&db, "马上"), [7]);
}

#[test]
fn exact_words_stand_side_by_side_in_their_form() {
    let db = database();
    assert_eq!(exact(&db, "喜欢猫"), [2]);
    assert_eq!(exact(&db, "猫喜欢"), [0; 0]);
    assert_eq!(exact(&db, "two dogs"), [3]);
    assert_eq!(exact(&db, "two dog"), [0; 0]);
    assert_eq!(exact(&db, ""), [0; 0]);
}

#[test]
fn no_word_is_syntax() {
    let db = database();
    for query in
        ["AND", "NEAR", "OR", "NOT", "AND NEAR OR", "\"quoted\" *", "near(and)", "quoted^ -"]
    {
        assert_eq!(all(&db, query), [5], "{query}");
    }
    for query in [
        "\"",
        "*",
        "^",
        "-",
        "a\"b",
        "signs:",
        "{words} : x",
        "x AND",
        ") OR (",
        "'",
        "\\",
        "\0",
        "a*",
        ":",
    ] {
        let read = for_query(query);
        for wanted in [Match::All(&read), Match::Any(&read)] {
            search(&db, wanted, 10, None).unwrap_or_else(|e| panic!("{query}: {e}"));
        }
        search(&db, Match::Phrase(&for_phrase(query)), 10, None)
            .unwrap_or_else(|e| panic!("{query}: {e}"));
    }
    let long = "一只金毛犬 and a dog No. 1234 ".repeat(20_000);
    let read = for_query(&long);
    for wanted in [Match::All(&read), Match::Any(&read)] {
        search(&db, wanted, 10, None).expect("a long query");
    }
    search(&db, Match::Phrase(&for_phrase(&long)), 10, None).expect("a long phrase");
    let many: Vec<String> = (0..1000).map(|number| format!("a{number}b")).collect();
    search(&db, Match::Any(&for_query(&many.join(" "))), 10, None).expect("many words");
}

#[test]
fn hits_are_those_allowed_and_equal_ones_by_number() {
    let db = Connection::open_in_memory().expect("a database");
    db.execute_batch(TABLES).expect("a table");
    for id in (1..=50).rev() {
        insert(&db, id, &for_index("a dog")).expect("inserted");
    }
    let query = for_query("dog cat");
    let some: Items = [40, 7, 30, 99].into_iter().collect();
    let found = search(&db, Match::Any(&query), 2, Some(&some)).expect("readable");
    assert_eq!(ids(&found), [7, 30]);
    assert!(search(&db, Match::All(&query), 9, None).expect("readable").is_empty());
    insert(&db, 7, &for_index("a cat")).expect("replaced");
    assert_eq!(search(&db, Match::Any(&query), 1, None).expect("readable")[0].id, 7, "rarer");
    remove(&db, 7).expect("removed");
    remove(&db, 7).expect("nothing to remove");
    assert_eq!(matching(&db, Match::All(&for_query("dogs"))).expect("readable").len(), 49);
    insert(&db, 8, &for_index(" … ")).expect("nothing to find");
    assert_eq!(matching(&db, Match::All(&for_query("dog"))).expect("readable").len(), 48);
}

#[test]
fn a_hundred_thousand_captions_are_searched_quickly() {
    let db = Connection::open_in_memory().expect("a database");
    db.execute_batch(TABLES).expect("a table");
    let nouns = ["狗", "猫", "孩子", "女人", "自行车", "照相机", "dog", "cat", "bicycle", "beach"];
    let start = std::time::Instant::now();
    let transaction = db.unchecked_transaction().expect("a transaction");
    for id in 0..100_000usize {
        let at = |shift: usize| nouns[(id / 10usize.pow(shift as u32)) % 10];
        let text = format!("一张{}和{}在海边的照片 {} IMG{id}", at(0), at(1), at(2));
        insert(&db, id as i64 + 1, &for_index(&text)).expect("inserted");
    }
    transaction.commit().expect("committed");
    println!("100,000 captions: {:.1?}", start.elapsed());
    for (query, least) in [("IMG77", 1), ("自行车 beach", 10), ("海边的照片", 10), ("dogs", 10)]
    {
        let start = std::time::Instant::now();
        let hits = search(&db, Match::All(&for_query(query)), 10, None).expect("readable");
        println!("{query}: {:.1?}, {} hits", start.elapsed(), hits.len());
        assert!(hits.len() >= least, "{query}");
    }
}
