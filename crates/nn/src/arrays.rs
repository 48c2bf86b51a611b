//! Named arrays on the host.

use std::collections::BTreeMap;

/// One array on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f32>,
}

/// Arrays by name, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays(pub BTreeMap<String, Array>);

/// There is no array of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl Arrays {
    /// The array of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Array, Missing> {
        self.0.get(name).ok_or_else(|| Missing(name.to_owned()))
    }

    /// The values to accumulate into, zeros when the name is new.
    pub fn slot(&mut self, name: &str, shape: &[usize]) -> &mut [f32] {
        if !self.0.contains_key(name) {
            let data = vec![0.0; shape.iter().product()];
            self.0.insert(name.to_owned(), Array { shape: shape.to_vec(), data });
        }
        &mut self.0.get_mut(name).expect("just inserted").data
    }

    /// Adds another set, name by name.
    pub fn accumulate(&mut self, other: Arrays) {
        for (name, array) in other.0 {
            match self.0.get_mut(&name) {
                Some(sum) => crate::math::add(&mut sum.data, &array.data),
                None => drop(self.0.insert(name, array)),
            }
        }
    }
}
