//! What a run begins with: data, architecture, weights.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tuwen_encode::params::Part;
use tuwen_encode::{Arrays, ModelConfig, TOKENIZER_FILE, TokenizerFile, arrays, checkpoint};
use tuwen_files::Error as DataError;
use tuwen_gemm::Precision;
use tuwen_image::{Limits, PerceptualHash, decode, duplicate_groups};
use tuwen_sets::Sample;
use tuwen_sets::loader::{Plan, name_numbers};

use crate::architecture::Architecture;
use crate::config::{ImageMix, LossKind, Tower};
use crate::sets::read_set;
use crate::stop::{Stop, go_on};
use crate::{Error, Result, TrainConfig};

/// The architecture and the first weights: random ones, replaced by those that the configuration names.
///
/// # Errors
/// Weights that do not fit, or settings that the architecture does not know.
pub fn first_weights(config: &TrainConfig) -> Result<(Architecture, Arrays)> {
    let start = &config.start;
    let (mut model, mut arrays) =
        match (&start.model, &config.model, &start.image_tower, &start.text_tower) {
            (Some(name), ..) => whole_model(name)?,
            (_, Some(path), ..) => random(Architecture::load(path)?, config.seed),
            (_, _, Some(image), Some(text)) => two_towers(image, text, config.seed)?,
            _ => unreachable!("looked at when the configuration was read"),
        };
    if let (Some(folder), None) = (&start.text, &model.tokenizer) {
        let file = folder.join(TOKENIZER_FILE);
        model.tokenizer = file.exists().then_some(TokenizerFile::Path(file));
    }
    check(config, &model)?;
    for teacher in &config.loss.teacher {
        // Before anything is measured or written.
        tuwen_hub::checkpoint(teacher)?;
    }
    if let Some(path) = &config.start.image {
        arrays.0.extend(checkpoint::timm_vit(path)?.0);
    }
    if let Some(mix) = &config.start.image_mix {
        mix_image_tower(mix, &model.config, &mut arrays)?;
    }
    if let Some(path) = &config.start.text {
        arrays.0.extend(checkpoint::bert(path, &model.config)?.0);
    }
    if let Some(path) = &config.start.weights {
        arrays.0.extend(arrays::read(path)?.0);
    }
    model.config.check_weights(&arrays)?;
    match config.loss.kind {
        LossKind::Sigmoid => {
            // A SigLIP is one by its pooling and leaves the flag unset; so must the trained model, whose
            // architecture is then the same as before.
            model.config.sigmoid |= !model.config.is_sigmoid();
            begin_bias(&mut arrays);
        }
        LossKind::Contrastive => model.config.sigmoid = false,
        // The triplet loss is on cosines and uses neither scale nor bias: the flag stays.
        LossKind::Triplet => {}
    }
    Ok((model, arrays))
}

/// A model of another loss has a bias of 0, with which nearly every pair of a batch would begin as a positive;
/// it begins where SigLIP's does.
fn begin_bias(arrays: &mut Arrays) {
    let bias = arrays.slot("heads.logit_bias", &[1]);
    if bias[0] == 0.0 {
        bias[0] = -10.0;
    }
}

/// Refuses settings that the architecture, its tokenizer or the processor does not support.
fn check(config: &TrainConfig, model: &Architecture) -> Result<()> {
    let name = &model.config.name;
    let convolutions = model.config.has_convolutions();
    let wrong = if model.config.image_only {
        format!(
            "{name} is an image network of ImageNet and has no text tower to train with: take a model with both towers, \
             or a common space of its features (`tuwen space`)"
        )
    } else if model.config.any_shape() {
        format!(
            "{name} takes pictures of any shape, and batches here are of squares: it cannot be trained; what takes \
             squares can be, such as siglip2-base-patch16-224"
        )
    } else if model.config.queries.is_some() {
        format!(
            "{name} is a BLIP-2, whose queries and text tower share weights; no training here changes them: take a model of \
             another family (`tuwen model list`), or train heads on it (`tuwen heads train`)"
        )
    } else if convolutions && config.keep_patches > 0 {
        format!("{name} has convolutions and no patches: remove `keep_patches`")
    } else if convolutions && config.has_adapters(Tower::Image) {
        format!("{name} has convolutions, and adapters are for blocks: `lora.towers = [\"text\"]`")
    } else if let Some((matrix, most)) =
        config.lora.as_ref().and_then(|l| l.too_wide(&model.config))
    {
        let rank = config.lora.as_ref().map_or(0, |lora| lora.rank);
        format!(
            "`lora.rank` is {rank}, and {matrix} of {name} has rank {most} at most: give {most} or less, such as 8"
        )
    } else if let Some(what) = frozen_beyond(config, &model.config) {
        what
    } else if config.token_mask > 0.0 && model.tokens()?.mask().is_none() {
        format!("the tokenizer of {name} has no [MASK]: use `token_drop` instead of `token_mask`")
    } else if !config.loss.teacher.is_empty() && !config.train.iter().any(|set| set.taught) {
        "`loss.teacher` is heard about no set, for every `[[train]]` says `taught = false`: take that out of \
         one, or remove the teacher"
            .to_owned()
    } else if config.loss.teacher.is_empty() && !config.train.iter().all(|set| set.taught) {
        "a `[[train]]` says `taught = false`, and there is no `loss.teacher`: remove one, or give the other"
            .to_owned()
    } else if config.int8 && config.lora.is_some() {
        "`int8` rounds matrices that learn, and with `[lora]` they do not: remove one of the two"
            .to_owned()
    } else if !Precision::from(config.precision).is_here() {
        "this processor has no avx512_bf16: remove `precision`".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::config(&config.out, wrong))
}

