//! Tokens of captions against CoreNLP's, METEOR's and Snowball's own (`scripts/golden/captions.py`).

use tuwen_text::caption::{characters, english, for_meteor, stem, words};

fn rows(golden: &str) -> Vec<[&str; 2]> {
    let pair = |line| str::split_once(line, '\t').expect("two columns");
    golden.lines().map(pair).map(|(a, b)| [a, b]).collect()
}

#[test]
fn english_is_cut_as_coco_caption_cuts_it() {
    let rows = rows(include_str!("golden/captions/ptb.tsv"));
    assert!(rows.len() > 40);
    for [text, tokens] in rows {
        assert_eq!(english(text).join(" "), tokens, "{text}");
    }
}

#[test]
fn meteor_sees_what_its_own_normaliser_makes() {
    for [tokens, normal] in rows(include_str!("golden/captions/meteor.tsv")) {
        let tokens: Vec<String> = tokens.split_whitespace().map(str::to_owned).collect();
        assert_eq!(for_meteor(&tokens).join(" "), normal, "{tokens:?}");
    }
}

#[test]
fn stems_are_snowballs() {
    let rows = rows(include_str!("golden/captions/stems.tsv"));
    assert!(rows.len() > 250);
    for [word, wanted] in rows {
        assert_eq!(stem(word), wanted, "{word}");
    }
    for none in ["", "a", "é", "狗", "'", "''", "'s", "y", "yy", "eed", "ing", "s's'"] {
        // Short and strange ones are survived.
        assert!(stem(none).len() <= none.len(), "{none}");
    }
}

#[test]
fn chinese_by_characters_and_by_words_without_punctuation() {
    let text = "一隻金毛犬在沙灘上奔跑，穿Ｔ恤的2個人！🐶";
    assert_eq!(
        characters(text).join(" "),
        "一 只 金 毛 犬 在 沙 滩 上 奔 跑 穿 t 恤 的 2 个 人 🐶"
    );
    assert_eq!(words(text).concat(), characters(text).concat());
    assert!(words(text).contains(&"沙滩".to_owned()) && words(text).contains(&"奔跑".to_owned()));
    assert!(characters("。…！?").is_empty() && words("").is_empty());
}

#[test]
fn strange_texts_end() {
    let all: String = (0..=0x2_ffff).filter_map(char::from_u32).collect();
    let tokens = english(&all);
    assert!(!tokens.is_empty() && tokens.iter().all(|token| !token.contains(char::is_whitespace)));
    for text in [
        "",
        " ",
        "\n\n",
        "'",
        "\"",
        "-",
        "'''''''",
        "n't",
        "'s",
        "....!!!???",
        "a\u{ad}b",
        "\u{301}",
    ] {
        let _ = for_meteor(&english(text));
    }
    let long = "don't stop (here), mr. x's half-eaten 1/2 cake... ".repeat(2000);
    let start = std::time::Instant::now();
    assert_eq!(
        english(&long).len(),
        2000 * english("don't stop (here), mr. x's half-eaten 1/2 cake... ").len()
    );
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}
