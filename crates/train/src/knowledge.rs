//! Distillation from a linear classifier on the image tower's feature, such as ImageNet's, in two ways.
//!
//! 1. Its class probabilities on every picture of the run are soft targets, so that the image tower does not
//!    forget the classes while it is trained on captions. They are those of the tower that the classifier
//!    was trained with, on whole pictures; that tower's features are computed once and kept in the run's folder.
//! 2. Synthetic features of its classes train the text tower on the classes' names, without any picture of
//!    them. Such a feature is the class's mean, mixed with the feature of a random real picture.
//!
//! The means follow from the weights alone: for classes of one covariance S a linear classifier has the
//! weights `S^-1 m_c` (linear discriminant analysis), so that `S (w_c - mean w)` points from the mean of all
//! features to that of the class; how far follows from the logit that pictures of a class get.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tuwen_encode::arrays::{self, Array, Precision};
use tuwen_encode::checkpoint::timm_vit;
use tuwen_encode::towers::AnyImageTower;
use tuwen_encode::{Arrays, ModelConfig};
use tuwen_gemm::{Mat, gemm};
use tuwen_image::Augment;
use tuwen_image::rng::Rng;
use tuwen_sets::loader::{Batch, CaptionGroup, Plan};
use tuwen_sets::names::{self, Names};
use tuwen_text::token::TokenBatch;

use crate::config::ClassConfig;
use crate::extras::About;
use crate::frozen;
use crate::start::data_hash;
use crate::step::{Classes, Examples};
use crate::{Error, Result};

/// File in a run's folder with the features of the classifier's own tower.
pub(crate) const KNOWLEDGE: &str = "classes.safetensors";
/// The array's name in that file.
const FEATURES: &str = "features";
/// The logit that a picture of a class gets from a classifier of ImageNet, about.
const LOGIT: f32 = 16.0;
/// Smallest and largest share of a real picture's feature in a synthetic one.
const VARIETY: [f32; 2] = [0.1, 0.6];

/// A classifier with the names of its classes.
pub(crate) struct Head {
    matrix: Vec<f32>,
    bias: Vec<f32>,
    names: &'static [Names],
}

impl Head {
    /// Reads it.
    ///
    /// # Errors
    /// No classifier, or one of other sizes than the image tower's or the table's.
    pub(crate) fn read(config: &ClassConfig, model: &ModelConfig) -> Result<Self> {
        let wrong = |what: String| Error::config(&config.model, what);
        let all = arrays::read(&config.model)?;
        let head = |name: &str| {
            all.0.get(name).ok_or_else(|| wrong(format!("it has no `{name}`: no classifier")))
        };
        let (matrix, bias) = (head("head.weight")?.clone(), head("head.bias")?.data.clone());
        let width = model.image.width;
        if matrix.shape != [bias.len(), width] {
            let what =
                format!("`head.weight` is {:?}, the image tower gives {width}", matrix.shape);
            return Err(wrong(what));
        }
        config.texts_make_sense().map_err(wrong)?;
        let names = names::of_set(&config.names)
            .ok_or_else(|| wrong(format!("there are no names of a set `{}`", config.names)))?;
        if names.len() != bias.len() {
            let (named, classes) = (names.len(), bias.len());
            return Err(wrong(format!("{classes} classes, and `{}` has {named}", config.names)));
        }
        Ok(Self { matrix: matrix.data, bias, names })
    }
}

/// A classifier, its features of all pictures, and the means of its classes.
pub(crate) struct Knowledge {
    config: ClassConfig,
    matrix: Vec<f32>,
    bias: Vec<f32>,
    /// Of all pictures by the classifier's own tower, (N, W).
    features: Vec<f32>,
    /// (C, W).
    means: Vec<f32>,
    names: &'static [Names],
    /// For each class the numbers of all its names, as the loader gives them.
    numbers: Vec<Arc<HashSet<u64>>>,
    plan: Plan,
    width: usize,
}

impl Knowledge {
    /// Reads the classifier and runs its tower over all pictures, or reads what the run's folder kept of that.
    pub(crate) fn new(config: &ClassConfig, about: &About<'_>) -> Result<Self> {
        let Head { matrix, bias, names } = Head::read(config, about.model)?;
        let (plan, width) = (about.plan, about.model.image.width);
        let features = kept_features(config, about)?;
        let means = class_means(&matrix, &bias, &features, width);
        let number = |names: &Names| {
            let numbers = names.words().map(|(_, word)| plan.text_id(word));
            Ok(Arc::new(numbers.collect::<tuwen_files::Result<HashSet<u64>>>()?))
        };
        let numbers = names.iter().map(number).collect::<Result<_>>()?;
        let (config, plan) = (config.clone(), plan.clone());
        Ok(Self { config, matrix, bias, features, means, names, numbers, plan, width })
    }

