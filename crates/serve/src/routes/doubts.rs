//! What is said of a filter that finds nothing for a reason that nobody meant, and what is refused.

use std::ops::Bound;
use std::sync::Arc;

use tuwen_index::filter::{Condition, Filter};

use crate::State;
use crate::problem::Problem;
use crate::shelf::{Open, Shelf};

/// Values of a field that are looked at to say what it has.
const VALUES: usize = 100_000;

/// Of a field that no item has, of values of another type than a field's, and of a range without values. A field that is none is refused, unless another gallery
/// has it, for a page asks several the same; of a gallery without fields nobody knows.
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
    let (open, filter) = (Arc::clone(open), filter.clone());
    let all: Vec<Arc<Open>> = state.shelves.iter().map(Shelf::current).collect();
    let work = move || {
        let names = |open: &Arc<Open>| -> Result<Vec<String>, Problem> {
            Ok(open.fields()?.iter().map(|field| field.name.clone()).collect())
        };
        let own = names(&open)?;
        if !own.is_empty() {
            let mut others = Vec::new();
            for other in &all {
                others.extend(names(other)?);
            }
            let [own, others] =
                [&own, &others].map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
            filter.check_fields(&own, &others)?;
        }
        remarks.extend(filter.mistyped(open.fields()?));
        let fields = filter.fields();
        let unknown = fields.iter().filter(|name| !own.iter().any(|own| own == *name));
        let remark =
            |name| format!("no item of the gallery has the field `{name}` (see /v1/fields)");
        remarks.extend(unknown.map(remark));
        Ok(remarks)
    };
    state.reads.run(work).await
}

/// Of values that no item has, where a filter has found nothing.
pub(crate) async fn unmet(
    state: &State,
    open: &Arc<Open>,
    filter: Filter,
) -> Result<Vec<String>, Problem> {
    let open = Arc::clone(open);
    let work = move || {
        let gallery = open.aside();
        Ok(filter.unmet(&mut |field| gallery.facet(field, None, VALUES))?)
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
