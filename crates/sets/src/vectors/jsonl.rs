//! Chinese-CLIP's `{"image_id": …, "feature": […]}` and `{"text_id": …, "feature": […]}`.

use std::io::BufRead;
use std::path::Path;

use serde_json::Value;

use super::Vectors;
use tuwen_files::encoding::TextFile;
use tuwen_files::{Error, Result};

pub(super) fn read(path: &Path, key: &str) -> Result<Vectors> {
    let mut out = Vectors { ids: Vec::new(), values: Vec::new(), dim: 0 };
    for (number, line) in TextFile::look(path)?.open()?.lines().enumerate() {
        let wrong = |what: String| Error::record(path, number + 1, what);
        let line = line.map_err(|e| wrong(e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let object: Value = serde_json::from_str(&line).map_err(|e| wrong(e.to_string()))?;
        let id = match &object[key] {
            Value::String(name) => name.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(wrong(format!("no `{key}`"))),
        };
        let feature: Vec<f32> = serde_json::from_value(object["feature"].clone())
            .map_err(|e| wrong(format!("`feature`: {e}")))?;
        if feature.is_empty() || (out.dim != 0 && out.dim != feature.len()) {
            let (found, before) = (feature.len(), out.dim);
            return Err(wrong(format!("{found} values, the lines before have {before}")));
        }
        out.dim = feature.len();
        out.ids.push(id);
        out.values.extend(feature);
    }
    Ok(out)
}
