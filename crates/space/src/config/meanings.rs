//! What stands for a class where a method asks for it.

use serde::{Deserialize, Serialize};

use crate::error::{Result, input};
use crate::set::Features;
use crate::table::Source;

/// What stands for a class where a method asks for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meanings {
    /// Its name's vector by the built-in model's text tower.
    #[default]
    Tower,
    /// 1 at its own place: says nothing of classes never seen.
    OneHot,
    /// A row for each class, such as word vectors of the names.
    Rows(Source),
}

impl Meanings {
    /// A row for each class; `tower` gives those of names.
    ///
    /// # Errors
    /// There is not a row for each class, or a file or the tower fails.
    pub fn rows(
        &self,
        classes: &[String],
        tower: impl FnOnce(&[String]) -> Result<Features>,
    ) -> Result<Features> {
        let count = classes.len();
        let found = match self {
            Self::Tower => tower(classes)?,
            Self::OneHot => {
                let value = |at: usize| if at % count == at / count { 1.0 } else { 0.0 };
                Features { values: (0..count * count).map(value).collect(), width: count }
            }
            Self::Rows(source) => Features::of(&source.table()?, "classes.meanings")?,
        };
        match found.rows() == count {
            true => Ok(found),
            false => {
                input(format!("classes.meanings has {} rows for {count} classes", found.rows()))
            }
        }
    }
}
