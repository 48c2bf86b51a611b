//! The language of filters: what is read, what is refused and where, and what SQLite answers.

mod scale;
mod twin;

use rusqlite::Connection;
use tuwen_index::filter::{
    Fields, Filter, FilterError, Items, SqlTerms, TABLES, Type, Value, facet, fields, fields_of,
    insert_fields, remove_fields,
};

fn database() -> Connection {
    let db = Connection::open_in_memory().expect("a database");
    db.execute_batch(TABLES).expect("tables");
    db
}

/// Three pictures: 1 is a dog's of 2020, 2 a cat's of 2021 without a place, 3 has nothing.
fn gallery() -> (Connection, Items) {
    let db = database();
    let mut dog = Fields::default();
    dog.number("year", 2020.0);
    dog.text("tag", "狗");
    dog.text("tag", "Animal");
    dog.text("title", "臺灣的Cafe\u{301}");
    dog.text("camera", "SONY ILCE-7M4");
    dog.number("latitude", -33.9);
    dog.push("date", Value::from_text("2020-05-17 21:30:15"));
    dog.push("price", Value::from_text("12.5"));
    let mut cat = Fields::default();
    cat.number("year", 2021.0);
    cat.text("tag", "cat");
    cat.text("tag", "animal");
    cat.text("camera", "Canon 50%");
    cat.push("date", Value::from_text("2021-01-01"));
    cat.push("price", Value::from_text("free"));
    insert_fields(&db, 1, &dog).expect("inserted");
    insert_fields(&db, 2, &cat).expect("inserted");
    (db, [1, 2, 3].into_iter().collect())
}

fn found(text: &str) -> Vec<u64> {
    let (db, all) = gallery();
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
    filter.evaluate(&SqlTerms::new(&db, &all)).expect("readable").iter().collect()
}

#[test]
fn a_comparison_is_true_of_items_that_have_the_field() {
    for (filter, wanted) in [
        ("year >= 2020", &[1, 2][..]),
        ("year != 2020", &[2]),
        ("NOT year = 2020", &[2, 3]),
        ("tag = \"狗\"", &[1]),
        ("tag = CAT", &[2]),
        ("tag != cat", &[1]),
        ("tag in (cat, \"狗\") and year = 2021", &[2]),
        ("tag not in (cat, dog)", &[1]),
        ("camera contains '7m4'", &[1]),
        ("camera not contains sony", &[2]),
        ("camera starts with canon", &[2]),
        ("camera = 'canon 50%'", &[2]),
        ("has latitude", &[1]),
        ("not exists latitude", &[2, 3]),
        ("latitude between -34 and -33", &[1]),
        ("latitude < 0 or year = 2021", &[1, 2]),
        ("nothing = 1", &[]),
        ("not nothing = 1", &[1, 2, 3]),
    ] {
        assert_eq!(found(filter), wanted, "{filter}");
    }
}

#[test]
fn traditional_and_simplified_characters_are_one() {
    for filter in [
        "title contains 台湾",
        "title contains 臺灣",
        "title starts with 台灣的",
        "title = 台湾的Café",
        "title in (x, \"臺湾的CAFE\u{301}\")",
        "標籤 = 狗 and title != 台湾",
    ] {
        assert_eq!(found(filter), [1], "{filter}");
    }
    assert_eq!(found("title = 台湾的Cafe"), [] as [u64; 0], "an accent is a letter's");
    let (db, _) = gallery();
    let shown = facet(&db, "title", None, 9).expect("values");
    assert_eq!(shown[0].value.to_string(), "臺灣的Cafe\u{301}", "shown as it was written");
}

#[test]
fn a_date_covers_what_it_says() {
    for (filter, wanted) in [
        ("date = 2020", &[1][..]),
        ("date = 2020-05", &[1]),
        ("date = 2020-05-17", &[1]),
        ("date = \"2020-05-17 21:30\"", &[1]),
        ("date = 2020-05-17T21:30:16", &[]),
        ("date > 2020", &[2]),
        ("date >= 2020", &[1, 2]),
        ("date <= 2020-05", &[1]),
        ("date < 2020-05-17", &[]),
        ("date between 2020-06 and 2021", &[2]),
        ("date != 2020", &[2]),
        ("日期 = 2020年5月", &[1]),
    ] {
        assert_eq!(found(filter), wanted, "{filter}");
    }
}

#[test]
fn a_field_of_caption_files_has_the_types_of_its_values() {
    assert_eq!(found("price > 12"), [1]);
    assert_eq!(found("price = FREE"), [2]);
    assert_eq!(found("price = 12.5"), [1]);
    assert_eq!(found("has price"), [1, 2]);
    assert_eq!(found("price != 5"), [1, 2]);
}

#[test]
fn what_a_chinese_keyboard_writes_is_read() {
    let wanted = Filter::parse("year >= 2020 AND (tag = \"狗\" OR tag IN (cat, dog))");
    for text in [
        "year＞＝２０２０　and（tag＝“狗”　or　tag in（cat，dog））",
        "年 ≥ 2020 AND (标签 = 「狗」 OR 标签 IN ('cat'、'dog'))",
        "YEAR >= 2020 And (Tag == 狗 oR TAG In (cat,dog))",
    ] {
        assert_eq!(Filter::parse(text), wanted, "{text}");
    }
}

