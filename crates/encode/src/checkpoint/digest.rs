//! The digest of an architecture and its weights, which names a model's vectors.

use super::Checkpoint;
use super::memory::Memory;
use super::tensors::Blob;
use crate::{ModelConfig, Result};

/// Hexadecimal digits of a digest.
pub(super) const DIGITS: usize = 16;
/// An architecture as it is hashed.
pub(crate) fn description(config: &ModelConfig) -> Vec<u8> {
    serde_json::to_vec(config).expect("a configuration is plain data")
}

/// The digits that a hash is called by.
pub(crate) fn digits(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}

impl Checkpoint {
    /// The digest of `config` and all files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn digest(&self, config: &ModelConfig) -> Result<String> {
        let description = description(config);
        if let Some((known, digest)) = &self.known
            && *known == description
        {
            return Ok((*digest).to_owned());
        }
        let file = |blob: &Blob| match blob {
            Blob::File(path) => Some(path.clone()),
            Blob::Static(_) => None,
        };
        let Some(files) = self.blobs.iter().map(file).collect::<Option<Vec<_>>>() else {
            return self.computed_digest(&description);
        };
        Memory::of_user().digest(&description, &files, || self.computed_digest(&description))
    }

    /// The same of all bytes, whatever is known.
    pub(crate) fn computed_digest(&self, description: &[u8]) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(description);
        self.blobs.iter().try_for_each(|blob| blob.hash(&mut hasher))?;
        Ok(digits(&hasher))
    }
}
