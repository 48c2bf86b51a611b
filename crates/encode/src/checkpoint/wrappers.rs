//! What trainers put around the names of a model's tensors, taken off again.
//!
//! DataParallel says `module.`, `torch.compile` `_orig_mod.`, Lightning `state_dict.` and `model.`,
//! and a moving average one of many words; in any order and number.

use std::collections::BTreeMap;

use super::tensors::Raw;

/// Words around the weights themselves.
const PLAIN: [&str; 10] = [
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "_orig_mod",
    "net",
    "network",
    "weights",
    "params",
    "online_model",
];
/// Words around their moving average.
const AVERAGE: [&str; 11] = [
    "ema",
    "ema_model",
    "model_ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_state_dict_ema",
    "ema_params",
    "shadow",
    "shadow_params",
    "averaged_model",
    "swa_model",
];
/// What a trainer keeps beside the weights.
const OTHERS: [&str; 10] = [
    "optimizer",
    "optimizer_states",
    "optimizer_state_dict",
    "opt",
    "scaler",
    "scheduler",
    "lr_scheduler",
    "lr_schedulers",
    "callbacks",
    "loops",
];
/// Counters of moving averages.
const COUNTERS: [&str; 5] = ["n_averaged", "initted", "step", "num_updates", "decay"];

/// The tensors of one model under their own names, and a remark where there was a choice.
///
/// # Errors
/// Two tensors of one name, in words.
pub(super) fn bare(
    raws: BTreeMap<String, Raw>,
) -> Result<(BTreeMap<String, Raw>, Option<String>), String> {
    let (mut plain, mut average) = (BTreeMap::new(), BTreeMap::new());
    for (whole, raw) in raws {
        let (name, averaged) = inner(&whole);
        if OTHERS.contains(&first(name).0) || COUNTERS.contains(&name) {
            continue;
        }
        let name = name.to_owned();
        let kept = if averaged { &mut average } else { &mut plain };
        if kept.insert(name.clone(), raw).is_some() {
            return Err(format!(
                "two tensors are called `{name}` below different prefixes (one is `{whole}`): save the \
                 model's own state_dict alone"
            ));
        }
    }
    if average.is_empty() {
        return Ok((plain, None));
    }
    // What an average leaves out, such as buffers, is as the plain weights have it.
    let both = average.keys().any(|name| plain.contains_key(name));
    let remark = both.then(|| {
        "the checkpoint holds plain weights and their moving average (EMA): the average is taken"
            .to_owned()
    });
    plain.extend(average);
    Ok((plain, remark))
}

/// A name without its prefixes, and whether one of them stands for a moving average.
fn inner(mut name: &str) -> (&str, bool) {
    let mut averaged = false;
    loop {
        let (word, rest) = first(name);
        averaged |= AVERAGE.contains(&word);
        match rest {
            Some(rest) if AVERAGE.contains(&word) || PLAIN.contains(&word) => name = rest,
            _ => return (name, averaged),
        }
    }
}

/// The word before the first dot, and what follows it.
fn first(name: &str) -> (&str, Option<&str>) {
    name.split_once('.').map_or((name, None), |(word, rest)| (word, Some(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off_in_any_order() {
        for name in [
            "visual.proj",
            "module.visual.proj",
            "_orig_mod.module.visual.proj",
            "state_dict.model._orig_mod.visual.proj",
            "model.module.visual.proj",
        ] {
            assert_eq!(inner(name), ("visual.proj", false), "{name}");
        }
        for name in ["state_dict_ema.visual.proj", "ema.shadow.module.visual.proj"] {
            assert_eq!(inner(name), ("visual.proj", true), "{name}");
        }
        assert_eq!(inner("vision_model.post_layernorm.bias").0, "vision_model.post_layernorm.bias");
    }
}
