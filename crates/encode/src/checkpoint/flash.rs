//! The names that cn_clip's towers with flash attention give their weights.
//!
//! <https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/model.py>,
//! `convert_state_dict`.

use std::collections::BTreeMap;

use super::tensors::Raw;

/// Renames and cuts them as the towers without it have them; anything else stays as it is.
pub(super) fn unpacked(raws: BTreeMap<String, Raw>) -> BTreeMap<String, Raw> {
    let mut out = BTreeMap::new();
    for (name, raw) in raws {
        if let Some((layer, kind)) = name.split_once(".attention.self.Wqkv.") {
            for (part, raw) in ["query", "key", "value"].into_iter().zip(raw.thirds()) {
                out.insert(format!("{layer}.attention.self.{part}.{kind}"), raw);
            }
        } else if name.contains(".attention.self.out_proj.") {
            out.insert(name.replace(".self.out_proj.", ".output.dense."), raw);
        } else {
            out.insert(name.replace(".attn.Wqkv.", ".attn.in_proj_"), raw);
        }
    }
    out
}