#[test]
fn quotes_and_escapes_hold_any_text() {
    let same = |a: &str, b: &str| assert_eq!(Filter::parse(a), Filter::parse(b), "{a} {b}");
    same(r#"tag = "a\"b""#, r#"tag = 'a"b'"#);
    same(r"tag = 'it\'s'", "tag = \"it's\"");
    same(r#"tag = "\\""#, r"tag = '\\'");
    same("\"photo credit\" = x", "\"Photo Credit\" = \"X\"");
    assert!(Filter::parse("tag = \"AND\"").is_ok());
    assert!(Filter::parse("folder starts with /home/a-b_c/2020").is_ok());
    assert_eq!(Filter::parse("has has").expect("a field").fields(), ["has"]);
}

#[test]
fn errors_name_the_column_and_what_was_expected() {
    for (filter, column, words) in [
        ("", 1, "found the end, expected the name of a field"),
        ("year", 5, "expected an operator"),
        ("year >= AND tag = x", 9, "(year >= ▶AND tag = x)"),
        ("年 >= 且", 6, "year is a number, \"且\" is not"),
        ("year < \"abc\"", 8, "year is a number, \"abc\" is not: write a number"),
        ("year = 2020-05", 8, "year is a number"),
        ("date > soon", 8, "date is a date, \"soon\" is not: write a date, such as 2020"),
        ("year contains 20", 6, "CONTAINS compares texts, year is a number"),
        ("year in (2020, x)", 16, "year is a number, \"x\""),
        ("tag = big dog", 11, "a value of several words stands in quotes"),
        ("tag = \"dog", 7, "found a text without an end"),
        ("(tag = dog", 11, "closing parenthesis"),
        ("tag = dog)", 10, "found ), expected AND, OR or the end"),
        ("tag in dog", 8, "( and the values of IN"),
        ("tag in ()", 9, "expected a value"),
        ("tag = dog & x = 1", 11, "found the sign \"&\""),
        ("year between 1 or 2", 16, "AND and the upper end"),
        ("tag starts dog", 12, "WITH"),
        ("tag ! dog", 5, "the sign \"!\""),
        ("tag = \"a\\q\"", 9, "a lone backslash"),
        ("= 5", 1, "the name of a field"),
        ("a = 1 OR", 9, "found the end"),
    ] {
        let error = Filter::parse(filter).expect_err(filter).to_string();
        assert!(error.starts_with(&format!("filter, column {column}: ")), "{filter}: {error}");
        assert!(error.contains(words), "{filter}: {error}");
    }
}

#[test]
fn length_and_depth_have_limits() {
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(90)).is_ok());
    let error = Filter::parse(&nested(5000)).expect_err("too deep");
    assert!(matches!(error, FilterError::TooDeep { limit: 100, .. }), "{error}");
    let error = Filter::parse(&"not ".repeat(4000)).expect_err("too deep");
    assert!(matches!(error, FilterError::TooDeep { .. }), "{error}");
    let error = Filter::parse(&"x".repeat(1 << 20)).expect_err("too long");
    assert!(matches!(error, FilterError::TooLong { limit: 20_000, .. }), "{error}");
    // Side by side there may be as many as fit.
    assert!(Filter::parse(&vec!["a = 1"; 1500].join(" or ")).is_ok());
}

#[test]
fn values_are_counted_and_fields_listed() {
    let (db, _) = gallery();
    let counts = |within: Option<&Items>| -> Vec<(String, u64)> {
        let facets = facet(&db, "tag", within, 10).expect("readable");
        facets.into_iter().map(|facet| (facet.value.to_string(), facet.items)).collect()
    };
    let pair = |value: &str, items| (value.to_owned(), items);
    assert_eq!(counts(None), [pair("Animal", 2), pair("cat", 1), pair("狗", 1)]);
    let cats: Items = [2].into_iter().collect();
    assert_eq!(counts(Some(&cats)), [pair("animal", 1), pair("cat", 1)]);
    let years = facet(&db, "year", None, 1).expect("readable");
    assert_eq!((years.len(), &years[0].value), (1, &Value::Number(2020.0)));
    assert!(facet(&db, "nothing", None, 5).expect("readable").is_empty());
    let listed = fields(&db, None).expect("readable");
    let price: Vec<(Type, u64)> =
        listed.iter().filter(|f| f.name == "price").map(|f| (f.kind, f.items)).collect();
    assert_eq!(price, [(Type::Number, 1), (Type::Text, 1)]);
}

#[test]
fn a_removed_item_has_no_fields() {
    let (db, all) = gallery();
    let before = fields_of(&db, 1).expect("readable");
    assert_eq!(before.of("camera").next(), Some(&Value::Text("SONY ILCE-7M4".into())));
    // What is there already is there once.
    insert_fields(&db, 1, &before).expect("inserted");
    assert_eq!(fields_of(&db, 1).expect("readable"), before);
    remove_fields(&db, 1).expect("removed");
    assert_eq!(fields_of(&db, 1).expect("readable"), Fields::default());
    let filter = Filter::parse("year = 2020").expect("a filter");
    assert!(filter.evaluate(&SqlTerms::new(&db, &all)).expect("readable").is_empty());
    assert!(fields(&db, None).expect("readable").iter().all(|field| field.name != "latitude"));
}
