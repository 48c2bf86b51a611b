//! Random filters over random items: SQLite's answer is that of looking at each item.

use tuwen_index::filter::{Fields, Filter, SqlTerms, Value, insert_fields};

use super::database;

/// Numbers from a seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len() as u64) as usize]
    }
}

const TAGS: [&str; 8] = ["狗", "猫", "Dog", "dog", "CAT", "hot dog", "a%_b", "\u{d7ff}x"];
const SIGNS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

/// A picture as plain data; the twin looks at this and not at `Fields`.
struct Picture {
    year: Option<i64>,
    tags: Vec<&'static str>,
    /// Days of 2020 from 0, with an hour.
    taken: Option<(u64, u64)>,
}

fn pictures(random: &mut Random) -> Vec<Picture> {
    let one = |_| Picture {
        year: (random.below(4) > 0).then(|| 2000 + random.below(6) as i64),
        tags: (0..random.below(3)).map(|_| random.pick(&TAGS)).collect(),
        taken: (random.below(3) > 0).then(|| (random.below(366), random.below(24))),
    };
    (0..300).map(one).collect()
}

/// A filter as the twin knows it.
enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Year(&'static str, i64),
    Years(i64, i64),
    Tag(&'static str, String),
    Tags(Vec<&'static str>),
    Day(&'static str, u64),
    Has(&'static str),
}

impl Expression {
    fn random(random: &mut Random, depth: u64) -> Self {
        let parts = |random: &mut Random| {
            (0..2 + random.below(2)).map(|_| Self::random(random, depth - 1)).collect()
        };
        match random.below(if depth == 0 { 6 } else { 10 }) {
            0 => Self::Year(random.pick(&SIGNS), 1999 + random.below(8) as i64),
            1 => Self::Years(2000 + random.below(6) as i64, 2000 + random.below(6) as i64),
            2 => {
                let operators = ["=", "!=", "<", ">=", "contains", "starts with", "not contains"];
                let operator = random.pick(&operators);
                let tag = random.pick(&TAGS);
                let long = tag.chars().count() as u64;
                let cut = if operator.contains("t") { 1 + random.below(long) } else { long };
                Self::Tag(operator, tag.chars().take(cut as usize).collect())
            }
            3 => Self::Tags((0..1 + random.below(3)).map(|_| random.pick(&TAGS)).collect()),
            4 => Self::Day(random.pick(&SIGNS), random.below(366)),
            5 => Self::Has(random.pick(&["year", "tag", "date", "nothing"])),
            6 => Self::Not(Box::new(Self::random(random, depth - 1))),
            7 => Self::And(parts(random)),
            _ => Self::Or(parts(random)),
        }
    }

    fn written(&self) -> String {
        let quoted = |text: &str| format!("\"{text}\"");
        let joined = |parts: &[Self], by: &str| {
            let parts: Vec<String> =
                parts.iter().map(|part| format!("({})", part.written())).collect();
            parts.join(by)
        };
        match self {
            Self::And(parts) => joined(parts, " and "),
            Self::Or(parts) => joined(parts, " or "),
            Self::Not(part) => format!("not ({})", part.written()),
            Self::Year(sign, year) => format!("year {sign} {year}"),
            Self::Years(from, to) => format!("year between {from} and {to}"),
            Self::Tag(operator, tag) => format!("tag {operator} {}", quoted(tag)),
            Self::Tags(tags) => {
                let tags: Vec<String> = tags.iter().map(|tag| quoted(tag)).collect();
                format!("tag in ({})", tags.join(", "))
            }
            Self::Day(sign, day) => format!("date {sign} {}", day_of_2020(*day)),
            Self::Has(field) => format!("has {field}"),
        }
    }

    fn holds(&self, picture: &Picture) -> bool {
        let lower = |tag: &str| tag.to_lowercase();
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(picture)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(picture)),
            Self::Not(part) => !part.holds(picture),
            Self::Year(sign, year) => picture.year.is_some_and(|own| compare(&own, sign, year)),
            Self::Years(from, to) => picture.year.is_some_and(|own| *from <= own && own <= *to),
            Self::Tag(operator, tag) => {
                let tag = lower(tag);
                let mut own = picture.tags.iter().map(|own| lower(own));
                let has = !picture.tags.is_empty();
                match *operator {
                    "contains" => own.any(|own| own.contains(&tag)),
                    "not contains" => has && !own.any(|own| own.contains(&tag)),
                    "starts with" => own.any(|own| own.starts_with(&tag)),
                    "!=" => has && own.all(|own| own != tag),
                    sign => own.any(|own| compare(&own, sign, &tag)),
                }
            }
            Self::Tags(tags) => {
                picture.tags.iter().any(|own| tags.iter().any(|tag| lower(tag) == lower(own)))
            }
            Self::Day(sign, day) => picture.taken.is_some_and(|(own, _)| compare(&own, sign, day)),
            Self::Has("year") => picture.year.is_some(),
            Self::Has("tag") => !picture.tags.is_empty(),
            Self::Has("date") => picture.taken.is_some(),
            Self::Has(_) => false,
        }
    }
}

fn compare<T: PartialOrd>(own: &T, sign: &str, value: &T) -> bool {
    match sign {
        "=" => own == value,
        "!=" => own != value,
        "<" => own < value,
        "<=" => own <= value,
        ">" => own > value,
        _ => own >= value,
    }
}

fn day_of_2020(mut day: u64) -> String {
    let months = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, days) in (1..).zip(months) {
        if day < days {
            return format!("2020-{month:02}-{:02}", day + 1);
        }
        day -= days;
    }
    unreachable!("a day of 2020")
}

#[test]
fn random_filters_find_what_looking_at_each_item_finds() {
    let mut random = Random(14);
    let pictures = pictures(&mut random);
    let db = database();
    for (id, picture) in (1..).zip(&pictures) {
        let mut fields = Fields::default();
        picture.year.into_iter().for_each(|year| fields.number("year", year as f64));
        picture.tags.iter().for_each(|tag| fields.text("tag", tag));
        if let Some((day, hour)) = picture.taken {
            let text = format!("{}T{hour:02}:30:00", day_of_2020(day));
            fields.push("date", Value::from_text(&text));
        }
        insert_fields(&db, id, &fields).expect("inserted");
    }
    let all = (1..=pictures.len() as u64).collect();
    let mut some = 0;
    for _ in 0..3000 {
        let expression = Expression::random(&mut random, 4);
        let written = expression.written();
        let filter = Filter::parse(&written).unwrap_or_else(|e| panic!("{written}: {e}"));
        let found = filter.evaluate(&SqlTerms::new(&db, &all)).expect("readable");
        let held = (1..).zip(&pictures).filter(|(_, picture)| expression.holds(picture));
        let wanted: Vec<u64> = held.map(|(id, _)| id).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{written}");
        some += usize::from(!wanted.is_empty() && wanted.len() < pictures.len());
    }
    assert!(some > 1500, "{some} filters divide the items");
}

#[test]
fn no_text_is_a_panic() {
    let parts = [
        "(", ")", "and", "or", "not", "in", "has", "between", "contains", "starts", "with", "=",
        "!", "<", ">", ",", "year", "tag", "date", "2020", "2020-05", "\"", "'", "“", "\\", "狗",
        "\u{0}", "-", ".", " ", "　", "９９", "1e400", "\u{301}", "🐶",
    ];
    let mut random = Random(3);
    let (mut read, rounds) = (0, 60_000);
    for _ in 0..rounds {
        let text: Vec<&str> = (0..random.below(12)).map(|_| random.pick(&parts)).collect();
        let text = text.join(random.pick(&["", " "]));
        match Filter::parse(&text) {
            Ok(_) => read += 1,
            Err(error) => assert!(error.to_string().starts_with("filter, column "), "{error}"),
        }
    }
    assert!(read > 0 && read < rounds);
}
