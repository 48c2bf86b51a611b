//! The same ids as HF's `tokenizers`.

use tokenizers::Tokenizer;

use super::Unigram;
use tuwen_image::rng::Rng;

/// The built-in model's.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/tuwen-small/tokenizer.json");
const NAMES: &str = include_str!("../../../../sets/src/names.tsv");

fn both() -> (Unigram, Tokenizer) {
    let bytes = std::fs::read(FILE).expect("the built-in model's tokenizer");
    let unigram = Unigram::parse(&bytes).expect("a file of the known shape");
    (unigram, Tokenizer::from_bytes(&bytes).expect("a tokenizer"))
}

fn check(texts: impl Iterator<Item = String>) {
    let (unigram, library) = both();
    let (before, after) = unigram.around();
    for text in texts {
        let wanted = library.encode_fast(&*text, true).expect("tokens");
        let found = [before, &unigram.ids(&text), after].concat();
        assert_eq!(found, wanted.get_ids(), "{text:?}");
    }
}

#[test]
fn names_and_captions_have_the_ids_of_the_library() {
    let names = NAMES.lines().flat_map(|line| line.split('\t')).map(str::to_owned);
    let lines = NAMES.lines().map(|line| format!("A photo of {line}, 一张照片。"));
    check(names.chain(lines));
}

#[test]
fn odd_texts_have_the_ids_of_the_library() {
    let odd = [
        "",
        " ",
        "  ",
        "\t\n\r",
        "a",
        "▁",
        "▁▁a",
        "▁ a",
        " ▁a",
        "a▁",
        "a ▁▁ b▁",
        "a  b   c ",
        "\u{a0}a\u{3000}\u{3000}b",
        "¨a¨",
        "<s>",
        "</s><unk><pad>",
        "a<unk>b",
        "☃<unk>☃",
        "☃☃ ☃",
        "👩‍👩‍👧‍👦 🇨🇳 ❤️",
        "ＤＯＧ１２３！？",
        "ﬁ ﬃ ㎏ ½ ①",
        "e\u{301}e\u{323}\u{307}",
        "\u{1100}\u{1161}\u{11a8} 한국어",
        "ｶﾞｷﾞ カ\u{3099}",
        "\0\u{1}\u{7f}\u{85}\u{200b}\u{feff}\u{fffd}",
        "草地上奔跑的狗和 a red ball，还有🐕。",
        "ﷺ ﷽",
        "\u{1e030}\u{10780}\u{32ff}\u{1df2}",
        "ไทย עברית العربية हिन्दी",
    ];
    check(odd.into_iter().map(str::to_owned));
    let long = "a dog runs on the grass, 草地上奔跑的狗 ☃ ";
    check([long.repeat(500), "狗".repeat(5000), "x".repeat(5000), "☃".repeat(3000)].into_iter());
}

#[test]
fn every_character_has_the_ids_of_the_library() {
    let all = (0..=0x10_ffff).filter_map(char::from_u32);
    // Alone behind a letter and before a mark, so that compositions and the order of marks count.
    check(all.filter(|c| u32::from(*c) < 0x3_0000).step_by(3).map(|c| format!("a{c}\u{301}{c}")));
}

/// A text of pieces of the vocabulary, of words in several scripts, and of any characters.
fn random(rng: &mut Rng, unigram: &Unigram) -> String {
    let ranges = [
        (0x20, 0x7f),
        (0, 0x250),
        (0x300, 0x370),
        (0x4e00, 0x9fff),
        (0x3000, 0x3100),
        (0xff00, 0xffef),
        (0xac00, 0xd7a3),
        (0x1f300, 0x1faff),
        (0x600, 0x700),
        (0, 0x11_0000),
    ];
    let mut text = String::new();
    for _ in 0..rng.below(12) {
        match rng.below(4) {
            0 => {
                let piece = unigram.pieces.piece(rng.below(unigram.vocab_size()) as u32);
                text.push_str(std::str::from_utf8(piece).expect("a piece"));
            }
            1 => text.push_str([" ", "  ", "▁", "\u{3000}", "\n"][rng.below(5)]),
            _ => {
                let (from, to) = ranges[rng.below(ranges.len())];
                for _ in 0..rng.below(6) {
                    text.extend(char::from_u32((from + rng.below(to - from)) as u32));
                }
            }
        }
    }
    text
}

#[test]
fn random_texts_have_the_ids_of_the_library() {
    let (unigram, _) = both();
    let mut rng = Rng::new(&[27]);
    check((0..20_000).map(|_| random(&mut rng, &unigram)));
}

#[test]
fn files_that_say_anything_else_are_left_to_the_library() {
    let text = std::fs::read_to_string(FILE).expect("the built-in model's tokenizer");
    let changes = [
        (r#""added_tokens":[]"#, r#""added_tokens":[{"id":3,"content":"<unk>"}]"#),
        (r#""byte_fallback":false"#, r#""byte_fallback":true"#),
        (r#""unk_id":3"#, r#""unk_id":25000"#),
        (r#""unk_id":3"#, r#""unk_id":null"#),
        ("NFKC", "NFC"),
        (" {2,}", " +"),
        (r#""split":true"#, r#""split":false"#),
        (r#""prepend_scheme":"always""#, r#""prepend_scheme":"first""#),
        (r#""version":"1.0""#, r#""version":"1.0","more":1"#),
        (r#"["<pad>",0.0]"#, r#"["<s>",0.0]"#),
        (r#""single":[{"SpecialToken":{"id":"<s>""#, r#""single":[{"SpecialToken":{"id":"<t>""#),
    ];
    assert!(Unigram::parse(text.as_bytes()).is_some());
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not there");
        assert!(Unigram::parse(text.replacen(from, to, 1).as_bytes()).is_none(), "{to}");
    }
}
