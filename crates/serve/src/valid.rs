//! Whether bytes are JSON, whatever they say: read without keeping anything, for a value of `serde_json` is many times as
//! large as what it was read from.

use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Any JSON. Unlike [`serde::de::IgnoredAny`] it reads strings, whose escapes may be none.
pub(crate) struct Valid;

impl<'de> Deserialize<'de> for Valid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Valid {
    type Value = Self;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_valid_and_nothing_else() {
        let is = |text: &str| serde_json::from_str::<Valid>(text).is_ok();
        let right =
            ["{}", r#"{"a": [1, -2.5, "é\u00e9", null, true, {"b": []}]}"#, "18446744073709551615"];
        assert!(right.into_iter().all(is));
        let wrong =
            ["", "{", r#"{"a": "\ud800"}"#, r#"["\u12"]"#, "[1,]", "{1: 2}", "{} {}", "nul"];
        assert!(!wrong.into_iter().any(is));
    }
}