/// Blocks that are to stay frozen and are not there, in words.
fn frozen_beyond(config: &TrainConfig, model: &ModelConfig) -> Option<String> {
    let (optim, name) = (&config.optim, &model.name);
    // Of convolutions they are stages, and more than there are freeze all.
    let image = if model.has_convolutions() { usize::MAX } else { model.image.layers };
    let towers = [
        ("optim.frozen_blocks", "image", optim.frozen_blocks, image),
        ("optim.text_frozen_blocks", "text", optim.text_frozen_blocks, model.text.layers),
    ];
    let (key, tower, frozen, blocks) =
        towers.into_iter().find(|(.., frozen, blocks)| frozen > blocks)?;
    Some(format!(
        "`{key}` is {frozen}, and the {tower} tower of {name} has {blocks} blocks: give that or less; a rate of 0 \
         freezes the whole tower"
    ))
}

/// Interpolates the image tower's weights with another model's.
fn mix_image_tower(mix: &ImageMix, model: &ModelConfig, arrays: &mut Arrays) -> Result<()> {
    let (_, other) = whole_model(&mix.model)?;
    let share = mix.share as f32;
    let params = model.params().into_iter().filter(|param| param.part == Part::Image);
    for name in params.map(|param| param.name) {
        let array =
            arrays.0.get_mut(&name).ok_or(tuwen_encode::Error::MissingWeight(name.clone()))?;
        let found = other.get(&name).map_err(tuwen_encode::Error::from)?;
        if found.shape != array.shape {
            let (found, wanted) = (found.shape.clone(), array.shape.clone());
            return Err(tuwen_encode::Error::Shape { name, found, wanted }.into());
        }
        let pairs = array.data.iter_mut().zip(&found.data);
        pairs.for_each(|(value, other)| *value += share * (other - *value));
    }
    Ok(())
}

fn random(model: Architecture, seed: u64) -> (Architecture, Arrays) {
    let weights = model.config.random_weights(seed);
    (model, weights)
}

/// One model's image tower with its space, another one's text tower with a new projection into that.
fn two_towers(image: &str, text: &str, seed: u64) -> Result<(Architecture, Arrays)> {
    let (seeing, image_weights) = whole_model(image)?;
    let (reading, text_weights) = whole_model(text)?;
    let config = ModelConfig {
        name: format!("{}-{}", seeing.config.name, reading.config.name),
        embed_dim: seeing.config.embed_dim,
        image: seeing.config.image,
        vision: seeing.config.vision,
        image_pool: seeing.config.image_pool,
        patch: seeing.config.patch,
        patch_bias: seeing.config.patch_bias,
        class_proj_bias: seeing.config.class_proj_bias,
        // A matching head knows the rows of its own towers alone.
        fusion: None,
        long: None,
        dense: false,
        preprocess: seeing.config.preprocess,
        ..reading.config
    };
    let (model, mut arrays) = random(Architecture { config, ..reading }, seed);
    for param in model.config.params() {
        let from = match param.part {
            Part::Image | Part::ImageHead | Part::Logits => image_weights.0.get(&param.name),
            Part::Text => text_weights.0.get(&param.name),
            Part::TextHead | Part::Fusion | Part::Fine => None,
        };
        if let Some(array) = from {
            arrays.0.insert(param.name, array.clone());
        }
    }
    Ok((model, arrays))
}

/// A model by its name or path, with all its weights in memory.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn whole_model(name: &str) -> Result<(Architecture, Arrays)> {
    let (config, checkpoint) = tuwen_hub::checkpoint(name)?;
    let arrays = checkpoint.to_arrays(&config)?;
    let tokenizer = checkpoint.tokenizer().cloned();
    Ok((Architecture { config, tokenizer }, arrays))
}

