//! The language of filters in Qdrant's conditions.
//!
//! Numbers and dates are ranges, equal texts are keywords, a field's presence is its name in `has`. Qdrant has no order of
//! texts and finds no parts of them: for these conditions the field's different texts are asked for, and those that the
//! condition accepts are the keywords, unless there are too many.

use std::ops::Bound;

use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::facet_value::Variant;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::{
    self, Condition as Wanted, FacetCountsBuilder, FieldCondition, HasIdCondition, Range,
    RepeatedStrings,
};
use tuwen_index::filter::{Condition, Filter, Type, Value};
use tuwen_index::{Modality, Result};

use super::Collection;
use super::payload::{HAS, HIDDEN, KIND, path, vector_name};

/// Different texts of a field that a condition may be compared with.
const TEXTS: usize = 10_000;

impl Collection {
    /// What a filter wants of the points of a modality that can be found.
    pub(super) fn translate(&self, filter: &Filter, modality: Modality) -> Result<qdrant::Filter> {
        let kind = keyword(KIND, vector_name(modality));
        let hidden = Wanted::matches(HIDDEN, true);
        let must = vec![kind, self.wanted(filter)?];
        Ok(qdrant::Filter { must, must_not: vec![hidden], ..Default::default() })
    }

    fn wanted(&self, filter: &Filter) -> Result<Wanted> {
        let all = |parts: &[Filter]| -> Result<Vec<Wanted>> {
            parts.iter().map(|part| self.wanted(part)).collect()
        };
        Ok(match filter {
            Filter::And(parts) => qdrant::Filter::must(all(parts)?).into(),
            Filter::Or(parts) => one_of(all(parts)?),
            Filter::Not(part) => qdrant::Filter::must_not([self.wanted(part)?]).into(),
            Filter::Has(field) => keyword(HAS, field),
            Filter::Compare { field, conditions } => {
                let compared = conditions.iter().map(|condition| self.compared(field, condition));
                one_of(compared.collect::<Result<_>>()?)
            }
        })
    }

    fn compared(&self, field: &str, condition: &Condition) -> Result<Wanted> {
        let path = path(condition.kind(), field);
        Ok(match condition {
            Condition::Number(from, to) => range(path, *from, *to),
            Condition::Date { from, to } => {
                let second = |second: i64| second as f64;
                let from = from.map_or(Bound::Unbounded, |from| Bound::Included(second(from)));
                let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(second(to)));
                range(path, from, to)
            }
            Condition::Text(Bound::Included(from), Bound::Included(to)) if from == to => {
                keyword(&path, from)
            }
            Condition::Text(..) | Condition::StartsWith(_) | Condition::Contains(_) => {
                let accepted = |text: &String| condition.accepts(&Value::Text(text.clone()));
                let strings: Vec<String> =
                    self.texts_of(field)?.into_iter().filter(accepted).collect();
                match strings.is_empty() {
                    true => nothing(),
                    false => equal(&path, MatchValue::Keywords(RepeatedStrings { strings })),
                }
            }
        })
    }

    /// The different texts of a field, as they are compared.
    fn texts_of(&self, field: &str) -> Result<Vec<String>> {
        let key = path(Type::Text, field);
        if !self.indexed.borrow().contains(&key) {
            let has = keyword(HAS, field);
            if self.points_with(has)? == 0 {
                return Ok(Vec::new());
            }
            return Err(self.caller.error(format!(
                "the filter compares parts or the order of `{field}`, of which this collection has no index: compare it with \
                 = or IN, or ask a gallery in a folder"
            )));
        }
        let facet = FacetCountsBuilder::new(&self.name, key).limit(TEXTS as u64 + 1).exact(true);
        let facet = &facet;
        let answer = self.caller.ask("list the texts of a field", |client| async move {
            client.facet(facet.clone()).await
        })?;
        if answer.hits.len() > TEXTS {
            return Err(self.caller.error(format!(
                "the filter compares parts or the order of `{field}`, which Qdrant cannot, and the field has more than {TEXTS} \
                 different texts to be looked at here: compare it with = or IN, or ask a gallery in a folder"
            )));
        }
        let text = |hit: qdrant::FacetHit| match hit.value?.variant? {
            Variant::StringValue(text) => Some(text),
            _ => None,
        };
        Ok(answer.hits.into_iter().filter_map(text).collect())
    }

    fn points_with(&self, wanted: Wanted) -> Result<u64> {
        let filter = qdrant::Filter::must([wanted]);
        let count = qdrant::CountPointsBuilder::new(&self.name).filter(filter).exact(true);
        let count = &count;
        let answer = self
            .caller
            .ask("count its items", |client| async move { client.count(count.clone()).await })?;
        Ok(answer.result.map_or(0, |result| result.count))
    }
}

/// What at least one is true of.
fn one_of(mut any: Vec<Wanted>) -> Wanted {
    match any.len() {
        0 => nothing(),
        1 => any.remove(0),
        _ => qdrant::Filter::should(any).into(),
    }
}

/// What is true of no point.
fn nothing() -> Wanted {
    let condition_one_of = Some(ConditionOneOf::HasId(HasIdCondition { has_id: Vec::new() }));
    Wanted { condition_one_of }
}

/// What has exactly this text. The client's own way to say so looks for its words where the text has spaces.
fn keyword(key: &str, text: &str) -> Wanted {
    equal(key, MatchValue::Keyword(text.to_owned()))
}

fn equal(key: &str, value: MatchValue) -> Wanted {
    let r#match = Some(qdrant::Match { match_value: Some(value) });
    field_condition(FieldCondition { key: key.to_owned(), r#match, ..Default::default() })
}

fn field_condition(condition: FieldCondition) -> Wanted {
    Wanted { condition_one_of: Some(ConditionOneOf::Field(condition)) }
}

fn range(key: String, from: Bound<f64>, to: Bound<f64>) -> Wanted {
    let mut range = Range::default();
    match from {
        Bound::Included(from) => range.gte = Some(from),
        Bound::Excluded(from) => range.gt = Some(from),
        Bound::Unbounded => {}
    }
    match to {
        Bound::Included(to) => range.lte = Some(to),
        Bound::Excluded(to) => range.lt = Some(to),
        Bound::Unbounded => {}
    }
    field_condition(FieldCondition { key, range: Some(range), ..Default::default() })
}
