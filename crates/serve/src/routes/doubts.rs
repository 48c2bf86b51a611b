//! What is said of a filter that finds nothing for a reason that nobody meant.

use std::ops::Bound;
use std::sync::Arc;

use tuwen_index::filter::{Condition, Filter};

use crate::State;
use crate::problem::Problem;
use crate::shelf::Open;

/// Of a misspelt field and of a range without values.
pub(crate) async fn filter_remarks(
    state: &State,
    open: &Arc<Open>,
    filter: &Filter,
) -> Result<Vec<String>, Problem> {
    let mut empty = Vec::new();
    empty_ranges(filter, &mut empty);
    let turned = |name| {
        format!(
            "`{name}`: the range ends before it begins and has nothing in it: write its lower end first"
        )
    };
    let mut remarks: Vec<String> = empty.into_iter().map(turned).collect();
    let names: Vec<String> = filter.fields().into_iter().map(|name| name.to_string()).collect();
    let open = Arc::clone(open);
    let work = move || {
        let known = open.fields()?;
        let unknown = names.iter().filter(|name| !known.iter().any(|field| field.name == **name));
        let remark =
            |name| format!("no item of the gallery has the field `{name}` (see /v1/fields)");
        remarks.extend(unknown.map(remark));
        Ok(remarks)
    };
    state.reads.run(work).await
}

/// The fields of which it wants values between two that stand the wrong way around.
fn empty_ranges<'a>(filter: &'a Filter, found: &mut Vec<&'a str>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| empty_ranges(part, found));
        }
        Filter::Not(part) => empty_ranges(part, found),
        Filter::Has(_) => {}
        Filter::Compare { field, conditions } => {
            if conditions.iter().all(is_turned) && !found.contains(&field.as_str()) {
                found.push(field);
            }
        }
    }
}

fn is_turned(condition: &Condition) -> bool {
    fn ends<T: PartialOrd>(from: &Bound<T>, to: &Bound<T>) -> bool {
        match (from, to) {
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => from > to,
            _ => false,
        }
    }
    match condition {
        Condition::Number(from, to) => ends(from, to),
        Condition::Date { from: Some(from), to: Some(to) } => from >= to,
        Condition::Text(from, to) => ends(from, to),
        _ => false,
    }
}
