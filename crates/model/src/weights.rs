//! Weights by name: a burn module's parameters to and from named arrays, strictly.
//!
//! Names are the module's path (`image.blocks.0.attn.qkv.weight`) with PyTorch's conventions:
//! a linear layer's matrix is (out, in), a LayerNorm has `weight` and `bias`.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor, TensorData};
use tuwen_encode::arrays::{Array, Arrays};
use tuwen_encode::{Error, Result};

/// The parameters of a module.
///
/// ```
/// use tuwen_encode::{ModelConfig, TowerConfig};
/// use tuwen_image::Preprocess;
/// use tuwen_model::burn::tensor::Device;
/// use tuwen_model::{Heads, weights};
///
/// let tower = || TowerConfig::new(8, 1, 2, 16);
/// let config = ModelConfig::new("tiny", tower(), tower(), Preprocess::squash(16));
/// let heads = Heads::new(&config, &Device::flex());
/// let arrays = weights::from_module(&heads);
/// assert_eq!(arrays.get("text_proj.weight")?.shape, [8, 8]);
/// let heads = weights::into_module(heads, arrays)?;
/// # Ok::<(), tuwen_encode::Error>(())
/// ```
pub fn from_module<M: Module>(module: &M) -> Arrays {
    let mut visitor = Collect { path: Place::default(), arrays: Arrays::default() };
    module.visit(&mut visitor);
    visitor.arrays
}

/// Puts arrays into a module whose parameters are named `prefix` + path.
///
/// # Errors
/// A parameter that is missing or has another shape. An array of that prefix that no parameter
/// took.
pub fn into_module<M: Module>(module: M, mut arrays: Arrays) -> Result<M> {
    let mut mapper = Apply { path: Place::default(), arrays: &mut arrays, error: None };
    let module = module.map(&mut mapper);
    if let Some(error) = mapper.error {
        return Err(error);
    }
    match arrays.0.into_keys().next() {
        Some(name) => Err(Error::UnusedWeight(name)),
        None => Ok(module),
    }
}

/// Where a traversal is: names of the modules entered, and the type of the innermost.
#[derive(Default)]
struct Place {
    names: Vec<String>,
    types: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.types.push(container.to_owned());
    }

    fn exit(&mut self) {
        self.names.pop();
        self.types.pop();
    }

    /// PyTorch's name of the current parameter.
    fn name(&self) -> String {
        // The variant of an enum is no part of a name.
        let named = self.names.iter().zip(&self.types);
        let named = named.filter(|(_, container)| !container.starts_with("Enum:"));
        let mut names: Vec<String> = named.map(|(name, _)| name.clone()).collect();
        match names.last_mut().map(|last| (last.as_str() == "gamma", last)) {
            Some((true, last)) => *last = "weight".into(),
            Some((false, last)) if last == "beta" => *last = "bias".into(),
            _ => {}
        }
        names.join(".")
    }

    /// Whether the current parameter is a matrix that burn keeps as (in, out).
    fn is_transposed(&self) -> bool {
        self.types.last().is_some_and(|t| t == "Struct:Linear")
            && self.names.last().is_some_and(|n| n == "weight")
    }
}

struct Collect {
    path: Place,
    arrays: Arrays,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut value = param.val().without_autodiff();
        if self.path.is_transposed() {
            value = value.transpose();
        }
        let array = Array { shape: value.dims().to_vec(), data: to_vec(value) };
        self.arrays.0.insert(self.path.name(), array);
    }
}

struct Apply<'a> {
    path: Place,
    arrays: &'a mut Arrays,
    error: Option<Error>,
}

impl ModuleMapper for Apply<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let Some(array) = self.arrays.0.remove(&name) else {
            self.error.get_or_insert(Error::MissingWeight(name));
            return param;
        };
        let mut wanted = param.lazy_shape().to_vec();
        if self.path.is_transposed() {
            wanted.reverse();
        }
        if array.shape != wanted {
            self.error.get_or_insert(Error::Shape { name, found: array.shape, wanted });
            return param;
        }
        let device = param.lazy_device();
        let data = TensorData::new(array.data, array.shape);
        let mut value = Tensor::<D>::from_data(data, &device);
        if self.path.is_transposed() {
            value = value.transpose();
        }
        let shape = param.lazy_shape();
        // Contiguous in burn's own layout: a lazily transposed matrix costs every product.
        let value = Tensor::from_data(TensorData::new(to_vec(value), shape), &device);
        Param::initialized(param.id, value).set_require_grad(true)
    }
}

/// A tensor's values as f32.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert_dtype(DType::F32);
    data.try_into_vec().expect("the data was just converted to f32")
}

/// The gradients of a module's parameters, by the parameters' names; those that the loss does not
/// depend on are left out.
pub fn gradients<M: Module>(module: &M, mut gradients: Gradients) -> Arrays {
    struct Visitor<'a> {
        place: Place,
        gradients: &'a mut Gradients,
        arrays: Arrays,
    }
    impl ModuleVisitor for Visitor<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.place.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(mut grad) = param.val().grad_remove(self.gradients) {
                if self.place.is_transposed() {
                    grad = grad.transpose();
                }
                let array = Array { shape: grad.dims().to_vec(), data: to_vec(grad) };
                self.arrays.0.insert(self.place.name(), array);
            }
        }
    }
    let arrays = Arrays::default();
    let mut visitor = Visitor { place: Place::default(), gradients: &mut gradients, arrays };
    module.visit(&mut visitor);
    visitor.arrays
}
