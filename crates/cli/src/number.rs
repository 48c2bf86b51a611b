//! The ranges of numbers on the command line: part of each argument's type, so that what makes no sense is
//! wrong usage before anything begins.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::{RangedU64ValueParser, TypedValueParser};

/// Hits, cut-offs, records: more than anybody looks at.
pub const MANY: u64 = 1_000_000;

/// A whole number in a range.
pub fn whole(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// A number from `low` to `high`.
pub fn between<T>(low: T, high: T) -> impl TypedValueParser<Value = T>
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse::<T>().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| format!("a number from {low} to {high} is needed"))
    }
}

/// A number above `low` and up to `high`.
pub fn above<T>(low: T, high: T) -> impl TypedValueParser<Value = T>
where
    T: FromStr + PartialOrd + Display + Copy + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse::<T>().ok().filter(|&number| low < number && number <= high);
        number.ok_or_else(|| format!("a number above {low} and up to {high} is needed"))
    }
}

/// How much something counts beside others.
pub fn weight() -> impl TypedValueParser<Value = f32> {
    above(0.0, 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Clone + Send + Sync + 'static>(
        parser: impl TypedValueParser<Value = T>,
        text: &str,
    ) -> Option<T> {
        parser.parse_ref(&clap::Command::new("test"), None, text.as_ref()).ok()
    }

    #[test]
    fn only_numbers_inside_a_range_are_numbers() {
        for text in ["nan", "inf", "-inf", "-0.1", "1.1", "1e400", "", "0,5"] {
            assert_eq!(parse(between(0.0f32, 1.0), text), None, "{text}");
            assert_eq!(parse(above(0.0f64, 1.0), text), None, "{text}");
        }
        assert_eq!(parse(between(0.0f32, 1.0), "0"), Some(0.0));
        assert_eq!(parse(between(0.0f32, 1.0), "1"), Some(1.0));
        assert_eq!(parse(above(0.0f32, 1.0), "0"), None);
        assert_eq!(parse(above(0.0f32, 1.0), "1"), Some(1.0));
        assert_eq!(parse(whole(1..=5), "5"), Some(5));
        for text in ["0", "6", "-1", "2.0", "99999999999999999999"] {
            assert_eq!(parse(whole(1..=5), text), None, "{text}");
        }
    }
}
