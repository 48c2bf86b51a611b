//! A batch to a loss and gradients.
//!
//! On the CPU the towers run in `tuwen-encode` and only projections and loss in burn: the towers'
//! features enter burn as leaves, and their gradients go back into the towers. On another device
//! everything runs in burn. A test holds the two to the same gradients.

use tuwen_data::loader::Batch;
use tuwen_data::token::TokenBatch;
use tuwen_encode::towers::{ImageTower, Record, TextTower};
use tuwen_encode::{Arrays, ModelConfig};
use tuwen_model::burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use tuwen_model::{DualEncoder, Heads, loss, weights};

use crate::Result;
use crate::config::{LossConfig, LossKind};

/// What computes the towers.
#[derive(Clone, Debug)]
pub enum Engine {
    /// The fast CPU twin.
    Cpu,
    /// burn, on any device.
    Burn(Device),
}

/// One batch with everything random already decided.
pub struct StepInput<'a> {
    /// Pictures and texts.
    pub batch: &'a Batch,
    /// For each picture the patches to keep.
    pub keep: Option<Vec<Vec<usize>>>,
    /// Features of a frozen image tower, (B, W), instead of pixels.
    pub features: Option<Vec<f32>>,
    /// The first image block that learns.
    pub first_block: usize,
}

/// The loss and the gradients by name.
///
/// # Errors
/// A weight is missing.
pub fn gradients(
    engine: &Engine,
    model: &ModelConfig,
    arrays: &Arrays,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    match engine {
        Engine::Cpu => on_cpu(model, arrays, config, input),
        Engine::Burn(device) => on_device(device, model, arrays, config, input),
    }
}

fn on_cpu(
    model: &ModelConfig,
    arrays: &Arrays,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    // Not the default one, which is a GPU in a program built for it.
    let device = Device::flex().autodiff();
    let images = ImageTower::new(model, arrays)?;
    let texts = TextTower::new(model, arrays)?;
    let keep = input.keep.as_deref();
    let image_pass = match &input.features {
        Some(_) => None,
        None => Some(images.forward(&input.batch.pixels, keep, Record::From(input.first_block))),
    };
    // All groups in one pass: fewer, fuller chunks.
    let rows: Vec<&[u32]> = input.batch.texts.iter().flat_map(rows_of).collect();
    let text_pass = texts.forward(&rows, Record::From(0));

    let leaf = |features: &[f32], width: usize| {
        let data = TensorData::new(features.to_vec(), [features.len() / width, width]);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let image_features = image_pass.as_ref().map(|pass| &pass.features).or(input.features.as_ref());
    let image_leaf = leaf(image_features.expect("a pass or cached features"), model.image.width);
    let width = model.text.width;
    let group = input.batch.image_ids.len() * width;
    let text_leaves: Vec<Tensor<2>> =
        text_pass.features.chunks_exact(group).map(|features| leaf(features, width)).collect();
    let heads = heads_from(model, arrays, &device)?;
    let total = total_loss(&heads, image_leaf.clone(), &text_leaves, input.batch, config);
    let mut burned = total.backward();

    let mut grads = Arrays::default();
    if let Some(pass) = image_pass {
        grads.accumulate(images.backward(pass, keep, &take(&image_leaf, &mut burned)));
    }
    let dtexts: Vec<f32> = text_leaves.iter().flat_map(|leaf| take(leaf, &mut burned)).collect();
    grads.accumulate(texts.backward(text_pass, &rows, &dtexts));
    for (name, array) in weights::gradients(&heads, burned).0 {
        grads.0.insert(format!("heads.{name}"), array);
    }
    Ok((total.into_scalar(), grads))
}

fn on_device(
    device: &Device,
    model: &ModelConfig,
    arrays: &Arrays,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    let device = device.clone().autodiff();
    let dual = weights::into_module(DualEncoder::new(model, &device), arrays.clone())?;
    let rows = input.batch.image_ids.len();
    let images = match &input.features {
        Some(features) => {
            let data = TensorData::new(features.clone(), [rows, model.image.width]);
            Tensor::from_data(data, &device)
        }
        None => {
            let size = model.preprocess.size as usize;
            let data = TensorData::new(input.batch.pixels.clone(), [rows, 3, size, size]);
            let keep = input.keep.as_ref().map(|keep| {
                let flat: Vec<i32> = keep.iter().flatten().map(|&k| k as i32).collect();
                let shape = [rows, flat.len() / rows];
                Tensor::<2, Int>::from_data(TensorData::new(flat, shape), &device)
            });
            dual.image.forward(Tensor::from_data(data, &device), keep)
        }
    };
    let texts: Vec<Tensor<2>> = input
        .batch
        .texts
        .iter()
        .map(|texts| dual.text.forward(ids_tensor(texts, &device)))
        .collect();
    let total = total_loss(&dual.heads, images, &texts, input.batch, config);
    let grads = weights::gradients(&dual, total.backward());
    Ok((total.into_scalar(), grads))
}

/// Pictures against each group of texts, and neighbouring groups of texts against each other.
fn total_loss(
    heads: &Heads,
    image_features: Tensor<2>,
    text_features: &[Tensor<2>],
    batch: &Batch,
    config: &LossConfig,
) -> Tensor<1> {
    let device = image_features.device();
    let images = heads.project_images(image_features);
    let texts: Vec<Tensor<2>> =
        text_features.iter().map(|features| heads.project_texts(features.clone())).collect();
    let pairs = |group: usize| -> Vec<(u64, u64)> {
        batch.image_ids.iter().copied().zip(batch.text_ids[group].iter().copied()).collect()
    };
    let one = |a: Tensor<2>, b: Tensor<2>, rows: &[(u64, u64)], columns: &[(u64, u64)]| {
        let positives = loss::positives(rows, columns, &device);
        let scale = heads.logit_scale.val();
        match config.kind {
            LossKind::Contrastive => loss::contrastive(a, b, scale, positives, config.smoothing),
            LossKind::Sigmoid => loss::sigmoid(a, b, scale, heads.logit_bias.val(), positives),
        }
    };
    let mut total = Tensor::zeros([1], &device);
    for (group, text) in texts.iter().enumerate() {
        let pairs = pairs(group);
        let part = one(images.clone(), text.clone(), &pairs, &pairs);
        total = total + part / texts.len() as f64;
    }
    if config.between_texts > 0.0 && texts.len() > 1 {
        for (group, pair) in texts.windows(2).enumerate() {
            let part = one(pair[0].clone(), pair[1].clone(), &pairs(group), &pairs(group + 1));
            total = total + part * (config.between_texts / (texts.len() - 1) as f64);
        }
    }
    total
}

fn heads_from(model: &ModelConfig, arrays: &Arrays, device: &Device) -> Result<Heads> {
    let named = arrays.0.iter().filter_map(|(name, array)| {
        name.strip_prefix("heads.").map(|rest| (rest.to_owned(), array.clone()))
    });
    Ok(weights::into_module(Heads::new(model, device), Arrays(named.collect()))?)
}

fn take(leaf: &Tensor<2>, gradients: &mut Gradients) -> Vec<f32> {
    weights::to_vec(leaf.grad_remove(gradients).expect("the loss depends on every feature"))
}

fn rows_of(batch: &TokenBatch) -> impl Iterator<Item = &[u32]> {
    batch.ids.chunks_exact(batch.len).map(tuwen_data::token::unpadded)
}

fn ids_tensor(batch: &TokenBatch, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = batch.ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.len]), device)
}