    /// The classifier's soft targets for a batch's pictures.
    pub(crate) fn targets(&self, batch: &Batch) -> Option<Classes<'_>> {
        let picture = |&id: &u64| {
            let feature = &self.features[id as usize * self.width..][..self.width];
            softmax(logits(&self.matrix, &self.bias, feature))
        };
        (self.config.keep > 0.0).then(|| Classes {
            matrix: &self.matrix,
            bias: &self.bias,
            targets: batch.image_ids.iter().flat_map(picture).collect(),
            weight: self.config.keep,
        })
    }

    /// Synthetic features of random classes for a step, with names of the classes as their texts.
    pub(crate) fn examples(&self, step: usize) -> Result<Option<Examples>> {
        let ClassConfig { examples: count, examples_weight: weight, texts: groups, .. } =
            &self.config;
        if *count == 0 {
            return Ok(None);
        }
        let mut rng = Rng::new(&[self.plan.seed, 7, step as u64]);
        let mut classes: Vec<usize> = (0..self.names.len()).collect();
        rng.shuffle(&mut classes);
        classes.truncate(*count);
        let features = classes.iter().flat_map(|&class| self.example(class, &mut rng)).collect();
        let mut batch = Batch {
            pixels: Vec::new(),
            texts: Vec::new(),
            whole: Vec::new(),
            text_ids: Vec::new(),
            names: vec![vec![true; classes.len()]; groups.len()],
            true_names: classes.iter().map(|&class| self.numbers[class].clone()).collect(),
            image_ids: classes.iter().map(|&class| class as u64).collect(),
            duplicate_groups: classes.iter().map(|&class| class as u64).collect(),
        };
        for group in groups {
            let draw = |&class: &usize| {
                let word = draw(&self.names[class], group, &mut rng);
                self.plan.drawn(word, true, &mut rng)
            };
            let drawn = classes.iter().map(draw).collect::<tuwen_files::Result<Vec<_>>>()?;
            let rows = |of: &dyn Fn(&tuwen_sets::loader::Drawn) -> Vec<u32>| {
                TokenBatch::new(&drawn.iter().map(of).collect::<Vec<_>>())
            };
            batch.texts.push(rows(&|drawn| drawn.varied.clone()));
            batch.whole.push(rows(&|drawn| drawn.whole.clone()));
            batch.text_ids.push(drawn.iter().map(|drawn| drawn.number).collect());
        }
        Ok(Some(Examples { batch, features, weight: *weight }))
    }

    /// A synthetic feature of a class: its mean, mixed with the feature of a random picture.
    fn example(&self, class: usize, rng: &mut Rng) -> Vec<f32> {
        let mean = &self.means[class * self.width..][..self.width];
        let picture = rng.below(self.features.len() / self.width);
        let other = &self.features[picture * self.width..][..self.width];
        let share = rng.range(VARIETY[0], VARIETY[1]);
        mean.iter().zip(other).map(|(mean, other)| mean + share * (other - mean)).collect()
    }
}

/// A random name of a class: a source drawn by its weight, then one of its names evenly. A class that has no
/// name of that source gets one of the group's first source.
fn draw(names: &Names, group: &CaptionGroup, rng: &mut Rng) -> &'static str {
    let total: f32 = group.sources.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.range(0.0, total);
    let source = group.sources.iter().find(|(_, weight)| {
        at -= weight;
        at < 0.0
    });
    let words = |wanted: &str| -> Vec<&'static str> {
        names.words().filter(|(source, _)| *source == wanted).map(|(_, word)| word).collect()
    };
    let first = &group.sources[0].0;
    let found = words(source.map_or(first, |(name, _)| name));
    let found = if found.is_empty() { words(first) } else { found };
    found[rng.below(found.len())]
}

/// Features of every picture by the classifier's own tower, (N, W): read from the run's folder where they are
/// of these pictures and this classifier, else computed and written there.
fn kept_features(config: &ClassConfig, about: &About<'_>) -> Result<Vec<f32>> {
    let About { model, samples, plan, watch, knowledge: file, .. } = about;
    let shape = vec![samples.len(), model.image.width];
    let bytes = std::fs::read(&config.model).map_err(|e| Error::io(&config.model, e))?;
    let classifier = blake3::hash(&bytes).to_hex()[..16].to_owned();
    let of = [("data", data_hash(samples)), ("classifier", classifier)];
    let of = BTreeMap::from(of.map(|(name, value)| (name.to_owned(), value)));
    if arrays::metadata(file).is_ok_and(|found| found == of)
        && let Ok(kept) = arrays::read(file)
        && let Some(array) = kept.0.get(FEATURES).filter(|array| array.shape == shape)
    {
        return Ok(array.data.clone());
    }
    let weights = timm_vit(&config.model)?;
    let tower = AnyImageTower::new(model, &weights)?;
    let whole = Plan { augment: Augment::default(), ..(*plan).clone() };
    let data = frozen::features(&whole, model, &tower, samples, 0, *watch)?;
    let kept = Arrays([(FEATURES.to_owned(), Array { shape, data })].into());
    arrays::write(&kept, Precision::F32, &of, file)?;
    Ok(kept.0.into_values().next().expect("just put there").data)
}

