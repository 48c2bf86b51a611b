//! What is wrong with a captioned set, before a model learns it.
//!
//! [`Doctor`] takes one record after the other and keeps a few bytes of each; [`Doctor::finish`] looks
//! at them together. Nothing here changes the set: [`Doctor::keeps`] says which records a cleaned
//! manifest would have.

mod captions;
mod pictures;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::Sample;
pub use pictures::Look;
use tuwen_files::Error;
use tuwen_image::{PerceptualHash, duplicate_groups};

/// Examples that a finding keeps.
const EXAMPLES: usize = 8;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// It costs quality.
    Warning,
    /// Training or measuring with it goes wrong.
    Error,
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Issue {
    /// The caption file's encoding.
    Encoding,
    /// A row that is not one, or whose picture is not there.
    BadRecord,
    /// A picture that cannot be decoded.
    CorruptPicture,
    /// A picture without content: tiny, a thin strip, or one colour.
    DegeneratePicture,
    /// A name whose extension is not what the file is.
    WrongExtension,
    /// The same file again.
    DuplicatePicture,
    /// Nearly the same picture again.
    NearDuplicate,
    /// Pictures of one kind in two splits.
    Leakage,
    /// Pictures that no caption names.
    UnnamedPicture,
    /// A picture without captions.
    NoCaption,
    /// A caption without words.
    EmptyCaption,
    /// The same words for several pictures.
    DuplicateCaption,
    /// A caption that is its file's name.
    NameAsCaption,
    /// `<人名>` and the like.
    Placeholder,
    /// Characters that come from a wrong encoding.
    Mojibake,
    /// More tokens than the context.
    TooLong,
    /// The pairs given against the same pairs shuffled.
    Pairing,
}

/// One kind of trouble.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What.
    #[serde(rename = "kind")]
    pub issue: Issue,
    /// How bad.
    pub severity: Severity,
    /// How often.
    pub count: usize,
    /// What it means and what to do.
    pub what: String,
    /// The first cases.
    pub examples: Vec<Example>,
}

/// One case of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The records it is about.
    pub ids: Vec<String>,
    /// What was found there.
    pub text: String,
}

impl Example {
    fn new(ids: &[&str], text: impl Into<String>) -> Self {
        Self { ids: ids.iter().map(|id| (*id).to_owned()).collect(), text: text.into() }
    }
}

/// What one record leaves behind.
struct Seen {
    id: String,
    split: Option<String>,
    look: Option<Look>,
    kept: bool,
}

/// Collects findings.
#[derive(Default)]
pub struct Doctor {
    seen: Vec<Seen>,
    contents: HashMap<[u8; 16], usize>,
    captions: HashMap<[u8; 16], usize>,
    found: BTreeMap<Issue, (usize, Vec<Example>)>,
    /// Tokens that a text may have.
    context: usize,
}

impl Doctor {
    /// For texts of up to `context` tokens.
    pub fn new(context: usize) -> Self {
        Self { context, ..Self::default() }
    }

    /// Notes one case.
    pub fn note(&mut self, issue: Issue, example: impl FnOnce() -> Example) {
        let (count, examples) = self.found.entry(issue).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }

    /// A record that could not be read.
    pub fn bad(&mut self, error: &Error) {
        self.note(Issue::BadRecord, || Example::new(&[], error.to_string()));
    }

    /// A record and the look at its picture.
    pub fn record(&mut self, sample: &Sample, look: Result<Look, Error>) {
        let id = &sample.id;
        let mut kept = true;
        match &look {
            Err(error) => {
                self.note(Issue::CorruptPicture, || Example::new(&[id], error.to_string()));
                kept = false;
            }
            Ok(look) => {
                if let Some(what) = look.degenerate() {
                    self.note(Issue::DegeneratePicture, || Example::new(&[id], what));
                    kept = false;
                }
                if let Some(what) = look.wrong_extension(sample) {
                    self.note(Issue::WrongExtension, || Example::new(&[id], what));
                }
                if let Some(&first) = self.contents.get(&look.content) {
                    let first = self.seen[first].id.clone();
                    self.note(Issue::DuplicatePicture, || Example::new(&[id, &first], ""));
                    kept = false;
                } else {
                    self.contents.insert(look.content, self.seen.len());
                }
            }
        }
        self.captions(sample);
        kept &= sample.captions.iter().any(|caption| captions::is_usable(&caption.text, id));
        let (id, split) = (id.clone(), sample.split.clone());
        self.seen.push(Seen { id, split, look: look.ok(), kept });
    }

