//! How alike a client wants pictures to be, and the vectors that are compared; what is nearly the same says
//! `tuwen_retrieve::alike`.

use tuwen_retrieve::alike::FLOOR;

use crate::problem::Problem;
use crate::shelf::Open;

/// Vectors that are read before others may ask the gallery.
const READ: usize = 256;

/// A similarity that a client asks for, in thousandths.
pub(crate) fn thousandths(name: &str, similarity: f32) -> Result<u16, Problem> {
    let least = (similarity * 1000.0).round();
    if (f32::from(FLOOR)..=1000.0).contains(&least) {
        return Ok(least as u16);
    }
    let floor = f32::from(FLOOR) / 1000.0;
    Err(Problem::value(format!("{name}: {similarity} is not between {floor} and 1")))
}

/// The vectors of some items, (N, D). Blocks.
pub(crate) fn vectors_of(open: &Open, ids: &[i64]) -> Result<Vec<f32>, Problem> {
    let mut all = Vec::new();
    for some in ids.chunks(READ) {
        let gallery = open.aside();
        all.extend(gallery.vectors_of(some)?);
    }
    Ok(all)
}
