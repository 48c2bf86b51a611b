//! Captions and other texts into a gallery.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tuwen_index::filter::{Fields, Known, folded};
use tuwen_index::{Item, Modality, NewItem};

use super::Indexer;
use super::owners::Owners;
use super::summary::UnreadValues;
use crate::origin::bytes_of;
use crate::walk::Failure;
use crate::{Error, Result};

/// Texts that are embedded and committed together.
const BATCH: usize = 64;
/// Names of columns with keywords.
const TAGS: [&str; 7] = ["tag", "tags", "keyword", "keywords", "标签", "关键词", "关键字"];

/// A text of a file of captions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The name of the picture that it describes, where there is one.
    pub image: Option<String>,
    /// The words.
    pub text: String,
    /// What else the file says of it, by the names of its columns or keys.
    pub more: BTreeMap<String, String>,
}

/// Who a text belongs to, and the text with all that is said of it: the same text again is the same item.
type Key = (Option<i64>, String, String);

impl Indexer<'_> {
    /// Makes the texts of a caption file the items that come from it.
    ///
    /// # Errors
    /// A gallery that cannot be written.
    pub fn texts(&mut self, file: &Path, lines: &[Line]) -> Result<()> {
        let place = std::fs::canonicalize(file).map_err(|e| Error::io(file, e))?;
        let folder = place.parent().unwrap_or(Path::new("/"));
        let origin = bytes_of(&place);
        let owners = Owners::of(self.gallery)?;
        // What the gallery holds already, several times where the file says it several times.
        let mut old: HashMap<Key, Vec<Item>> = HashMap::new();
        for item in self.gallery.from_origin(Modality::Text, origin)? {
            let text = item.text.clone().unwrap_or_default();
            old.entry((item.owner, text, item.metadata.clone())).or_default().push(item);
        }
        let (mut fresh, mut alone) = (Vec::new(), Vec::new());
        for line in lines {
            let owner = line.image.as_ref().map(|name| owners.find(folder, name)).transpose();
            let owner = owner.unwrap_or_else(|what| {
                let what = format!("{what}, for {:?}", line.text);
                alone.push(Failure::new(file, false, what));
                None
            });
            let key = (owner, line.text.clone(), metadata(line));
            match old.get_mut(&key).and_then(Vec::pop) {
                Some(same) if same.described => {}
                Some(same) => self.gallery.describe(same.id, &fields(line), &words(line))?,
                None => fresh.push((owner, line)),
            }
        }
        self.run.summary.texts_alone.append(&mut alone);
        self.run.summary.unread_values.append(&mut unread_values(file, lines));
        for chunk in fresh.chunks(BATCH) {
            if self.stopped() {
                return Ok(());
            }
            self.store_texts(origin, chunk)?;
        }
        let mut gone: Vec<Item> = old.into_values().flatten().collect();
        gone.sort_unstable_by_key(|item| item.id);
        self.remove(&gone)
    }

    fn store_texts(&mut self, origin: &[u8], lines: &[(Option<i64>, &Line)]) -> Result<()> {
        let texts: Vec<&str> = lines.iter().map(|(_, line)| line.text.as_str()).collect();
        let vectors = self.encoder.encode_texts(&texts)?;
        self.gallery.transaction(|gallery| {
            let rows = lines.iter().zip(vectors.chunks_exact(self.encoder.dim()));
            for ((owner, line), vector) in rows {
                gallery.insert(&item(origin, line, *owner, vector))?;
            }
            Ok(())
        })?;
        self.run.summary.texts += lines.len();
        Ok(())
    }
}

/// The values of known fields that are none, once for each field.
fn unread_values(file: &Path, lines: &[Line]) -> Vec<UnreadValues> {
    let mut all: Vec<UnreadValues> = Vec::new();
    for line in lines {
        read_fields(line, |known, value| {
            match all.iter_mut().find(|values| values.field == known.name) {
                Some(values) => values.count += 1,
                None => all.push(UnreadValues::first(file, known, value)),
            }
        });
    }
    all
}

/// A text as the gallery keeps it.
pub(super) fn item(origin: &[u8], line: &Line, owner: Option<i64>, vector: &[f32]) -> NewItem {
    NewItem {
        modality: Modality::Text,
        origin: origin.to_vec(),
        text: Some(line.text.clone()),
        owner,
        hash: *blake3::hash(line.text.as_bytes()).as_bytes(),
        size: line.text.len() as u64,
        mtime_ns: 0,
        metadata: metadata(line),
        fields: fields(line),
        words: words(line),
        vector: vector.to_vec(),
    }
}

fn metadata(line: &Line) -> String {
    serde_json::to_string(&line.more).expect("a map of texts is plain data")
}

/// What full text finds a text by: itself, and what else is said of it in words.
fn words(line: &Line) -> String {
    let more = line.more.values().map(String::as_str);
    std::iter::once(line.text.as_str()).chain(more).collect::<Vec<_>>().join("\n")
}

/// The fields of a text. A column of tags holds several, between commas, semicolons or bars.
fn fields(line: &Line) -> Fields {
    read_fields(line, |_, _| {})
}

/// The same, telling each value that its field cannot have.
fn read_fields(line: &Line, mut unread: impl FnMut(&'static Known, &str)) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in &line.more {
        match TAGS.contains(&folded(name.trim()).as_str()) {
            true => value
                .split([',', ';', '|', '、', '，', '；'])
                .for_each(|tag| fields.text("tag", tag)),
            false => {
                fields.push_as_known(name, value).into_iter().for_each(|known| unread(known, value))
            }
        }
    }
    fields
}
