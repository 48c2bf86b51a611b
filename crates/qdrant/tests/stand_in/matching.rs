//! Which points a filter is true of.

use std::collections::HashMap;

use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::{Condition, FieldCondition, Filter, PointId, PointStruct, Value};

pub fn is_true(filter: &Filter, point: &PointStruct) -> bool {
    let holds = |condition: &Condition| holds(condition, point);
    filter.must.iter().all(holds)
        && (filter.should.is_empty() || filter.should.iter().any(holds))
        && !filter.must_not.iter().any(holds)
}

fn holds(condition: &Condition, point: &PointStruct) -> bool {
    match condition.condition_one_of.as_ref().expect("a condition") {
        ConditionOneOf::Filter(filter) => is_true(filter, point),
        ConditionOneOf::HasId(ids) => {
            ids.has_id.iter().any(|id: &PointId| Some(id) == point.id.as_ref())
        }
        ConditionOneOf::Field(field) => {
            values(&point.payload, &field.key).iter().any(|value| fits(field, value))
        }
        other => panic!("tuwen does not ask for {other:?}"),
    }
}

fn fits(field: &FieldCondition, value: &Value) -> bool {
    if let Some(range) = &field.range {
        let number = match value.kind.as_ref().expect("a value") {
            Kind::DoubleValue(number) => *number,
            Kind::IntegerValue(number) => *number as f64,
            _ => return false,
        };
        return range.gt.is_none_or(|from| number > from)
            && range.gte.is_none_or(|from| number >= from)
            && range.lt.is_none_or(|to| number < to)
            && range.lte.is_none_or(|to| number <= to);
    }
    let wanted = field.r#match.as_ref().and_then(|wanted| wanted.match_value.as_ref());
    match (wanted.expect("a match"), value.kind.as_ref().expect("a value")) {
        (MatchValue::Keyword(wanted), Kind::StringValue(text)) => wanted == text,
        (MatchValue::Keywords(wanted), Kind::StringValue(text)) => wanted.strings.contains(text),
        (MatchValue::Boolean(wanted), Kind::BoolValue(flag)) => wanted == flag,
        _ => false,
    }
}

/// The values at a path, those of a list one by one.
pub fn values(payload: &HashMap<String, Value>, path: &str) -> Vec<Value> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest.trim_matches('"'))),
        None => (path, None),
    };
    let Some(value) = payload.get(first) else { return Vec::new() };
    let value = match (rest, value.kind.as_ref()) {
        (None, _) => Some(value),
        (Some(name), Some(Kind::StructValue(fields))) => fields.fields.get(name),
        (Some(_), _) => None,
    };
    match value.and_then(|value| value.kind.clone()) {
        Some(Kind::ListValue(list)) => list.values,
        Some(kind) => vec![Value { kind: Some(kind) }],
        None => Vec::new(),
    }
}
