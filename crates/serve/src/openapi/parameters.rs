//! What stands in an address, from the structures that read it; and bounds of numbers, which JSON itself has none of.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// What a path's `{…}` mean.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let one = |name: &str| {
        let schema = match name {
            "id" => json!({ "type": "integer", "format": "int64" }),
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    };
    parts.map(one).collect()
}

/// The keys that a structure reads behind `?`.
pub(super) fn of_query(mut schema: Schema) -> Vec<Value> {
    // What has no name of its own is not transformed by its generator.
    bounds(&mut schema);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object).cloned();
    let one = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        if let Some(schema) = schema.as_object_mut() {
            without_null(schema);
        }
        let required = required.contains(&json!(name));
        let mut one =
            json!({ "name": name, "in": "query", "required": required, "schema": schema });
        if let Some(description) = description {
            one["description"] = description;
        }
        one
    };
    properties.unwrap_or_default().into_iter().map(one).collect()
}

/// There is no null in an address: what is not there is left out.
fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            schema.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one != &json!({ "type": "null" }));
        if let [Value::Object(one)] = &mut any[..] {
            let one = std::mem::take(one);
            schema.remove("anyOf");
            schema.extend(one);
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}

/// Whole numbers are of 64 bits, which a format alone tells nobody; nothing is no default worth saying.
pub(super) fn bounds(schema: &mut Schema) {
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    match schema.get("format").and_then(Value::as_str) {
        Some("int64") => {
            schema.insert("minimum".into(), i64::MIN.into());
            schema.insert("maximum".into(), i64::MAX.into());
        }
        Some("uint" | "uint64" | "uint32" | "uint16") => drop(schema.remove("format")),
        _ => {}
    }
    schemars::transform::transform_subschemas(&mut bounds, schema);
}