/// The samples of all training sets in one list, and the plan that draws batches from them.
///
/// # Errors
/// A set that cannot be read, or that is too small.
pub fn read_data(
    config: &TrainConfig,
    model: &Architecture,
    stop: &Stop<'_>,
) -> Result<(Vec<Sample>, Plan)> {
    let (mut samples, mut sets) = (Vec::new(), Vec::new());
    for set in &config.train {
        let start = samples.len();
        samples.extend(read_set(set)?);
        go_on(stop)?;
        sets.push((start..samples.len(), set.share));
    }
    let plan = Plan {
        seed: config.seed,
        batch: config.batch,
        sets,
        pixels: !config.image_is_frozen(),
        groups: config.captions.clone(),
        tokens: Arc::new(model.tokens()?),
        context: config.context.min(model.config.context),
        token_mask: config.token_mask,
        token_drop: config.token_drop,
        sentences: config.sentences,
        names: name_numbers(&samples, &model.tokens()?, config.context.min(model.config.context))?,
        duplicate_groups: match config.avoid_duplicates {
            true => find_duplicates(&samples, stop)?,
            false => Vec::new(),
        },
        augment: config.augment.clone(),
        preprocess: model.config.preprocess.clone(),
    };
    let pictures = samples.len();
    if pictures < 2 {
        let what = "one picture has nothing to be told from: give 2 at least, better hundreds";
        return Err(Error::config(&config.out, what));
    }
    captions_are_there(config, &samples, &plan.sets)?;
    if plan.batches_per_epoch() == 0 {
        let batch = config.batch;
        let what = format!("a batch of {batch} from {pictures} pictures: lower `batch`");
        return Err(Error::config(&config.out, what));
    }
    let first = samples.iter().flat_map(|sample| &sample.captions).map(|c| &c.text).next();
    let mut texts = samples.iter().flat_map(|sample| &sample.captions).map(|c| &c.text);
    if texts.all(|text| Some(text) == first) {
        let what = format!("all captions are equal (`{}`)", first.map_or("", |text| text));
        return Err(Error::config(&config.out, what));
    }
    if config.batch < 2 {
        return Err(Error::config(&config.out, "a batch of 1 has no negatives: raise `batch`"));
    }
    Ok((samples, plan))
}

/// Whether every picture has a caption for each group: better known now than in the middle of an epoch.
fn captions_are_there(
    config: &TrainConfig,
    samples: &[Sample],
    sets: &[(Range<usize>, f32)],
) -> Result<()> {
    for (at, group) in config.captions.iter().enumerate() {
        let wanted = |source: &str| group.sources.iter().any(|(name, _)| name == source);
        let lacks = |sample: &&Sample| !sample.captions.iter().any(|c| wanted(&c.source));
        let Some(place) = samples.iter().position(|sample| lacks(&sample)) else { continue };
        let sample = &samples[place];
        let set = sets.iter().position(|(range, _)| range.contains(&place)).unwrap_or(0);
        let wanted: Vec<&str> = group.sources.iter().map(|(name, _)| &**name).collect();
        let found: BTreeSet<&str> = sample.captions.iter().map(|c| &*c.source).collect();
        let what = format!(
            "`captions[{at}]` draws from {wanted:?}, and {} of `train[{set}]` has no caption from there, only from \
             {found:?}: name one of these in `captions[{at}].sources`, or give `train[{set}].captions` a file with \
             such a source",
            sample.id
        );
        return Err(Error::config(&config.out, what));
    }
    Ok(())
}

/// For each picture the number of its duplicate group: the position of the first picture that looks the same.
fn find_duplicates(samples: &[Sample], stop: &Stop<'_>) -> Result<Vec<u64>> {
    let hashes =
        perceptual_hashes(samples, stop)?.into_iter().collect::<tuwen_files::Result<Vec<_>>>()?;
    let hashes: Vec<&PerceptualHash> = hashes.iter().collect();
    Ok(duplicate_groups(&hashes).into_iter().map(|group| group as u64).collect())
}

/// The perceptual hash of each picture, or why the picture cannot be read.
pub(crate) fn perceptual_hashes(
    samples: &[Sample],
    stop: &Stop<'_>,
) -> Result<Vec<tuwen_files::Result<PerceptualHash>>> {
    let look = |sample: &Sample| {
        go_on(stop)?;
        let picture = sample.image.read().and_then(|bytes| decode(&bytes, Limits::default()));
        Ok(match picture {
            Ok(picture) => Ok(PerceptualHash::of(&picture.into_rgb())),
            Err(error) => Err(DataError::data_set(&sample.id, error.to_string())),
        })
    };
    samples.par_iter().map(look).collect()
}

/// A hash of the ids and captions of the training data, to recognise them when a run goes on.
pub(crate) fn data_hash(samples: &[Sample]) -> String {
    let mut hasher = blake3::Hasher::new();
    for sample in samples {
        let captions = sample.captions.iter().flat_map(|c| [&c.source, &c.text]);
        for part in [&sample.id].into_iter().chain(captions) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}
