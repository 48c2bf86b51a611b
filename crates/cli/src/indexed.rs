//! What a run of indexing did, for people.

use tuwen_index::filter::Type;
use tuwen_retrieve::walk::{Failure, LeftOut};
use tuwen_retrieve::{Loss, Missing, Seconds, Summary, UnreadValues};

use crate::terminal::{note, say};
use crate::words::counted;

/// Failures that are listed for people; `--json` lists all.
const LISTED: usize = 20;

/// Prints it.
pub fn print(summary: &Summary, is_fast: bool, seconds: f64) {
    print_notes(summary);
    let Summary { added, updated, unchanged, moved, removed, texts, failed, .. } = summary;
    say!(
        "{added} added, {updated} updated, {unchanged} unchanged, {moved} moved, {removed} removed, \
         {} added, {} skipped, in {seconds:.1} s",
        counted(*texts, "text"),
        failed.len()
    );
    let embedded = summary.embedded() as f64;
    if embedded >= 100.0 {
        say!("{:.0} pictures/s", embedded / seconds);
    }
    if let Some(Loss { pictures, mean_cosine, least_cosine }) = summary.fast {
        say!(
            "--fast: the cosine to vectors of all pixels is {mean_cosine:.4} on average, the least \
             {least_cosine:.4}, of {} that it was measured on once",
            counted(pictures, "picture")
        );
    }
    if !is_fast && summary.embedded() > 0 && summary.fast_pictures > 0 {
        note!(
            "note: {} of this gallery were indexed with --fast, and these were not: --rebuild makes all alike",
            counted(summary.fast_pictures, "picture")
        );
    }
    if summary.stopped {
        say!("stopped before the end; run the same command to go on");
    }
}

/// Prints where the time of a run went; to where notes go, so that JSON stays what it is.
pub fn print_profile(seconds: Seconds) {
    let Seconds { read, decode, fit, network, store } = seconds;
    note!(
        "time: reading {read:.2} s, decoding {decode:.2} s, fitting {fit:.2} s (of all threads together); \
         network {network:.2} s, storing {store:.2} s (beside these)"
    );
}

/// What a user should know about what was not done.
fn print_notes(summary: &Summary) {
    list("skipped", &summary.failed);
    list("without a picture:", &summary.texts_alone);
    for UnreadValues { file, field, kind, example, count } in &summary.unread_values {
        let write = match kind {
            Type::Date => "2020, 2020-05 or 2020-05-17 10:30",
            Type::Number => "12 or -3.5",
            Type::Text => "text",
        };
        note!(
            "{file}: {} of {field} left out, such as {example:?}, for {field} is a {kind}: write {write}",
            counted(*count, "value")
        );
    }
    for line in left_out(&summary.left_out) {
        note!("{line}");
    }
    if summary.kept > 0 {
        let what = counted(summary.kept, "picture");
        note!("{what} of the gallery would be left out now; still there (--prune forgets them)");
    }
    let gone = &summary.texts_without_file;
    if gone.len() > LISTED {
        note!(
            "texts of {} files that are gone are still there; {LISTED} of the files:",
            gone.len()
        );
    }
    for Missing { file, items } in gone.iter().take(LISTED) {
        let what = counted(*items, "text");
        note!("{what} from {file}, which is gone, still there (--prune forgets them)");
    }
    for Missing { file, items } in &summary.missing {
        note!(
            "error: {} of {file} are gone, all at once: is a disk not mounted? \
             They stay in the gallery (--force forgets them)",
            counted(*items, "picture")
        );
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

/// What was left out, in words.
pub fn left_out(left: &LeftOut) -> Vec<String> {
    let all = [
        (left.hidden, "hidden (--hidden takes them)"),
        (left.excluded, "excluded"),
        (
            left.links_outside,
            "linked from outside the given folders (name their folder to take them)",
        ),
        (left.repeated, "reached before by another path"),
        (left.devices, "devices or pipes"),
    ];
    let all = all.iter().filter(|(count, _)| *count > 0);
    let all: Vec<String> = all.map(|(count, what)| format!("{count} {what}")).collect();
    let kinds = left.unsupported.iter().map(|(kind, count)| format!("{count} {kind}"));
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
