//! Where an encoder's towers run.

use std::sync::Arc;

use tuwen_nn::Executor;

use super::{CpuEncoder, Products};
use crate::{Error, Result};

/// Where towers run: heads, explanations and what looks again run on the CPU in any case.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// On the CPU.
    #[default]
    Cpu,
    /// On a card; what it cannot do is an error.
    Card(Arc<dyn Executor>),
    /// On a card, or on the CPU where the model or what was asked of it wants that.
    CardIfAble(Arc<dyn Executor>),
}

impl CpuEncoder {
    /// The same with its towers on a device; its notes say which, where that is a card or might have been one. The vectors
    /// are those of f32 within 1e-4, so that the fingerprint stays.
    ///
    /// # Errors
    /// What the card cannot do of this model.
    pub fn on(mut self, device: Device) -> Result<Self> {
        let (executor, may_stay) = match device {
            Device::Cpu => return Ok(self),
            Device::Card(executor) => (executor, false),
            Device::CardIfAble(executor) => (executor, true),
        };
        match self.refused() {
            Some(error) if may_stay => {
                self.notes.push(format!("the CPU is taken and not {}: {error}", executor.name()));
                return Ok(self);
            }
            Some(error) => return Err(error),
            None => self.notes.push(format!("it runs in f32 on {}", executor.name())),
        }
        self.products = Products::F32;
        Ok(Self { executor: Some(executor), ..self })
    }

    /// Why no card can have the towers.
    fn refused(&self) -> Option<Error> {
        let of = |what| Error::CpuOnly { what, model: self.config.name.clone() };
        match self.products {
            Products::Int8 => Some(of("the product of bytes (--precision int8)")),
            Products::Bf16 => Some(of("the product of bf16 (--precision bf16)")),
            _ if self.config.has_convolutions() => Some(of("the convolution")),
            _ if self.config.queries.is_some() => Some(of("the attention of queries")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_no_card_has_is_refused_before_a_pass() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let open = |name: &str| CpuEncoder::open(&golden.join(name)).expect(name);
        let error = open("blip-2").refused().expect("queries").to_string();
        assert!(error.contains("queries") && error.contains("--device cpu"), "{error}");
        for name in ["blip", "r2d2"] {
            assert!(open(name).refused().is_none(), "{name}");
        }
    }
}
