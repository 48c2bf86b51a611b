//! One spelling of what people name: tags whose accents are written in either way are one tag, and no name has signs that
//! make it look like another.

use std::ops::Bound;

use tuwen_index::filter::{Condition, Filter};
use unicode_normalization::UnicodeNormalization;

/// The field of the tags.
const TAG: &str = "tag";

/// Whether a character changes how what stands around it is shown, or is not shown itself: controls, line separators, and
/// the marks of direction of Unicode's bidirectional algorithm, by which `gpj.exe` reads `exe.jpg`
/// (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
pub fn misleads(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}'..='\u{202e}' | '\u{feff}')
}

/// A tag as it is kept: without spaces around it, composed (NFC), so that two spellings of an accent are one tag.
///
/// ```
/// assert_eq!(tuwen_retrieve::tag(" e\u{301}te\u{301}"), "été");
/// ```
pub fn tag(text: &str) -> String {
    text.trim().nfc().collect()
}

/// The same filter, which finds tags as they are kept beside those that files have in the spelling that was asked for.
pub(crate) fn either_spelling(filter: &Filter) -> Filter {
    let all = |parts: &[Filter]| parts.iter().map(either_spelling).collect();
    match filter {
        Filter::And(parts) => Filter::And(all(parts)),
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(part) => Filter::Not(Box::new(either_spelling(part))),
        Filter::Compare { field, conditions } if field == TAG => {
            let composed = conditions.iter().filter_map(composed);
            let conditions = conditions.iter().cloned().chain(composed).collect();
            Filter::Compare { field: field.clone(), conditions }
        }
        Filter::Has(_) | Filter::Compare { .. } => filter.clone(),
    }
}

/// A condition on texts with these composed, where that is another one.
fn composed(condition: &Condition) -> Option<Condition> {
    let nfc = |text: &String| text.nfc().collect::<String>();
    let bound = |bound: &Bound<String>| bound.as_ref().map(nfc);
    let other = match condition {
        Condition::Text(from, to) => Condition::Text(bound(from), bound(to)),
        Condition::StartsWith(text) => Condition::StartsWith(nfc(text)),
        Condition::Contains(text) => Condition::Contains(nfc(text)),
        Condition::Number(..) | Condition::Date { .. } => return None,
    };
    (other != *condition).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_both_spellings_of_a_tag_and_of_nothing_else() {
        let parse = |text: &str| Filter::parse(text).expect("a filter");
        let asked = either_spelling(&parse("NOT tag = \"e\u{301}te\u{301}\" AND year > 2000"));
        let Filter::And(parts) = &asked else { panic!("{asked:?}") };
        let Filter::Not(tag) = &parts[0] else { panic!("{asked:?}") };
        let Filter::Compare { conditions, .. } = tag.as_ref() else { panic!("{asked:?}") };
        for spelling in ["été", "e\u{301}te\u{301}"] {
            let value = tuwen_index::filter::Value::Text(spelling.into());
            assert!(conditions.iter().any(|condition| condition.accepts(&value)), "{asked:?}");
        }
        assert_eq!(parts[1], parse("year > 2000"));
        for same in ["tag = \"été\"", "folder = \"e\u{301}\"", "year = 2020", "HAS tag"] {
            assert_eq!(either_spelling(&parse(same)), parse(same));
        }
    }

    #[test]
    fn what_misleads_is_no_letter_of_any_script() {
        assert!("a狗é한\u{200d}\u{200c} \u{93f}👍🏽ע".chars().all(|c| !misleads(c)));
        assert!("\n\0\u{85}\u{202e}\u{2067}\u{200f}\u{61c}\u{feff}\u{2028}".chars().all(misleads));
    }
}
