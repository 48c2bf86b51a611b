//! `GET /v1/fields` and `GET /v1/fields/NAME`: what can be filtered by.

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tuwen_index::Modality;
use tuwen_index::filter::{Facet, Filter, Value, field_name};
use tuwen_retrieve::Search;

use crate::State;
use crate::extract::{Json, Params, Part, window};
use crate::openapi::ItemKind;
use crate::problem::Problem;
use crate::routes::doubts::filter_remarks;
use crate::routes::find::{both, read_line};
use crate::routes::search::Wanted;

/// Values where nobody says how many.
const K: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `GET /v1/fields`
pub(crate) async fn list(
    From(state): From<State>,
    Params(Of { gallery }): Params<Of>,
) -> Result<Response, Problem> {
    let open = state.shelf(gallery.as_deref())?.current();
    let fields = move || Ok(json!({ "fields": open.fields()? }));
    Ok(Json(state.reads.run(fields).await?).into_response())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Among {
    /// A filter, as `year >= 2020 and tag = 狗`: values of the items that it is true of.
    #[serde(rename = "where")]
    filter: Option<String>,
    /// A query: values of the items that its filters, exact words and `kind:` leave. Its other words leave all.
    #[schemars(length(max = 8192))]
    query: Option<String>,
    /// Of which items: pictures, where it is not said.
    #[schemars(with = "Option<ItemKind>")]
    kind: Option<Modality>,
    /// How many values, 20 where it is not said.
    #[schemars(range(min = 1, max = 1000))]
    k: Option<usize>,
    /// The gallery, the first one where none is named.
    gallery: Option<String>,
}

/// `GET /v1/fields/NAME`
pub(crate) async fn values(
    From(state): From<State>,
    Part(name): Part,
    Params(Among { filter, query, kind, k, gallery }): Params<Among>,
) -> Result<Response, Problem> {
    let k = window(&state.settings.limits, k, K, 0)?;
    let filter = filter.as_deref().filter(|filter| !filter.trim().is_empty());
    let given = filter.map(Filter::parse).transpose()?;
    let mut asked = Wanted { query, kind, ..Wanted::default() };
    let line = read_line(&state.settings.limits, &mut asked)?;
    let filter = both(given, line.filter);
    let open = state.shelf(gallery.as_deref())?.current();
    if let Some(filter) = &filter {
        filter_remarks(&state, &open, filter).await?;
    }
    let count = move || {
        let kind = asked.kind.unwrap_or(Modality::Image);
        let search = Search { filter, phrases: line.phrases, ..Search::all(kind, 0) };
        let (within, gallery) = (open.engine.items(&search)?, open.aside());
        let values = gallery.facet(&field_name(&name), Some(&within), k)?;
        let value =
            |Facet { value, items }: &Facet| json!({ "value": value_of(value), "items": items });
        Ok(json!({ "values": values.iter().map(value).collect::<Vec<_>>() }))
    };
    Ok(Json(state.reads.run(count).await?).into_response())
}

/// A value as a client reads it: a date as a filter writes it.
pub(crate) fn value_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
            json!(*number as i64)
        }
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Date(_) => json!(value.to_string()),
    }
}
