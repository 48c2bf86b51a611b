//! Where an encoder's weights come from, and what its blocks multiply.

use std::borrow::Cow;
use std::sync::Arc;

use tuwen_gemm::Precision;
use tuwen_image::rng::Rng;
use tuwen_nn::{Executor, Rows, Table};

use crate::Result;
use crate::arrays::{Array, Arrays, Int8};
use crate::checkpoint::Checkpoint;
use crate::layers::Weights;

/// Where the weights come from.
pub(super) enum Source {
    Memory(Arrays),
    File(Box<Checkpoint>),
}

/// What the towers' blocks multiply. Everything else of a model is f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// Bytes where the matrices are stored in 8 bits, f32 where they are not.
    #[default]
    AsStored,
    /// f32, also with matrices that are stored in 8 bits.
    F32,
    /// Bytes: matrices in more bits are rounded to 8 when they are read.
    Int8,
    /// Both factors rounded to bf16, where this processor was measured to multiply that faster; f32 where not.
    Bf16,
}

/// A source of weights, and what is made of its matrices.
pub(super) struct Multiplied<'s> {
    pub(super) source: &'s Source,
    pub(super) products: Products,
    /// Whether matrices stay at hand for gradients of inputs.
    pub(super) keeps: bool,
    /// From this block of the image tower on, matrices are random ones of the same spread, by this seed.
    pub(super) random: Option<(usize, u64)>,
    /// Where its products are computed, if not on the host.
    pub(super) executor: Option<&'s Arc<dyn Executor>>,
}

impl Weights<'static> for Multiplied<'_> {
    fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        self.source.find(name)
    }

    fn rows(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        self.source.rows(name)
    }

    fn table(&self, name: &str) -> Result<(Vec<usize>, Table<'static>)> {
        self.source.table(name)
    }

    fn keeps(&self) -> bool {
        self.keeps
    }

    fn executor(&self) -> Option<&Arc<dyn Executor>> {
        self.executor
    }

    fn block_precision(&self) -> Precision {
        match self.products {
            Products::Bf16 => Precision::Bf16,
            _ => Precision::F32,
        }
    }

    fn matrix(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        let (shape, mut rows) = self.multiplied(name)?;
        if let Some(random) =
            self.random.and_then(|(first, seed)| self.random_of(name, first, seed))
        {
            rows = Rows::Floats(random?.into());
        }
        let rows = match rows {
            Rows::Floats(values) if self.keeps => Rows::Kept(values),
            Rows::Bytes { values, scales } if self.keeps => {
                let wide: usize = shape[1..].iter().product();
                let row = |(bytes, scale): (&[u8], &f32)| {
                    bytes.iter().map(|&byte| f32::from(byte as i8) * scale).collect::<Vec<f32>>()
                };
                let floats: Vec<f32> =
                    values.chunks_exact(wide.max(1)).zip(&scales).flat_map(row).collect();
                Rows::Rounded { floats: floats.into(), values, scales }
            }
            rows => rows,
        };
        Ok((shape, rows))
    }
}

impl Multiplied<'_> {
    /// Random values in the place of a matrix of a block from `first` on.
    fn random_of(&self, name: &str, first: usize, seed: u64) -> Option<Result<Vec<f32>>> {
        let block: usize = name.strip_prefix("image.blocks.")?.split('.').next()?.parse().ok()?;
        if block < first {
            return None;
        }
        let values = match self.source.find(name) {
            Ok((_, values)) => values,
            Err(error) => return Some(Err(error)),
        };
        let square: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
        let spread = (square / values.len().max(1) as f64).sqrt() as f32;
        let digest = blake3::hash(name.as_bytes());
        let own = digest.as_bytes()[..8].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let mut rng = Rng::new(&[seed, own]);
        Some(Ok(values.iter().map(|_| rng.normal() * spread).collect()))
    }

    /// A block's matrix in the precision that it is multiplied in.
    fn multiplied(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        if [Products::F32, Products::Bf16].contains(&self.products) {
            let (shape, values) = self.source.find(name)?;
            return Ok((shape, Rows::Floats(values)));
        }
        let (shape, rows) = self.source.rows(name)?;
        let Rows::Floats(values) = rows else { return Ok((shape, rows)) };
        if self.products == Products::AsStored {
            return Ok((shape, Rows::Floats(values)));
        }
        let array = Array { shape, data: values.into_owned() };
        let rows = match Int8::of(&array) {
            Some(Int8 { bytes, scales }) => Rows::Bytes { values: bytes.into(), scales },
            None => Rows::Floats(array.data.into()),
        };
        Ok((array.shape, rows))
    }
}

impl Source {
    pub(super) fn find(&self, name: &str) -> Result<(Vec<usize>, Cow<'static, [f32]>)> {
        match self {
            Source::Memory(arrays) => {
                let array = arrays.get(name)?;
                Ok((array.shape.clone(), Cow::Owned(array.data.clone())))
            }
            Source::File(checkpoint) => (&**checkpoint).find(name),
        }
    }

    fn rows(&self, name: &str) -> Result<(Vec<usize>, Rows<'static>)> {
        match self {
            Source::Memory(_) => {
                let (shape, values) = self.find(name)?;
                Ok((shape, Rows::Floats(values)))
            }
            Source::File(checkpoint) => (&**checkpoint).rows(name),
        }
    }

    fn table(&self, name: &str) -> Result<(Vec<usize>, Table<'static>)> {
        match self {
            Source::Memory(_) => {
                let (shape, rows) = self.rows(name)?;
                Ok((shape, Table::Here(rows)))
            }
            Source::File(checkpoint) => (&**checkpoint).table(name),
        }
    }
}
