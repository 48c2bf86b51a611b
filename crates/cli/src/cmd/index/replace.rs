//! A gallery that was built anew takes the place of the old one, where nothing would be lost.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::{Summary, path_of};

use super::Args;
use crate::gallery::Place;
use crate::terminal::note;
use crate::words::counted;

/// Puts a rebuilt gallery into its place; false where it was stopped and the old one stays.
pub fn finish(args: &Args, gallery: Gallery, place: &Place, summary: &Summary) -> Result<bool> {
    if gallery.replaces_another() && summary.stopped {
        return Ok(false);
    }
    let items = |gallery: &Gallery| -> tuwen_index::Result<usize> {
        Ok(gallery.count(Modality::Image)? + gallery.count(Modality::Text)?)
    };
    if gallery.replaces_another() && !args.force {
        // A damaged gallery has nothing to lose.
        let Ok(before) = Gallery::open(&place.folder) else {
            gallery.finish()?;
            return Ok(true);
        };
        if let Some(what) = unseen(args, summary, &before, &gallery)? {
            bail!(
                "{what}; the gallery {} stays as it was (--force replaces it all the same)",
                place.folder.display()
            );
        }
        let old = items(&before).unwrap_or(0);
        if old > 0 && items(&gallery)? == 0 {
            bail!(
                "nothing was found to index; the gallery {} with its {old} items stays as it was \
                 (--force replaces it by an empty one)",
                place.folder.display()
            );
        }
        check_texts(&before, &gallery)?;
    }
    gallery.finish()?;
    Ok(true)
}

/// What a new gallery may lack only because it could not be seen.
fn unseen(args: &Args, summary: &Summary, old: &Gallery, new: &Gallery) -> Result<Option<String>> {
    if summary.unreadable > 0 {
        return Ok(Some(format!("{} could not be read", counted(summary.unreadable, "place"))));
    }
    let below = |gallery: &Gallery, place: &Path| -> Result<usize> {
        let all = gallery.all(Modality::Image)?;
        Ok(all.iter().filter(|item| path_of(&item.origin).starts_with(place)).count())
    };
    for path in &args.paths {
        let place = path.canonicalize().with_context(|| path.display().to_string())?;
        // A damaged gallery has nothing to lose.
        let lost = below(old, &place).unwrap_or(0);
        if lost > 0 && below(new, &place)? == 0 {
            let what = counted(lost, "picture");
            return Ok(Some(format!("{what} of {} are gone, all at once", place.display())));
        }
    }
    Ok(None)
}

/// Says which texts the new gallery lacks because their file was not given again; where it is gone, they would be
/// lost for good.
fn check_texts(old: &Gallery, new: &Gallery) -> Result<()> {
    for (origin, texts) in old.origins(Modality::Text).unwrap_or_default() {
        if !new.from_origin(Modality::Text, &origin)?.is_empty() {
            continue;
        }
        let (file, what) = (path_of(&origin), counted(texts, "text"));
        let shown = file.display();
        if !file.exists() {
            bail!(
                "{what} of {shown} would be lost, for the file is gone; the gallery stays as it was (--force \
                 replaces it all the same)"
            );
        }
        note!("note: the new gallery lacks {what} of {shown}: --captions {shown} brings them back");
    }
    Ok(())
}