fn logits(matrix: &[f32], bias: &[f32], feature: &[f32]) -> Vec<f32> {
    let row = |(row, bias): (&[f32], &f32)| {
        bias + row.iter().zip(feature).map(|(w, x)| w * x).sum::<f32>()
    };
    matrix.chunks_exact(feature.len()).zip(bias).map(row).collect()
}

fn softmax(mut logits: Vec<f32>) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
    let sum: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|logit| *logit /= sum);
    logits
}

/// Means of the classes, (C, W), see the module's documentation.
fn class_means(matrix: &[f32], bias: &[f32], features: &[f32], width: usize) -> Vec<f32> {
    let mean = |rows: &[f32]| -> Vec<f32> {
        let mut sum = vec![0.0f64; width];
        for row in rows.chunks_exact(width) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let rows = (rows.len() / width) as f64;
        sum.into_iter().map(|sum| (sum / rows) as f32).collect()
    };
    let (centre, average) = (mean(features), mean(matrix));
    let centred: Vec<f32> = features
        .chunks_exact(width)
        .flat_map(|row| row.iter().zip(&centre).map(|(x, m)| x - m))
        .collect();
    let rows = centred.len() / width;
    let mut covariance = vec![0.0; width * width];
    let x = Mat::new(&centred, rows, width, width);
    gemm(&mut covariance, width, x.t(), x, false);
    covariance.iter_mut().for_each(|value| *value /= rows as f32);
    let mut means = Vec::with_capacity(matrix.len());
    for (row, bias) in matrix.chunks_exact(width).zip(bias) {
        let weight: Vec<f32> = row.iter().zip(&average).map(|(w, m)| w - m).collect();
        let towards = logits(&covariance, &vec![0.0; width], &weight);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let step = (LOGIT - bias - dot(row, &centre)) / dot(row, &towards).max(1e-6);
        means.extend(centre.iter().zip(&towards).map(|(c, t)| c + step * t));
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes of one covariance, and the weights that tell them apart: so they do the examples.
    #[test]
    fn examples_of_a_class_are_of_it_for_the_classifier() {
        let (width, classes) = (16, 12);
        let mut rng = Rng::new(&[4]);
        let mut normal = |scale: f32| (0..12).map(|_| rng.range(-0.5, 0.5)).sum::<f32>() * scale;
        let true_means: Vec<f32> = (0..classes * width).map(|_| normal(0.8)).collect();
        let spread: Vec<f32> = (0..width).map(|at| 0.5 + at as f32 / 10.0).collect();
        let mut features = Vec::new();
        for at in 0..4000 {
            let mean = &true_means[at % classes * width..][..width];
            features.extend(mean.iter().zip(&spread).map(|(mean, spread)| mean + normal(*spread)));
        }
        // S^-1 m for a covariance that is a diagonal, and the bias that belongs to it.
        let row = |mean: &[f32]| -> Vec<f32> {
            mean.iter().zip(&spread).map(|(mean, spread)| mean / (spread * spread)).collect()
        };
        let matrix: Vec<f32> = true_means.chunks(width).flat_map(row).collect();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let pairs = matrix.chunks(width).zip(true_means.chunks(width));
        let bias: Vec<f32> = pairs.map(|(row, mean)| -0.5 * dot(row, mean)).collect();
        let found = class_means(&matrix, &bias, &features, width);
        let mut right = 0;
        for (class, mean) in found.chunks(width).enumerate() {
            let answers = logits(&matrix, &bias, mean);
            assert!((answers[class] - LOGIT).abs() < 0.05, "{answers:?}");
            let best = (0..classes).max_by(|&a, &b| answers[a].total_cmp(&answers[b]));
            right += usize::from(best == Some(class));
        }
        // The features' covariance is that of the classes and of their means, which blurs some.
        assert!(right >= classes - 2, "{right} of {classes}");
        let answers = softmax(vec![1.0, 3.0, 1000.0]);
        assert!((answers.iter().sum::<f32>() - 1.0).abs() < 1e-6 && answers[2] > 0.999);
    }

    #[test]
    fn a_word_is_drawn_from_a_source_or_is_the_first_name() {
        let names = names::find("imagenet", "n02099601").expect("a golden retriever");
        let group = |sources: &[(&str, f32)]| CaptionGroup {
            sources: sources.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect(),
        };
        let mut rng = Rng::new(&[1]);
        for _ in 0..50 {
            assert!(names.chinese_kinds.contains(&draw(
                names,
                &group(&[("zh-kind", 1.0)]),
                &mut rng
            )));
            let word = draw(names, &group(&[("en", 1.0), ("nothing", 1.0)]), &mut rng);
            assert!(names.english.contains(&word), "{word}");
        }
    }
}
