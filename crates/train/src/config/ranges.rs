//! Which numbers make sense.

use super::TrainConfig;

impl TrainConfig {
    /// The first number that makes no sense, in words.
    pub(super) fn out_of_range(&self) -> Option<String> {
        let (optim, loss, augment) = (&self.optim, &self.loss, &self.augment);
        let any = f64::MAX;
        // Name, value, the smallest and the largest that make sense.
        let mut all = vec![
            ("token_mask", f64::from(self.token_mask), 0.0, 0.99),
            ("token_drop", f64::from(self.token_drop), 0.0, 0.99),
            ("optim.layer_decay", f64::from(optim.layer_decay), 0.0, 1.0),
            ("optim.text_layer_decay", f64::from(optim.text_layer_decay), 0.0, 1.0),
            ("optim.weight_decay", f64::from(optim.weight_decay), 0.0, any),
            ("optim.betas[0]", f64::from(optim.betas[0]), 0.0, 0.999_999),
            ("optim.betas[1]", f64::from(optim.betas[1]), 0.0, 0.999_999),
            ("optim.clip", f64::from(optim.clip), 1e-9, any),
            ("optim.ema", f64::from(optim.ema), 0.0, 0.999_999),
            ("loss.smoothing", loss.smoothing, 0.0, 0.99),
            ("loss.between_texts", loss.between_texts, 0.0, any),
            ("loss.margin", loss.margin, 0.0, 2.0),
            ("loss.teacher_weight", loss.teacher_weight, 0.0, 1.0),
            ("augment.crop_scale", f64::from(augment.crop_scale), 0.0, 1.0),
            ("augment.flip", f64::from(augment.flip), 0.0, 1.0),
            ("augment.colour", f64::from(augment.colour), 0.0, 1.0),
            ("augment.erase", f64::from(augment.erase), 0.0, 1.0),
        ];
        let rates = [
            ("optim.image_lr", optim.image_lr),
            ("optim.text_lr", optim.text_lr),
            ("optim.embed_lr", optim.embed_lr),
            ("optim.heads_lr", optim.heads_lr),
        ];
        all.extend(rates.map(|(name, rate)| (name, f64::from(rate), 0.0, any)));
        if let Some(lora) = &self.lora {
            all.push(("lora.lr", f64::from(lora.lr), 0.0, any));
            all.push(("lora.alpha", f64::from(lora.alpha), 1e-9, any));
        }
        let (name, value, low, high) =
            all.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value))?;
        Some(match high == any {
            true => format!("`{name}` is {value}: give {low} or more"),
            false => format!("`{name}` is {value}: give something from {low} to {high}"),
        })
    }
}
