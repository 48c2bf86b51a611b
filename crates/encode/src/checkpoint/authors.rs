//! Files of authors whose program nobody else has a layout for: BLIP's, ALBEF's and R2D2's.

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_text::token::Cleaning;

use super::families::{albef, r2d2};
use super::names::{Layout, Names, TextNames};
use super::tensors::{Blob, Raw};
use super::{Checkpoint, TOKENIZER_FILE};
use crate::{Error, ModelConfig, Result, Tokenizer};

impl Checkpoint {
    /// BLIP's or ALBEF's own `.pth` file, with the tokenizer that lies beside it.
    pub(super) fn open_authors(
        path: &Path,
        raws: BTreeMap<String, Raw>,
        note: Option<String>,
    ) -> Result<(ModelConfig, Self)> {
        let raws = albef::bare_text(raws);
        let shape = |name: &str| Some(&raws.get(name)?.shape[..]);
        let config = albef::from_authors(&shape, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if !folder.join(TOKENIZER_FILE).exists() {
            let what = "a BLIP or ALBEF of its authors, whose file has no tokenizer: put bert-base-uncased's \
                tokenizer.json beside it";
            return Err(Error::malformed(path, what));
        }
        let names = Names::new(Layout::Authors, &config, TextNames::Bert);
        let checkpoint = Self::new(raws, names, vec![Blob::File(path.to_path_buf())]);
        Ok((config.clone(), checkpoint.noted(note).with_tokenizer(&config, folder)))
    }

    /// R2D2's own `.pth` file. Its vocabulary is the one inside the program, unless a tokenizer lies beside the file.
    pub(super) fn open_r2d2(
        path: &Path,
        raws: BTreeMap<String, Raw>,
        note: Option<String>,
    ) -> Result<(ModelConfig, Self)> {
        let shape = |name: &str| Some(&raws.get(name)?.shape[..]);
        let mut config = r2d2::from_shapes(&shape, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if folder.join(TOKENIZER_FILE).exists() {
            (config.tokenizer, config.cleaning) = (Tokenizer::File, Cleaning::AsIs);
        }
        let names = Names::new(Layout::R2d2, &config, TextNames::Bert);
        let checkpoint = Self::new(raws, names, vec![Blob::File(path.to_path_buf())]);
        Ok((config.clone(), checkpoint.noted(note).with_tokenizer(&config, folder)))
    }
}
