//! What the files of others say, key by key, whatever their family: transformers' `config.json` (`hf`), what its image
//! processors (`pictures`) and its tokenizers (`words`) do; `keys` has the tables of all keys, `section` looks them up.

mod hf;
pub(crate) mod keys;
pub(crate) mod pictures;
mod section;
pub(crate) mod words;

pub(crate) use hf::{Defaults, Described, from_hf, tower};
pub use keys::known_keys;
pub(crate) use pictures::names_torchvision;
pub(crate) use section::Section;
