//! What an explanation is written as, by the name of its file.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;

use super::{Shown, figure, page, svg};
use crate::query::Usage;

/// What a file is.
#[derive(Clone, Copy)]
pub enum Kind {
    Png,
    Svg,
    Page,
    Json,
}

impl Kind {
    /// By the end of a name.
    ///
    /// # Errors
    /// It is none of those that are written.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        Ok(match extension.as_deref() {
            Some("png") => Self::Png,
            Some("svg") => Self::Svg,
            Some("html" | "htm") => Self::Page,
            Some("json") => Self::Json,
            _ => bail!(Usage(format!(
                "{}: its name says not what to write: .png, .svg, .html or .json is needed",
                path.display()
            ))),
        })
    }

    /// The whole file.
    ///
    /// # Errors
    /// The font cannot be read.
    pub fn bytes(self, shown: &Shown<'_>, image: &Path, font: Option<&Path>) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Png => figure::png(shown, font)?,
            Self::Svg => svg::whole(shown).into_bytes(),
            Self::Page => page::whole(shown).into_bytes(),
            Self::Json => (in_json(shown, image)? + "\n").into_bytes(),
        })
    }
}

/// For programs.
///
/// # Errors
/// There are no numbers for it.
pub fn in_json(shown: &Shown<'_>, image: &Path) -> Result<String> {
    let mut whole = json!({
        "model": shown.model,
        "image": image.to_string_lossy(),
        "text": shown.text,
        // What the number `score` is: a cosine, or whose score.
        "of": shown.score,
        "width": shown.picture.width(),
        "height": shown.picture.height(),
        // Where the map lies in the picture, in its pixels.
        "window": [shown.window.left, shown.window.top, shown.window.width, shown.window.height],
    });
    if let Some(against) = shown.against {
        whole["against"] = json!(against);
    }
    let found = serde_json::to_value(shown.explanation)?;
    if let (Some(whole), serde_json::Value::Object(found)) = (whole.as_object_mut(), found) {
        whole.extend(found);
    }
    Ok(whole.to_string())
}
