//! What counts in transformers' `tokenizer_config.json`; the file has many more keys, of special
//! tokens and of programs, which the `tokenizer.json` beside it decides. `special_tokens_map.json`
//! is not read: it repeats the names of tokens whose ids are in `tokenizer.json`.

use super::Rule::{Idle, Only, Read};
use super::Table;

/// Keys that change how a text becomes tokens.
pub(crate) const TOKENIZER: &Table = &[
    ("model_max_length", Read),
    ("tokenizer_class", Read),
    ("do_lower_case", Read),
    ("tokenize_chinese_chars", Read),
    ("strip_accents", Read),
    ("pad_token", Read),
    ("truncation_side", Only(&["\"right\""], "texts are cut at their end here")),
    ("padding_side", Only(&["\"right\""], "texts are filled at their end here")),
    ("do_basic_tokenize", Only(&["true"], "BERT's basic tokenizer is always applied")),
    ("never_split", Only(&[], "words that are never split are not supported")),
    ("add_bos_token", Idle("tokenizer.json says it")),
    ("add_eos_token", Idle("tokenizer.json says it")),
    ("auto_map", Only(&[], "a tokenizer that brings its own code is not supported")),
];
