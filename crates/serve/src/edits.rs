//! What a person says of single items: what it would change, and doing it. Opening a gallery for writing makes another
//! generation of it, for which nothing is kept; so what changes nothing is found out before.

use tuwen_index::filter::key;
use tuwen_index::{Error, Gallery, Result};
use tuwen_retrieve::tag;

/// A change of some items.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// They are found no more.
    Exclude,
    /// They are found again.
    Restore,
    /// They get tags and lose some.
    Tags {
        /// As they are kept.
        add: Vec<String>,
        /// As they are kept, and as they were given, which is how an older program kept them.
        remove: Vec<String>,
    },
}

impl Edit {
    /// Tags to add and to take away, as somebody wrote them.
    pub fn tags(add: &[String], remove: &[String]) -> Self {
        let as_given = remove.iter().map(|text| text.trim().to_owned());
        let mut remove: Vec<String> = remove.iter().map(|text| tag(text)).chain(as_given).collect();
        remove.sort_unstable();
        remove.dedup();
        Self::Tags { add: add.iter().map(|text| tag(text)).collect(), remove }
    }

    /// Whether it would change one of these items.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub fn would_change(&self, gallery: &Gallery, ids: &[i64]) -> Result<bool> {
        let excluded = gallery.excluded()?;
        for &id in ids {
            let is_out = excluded.binary_search(&id).is_ok();
            let would = match self {
                Self::Restore => is_out,
                Self::Exclude => !is_out && gallery.item(id)?.is_some(),
                Self::Tags { add, remove } => {
                    gallery.item(id)?.is_some() && other_tags(gallery, id, add, remove)?
                }
            };
            if would {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Changes an item; whether it was not so before.
    ///
    /// # Errors
    /// The disk is full or read-only.
    pub fn apply(&self, gallery: &Gallery, id: i64) -> Result<bool> {
        match self {
            Self::Exclude => gallery.exclude(id),
            Self::Restore => gallery.restore(id),
            Self::Tags { add, remove } => {
                let mut changed = false;
                if gallery.item(id)?.is_some() {
                    for tag in add {
                        changed |= gallery.add_tag(id, tag)?;
                    }
                    for tag in remove {
                        changed |= gallery.remove_tag(id, tag)?;
                    }
                }
                Ok(changed)
            }
        }
    }
}

/// Whether an item would have other tags.
fn other_tags(gallery: &Gallery, id: i64, add: &[String], remove: &[String]) -> Result<bool> {
    let given = match gallery.given_tags(id) {
        Ok(given) => given,
        // A gallery of an older program becomes one of ours when it is written.
        Err(Error::Undescribed(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    let given: Vec<String> = given.iter().map(|tag| key(tag)).collect();
    let has = |tag: &String| given.contains(&key(tag));
    Ok(!add.iter().all(has) || remove.iter().any(has))
}