    /// Names of pictures that are there and that no record named.
    pub fn unnamed(&mut self, name: &str) {
        self.note(Issue::UnnamedPicture, || Example::new(&[], name));
    }

    /// Whether a cleaned manifest has the record, by its number.
    pub fn keeps(&self, record: usize) -> bool {
        self.seen.get(record).is_some_and(|seen| seen.kept)
    }

    /// Whether a cleaned manifest has a caption of a record.
    pub fn keeps_caption(text: &str, id: &str) -> bool {
        captions::is_usable(text, id)
    }

    /// How many records there were.
    pub fn records(&self) -> usize {
        self.seen.len()
    }

    /// All findings, the worst first.
    pub fn finish(&mut self) -> Vec<Finding> {
        self.alike();
        let mut findings: Vec<Finding> = std::mem::take(&mut self.found)
            .into_iter()
            .map(|(issue, (count, examples))| {
                let (severity, what) = meaning(issue);
                Finding { issue, severity, count, what: what.to_owned(), examples }
            })
            .collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.issue));
        findings
    }

    /// Near-duplicates, and those that lie in two splits.
    fn alike(&mut self) {
        let known: Vec<(usize, &PerceptualHash)> = self
            .seen
            .iter()
            .enumerate()
            .filter_map(|(at, seen)| Some((at, seen.look.as_ref()?)))
            .filter(|(_, look)| look.degenerate().is_none())
            .map(|(at, look)| (at, &look.shown))
            .collect();
        let shown: Vec<&PerceptualHash> = known.iter().map(|&(_, shown)| shown).collect();
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (group, &(at, _)) in duplicate_groups(&shown).into_iter().zip(&known) {
            members.entry(group).or_default().push(at);
        }
        for members in members.into_values().filter(|members| members.len() > 1) {
            let content = |at: &usize| self.seen[*at].look.as_ref().map(|look| look.content);
            let different: HashSet<_> = members.iter().map(content).collect();
            let ids: Vec<String> =
                members.iter().take(4).map(|&at| self.seen[at].id.clone()).collect();
            let example = Example { ids, text: format!("{} pictures", members.len()) };
            let splits: HashSet<&Option<String>> =
                members.iter().map(|&at| &self.seen[at].split).collect();
            let leaks = splits.len() > 1;
            if different.len() > 1 {
                self.note(Issue::NearDuplicate, || example.clone());
            }
            if leaks {
                self.note(Issue::Leakage, || example);
            }
        }
    }
}

/// How bad each kind is, and what to do.
fn meaning(issue: Issue) -> (Severity, &'static str) {
    use Issue::*;
    use Severity::*;
    match issue {
        Encoding => {
            (Warning, "the file's encoding: save it as UTF-8, after a look at the marked places")
        }
        BadRecord => {
            (Error, "rows that are malformed or whose picture is not there: repair or remove them")
        }
        CorruptPicture => {
            (Error, "pictures that cannot be decoded: fetch them again or remove them")
        }
        DegeneratePicture => (Error, "pictures without content: remove them"),
        WrongExtension => {
            (Note, "files that are not what their name says; tuwen goes by the content")
        }
        DuplicatePicture => {
            (Warning, "the same file again: a duplicate is a wrong negative; merge their captions")
        }
        NearDuplicate => {
            (Warning, "nearly the same pictures: keep them on one side of every split")
        }
        Leakage => (
            Error,
            "alike pictures in two splits: scores on them are too good; split again with `tuwen data split`",
        ),
        UnnamedPicture => (Note, "pictures that no caption names"),
        NoCaption => (Warning, "pictures without a caption"),
        EmptyCaption => (Error, "captions without words: remove them"),
        DuplicateCaption => {
            (Warning, "the same words for several pictures: they are wrong negatives of each other")
        }
        NameAsCaption => (Error, "captions that are file names: they teach nothing; remove them"),
        Placeholder => (Warning, "placeholders such as <人名> instead of words"),
        Mojibake => {
            (Error, "characters that come from a wrong encoding: convert the original again")
        }
        TooLong => (Note, "captions beyond the context: their end is ignored in training"),
        Pairing => (Error, "captions do not belong to their pictures"),
    }
}
