use super::*;

fn same_filter(line: &str, filter: &str) {
    let found = Line::parse(line).unwrap_or_else(|e| panic!("{line}: {e}")).filter;
    assert_eq!(found, Some(Filter::parse(filter).expect("a filter")), "{line}");
}

#[test]
fn known_fields_filter_and_other_colons_are_text() {
    same_filter("year:2020..2023", "year BETWEEN 2020 AND 2023");
    same_filter("年:2020 标签:狗,猫", "year = 2020 AND tag IN (\"狗\", \"猫\")");
    same_filter("ext:jpg width:>=2000", "extension = \"jpg\" AND width >= 2000");
    same_filter(
        "before:2024-05 -folder:\"old photos\"",
        "date < 2024-05 AND NOT folder = \"old photos\"",
    );
    same_filter("year:2020..", "year >= 2020");
    for text in
        ["16:9 display", "re: hello", "http://a.b/c", "note:x", "a -", "\"open", ":", "tag:"]
    {
        let line = Line::parse(text).expect("text");
        assert_eq!((line.words.as_str(), line.filter), (text, None));
    }
}

#[test]
fn words_minus_weights_and_phrases() {
    let line = Line::parse("dog  -people -\"a crowd\" 2:红色 \"birthday cake\" kind:text image:17");
    let line = line.expect("a line");
    assert_eq!(line.words, "dog birthday cake");
    assert_eq!(line.not, ["people", "a crowd"]);
    assert_eq!(
        (line.weighted, line.phrases),
        (vec![("红色".into(), 2.0)], vec!["birthday cake".to_owned()])
    );
    assert_eq!((line.modality, line.like), (Some(Modality::Text), vec![17]));
    let line = Line::parse("image:cow.png image:\"a b.png\"").expect("a line");
    assert_eq!(
        (line.images, line.words),
        (vec!["cow.png".to_owned(), "a b.png".into()], String::new())
    );
    assert_eq!(Line::parse("well-known -").expect("a line").words, "well-known -");
}

#[test]
fn a_misspelt_field_is_text_and_told() {
    for (text, field) in [
        ("yaer:2020 a dog", "year"),
        ("a dog folde:holiday", "folder"),
        ("-widht:200", "width"),
        ("cameraa:sony", "camera"),
        ("文夹件:旅行", "文件夹"),
    ] {
        let line = Line::parse(text).expect("a line");
        assert_eq!(line.misspelt.len(), 1, "{text}");
        let said: Vec<String> = line.remarks().collect();
        assert!(said[0].contains(&format!("did you mean `{field}:`")), "{said:?}");
        assert!(line.filter.is_none());
    }
    for text in ["re: hello", "note:x", "http://a.b", "16:9", "yaer:", "year:2020", "day2:x"] {
        assert!(Line::parse(text).expect("a line").misspelt.is_empty(), "{text}");
    }
    assert!(Line::parse("yaer:2020").expect("a line").is_plain());
}

#[test]
fn an_unknown_field_is_text_and_told() {
    for text in ["colour:red a dog", "-source:web", "来源:网络"] {
        let line = Line::parse(text).expect("a line");
        let said: Vec<String> = line.remarks().collect();
        assert_eq!((said.len(), line.filter), (1, None), "{said:?}");
        assert!(said[0].contains("no field of this language"), "{said:?}");
    }
    for text in
        ["re: hello", "http://a.b", "16:9", "a:b", "year:2020", "2:红色", "tag:,", "-kind:text"]
    {
        assert!(Line::parse(text).expect("a line").unknown.is_empty(), "{text}");
    }
    assert!(Line::parse("colour:red").expect("a line").is_plain());
}

#[test]
fn what_a_field_cannot_have_is_said() {
    for text in ["year:soon", "width:>=wide", "kind:video", "before:yesterday"] {
        let error = Line::parse(text).expect_err(text);
        assert!(matches!(error, Error::Usage(_)), "{text}: {error}");
    }
}

#[test]
fn a_minus_of_any_width_keeps_away() {
    for text in ["狗 -草地", "狗 －草地", "狗 −草地"] {
        let line = Line::parse(text).expect(text);
        assert_eq!(
            (line.words.as_str(), &line.not[..]),
            ("狗", &["草地".to_owned()][..]),
            "{text}"
        );
    }
}

#[test]
fn no_line_is_too_strange() {
    for text in [
        "",
        " ",
        "-",
        "--",
        "-\"",
        "\"\"",
        "“”",
        "a:b:c",
        "year:",
        "-:x",
        "标签:\"",
        "\u{0}",
        "year:2020..2023..",
        "tag:,",
    ] {
        let _ = Line::parse(text);
    }
}
