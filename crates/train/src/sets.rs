//! Captioned sets as training takes them: every caption says which set it is of.

use tuwen_data::import::{self, DataSet, Format};
use tuwen_data::{Result, Sample};

/// The source of captions of the formats that have no files with captions, and so no names for them.
pub const SOURCE: &str = "captions";

/// Reads a data set.
///
/// # Errors
/// As [`import::read`].
pub fn read_set(set: &DataSet) -> Result<Vec<Sample>> {
    let mut samples = import::read(set)?;
    let captions = samples.iter_mut().flat_map(|sample| &mut sample.captions);
    for caption in captions {
        // A text's own id is no source: each would be measured by itself.
        if caption.source.is_empty() || set.format == Format::ChineseClip {
            caption.source = SOURCE.to_owned();
        }
    }
    Ok(samples)
}
