//! Every key of the configuration files of others: read, of no consequence, or refused by name.
//!
//! `hf`, `pictures`, `open_clip` and `tokenizer` are the tables, one for each kind of file; what a family has beside or
//! instead of them stands in its own file. A key that is in no table is refused unless its value says "off", so that
//! nothing new is misread in silence.

pub(crate) mod hf;
pub(crate) mod open_clip;
pub(crate) mod pictures;
pub(crate) mod tokenizer;

use std::sync::LazyLock;

use crate::checkpoint::families::{self, image_net::timm};

/// What is done with a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// It is read beside the table.
    Read,
    /// No vector depends on it, for this reason.
    Idle(&'static str),
    /// Only these values are what the towers do; others are refused with this cure.
    Only(&'static [&'static str], &'static str),
}

use Rule::{Idle, Only, Read};

/// Keys and what is done with them.
pub(crate) type Table = [(&'static str, Rule)];

/// The tables of transformers' `config.json`: beside the towers, of the image tower, of the text tower.
pub(crate) const TOWERS: [&[&Table]; 3] =
    [&[hf::TOP, hf::ANY], &[hf::VISION, hf::ANY], &[hf::TEXT, hf::ANY]];

/// The other kinds of files, and the tables of each.
const FILES: [(&str, &[&Table]); 8] = [
    ("preprocessor_config.json, processor_config.json", &[pictures::PROCESSOR]),
    ("tokenizer_config.json", &[tokenizer::TOKENIZER]),
    ("open_clip_config.json, model_cfg", &[open_clip::MODEL]),
    ("open_clip_config.json, vision_cfg", &[open_clip::VISION, open_clip::BLOCKS]),
    ("open_clip_config.json, text_cfg", &[open_clip::TEXT, open_clip::BLOCKS]),
    ("open_clip_config.json, preprocess_cfg", &[open_clip::PREPROCESS]),
    ("config.json (timm, of a network of ImageNet)", &[timm::TOP]),
    ("config.json (timm), pretrained_cfg", &[timm::PRETRAINED]),
];

/// All of them, and what each is called.
static TABLES: LazyLock<Vec<(String, Vec<&Table>)>> = LazyLock::new(|| {
    let whole = format!("config.json ({})", families::without_own_keys().join(", "));
    let names = [whole, "config.json, vision_config".into(), "config.json, text_config".into()];
    let usual = names.into_iter().zip(TOWERS).map(|(name, tables)| (name, tables.to_vec()));
    let own = families::own_keys().into_iter().map(|(family, at, table)| {
        (format!("config.json ({family}){at}, before those above"), vec![table])
    });
    let others = FILES.iter().map(|(name, tables)| ((*name).to_owned(), tables.to_vec()));
    let pictures = families::own_pictures().into_iter().map(|(family, table)| {
        (format!("preprocessor_config.json ({family}), before those above"), vec![table])
    });
    let (first, rest) = (others.clone().take(1), others.skip(1));
    usual.chain(own).chain(first).chain(pictures).chain(rest).collect()
});

/// Every key of the configuration files of others that is known, for documentation: the file, the key,
/// and what is done with it in words.
pub fn known_keys() -> Vec<(&'static str, &'static str, String)> {
    let mut keys = Vec::new();
    for (file, tables) in TABLES.iter() {
        for (key, rule) in tables.iter().flat_map(|table| *table) {
            let what = match rule {
                Read => "read".to_owned(),
                Idle(why) => format!("of no consequence: {why}"),
                Only([], cure) => format!("refused: {cure}"),
                Only(values, cure) => format!("only {}: {cure}", values.join(", ")),
            };
            keys.push((file.as_str(), *key, what));
        }
    }
    keys
}
