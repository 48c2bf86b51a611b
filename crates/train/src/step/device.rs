//! A step on any device, all of it in burn.

use tuwen_encode::{Arrays, ModelConfig};
use tuwen_model::burn::tensor::{Device, Int, Tensor, TensorData};
use tuwen_model::{DualEncoder, weights};
use tuwen_text::token::TokenBatch;

use super::StepInput;
use super::objective::{Features, total};
use crate::Result;
use crate::config::LossConfig;
use crate::partition::View;

/// See [`super::gradients`].
pub(super) fn gradients(
    device: &Device,
    model: &ModelConfig,
    view: &View<'_>,
    config: &LossConfig,
    input: &StepInput<'_>,
) -> Result<(f32, Arrays)> {
    let device = device.clone().autodiff();
    let arrays = view.to_arrays(model)?;
    let dual = weights::into_module(DualEncoder::new(model, &device), arrays)?;
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
    let total = total(
        &dual.heads,
        &[Features { images, texts, batch: input.batch, weight: 1.0 }],
        input,
        config,
    );
    let grads = weights::gradients(&dual, total.backward());
    Ok((total.into_scalar(), grads))
}

fn ids_tensor(batch: &TokenBatch, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = batch.ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.len]), device)
}
