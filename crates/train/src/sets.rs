//! Captioned sets as training takes them: every caption says which set of captions it is of.

use tuwen_files::Result;
use tuwen_sets::Sample;
use tuwen_sets::import::{self, DataSet};

/// The source of captions of the formats that have no files with captions, and so no names for them.
pub const SOURCE: &str = "captions";

/// Reads a set to learn from: pictures with captions.
///
/// # Errors
/// As [`import::read`].
pub fn read_set(set: &DataSet) -> Result<Vec<Sample>> {
    Ok(named(set, import::read(set)?))
}

/// Reads a set to measure on: pictures without captions, too, which are in the way of the others.
///
/// # Errors
/// As [`import::read_all`].
pub fn read_measured(set: &DataSet) -> Result<Vec<Sample>> {
    Ok(named(set, import::read_all(set, &mut |_| {})?))
}

fn named(set: &DataSet, mut samples: Vec<Sample>) -> Vec<Sample> {
    let name = set.captions.first().map_or("", |file| &file.source);
    let name = if name.is_empty() { SOURCE } else { name };
    let captions = samples.iter_mut().flat_map(|sample| &mut sample.captions);
    captions.filter(|caption| caption.source.is_empty()).for_each(|c| c.source = name.to_owned());
    samples
}
