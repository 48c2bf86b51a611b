//! Captions and other texts into a gallery.

use std::collections::HashMap;
use std::path::Path;

use tuwen_index::{Item, Kind, NewItem};

use super::Indexer;
use super::owners::Owners;
use crate::origin::bytes_of;
use crate::walk::Failure;
use crate::{Error, Result};

/// Texts that are embedded and committed together.
const BATCH: usize = 64;

impl Indexer<'_> {
    /// Makes the texts of a caption file the items that come from it: `pairs` of a picture's name,
    /// where there is one, and a text.
    ///
    /// # Errors
    /// A gallery that cannot be written.
    pub fn texts(&mut self, file: &Path, pairs: &[(Option<String>, String)]) -> Result<()> {
        let place = std::fs::canonicalize(file).map_err(|e| Error::io(file, e))?;
        let folder = place.parent().unwrap_or(Path::new("/"));
        let origin = bytes_of(&place);
        let owners = Owners::of(self.gallery)?;
        // What the gallery holds already, several times where the file says it several times.
        let mut old: HashMap<(Option<i64>, String), Vec<Item>> = HashMap::new();
        for item in self.gallery.from_origin(Kind::Text, origin)? {
            let text = item.text.clone().unwrap_or_default();
            old.entry((item.owner, text)).or_default().push(item);
        }
        let (mut fresh, mut alone) = (Vec::new(), Vec::new());
        for (name, text) in pairs {
            let owner = name.as_ref().map(|name| owners.find(folder, name)).transpose();
            let owner = owner.unwrap_or_else(|what| {
                let what = format!("{what}, for {text:?}");
                alone.push(Failure::new(file, false, what));
                None
            });
            let same = old.get_mut(&(owner, text.clone())).and_then(Vec::pop);
            if same.is_none() {
                fresh.push((owner, text));
            }
        }
        self.summary.texts_alone.append(&mut alone);
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

    fn store_texts(&mut self, origin: &[u8], texts: &[(Option<i64>, &String)]) -> Result<()> {
        let words: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let vectors = self.encoder.encode_texts(&words)?;
        self.gallery.transaction(|gallery| {
            let rows = texts.iter().zip(vectors.chunks_exact(self.encoder.dim()));
            for ((owner, text), vector) in rows {
                gallery.insert(&NewItem {
                    kind: Kind::Text,
                    origin: origin.to_vec(),
                    text: Some((*text).clone()),
                    owner: *owner,
                    hash: *blake3::hash(text.as_bytes()).as_bytes(),
                    size: text.len() as u64,
                    mtime_ns: 0,
                    metadata: "{}".into(),
                    vector: vector.to_vec(),
                })?;
            }
            Ok(())
        })?;
        self.summary.texts += texts.len();
        Ok(())
    }
}
