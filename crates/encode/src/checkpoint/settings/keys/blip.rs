//! What transformers' `config.json` of BLIP has beside or instead of CLIP's.

use super::Rule::{Idle, Only, Read};
use super::Table;

const TRAINING: &str = "training alone";

/// Beside the two towers.
pub(crate) const TOP: &Table = &[
    ("image_text_hidden_size", Read),
    ("projection_dim", Idle("of BlipModel, which is not supported")),
    ("label_smoothing", Idle(TRAINING)),
];

/// The text tower.
pub(crate) const TEXT: &Table = &[
    ("encoder_hidden_size", Idle("transformers takes the image tower's width")),
    ("is_decoder", Only(&["true"], "without it the blocks have no attention to pictures")),
    ("add_cross_attention", Idle("`is_decoder` says it")),
    ("bos_token_id", Read),
    ("sep_token_id", Read),
    (
        "tie_word_embeddings",
        Only(&["true"], "BLIP's logits have the table of tokens as their matrix"),
    ),
    ("label_smoothing", Idle(TRAINING)),
];
