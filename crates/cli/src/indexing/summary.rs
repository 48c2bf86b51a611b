//! What a run of indexing did, for people and as JSON.

use std::path::Path;

use serde::Serialize;

use crate::file_name::FileName;
use crate::terminal::{note, say};
use crate::walk::{Failure, LeftOut};
use crate::words::counted;

/// Failures that are listed for people; `--json` lists all.
const LISTED: usize = 20;

/// What a run of indexing did.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// New pictures.
    pub added: usize,
    /// Pictures whose content changed.
    pub updated: usize,
    /// Pictures that are as they were.
    pub unchanged: usize,
    /// Pictures recognised by their content in another place.
    pub moved: usize,
    /// Pictures and texts that are gone.
    pub removed: usize,
    /// New captions and texts.
    pub texts: usize,
    /// Texts that were added without a picture, and why: theirs is not in the gallery, or two would fit.
    pub texts_alone: Vec<Failure>,
    /// Pictures that stay although they are left out now.
    pub kept: usize,
    /// Pictures that stay although they are gone, because all of their folder are.
    pub missing: Vec<Missing>,
    /// Texts that stay although their file is gone.
    pub texts_without_file: Vec<Missing>,
    /// What was not looked at, and is no failure.
    #[serde(flatten)]
    pub left_out: LeftOut,
    /// What could not be read, and why.
    pub failed: Vec<Failure>,
    /// Places that could not be looked into.
    #[serde(skip)]
    pub unreadable: usize,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// Items whose place is gone.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// The folder, or the file of texts.
    #[serde(flatten)]
    file: FileName,
    /// How many.
    items: usize,
}

impl Missing {
    /// `items` that lay there.
    pub fn new(path: &Path, items: usize) -> Self {
        Self { file: path.into(), items }
    }
}

impl Summary {
    /// Whether all that the user named was done.
    pub fn is_success(&self) -> bool {
        self.missing.is_empty() && !self.failed.iter().any(|failure| failure.named)
    }

    /// Prints it.
    pub fn print(&self, seconds: f64) {
        self.print_notes();
        let Self { added, updated, unchanged, moved, removed, texts, failed, .. } = self;
        say!(
            "{added} added, {updated} updated, {unchanged} unchanged, {moved} moved, {removed} removed, \
             {} added, {} skipped, in {seconds:.1} s",
            counted(*texts, "text"),
            failed.len()
        );
        let embedded = (added + updated) as f64;
        if embedded >= 100.0 {
            say!("{:.0} pictures/s", embedded / seconds);
        }
        if self.stopped {
            say!("stopped before the end; run the same command to go on");
        }
    }

    /// What a user should know about what was not done.
    fn print_notes(&self) {
        list("skipped", &self.failed);
        list("without a picture:", &self.texts_alone);
        for line in self.left_out.lines() {
            note!("{line}");
        }
        if self.kept > 0 {
            let what = counted(self.kept, "picture");
            note!(
                "{what} of the gallery would be left out now; still there (--prune forgets them)"
            );
        }
        for Missing { file, items } in &self.texts_without_file {
            let what = counted(*items, "text");
            note!("{what} from {file}, which is gone, still there (--prune forgets them)");
        }
        for Missing { file, items } in &self.missing {
            note!(
                "error: {} of {file} are gone, all at once: is a disk not mounted? \
                 They stay in the gallery (--force forgets them)",
                counted(*items, "picture")
            );
        }
    }
}

fn list(what: &str, all: &[Failure]) {
    for Failure { file, reason, .. } in all.iter().take(LISTED) {
        note!("{what} {file}: {reason}");
    }
    if all.len() > LISTED {
        note!("… and {} more; --json lists all", all.len() - LISTED);
    }
}

impl LeftOut {
    /// What was left out, in words.
    pub fn lines(&self) -> Vec<String> {
        let all = [
            (self.hidden, "hidden (--hidden takes them)"),
            (self.excluded, "excluded"),
            (
                self.links_outside,
                "linked from outside the given folders (name their folder to take them)",
            ),
            (self.repeated, "reached before by another path"),
            (self.devices, "devices or pipes"),
        ];
        let all = all.iter().filter(|(count, _)| *count > 0);
        let all: Vec<String> = all.map(|(count, what)| format!("{count} {what}")).collect();
        let kinds = self.unsupported.iter().map(|(kind, count)| format!("{count} {kind}"));
        let kinds: Vec<String> = kinds.collect();
        let mut lines = Vec::new();
        if !all.is_empty() {
            lines.push(format!("left out: {}", all.join(", ")));
        }
        if !kinds.is_empty() {
            lines.push(format!("not supported: {}", kinds.join(", ")));
        }
        lines
    }
}
