//! JSON lines: one object a line, with a picture's name and a caption or a list of captions.

use serde_json::Value;

use super::{CaptionFile, Pairs};
use crate::{Error, Result};

/// Reads picture names and captions in file order; a list gives one pair for each entry.
///
/// # Errors
/// A line that is not a JSON object, or one without the two fields.
pub fn read_jsonl(file: &CaptionFile, text: &str) -> Result<Pairs> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: String| Error::record(&file.file, number + 1, what);
        let value: Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        let name = value[&file.image_field].as_str();
        let name = name.ok_or_else(|| wrong(format!("no string `{}`", file.image_field)))?;
        match &value[&file.caption_field] {
            Value::String(caption) => pairs.push((name.to_owned(), caption.clone())),
            Value::Array(captions) => {
                for caption in captions {
                    let caption = caption.as_str().ok_or_else(|| {
                        wrong(format!("`{}` has an entry that is no string", file.caption_field))
                    })?;
                    pairs.push((name.to_owned(), caption.to_owned()));
                }
            }
            _ => return Err(wrong(format!("no string or list `{}`", file.caption_field))),
        }
    }
    Ok(pairs)
}
