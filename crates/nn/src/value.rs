//! Rows of a matrix on their way through a network, in buffers that are used again.

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use crate::executor::{Matrix, Memory};

/// Buffers that nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Vec<f32>>>);

impl Pool {
    /// A buffer of `len` old values: whoever takes it writes all of them.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let mut free = self.0.lock().expect("no panic while taking");
        // The smallest that is large enough; growing another one would fill it for nothing.
        let fits = |(_, buffer): &(usize, &Vec<f32>)| buffer.capacity() >= len;
        let best = free.iter().enumerate().filter(fits).min_by_key(|(_, b)| b.capacity());
        let best = best.map(|(at, _)| at);
        let mut values = best.map_or_else(Vec::new, |at| free.swap_remove(at));
        drop(free);
        match values.capacity() >= len {
            true => values.resize(len, 0.0),
            false => values = vec![0.0; len],
        }
        Buffer { values, home: Arc::clone(self), elsewhere: None }
    }

    /// The same with zeros.
    pub(crate) fn zeros(self: &Arc<Self>, len: usize) -> Buffer {
        let mut buffer = self.take(len);
        buffer.values.fill(0.0);
        buffer
    }

    /// Values that come from elsewhere.
    pub(crate) fn adopt(self: &Arc<Self>, values: Vec<f32>) -> Buffer {
        Buffer { values, home: Arc::clone(self), elsewhere: None }
    }

    /// So many values that an executor keeps.
    pub(crate) fn elsewhere(self: &Arc<Self>, memory: Memory, len: usize) -> Buffer {
        let elsewhere = Some(Elsewhere { memory, len });
        Buffer { values: Vec::new(), home: Arc::clone(self), elsewhere }
    }
}

/// Values in an executor's memory.
struct Elsewhere {
    memory: Memory,
    len: usize,
}

impl Debug for Elsewhere {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} values elsewhere", self.len)
    }
}

/// Values that go back to their pool when they are dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) values: Vec<f32>,
    home: Arc<Pool>,
    /// Where they are if not here.
    elsewhere: Option<Elsewhere>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        if values.capacity() > 0
            && let Ok(mut free) = self.home.0.lock()
        {
            free.push(values);
        }
    }
}

/// Where a value's gradient belongs, and its size: what a backward pass needs of a value that it does not read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) node: Option<usize>,
    pub(crate) len: usize,
}

/// A matrix: rows of `width` values, those of several sequences one behind the other without padding. A copy
/// shares the values.
#[derive(Clone, Debug)]
pub struct Value {
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) width: usize,
    /// The operation that made it, where the tape knows it.
    pub(crate) node: Option<usize>,
}

impl Value {
    pub(crate) fn new(buffer: Buffer, width: usize, node: Option<usize>) -> Self {
        Self { buffer: Arc::new(buffer), width, node }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.buffer.elsewhere.as_ref().map_or(self.buffer.values.len(), |elsewhere| elsewhere.len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.len() / self.width.max(1)
    }

    /// Whether the backward pass gives a gradient for it.
    pub fn learns(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn slot(&self) -> Slot {
        Slot { node: self.node, len: self.len() }
    }

    /// The same values as constants, from which no gradient goes back.
    pub fn detached(&self) -> Self {
        Self { node: None, ..self.clone() }
    }

    /// The rows where an executor keeps them.
    pub(crate) fn elsewhere(&self) -> Option<Matrix<'_>> {
        let memory = &self.buffer.elsewhere.as_ref()?.memory;
        Some(Matrix { memory, rows: self.rows(), width: self.width })
    }

    /// What is read on the host must be there: no operation computes with rows that it cannot see.
    fn here(&self) -> &Buffer {
        assert!(
            self.buffer.elsewhere.is_none(),
            "these values lie on a graphics card, and the operation that reads them runs on the CPU only"
        );
        &self.buffer
    }

    /// The values to write over; a copy of them where somebody else has them.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        self.here();
        if Arc::get_mut(&mut self.buffer).is_none() {
            let copy = self.buffer.home.adopt(self.buffer.values.clone());
            self.buffer = Arc::new(copy);
        }
        &mut Arc::get_mut(&mut self.buffer).expect("nobody else has it").values
    }

    /// The values themselves, without a copy where nobody else has them.
    pub fn into_vec(self) -> Vec<f32> {
        self.here();
        match Arc::try_unwrap(self.buffer) {
            Ok(mut buffer) => std::mem::take(&mut buffer.values),
            Err(shared) => shared.values.clone(),
        }
    }
}

impl Deref for Value {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.here().values
    }
}
