//! What runs operations elsewhere than on the host: a graphics card.
//!
//! A tape that is [`on`](crate::Tape::on) an executor hands it each operation instead of computing it: values lie in
//! [`Memory`] of the executor's own from [`Executor::put`] to [`Executor::get`], and matrices from when their layer was
//! made. Operations only ask for their results, which may be computed later; what went wrong on the way is told by
//! [`Executor::get`], so that no number is read that was not computed.

use std::any::Any;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::{Arc, MutexGuard, OnceLock};

use crate::layers::Activation;
use crate::ops::{Attention, Sequence};

/// Values that an executor keeps, and whose place only it knows; they go when nobody has them any more.
pub type Memory = Arc<dyn Any + Send + Sync>;

/// A matrix in an executor's memory.
#[derive(Clone, Copy)]
pub struct Matrix<'m> {
    /// Row-major, without gaps.
    pub memory: &'m Memory,
    /// How many there are.
    pub rows: usize,
    /// Values of each.
    pub width: usize,
}

/// Columns of a matrix, as those of queries, keys or values.
#[derive(Clone, Copy)]
pub struct Columns<'m> {
    /// Their matrix.
    pub of: Matrix<'m>,
    /// The first.
    pub column: usize,
}

/// What a row is made of: a row of one of two matrices, and its share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Which matrix, 0 or 1.
    pub source: u32,
    /// Which of its rows.
    pub row: u32,
    /// What it is multiplied by.
    pub share: f32,
}

/// Rows that are sums of other rows: what moving, looking up, averaging and resizing of rows have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taps {
    /// Of all rows, one row behind the other.
    pub taps: Vec<Tap>,
    /// Where each row's taps end.
    pub ends: Vec<u32>,
}

impl<R: IntoIterator<Item = (u32, usize, f32)>> FromIterator<R> for Taps {
    /// Of each row its taps: which matrix, which of its rows, and its share.
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let mut all = Self::default();
        for row in rows {
            let tap = |(source, row, share)| Tap { source, row: row as u32, share };
            all.taps.extend(row.into_iter().map(tap));
            all.ends.push(all.taps.len() as u32);
        }
        all
    }
}

/// Where operations run that do not run on the host. Sums are f32, and those of one executor have the same bits each
/// time. There is no backward pass.
pub trait Executor: Debug + Send + Sync {
    /// What runs them, for messages.
    fn name(&self) -> &str;

    /// How many values a matrix may have.
    fn most_values(&self) -> usize;

    /// One pass at a time has the executor, so that memory is enough for it, and what [`Self::get`] tells is its own.
    fn turn(&self) -> MutexGuard<'_, ()>;

    /// Brings values there.
    fn put(&self, values: &[f32]) -> Memory;

    /// Waits until all has been computed that was asked for, and brings values back.
    ///
    /// # Errors
    /// Something since the last call has failed; no value of that time is of use.
    fn get(&self, from: &[Matrix<'_>]) -> Result<Vec<Vec<f32>>, ExecutorError>;

    /// `x weight^T + bias`, (rows, in) and (out, in) to (rows, out).
    fn linear(&self, x: Matrix<'_>, weight: Matrix<'_>, bias: Option<&Memory>) -> Memory;

    /// LayerNorm of each row with `weight` and `bias`, (width) each.
    fn layer_norm(&self, x: Matrix<'_>, weight: &Memory, bias: &Memory, eps: f32) -> Memory;

    /// The activation of each value.
    fn activate(&self, x: Matrix<'_>, activation: Activation) -> Memory;

    /// `a + b`, of one size.
    fn add(&self, a: Matrix<'_>, b: Matrix<'_>) -> Memory;

    /// Rows that are sums of rows of two matrices of one width; (rows of `taps`, width).
    fn gather(&self, sources: [Matrix<'_>; 2], taps: &Taps) -> Memory;

    /// Each row divided by its length, at least 1e-12.
    fn normalise(&self, x: Matrix<'_>) -> Memory;

    /// What each query gathers from its sequence, (queries of all sequences, W). `parts`: queries, keys, values.
    fn attention(
        &self,
        shape: Attention,
        parts: [Columns<'_>; 3],
        sequences: &[Sequence],
    ) -> Memory;
}

/// What went wrong on an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutorError {
    /// Its memory is full: fewer items at once may fit.
    Memory {
        /// The executor.
        on: String,
        /// What it said.
        what: String,
    },
    /// It is gone, and with it all that lay there.
    Lost {
        /// The executor.
        on: String,
        /// What it said.
        what: String,
    },
    /// Anything else.
    Failed {
        /// The executor.
        on: String,
        /// What it said.
        what: String,
    },
}

impl Display for ExecutorError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { on, what } => write!(f, "{on} has no memory left ({what})"),
            Self::Lost { on, what } => write!(f, "{on} is gone ({what})"),
            Self::Failed { on, what } => write!(f, "{on} has failed ({what})"),
        }?;
        f.write_str(": use --device cpu")
    }
}

impl std::error::Error for ExecutorError {}

/// A small weight's copy in an executor's memory: brought there when an operation first asks for it, and kept as long as
/// the weight.
#[derive(Default)]
pub(crate) struct Kept(OnceLock<(Arc<dyn Executor>, Memory)>);

impl Kept {
    /// The copy of `values`.
    ///
    /// # Panics
    /// Where it lies on another executor.
    pub(crate) fn on(&self, executor: &Arc<dyn Executor>, values: &[f32]) -> &Memory {
        let (home, memory) = self.0.get_or_init(|| (Arc::clone(executor), executor.put(values)));
        assert!(Arc::ptr_eq(home, executor), "a weight on one executor");
        memory
    }
}
