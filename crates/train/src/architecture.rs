//! What a model is beside its weights.

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_encode::arrays::{self, Precision};
use tuwen_encode::{
    Arrays, CONFIG_FILE, CpuEncoder, ModelConfig, TOKENIZER_FILE, TokenizerFile, WEIGHTS_FILE,
};
use tuwen_files::file;
use tuwen_text::token::Tokens;

use crate::{Error, Result};

/// An architecture and, where it has one, its own tokenizer.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// The two towers.
    pub config: ModelConfig,
    /// A `tokenizer.json`.
    pub tokenizer: Option<TokenizerFile>,
}

impl Architecture {
    /// Reads an architecture; a tokenizer of its own lies beside it.
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub fn load(path: &Path) -> Result<Self> {
        let tokenizer = path.with_file_name(TOKENIZER_FILE);
        let tokenizer = tokenizer.exists().then_some(TokenizerFile::Path(tokenizer));
        Ok(Self { config: ModelConfig::load(path)?, tokenizer })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// It is a file that is not there.
    pub(crate) fn tokens(&self) -> Result<Tokens> {
        Ok(self.config.tokens(self.tokenizer.as_ref())?)
    }

    /// The model with these weights.
    ///
    /// # Errors
    /// They do not fit.
    pub(crate) fn encoder(&self, weights: Arrays) -> Result<CpuEncoder> {
        let encoder = CpuEncoder::new(self.config.clone(), weights, b"in memory")?;
        Ok(encoder.with_tokenizer(self.tokenizer.clone()))
    }

    /// Writes a model folder that `--model` opens.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn export(&self, folder: &Path, weights: &Arrays) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let json = serde_json::to_string_pretty(&self.config).expect("plain data");
        file::replace(&folder.join(CONFIG_FILE), json.as_bytes())?;
        if let Some(tokenizer) = &self.tokenizer {
            file::replace(&folder.join(TOKENIZER_FILE), &tokenizer.bytes()?)?;
        }
        Ok(arrays::write(weights, Precision::F16, &BTreeMap::new(), &folder.join(WEIGHTS_FILE))?)
    }
}
