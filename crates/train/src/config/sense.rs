//! Settings that each make sense and together do not: what would be heard by nobody is refused by name.

use super::parts::DEFAULT_WEIGHT;
use super::{Lora, LossConfig, LossKind, OptimConfig, TrainConfig};

impl TrainConfig {
    /// The first settings that contradict each other, in words, with the cure.
    pub(super) fn contradiction(&self) -> Option<String> {
        let lora = self.lora.as_ref();
        lora.and_then(of_lora)
            .or_else(|| nothing_learns(&self.optim).filter(|_| lora.is_none()))
            .or_else(|| of_loss(&self.loss))
    }
}

fn of_lora(lora: &Lora) -> Option<String> {
    let towers = twice(&lora.towers).map(|tower| (format!("towers` names {tower:?}"), "tower"));
    let targets =
        twice(&lora.targets).map(|target| (format!("targets` names {target:?}"), "matrix"));
    if lora.towers.is_empty() {
        return Some(
            "`lora.towers` is [], and adapters without a tower learn nothing: name \"image\", \"text\" or both, or \
             take [lora] out"
                .into(),
        );
    }
    if lora.targets.is_empty() {
        return Some(
            "`lora.targets` is [], and adapters without a matrix learn nothing: name some of \"qkv\", \"proj\" and \
             \"mlp\", or take [lora] out"
                .into(),
        );
    }
    if let Some((what, each)) = towers.or(targets) {
        return Some(format!("`lora.{} twice: name each {each} once", what.to_lowercase()));
    }
    (lora.lr == 0.0).then(|| {
        "`lora.lr` is 0, and adapters that never move are none: give a rate such as 1e-3, or take [lora] out"
            .into()
    })
}

/// The first that stands there twice.
fn twice<T: PartialEq>(all: &[T]) -> Option<&T> {
    all.iter().enumerate().find(|(at, one)| all[..*at].contains(one)).map(|(_, one)| one)
}

fn nothing_learns(optim: &OptimConfig) -> Option<String> {
    let OptimConfig { image_lr, text_lr, embed_lr, words_lr, heads_lr, .. } = optim;
    [image_lr, text_lr, embed_lr, words_lr, heads_lr].iter().all(|rate| **rate == 0.0).then(|| {
        "nothing learns, for `optim.image_lr`, `text_lr`, `embed_lr`, `words_lr` and `heads_lr` are all 0: give one \
         of them a rate, such as heads_lr = 1e-3"
            .into()
    })
}

fn of_loss(loss: &LossConfig) -> Option<String> {
    let kind = match loss.kind {
        LossKind::Contrastive => "contrastive",
        LossKind::Sigmoid => "sigmoid",
        LossKind::Triplet => "triplet",
    };
    let LossConfig { smoothing, teacher_weight, .. } = loss;
    if *smoothing > 0.0 && loss.kind != LossKind::Contrastive {
        return Some(format!(
            "`loss.smoothing` is {smoothing} and `loss.kind` \"{kind}\", which has no labels to smooth: remove \
             `smoothing`, or take \"contrastive\""
        ));
    }
    let teacher = match loss.teacher.as_slice() {
        [] if *teacher_weight != DEFAULT_WEIGHT => {
            return Some(format!(
                "`loss.teacher_weight` is {teacher_weight}, and there is no `loss.teacher` to weigh: name one, or \
                 remove the weight"
            ));
        }
        [] => return None,
        several => several.join("\", \""),
    };
    if let Some(twice) =
        loss.teacher.iter().enumerate().find(|(at, name)| loss.teacher[..*at].contains(name))
    {
        return Some(format!("`loss.teacher` names {:?} twice: name each model once", twice.1));
    }
    if loss.kind == LossKind::Triplet {
        return Some(format!(
            "`loss.teacher` is {teacher:?} and `loss.kind` \"{kind}\": a teacher's logits are imitated on a scale \
             that this loss does not learn: remove `teacher`, or take \"contrastive\""
        ));
    }
    (*teacher_weight == 0.0).then(|| {
        format!(
            "`loss.teacher` is {teacher:?} and `loss.teacher_weight` 0, so that nobody hears it: give a weight \
             up to 1, such as 0.5, or remove `teacher`"
        )
    })
}
