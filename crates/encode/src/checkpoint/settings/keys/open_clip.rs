//! open_clip's `open_clip_config.json`: `CLIPVisionCfg`, `CLIPTextCfg` and `PreprocessCfg` of
//! <https://github.com/mlfoundations/open_clip/blob/main/src/open_clip/model.py>.

use super::Rule::{Idle, Only, Read};
use super::Table;

const SHAPES: &str = "the shapes of the weights say it";
const TRAINING: &str = "training alone";
const TIMM: &str = "a tower of timm's is not supported: look for the model in transformers' layout";
const BLOCK: &str = "only the standard block is supported";

/// `model_cfg`.
pub(crate) const MODEL: &Table = &[
    ("vision_cfg", Read),
    ("text_cfg", Read),
    ("quick_gelu", Read),
    ("embed_dim", Idle(SHAPES)),
    ("custom_text", Idle("the names of the weights say it")),
    ("init_logit_scale", Idle("the weights say it")),
    ("init_logit_bias", Idle("the weights say it")),
    ("nonscalar_logit_scale", Idle(SHAPES)),
    ("cast_dtype", Idle("the weights carry their own type")),
    ("output_dict", Idle("what a call returns")),
    ("multimodal_cfg", Only(&[], "CoCa is not supported")),
    ("model_type", Only(&[], "only open_clip's CLIP is supported")),
];

/// `model_cfg.vision_cfg`.
pub(crate) const VISION: &Table = &[
    ("image_size", Read),
    ("head_width", Read),
    ("norm_kwargs", Read),
    ("act_kwargs", Read),
    ("pool_type", Read),
    ("final_ln_after_pool", Read),
    ("layers", Idle(SHAPES)),
    ("width", Idle(SHAPES)),
    ("patch_size", Idle(SHAPES)),
    ("mlp_ratio", Idle(SHAPES)),
    ("no_ln_pre", Read),
    ("pos_embed_type", Idle("the weights hold the table of either kind")),
    ("patch_dropout", Idle(TRAINING)),
    ("output_tokens", Idle("what a call returns")),
    ("global_average_pool", Only(&[], "give `pool_type` and `final_ln_after_pool` instead")),
    ("input_patchnorm", Only(&[], "a LayerNorm before the patches is not supported")),
    ("attentional_pool", Only(&[], "an attentional pooler is not supported")),
    ("attn_pooler_queries", Idle("only with `attentional_pool`")),
    ("attn_pooler_heads", Idle("only with `attentional_pool`")),
    ("n_queries", Idle("only with `attentional_pool`")),
    ("timm_model_name", Only(&[], TIMM)),
    ("timm_model_pretrained", Idle(TRAINING)),
    ("timm_pool", Idle("only with `timm_model_name`")),
    ("timm_proj", Idle("only with `timm_model_name`")),
    ("timm_proj_bias", Idle("only with `timm_model_name`")),
    ("timm_drop", Idle(TRAINING)),
    ("timm_drop_path", Idle(TRAINING)),
    ("freeze_output", Idle(TRAINING)),
    ("freeze_all_bns", Idle(TRAINING)),
];

/// `model_cfg.text_cfg`.
pub(crate) const TEXT: &Table = &[
    ("context_length", Read),
    ("heads", Read),
    ("hf_tokenizer_name", Read),
    ("tokenizer_kwargs", Read),
    ("no_causal_mask", Read),
    ("pool_type", Read),
    ("eos_id", Read),
    ("norm_kwargs", Read),
    ("act_kwargs", Read),
    ("proj_bias", Read),
    ("vocab_size", Idle(SHAPES)),
    ("width", Idle(SHAPES)),
    ("layers", Idle(SHAPES)),
    ("mlp_ratio", Idle(SHAPES)),
    ("pad_id", Idle("only with a mask of the padding, which no open_clip model sets")),
    ("final_ln_after_pool", Idle("of one token it is the same before and after")),
    ("output_tokens", Idle("what a call returns")),
    ("proj_type", Only(&["\"linear\""], "a text tower without a projection is not supported")),
    ("embed_cls", Only(&[], "a class token behind the text (CoCa) is not supported")),
    ("use_pad_mask", Only(&[], "a mask of the padding is not supported")),
    ("correct_cls_mask", Idle("only with `embed_cls`")),
    ("tokenizer_mode", Only(&[], "only the tokenizer's standard mode is supported")),
    ("hf_model_name", Read),
    ("hf_model_pretrained", Idle(TRAINING)),
    ("hf_proj_type", Read),
    ("hf_pooler_type", Read),
    ("proj", Read),
    ("pooler_type", Read),
    ("bert_tokenizer", Only(&[], "give `hf_tokenizer_name` instead")),
];

/// The blocks of either tower.
pub(crate) const BLOCKS: &Table = &[
    ("ls_init_value", Only(&[], "LayerScale is not supported")),
    ("block_type", Only(&["\"default\""], BLOCK)),
    ("qk_norm", Only(&[], BLOCK)),
    ("scaled_cosine_attn", Only(&[], BLOCK)),
    ("scale_heads", Only(&[], BLOCK)),
    ("scale_attn_inner", Only(&[], BLOCK)),
    ("scale_attn", Only(&[], BLOCK)),
    ("scale_fc", Only(&[], BLOCK)),
];

/// `preprocess_cfg`.
pub(crate) const PREPROCESS: &Table = &[
    ("mean", Read),
    ("std", Read),
    ("interpolation", Read),
    ("resize_mode", Read),
    ("fill_color", Read),
    ("size", Idle("open_clip takes the image tower's")),
    ("mode", Only(&["\"RGB\""], "pictures are RGB")),
];
