//! Means of weights: soups of several models (Wortsman et al. 2022, <https://arxiv.org/abs/2203.05482>),
//! and the way from a start to what it became (WiSE-FT, <https://arxiv.org/abs/2109.01903>).

use std::collections::BTreeMap;
use std::path::Path;

use tuwen_encode::arrays;
use tuwen_encode::{Arrays, CONFIG_FILE, ModelConfig, WEIGHTS_FILE};
use tuwen_files::file;
use tuwen_files::lock::Lock;

use crate::architecture::Architecture;
use crate::checkpoint::LOCK;
use crate::sets::read_measured;
use crate::start::{first_weights, whole_model};
use crate::stop::{Stop, go_on};
use crate::validate::{Reports, recalls, score};
use crate::{Error, Result, TrainConfig};

/// The weighted mean of several models' weights; the shares are scaled to a sum of 1.
///
/// ```
/// use tuwen_encode::Arrays;
///
/// let model = |value: f32| {
///     let mut weights = Arrays::default();
///     weights.slot("heads.logit_scale", &[1])[0] = value;
///     weights
/// };
/// let mean = tuwen_train::mix(&[(&model(1.0), 3.0), (&model(5.0), 1.0)])?;
/// assert_eq!(mean.get("heads.logit_scale").map_err(tuwen_encode::Error::from)?.data, [2.0]);
/// # Ok::<(), tuwen_train::Error>(())
/// ```
///
/// # Errors
/// Models of different shapes, or shares without a sum.
pub fn mix(models: &[(&Arrays, f32)]) -> Result<Arrays> {
    if let Some((_, share)) = models.iter().find(|(_, share)| !(0.0..f32::MAX).contains(share)) {
        return Err(Error::config("the shares", format!("one is {share}: give numbers from 0 on")));
    }
    let total: f32 = models.iter().map(|(_, share)| share).sum();
    let Some(((first, _), others)) = models.split_first().filter(|_| total > 0.0) else {
        return Err(Error::config("the shares", "they have no sum: give some above 0"));
    };
    let mut out = (*first).clone();
    for (name, array) in &mut out.0 {
        let own = models[0].1 / total;
        array.data.iter_mut().for_each(|value| *value *= own);
        for (other, share) in others {
            let other = other.get(name).map_err(tuwen_encode::Error::from)?;
            if other.shape != array.shape {
                let (name, found, wanted) =
                    (name.clone(), other.shape.clone(), array.shape.clone());
                return Err(tuwen_encode::Error::Shape { name, found, wanted }.into());
            }
            let share = share / total;
            array.data.iter_mut().zip(&other.data).for_each(|(sum, value)| *sum += share * value);
        }
    }
    Ok(out)
}

/// One place on the way from the start to the best model of a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Point {
    /// 0 is the start, 1 what the run made of it.
    pub alpha: f32,
    /// The score on the validation set, as `best_by` says.
    pub valid: f64,
    /// The same on the other set, where there is one.
    pub other: Option<f64>,
    /// Recall by set and source.
    pub reports: BTreeMap<String, Reports>,
}

/// Measures a run's start, its best model and what lies between; writes the best of these into the run's
/// folder `wise`, and all numbers into `wise.json`. `stop` ends it; what was found until then is lost.
///
/// # Errors
/// The run has no model yet, goes on at this moment, or a set cannot be read.
pub fn wise(
    config: &TrainConfig,
    points: usize,
    stop: &Stop<'_>,
    tell: &dyn Fn(&Point),
) -> Result<Vec<Point>> {
    if !config.out.join(WEIGHTS_FILE).is_file() {
        return Err(Error::config(&config.out, "it has no model yet: train first"));
    }
    let lock = Lock::take(&config.out.join(LOCK))?;
    let (model, start) = first_weights(config)?;
    let end = arrays::read(&config.out.join(WEIGHTS_FILE))?;
    let valid = read_measured(&config.valid)?;
    let other = config.other.as_ref().map(read_measured).transpose()?;
    let mut found: Vec<Point> = Vec::new();
    for at in 0..points {
        let alpha = at as f32 / (points - 1) as f32;
        let weights = mix(&[(&start, 1.0 - alpha), (&end, alpha)])?;
        let encoder = model.encoder(weights.clone())?;
        let recalls = |set| recalls(&encoder, set, &|_| go_on(stop));
        let mut reports = BTreeMap::from([("valid".to_owned(), recalls(&valid)?)]);
        if let Some(other) = &other {
            reports.insert("other".to_owned(), recalls(other)?);
        }
        let of = |set: &str| reports.get(set).map(|reports| score(reports, config.best_by));
        let (valid, other) = (of("valid").expect("just measured"), of("other"));
        let point = Point { alpha, valid, other, reports };
        tell(&point);
        if found.iter().all(|before| before.valid < point.valid) {
            lock.check()?;
            model.export(&config.out.join("wise"), &weights)?;
        }
        found.push(point);
    }
    let json = serde_json::to_string_pretty(&found).expect("plain data");
    lock.check()?;
    file::replace(&config.out.join("wise.json"), json.as_bytes())?;
    Ok(found)
}

/// Reads models by name or path, and writes the mean of their weights as a model folder.
///
/// # Errors
/// Models of different shapes or settings, or a folder that holds a model or is being written.
pub fn soup(names: &[String], shares: &[f32], out: &Path) -> Result<Architecture> {
    if out.join(CONFIG_FILE).exists() {
        return Err(Error::config(out, "it holds a model already: give another folder"));
    }
    let read: Vec<(Architecture, Arrays)> =
        names.iter().map(|name| whole_model(name)).collect::<Result<_>>()?;
    let (model, _) = &read[0];
    let models: Vec<(&Arrays, f32)> =
        read.iter().zip(shares).map(|((_, arrays), &share)| (arrays, share)).collect();
    let weights = mix(&models)?;
    for ((other, _), name) in read.iter().zip(names) {
        let other = ModelConfig { name: model.config.name.clone(), ..other.config.clone() };
        if other != model.config {
            let what = format!(
                "it treats pictures or words otherwise than {}: only models of one architecture and one \
                 pre-processing have a mean",
                names[0]
            );
            return Err(Error::config(name, what));
        }
    }
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    let lock = Lock::take(&out.join(LOCK))?;
    if out.join(CONFIG_FILE).exists() {
        return Err(Error::config(out, "another program has just written a model there"));
    }
    lock.check()?;
    model.export(out, &weights)?;
    Ok(model.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_scaled_and_shapes_must_fit() {
        let model = |values: &[f32]| {
            let mut arrays = Arrays::default();
            arrays.slot("w", &[values.len()]).copy_from_slice(values);
            arrays
        };
        let (a, b) = (model(&[1.0, 2.0]), model(&[5.0, 10.0]));
        let mixed = mix(&[(&a, 3.0), (&b, 1.0)]).expect("the same shapes");
        assert_eq!(mixed.get("w").expect("a weight").data, [2.0, 4.0]);
        assert!(mix(&[(&a, 1.0), (&model(&[1.0]), 1.0)]).is_err());
        for share in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(mix(&[(&a, share), (&b, 0.0)]).is_err(), "{share}");
        }
    }
}
