//! Whether an architecture makes sense, and whether weights are its own.

use std::collections::HashSet;

use tuwen_image::Preprocess;

use super::{ImagePool, ModelConfig, Pool, ResNet, Tokenizer, Vision};
use crate::arrays::Arrays;
use crate::{Error, Result};

impl ModelConfig {
    /// Whether `arrays` are exactly this model's weights.
    ///
    /// # Errors
    /// The first one that is missing, unused or of another shape.
    pub fn check_weights(&self, arrays: &Arrays) -> Result<()> {
        let shapes = self.weight_shapes();
        for (name, wanted) in &shapes {
            let found = &arrays.get(name)?.shape;
            if found != wanted {
                let (name, found, wanted) = (name.clone(), found.clone(), wanted.clone());
                return Err(Error::Shape { name, found, wanted });
            }
        }
        let known: HashSet<&String> = shapes.iter().map(|(name, _)| name).collect();
        match arrays.0.keys().find(|name| !known.contains(name)) {
            Some(name) => Err(Error::UnusedWeight(name.clone())),
            None => Ok(()),
        }
    }

    /// Whether the numbers fit together; if not, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.within_reason()?;
        self.is_something()?;
        let towers = [("image", &self.image), ("text", &self.text)];
        for (name, tower) in &towers[..if self.image_only { 1 } else { 2 }] {
            if tower.layers == 0 && !(self.has_convolutions() && *name == "image") {
                return Err(format!("{name}.layers is 0: a transformer has one at least"));
            }
            if !(tower.norm_eps >= 0.0 && tower.norm_eps < 1.0) {
                return Err(format!(
                    "{name}.norm_eps {} is no small number from 0 on, such as 1e-5",
                    tower.norm_eps
                ));
            }
            if tower.heads == 0 || !tower.width.is_multiple_of(tower.heads) {
                let (width, heads) = (tower.width, tower.heads);
                return Err(format!("{name}.width {width} is not a multiple of heads {heads}"));
            }
        }
        let size = self.preprocess.size as usize;
        if let Vision::Network(net) = self.vision {
            net.fits(size)?;
            if !self.image_only || self.image.width != net.width() {
                return Err(format!(
                    "a network of ImageNet is `image_only`, and this one has image.width {}",
                    net.width()
                ));
            }
        } else if self.patch == 0 || !size.is_multiple_of(self.patch) {
            return Err(format!("size {size} is not a multiple of patch {}", self.patch));
        }
        if self.vision == Vision::Probe && self.embed_dim != self.image.width {
            let (dim, width) = (self.embed_dim, self.image.width);
            return Err(format!(
                "embed_dim {dim} is not image.width {width}, which is not projected"
            ));
        }
        if let Vision::ResNet(net) = self.vision
            && (self.image.width != 32 * net.stem || self.patch != 32 || self.image.layers > 0)
        {
            return Err(format!(
                "a ResNet of stem {} has image.width {}, no image.layers and patch 32",
                net.stem,
                32 * net.stem
            ));
        }
        if self.image_only {
            return self.image_only_fits();
        }
        self.words_fit()?;
        self.fusion_fits()?;
        self.queries_fit()?;
        self.fine_fits()?;
        if self.context < 2 {
            return Err(format!("context {} has no room for [CLS] and [SEP]", self.context));
        }
        Ok(())
    }

    /// Whether the settings of tokens and pooling go together.
    fn words_fit(&self) -> Result<(), String> {
        let wrong = if self.pad.is_some() && self.tokenizer == Tokenizer::WordPiece {
            "`pad` is for the tokenizers clip-bpe and file"
        } else if self.pool == Pool::End && (self.pad.is_none() || self.causal) {
            "`pool` end is for texts with a `pad` that is attended to; without one it is last"
        } else if self.end == Some(0) && self.pad.is_none() {
            "`end` is token 0, which stands for no token behind a text: give a `pad`"
        } else if self.masked.is_some() && (self.pad.is_some() || self.causal) {
            "`masked` is for texts whose padding is not attended to, without a causal mask"
        } else if self.strip.is_some() && self.pad.is_none() {
            "`strip` makes a token 0, which stands for no token behind a text: give a `pad`"
        } else if (self.words > 0 || !self.prefix.is_empty()) && self.pool != Pool::Mean {
            "`words` and `prefix` are for `pool` mean"
        } else if self.first_position() + self.context + self.prefix.len() > self.position_rows() {
            "`context`, `prefix` and the positions up to `masked` together are more than `positions`"
        } else if self.prefix.iter().any(|&id| id as usize >= self.vocab) {
            "`prefix` has a token that is beyond `vocab`"
        } else if self.fold_width && self.tokenizer != Tokenizer::WordPiece {
            "`fold_width` is for the tokenizer word-piece"
        } else if self.image_pool != ImagePool::Class && self.vision != Vision::ClassToken {
            "`image_pool` is for image towers with a class token"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }

    /// Nothing of a model has no width, and pixels are divided by their deviation.
    fn is_something(&self) -> Result<(), String> {
        let all = [
            ("embed_dim", self.embed_dim),
            ("image.width", self.image.width),
            ("preprocess.size", self.preprocess.size as usize),
        ];
        let texts = [("text.width", self.text.width), ("vocab", self.vocab)];
        let texts = texts.into_iter().filter(|_| !self.image_only);
        if let Some((name, _)) = all.into_iter().chain(texts).find(|&(_, value)| value == 0) {
            return Err(format!("{name} is 0: a model has some"));
        }
        let Preprocess { mean, std, .. } = &self.preprocess;
        if let Some(std) = std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(format!(
                "preprocess.std has {std}: pixels are divided by it, give numbers above 0, such as CLIP's 0.27"
            ));
        }
        match mean.iter().find(|mean| !mean.is_finite()) {
            Some(mean) => Err(format!("preprocess.mean has {mean}, which is no finite number")),
            None => Ok(()),
        }
    }

    /// Numbers beyond any model would fill the memory before a weight is found missing.
    fn within_reason(&self) -> Result<(), String> {
        let ResNet { stem, blocks } = match self.vision {
            Vision::ResNet(net) => net,
            _ => ResNet { stem: 0, blocks: [0; 4] },
        };
        let network = match self.vision {
            Vision::Network(net) => net.largest(),
            _ => 0,
        };
        let all = [
            ("embed_dim", self.embed_dim, 1 << 16),
            ("image.width", self.image.width, 1 << 16),
            ("image.layers", self.image.layers, 1 << 10),
            ("image.mlp", self.image.mlp, 1 << 18),
            ("text.width", self.text.width, 1 << 16),
            ("text.layers", self.text.layers, 1 << 10),
            ("text.mlp", self.text.mlp, 1 << 18),
            ("words", self.words, 1 << 16),
            ("masked", self.masked.unwrap_or(0) as usize, 1 << 10),
            ("text_hidden", self.text_hidden, 1 << 18),
            ("vocab", self.vocab, 1 << 24),
            ("context", self.context, 1 << 20),
            ("positions", self.positions, 1 << 20),
            ("long.context", self.long.map_or(0, |long| long.context), 1 << 20),
            ("token_types", self.token_types, 1 << 16),
            ("preprocess.size", self.preprocess.size as usize, 1 << 13),
            ("a ResNet's stem", stem, 1 << 12),
            ("a number of the network", network, 1 << 16),
            ("a ResNet's blocks", blocks.into_iter().max().unwrap_or(0), 1 << 10),
        ];
        match all.into_iter().find(|&(_, value, most)| value > most) {
            Some((name, value, most)) => Err(format!("{name} {value} is beyond {most}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TowerConfig;

    /// What is said of a change, and the change.
    type Case = (&'static str, fn(&mut ModelConfig));

    #[test]
    fn numbers_that_no_model_has_are_named() {
        let tower = || TowerConfig::new(8, 1, 2, 16);
        let good = ModelConfig::new("tiny", tower(), tower(), Preprocess::squash(16));
        assert_eq!(good.check(), Ok(()));
        let changes: [Case; 8] = [
            ("preprocess.std has 0: ", |model| model.preprocess.std[1] = 0.0),
            ("preprocess.std has NaN", |model| model.preprocess.std[2] = f32::NAN),
            ("preprocess.mean has inf", |model| model.preprocess.mean[0] = f32::INFINITY),
            ("text.norm_eps -1", |model| model.text.norm_eps = -1.0),
            ("image.norm_eps NaN", |model| model.image.norm_eps = f32::NAN),
            ("preprocess.size is 0", |model| model.preprocess.size = 0),
            ("embed_dim is 0", |model| model.embed_dim = 0),
            ("text.width is 0", |model| model.text.width = 0),
        ];
        for (said, change) in changes {
            let mut model = good.clone();
            change(&mut model);
            let error = model.check().expect_err(said);
            assert!(error.starts_with(said), "{error}");
        }
    }
}
