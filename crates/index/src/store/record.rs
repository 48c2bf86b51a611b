//! All that a store keeps of one item, so that it can be taken from one store to another and nothing is lost.

use tuwen_text::Tokens;

use crate::filter::{Fields, Value};
use crate::item::{Item, Modality};

/// An item with its vector, its fields and words, and what a person said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The item.
    pub item: Item,
    /// What it says itself.
    pub own: Fields,
    /// All that can be asked for: its own, those of its captions and the tags that it was given.
    pub said: Fields,
    /// Tags that a person gave it.
    pub tags: Vec<String>,
    /// Whether a person took it out of what is found.
    pub excluded: bool,
    /// Whether nothing finds it: it, or the picture that it is a caption of, is excluded.
    pub hidden: bool,
    /// What full text finds it by.
    pub tokens: Tokens,
    /// Its embedding, (D).
    pub vector: Vec<f32>,
}

/// A checksum of all that a record says.
pub type Digest = [u8; 32];

impl Record {
    /// The checksum: of two records that are equal in every bit, and of no others, it is the same.
    pub fn digest(&self) -> Digest {
        self.digest_of(true)
    }

    /// The same without what other items say of it: its captions' fields, and whether its picture is excluded.
    pub fn own_digest(&self) -> Digest {
        self.digest_of(false)
    }

    fn digest_of(&self, all: bool) -> Digest {
        let mut hasher = blake3::Hasher::new();
        // Each part with its length before it, so that none runs into the next.
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        let Item { id, modality, origin, text, owner, hash, size, mtime_ns, metadata, described } =
            &self.item;
        part(&id.to_le_bytes());
        part(modality.name().as_bytes());
        part(origin);
        part(&[u8::from(text.is_some())]);
        part(text.as_deref().unwrap_or_default().as_bytes());
        part(&owner.unwrap_or_default().to_le_bytes());
        part(hash);
        part(&size.to_le_bytes());
        part(&mtime_ns.to_le_bytes());
        part(metadata.as_bytes());
        part(&[*described, self.excluded, all && self.hidden].map(u8::from));
        let said = Some(&self.said).filter(|_| all);
        for fields in std::iter::once(&self.own).chain(said) {
            part(&(fields.iter().count() as u64).to_le_bytes());
            for field in fields.iter() {
                part(field.name.as_bytes());
                part(field.value.kind().name().as_bytes());
                match &field.value {
                    Value::Number(number) => part(&number.to_bits().to_le_bytes()),
                    Value::Date(second) => part(&second.to_le_bytes()),
                    Value::Text(text) => part(text.as_bytes()),
                }
            }
        }
        for texts in [&self.tags, &self.tokens.words, &self.tokens.signs] {
            part(&(texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|text| part(text.as_bytes()));
        }
        part(bytemuck::cast_slice(&self.vector));
        *hasher.finalize().as_bytes()
    }

    /// What is wrong with it as a record of a store of vectors of width `dim`, where something is.
    pub fn fault(&self, dim: usize) -> Option<String> {
        let Item { id, modality, hash, .. } = &self.item;
        let what = if *id < 1 {
            "its number is below 1".to_owned()
        } else if *modality == Modality::Fused {
            "fused vectors are no items".to_owned()
        } else if hash.len() != 32 {
            format!("its content's hash has {} bytes and not 32", hash.len())
        } else if self.vector.len() != dim {
            format!("its vector has {} values and not {dim}", self.vector.len())
        } else if !self.vector.iter().all(|value| value.is_finite()) {
            "its vector has a value that is no number".to_owned()
        } else {
            return None;
        };
        Some(format!("item {id}: {what}"))
    }
}
