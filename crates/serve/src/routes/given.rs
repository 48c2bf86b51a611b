//! What stands in a body where a text, a picture or an item is expected, and lists of it: read so that no body becomes
//! many times its size in memory, whatever it holds instead.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Things that a list keeps; all of them are counted.
pub(crate) const KEPT: usize = 16_384;

/// A text, a whole number, or something else that is not kept.
#[derive(Debug)]
pub(crate) enum Given {
    Text(String),
    Number(i64),
    Other,
}

/// The first things of a list, and how many there are.
#[derive(Debug)]
pub(crate) struct Many<T> {
    pub kept: Vec<T>,
    pub count: usize,
}

/// One thing, or a list of them.
#[derive(Debug)]
pub(crate) struct OneOrMany(pub Many<Given>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ManyVisitor(KEPT, PhantomData))
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

/// Things of a list that has far fewer of them.
const MOST: usize = 4096;

/// Reads a list of no more than 4,096 things: what is allowed of them, which is less, is said by who knows what they are.
pub(crate) fn few<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let Many { kept, count } = deserializer.deserialize_seq(ManyVisitor(MOST, PhantomData))?;
    match count <= MOST {
        true => Ok(kept),
        false => Err(serde::de::Error::custom(format!(
            "a list has {count} things, and there are never more than {MOST}"
        ))),
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("a text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Given, E> {
        Ok(Given::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(Given::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(i64::try_from(number).map_or(Given::Other, Given::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }
}

/// Keeps so many, and counts all.
struct ManyVisitor<T>(usize, PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut many = Many { kept: Vec::new(), count: 0 };
        while many.count < self.0
            && let Some(one) = list.next_element()?
        {
            many.kept.push(one);
            many.count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            many.count += 1;
        }
        Ok(many)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("a text or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany(Many { kept: vec![Given::Text(text.to_owned())], count: 1 }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMany, A::Error> {
        ManyVisitor(KEPT, PhantomData).visit_seq(list).map(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_and_whole_numbers_are_kept_and_all_are_counted() {
        let json = r#"["狗", 7, -1, 1.5, null, true, {"a": [1]}, [[]], 18446744073709551615]"#;
        let many: Many<Given> = serde_json::from_str(json).expect("a list");
        let [Given::Text(dog), Given::Number(7), Given::Number(-1), others @ ..] = &many.kept[..]
        else {
            panic!("{many:?}")
        };
        assert_eq!((dog.as_str(), others.len(), many.count), ("狗", 6, 9));
        assert!(others.iter().all(|one| matches!(one, Given::Other)), "{others:?}");
        let long = format!("[{}1]", "1,".repeat(100_000));
        let many: Many<Given> = serde_json::from_str(&long).expect("a list");
        assert_eq!((many.kept.len(), many.count), (KEPT, 100_001));
        let OneOrMany(one) = serde_json::from_str("\"x\"").expect("a text");
        assert_eq!(one.count, 1);
        let wrong = serde_json::from_str::<OneOrMany>("{}").expect_err("a map").to_string();
        assert!(wrong.contains("expected a text or a list of texts"), "{wrong}");
    }
}
