//! Which numbers make sense. NaN lies in no range.

use std::ops::RangeInclusive;

use tuwen_sets::import::DataSet;

use super::{LossConfig, OptimConfig, TrainConfig};

/// A number's name, its value, and what it may be.
type Number = (String, f64, RangeInclusive<f64>);

/// Steps, epochs, pictures: more of anything is a slip of the finger.
const MANY: f64 = 1e9;
/// Rates and weights.
const LARGE: f64 = 1e4;

/// As it was typed: 0.2 and not 0.20000000298.
fn typed(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

impl TrainConfig {
    /// The first number that makes no sense, in words.
    pub(super) fn out_of_range(&self) -> Option<String> {
        let numbers = [
            self.own(),
            of_optim(&self.optim),
            of_loss(&self.loss),
            self.of_augment(),
            self.of_captions(),
            self.of_sets(),
        ];
        let mut numbers = numbers.into_iter().flatten();
        numbers.find(|(_, value, range)| !range.contains(value)).map(|(name, value, range)| {
            format!("`{name}` is {value}: give something from {} to {}", range.start(), range.end())
        })
    }

    fn own(&self) -> Vec<Number> {
        let count = |name: &str, value: usize, range| (name.to_owned(), value as f64, range);
        let mut all = vec![
            count("epochs", self.epochs, 1.0..=1e6),
            count("batch", self.batch, 1.0..=1e6),
            count("context", self.context, 3.0..=1e5),
            count("keep_patches", self.keep_patches, 0.0..=1e6),
            count("chunk", self.chunk, 0.0..=1e6),
            count("validate_every", self.validate_every, 1.0..=MANY),
            count("checkpoint_every", self.checkpoint_every, 1.0..=MANY),
            count("keep_checkpoints", self.keep_checkpoints, 1.0..=1e6),
            count("patience", self.patience, 0.0..=MANY),
            ("token_mask".to_owned(), typed(self.token_mask), 0.0..=0.99),
            ("token_drop".to_owned(), typed(self.token_drop), 0.0..=0.99),
            ("sentences".to_owned(), typed(self.sentences), 0.0..=1.0),
        ];
        if let Some(mix) = &self.start.image_mix {
            all.push(("start.image_mix.share".to_owned(), mix.share, 0.0..=1.0));
        }
        if let Some(classes) = &self.classes {
            all.push(("classes.keep".to_owned(), classes.keep, 0.0..=LARGE));
            all.push(count("classes.examples", classes.examples, 0.0..=1e6));
            all.push(("classes.examples_weight".to_owned(), classes.examples_weight, 0.0..=LARGE));
        }
        if let Some(lora) = &self.lora {
            all.push(count("lora.rank", lora.rank, 1.0..=4096.0));
            all.push(("lora.lr".to_owned(), typed(lora.lr), 0.0..=LARGE));
            all.push(("lora.alpha".to_owned(), typed(lora.alpha), 1e-9..=LARGE));
        }
        all
    }

    fn of_augment(&self) -> Vec<Number> {
        let augment = &self.augment;
        let number =
            |name: &str, value: f32, range| (format!("augment.{name}"), typed(value), range);
        let random = augment.rand_augment;
        let operations = random.operations as f64;
        vec![
            number("crop_scale", augment.crop_scale, 0.0..=1.0),
            // Between 0, which stands for 4/3, and 1 there is nothing.
            number(
                "crop_ratio",
                augment.crop_ratio,
                if augment.crop_ratio == 0.0 { 0.0 } else { 1.0 }..=100.0,
            ),
            number("flip", augment.flip, 0.0..=1.0),
            number("colour", augment.colour, 0.0..=1.0),
            number("erase", augment.erase, 0.0..=1.0),
            number("rand_augment.magnitude", random.magnitude, 0.0..=10.0),
            ("augment.rand_augment.operations".to_owned(), operations, 0.0..=100.0),
        ]
    }

    /// Weights of sources: each a number, and of a group one above 0.
    fn of_captions(&self) -> Vec<Number> {
        let groups = ("captions".to_owned(), self.captions.len() as f64, 1.0..=1000.0);
        let mut all = vec![groups];
        for (at, group) in self.captions.iter().enumerate() {
            let mut sum = 0.0;
            for (source, weight) in &group.sources {
                all.push((format!("captions[{at}], source {source}"), typed(*weight), 0.0..=LARGE));
                sum += typed(*weight);
            }
            all.push((format!("captions[{at}], sum of weights"), sum, 1e-9..=MANY));
        }
        all
    }

    fn of_sets(&self) -> Vec<Number> {
        let number =
            |name: String, set: &DataSet, range| (format!("{name}.share"), typed(set.share), range);
        let learned = self.train.iter().enumerate();
        let mut all: Vec<Number> =
            learned.map(|(at, set)| number(format!("train[{at}]"), set, 1e-6..=1.0)).collect();
        // What is measured is measured as a whole.
        all.push(number("valid".into(), &self.valid, 1.0..=1.0));
        all.extend(self.other.iter().map(|set| number("other".into(), set, 1.0..=1.0)));
        all.extend(self.named.iter().map(|set| number("named".into(), set, 1.0..=1.0)));
        all
    }
}

fn of_optim(optim: &OptimConfig) -> Vec<Number> {
    let number = |name: &str, value: f32, range| (format!("optim.{name}"), typed(value), range);
    let count = |name: &str, value: usize| (format!("optim.{name}"), value as f64, 0.0..=MANY);
    vec![
        number("image_lr", optim.image_lr, 0.0..=LARGE),
        number("text_lr", optim.text_lr, 0.0..=LARGE),
        number("embed_lr", optim.embed_lr, 0.0..=LARGE),
        number("words_lr", optim.words_lr, 0.0..=LARGE),
        number("heads_lr", optim.heads_lr, 0.0..=LARGE),
        number("layer_decay", optim.layer_decay, 0.0..=1.0),
        number("text_layer_decay", optim.text_layer_decay, 0.0..=1.0),
        number("weight_decay", optim.weight_decay, 0.0..=LARGE),
        number("betas[0]", optim.betas[0], 0.0..=0.999_999),
        number("betas[1]", optim.betas[1], 0.0..=0.999_999),
        number("clip", optim.clip, 1e-9..=1e9),
        number("ema", optim.ema, 0.0..=0.999_999),
        count("warmup", optim.warmup),
        count("frozen_blocks", optim.frozen_blocks),
        count("text_frozen_blocks", optim.text_frozen_blocks),
    ]
}

fn of_loss(loss: &LossConfig) -> Vec<Number> {
    let number = |name: &str, value: f64, range| (format!("loss.{name}"), value, range);
    vec![
        number("smoothing", loss.smoothing, 0.0..=0.99),
        number("between_texts", loss.between_texts, 0.0..=LARGE),
        number("margin", loss.margin, 0.0..=2.0),
        number("teacher_weight", loss.teacher_weight, 0.0..=1.0),
    ]
}
