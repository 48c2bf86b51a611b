//! The tape: what a forward pass did, in the order in which it did it, so that the backward pass can undo it.
//!
//! An operation is one function of [`Tape`] in `ops`: it computes its result and says, next to it, how its
//! input's gradient follows from its result's. What the backward pass needs it keeps in the closure, and nothing
//! else is kept. An operation is only recorded when something before it, or one of its own weights, learns: what
//! is frozen costs no memory and no time.

use std::sync::Arc;

use crate::executor::{Executor, ExecutorError, Matrix, Memory};
use crate::grads::Grads;
use crate::ops::{Attended, AttentionMap};
use crate::value::{Buffer, Pool, Slot, Value};

/// From the gradient of an operation's result to those of its inputs and weights.
type Backward<'w> = Box<dyn FnOnce(Buffer, &mut Back<'_, '_>) + Send + 'w>;

/// One forward pass on one thread.
#[derive(Default)]
pub struct Tape<'w> {
    pool: Arc<Pool>,
    recording: bool,
    nodes: Vec<Backward<'w>>,
    /// Whether the other threads wait for shares of its operations.
    helped: bool,
    /// Attention maps in the order of the attentions, where they are wanted.
    maps: Option<Vec<AttentionMap>>,
    /// Whether the backward pass tells of every attention what passed through it.
    telling: bool,
    /// Who computes instead of the host.
    executor: Option<Arc<dyn Executor>>,
}

impl<'w> Tape<'w> {
    /// A tape that keeps what a backward pass needs.
    pub fn recording() -> Self {
        Self { recording: true, ..Self::default() }
    }

    /// A pass without a backward one: every buffer is used again as soon as its values have been.
    pub fn forward_only() -> Self {
        Self::default()
    }

    /// The same, whose operations are shared among all threads: for a pass within [`crate::with_helpers`].
    #[must_use]
    pub fn helped(self) -> Self {
        Self { helped: true, ..self }
    }

    /// The same, whose operations an executor computes; there is no backward pass, and an operation that the executor
    /// does not have panics instead of reading values that it cannot see.
    ///
    /// # Panics
    /// Where the tape records, or keeps attention maps.
    #[must_use]
    pub fn on(self, executor: Arc<dyn Executor>) -> Self {
        assert!(!self.recording && self.maps.is_none(), "a forward pass alone, without maps");
        Self { executor: Some(executor), ..self }
    }

    /// The executor with an operation's rows, where it is not the host that computes.
    ///
    /// # Panics
    /// Where the rows are the host's all the same.
    pub(crate) fn there<'v>(&self, x: &'v Value) -> Option<(&Arc<dyn Executor>, Matrix<'v>)> {
        let rows = |executor| (executor, x.elsewhere().expect("values that this tape has made"));
        self.executor.as_ref().map(rows)
    }

    /// A value that an executor keeps.
    pub(crate) fn elsewhere(&self, memory: Memory, rows: usize, width: usize) -> Value {
        Value::new(self.pool.elsewhere(memory, rows * width), width, None)
    }

    /// The values on the host: themselves, or what they are once the executor has computed them, all brought back at
    /// once.
    ///
    /// # Errors
    /// The executor has failed.
    pub fn fetch(&self, values: &[&Value]) -> Result<Vec<Value>, ExecutorError> {
        let Some(executor) = &self.executor else {
            return Ok(values.iter().map(|&value| value.clone()).collect());
        };
        let all: Vec<Matrix<'_>> = values.iter().filter_map(|value| value.elsewhere()).collect();
        let mut found = executor.get(&all)?.into_iter();
        let one = |value: &&Value| match value.elsewhere() {
            Some(matrix) => {
                let values = found.next().expect("an answer for each matrix");
                Value::new(self.pool.adopt(values), matrix.width, None)
            }
            None => (*value).clone(),
        };
        Ok(values.iter().map(one).collect())
    }

    /// Threads that share an operation.
    pub(crate) fn threads(&self) -> usize {
        if self.helped { rayon::current_num_threads() } else { 1 }
    }

    /// The same, keeping what every attention that follows attends to.
    #[must_use]
    pub fn watching(self) -> Self {
        self.computes_here();
        Self { maps: Some(Vec::new()), ..self }
    }

    /// The same, whose backward pass tells of every attention that was recorded what passed through it, see
    /// [`LeafGradients::attended`].
    #[must_use]
    pub fn telling(self) -> Self {
        Self { telling: true, ..self }
    }

    pub(crate) fn tells(&self) -> bool {
        self.telling
    }

    /// What the attentions attended to since [`Self::watching`], in their order.
    pub fn take_maps(&mut self) -> Vec<AttentionMap> {
        self.maps.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn keeps_maps(&self) -> bool {
        self.maps.is_some()
    }

    pub(crate) fn keep_map(&mut self, map: impl FnOnce() -> AttentionMap) {
        if let Some(maps) = &mut self.maps {
            maps.push(map());
        }
    }

    /// Values from outside, (rows, `width`). With `learns`, their gradient can be asked for.
    pub fn leaf(&mut self, values: Vec<f32>, width: usize, learns: bool) -> Value {
        let buffer = self.pool.adopt(values);
        if !(learns && self.recording) {
            return self.brought(buffer, width);
        }
        // Its gradient stays where it is.
        self.nodes.push(Box::new(|grad, back| back.keep(grad)));
        Value::new(buffer, width, Some(self.nodes.len() - 1))
    }

    /// Values of the host, brought to where operations run.
    pub(crate) fn brought(&self, values: Buffer, width: usize) -> Value {
        let Some(executor) = &self.executor else { return self.plain(values, width) };
        let rows = values.values.len() / width.max(1);
        self.elsewhere(executor.put(&values.values), rows, width)
    }

    /// Whether an operation on `inputs` is to be recorded; `learns`: whether one of its weights does.
    pub(crate) fn records(&self, inputs: &[&Value], learns: bool) -> bool {
        self.recording && (learns || inputs.iter().any(|input| input.learns()))
    }

    /// The result of an operation that is not recorded.
    pub(crate) fn plain(&self, values: Buffer, width: usize) -> Value {
        Value::new(values, width, None)
    }

    /// The result of an operation that is.
    pub(crate) fn record(
        &mut self,
        values: Buffer,
        width: usize,
        backward: impl FnOnce(Buffer, &mut Back<'_, '_>) + Send + 'w,
    ) -> Value {
        self.nodes.push(Box::new(backward));
        Value::new(values, width, Some(self.nodes.len() - 1))
    }

    /// Room for an operation's result on the host.
    ///
    /// # Panics
    /// On an executor: the operation that asks has no other way.
    #[track_caller]
    pub(crate) fn take(&self, len: usize) -> Buffer {
        self.computes_here();
        self.host(len)
    }

    /// Room for values on the host, wherever operations run.
    pub(crate) fn host(&self, len: usize) -> Buffer {
        self.pool.take(len)
    }

    #[track_caller]
    pub(crate) fn zeros(&self, len: usize) -> Buffer {
        self.computes_here();
        self.pool.zeros(len)
    }

    #[track_caller]
    pub(crate) fn computes_here(&self) {
        assert!(self.executor.is_none(), "this operation runs on the CPU only; use --device cpu");
    }

    /// Runs `part` without keeping what is inside: the backward pass runs it again (activation checkpointing,
    /// Chen et al. 2016, <https://arxiv.org/abs/1604.06174>).
    pub fn checkpoint(
        &mut self,
        x: &Value,
        learns: bool,
        part: impl Fn(&mut Tape<'w>, &Value) -> Value + Send + 'w,
    ) -> Value {
        if !self.records(&[x], learns) {
            return part(self, x);
        }
        let helped = self.helped;
        let mut quiet = Tape { pool: Arc::clone(&self.pool), helped, ..Tape::forward_only() };
        quiet.maps = self.maps.take();
        let out = part(&mut quiet, &x.detached());
        self.maps = quiet.maps;
        let (width, input) = (out.width(), x.clone());
        let values = self.pool.adopt(out.into_vec());
        self.record(values, width, move |grad, back| {
            let mut tape = Tape { pool: Arc::clone(&back.pool), ..Tape::recording() };
            let leaf = Value {
                node: input.learns().then(|| {
                    tape.nodes.push(Box::new(|grad, back| back.keep(grad)));
                    0
                }),
                ..input.detached()
            };
            let out = part(&mut tape, &leaf);
            let Some(last) = out.node else { return };
            drop(out);
            let mut found = tape.run(vec![(last, grad)], back.grads);
            if let (Some(node), Some((_, grad))) = (input.node, found.kept.pop()) {
                back.give(node, grad);
            }
        })
    }

    /// From the gradients of some results to those of all weights that learn, which go to `grads`, and of the
    /// leaves that do.
    ///
    /// # Panics
    /// When a gradient has another size than its value.
    pub fn backward(
        self,
        outputs: Vec<(&Value, Vec<f32>)>,
        grads: &mut Grads<'_>,
    ) -> LeafGradients {
        let pool = Arc::clone(&self.pool);
        let from = |(value, grad): (&Value, Vec<f32>)| {
            assert_eq!(value.len(), grad.len(), "a gradient for each value");
            Some((value.node?, pool.adopt(grad)))
        };
        let outputs = outputs.into_iter().filter_map(from).collect();
        self.run(outputs, grads)
    }

    fn run(self, outputs: Vec<(usize, Buffer)>, grads: &mut Grads<'_>) -> LeafGradients {
        let slots = (0..self.nodes.len()).map(|_| None).collect();
        let (kept, attended) = (Vec::new(), Vec::new());
        let mut back = Back { pool: self.pool, slots, grads, kept, attended, at: 0 };
        for (node, grad) in outputs {
            back.give(node, grad);
        }
        for (at, backward) in self.nodes.into_iter().enumerate().rev() {
            back.at = at;
            if let Some(grad) = back.slots[at].take() {
                backward(grad, &mut back);
            }
        }
        // The last one is met first.
        back.attended.reverse();
        LeafGradients { kept: back.kept, attended: back.attended }
    }
}

/// Where the gradients of a backward pass are.
pub(crate) struct Back<'b, 's> {
    pool: Arc<Pool>,
    slots: Vec<Option<Buffer>>,
    pub(crate) grads: &'b mut Grads<'s>,
    kept: Vec<(usize, Buffer)>,
    attended: Vec<Vec<Attended>>,
    at: usize,
}

impl Back<'_, '_> {
    /// Adds to the gradient of what `node` made.
    pub(crate) fn give(&mut self, node: usize, grad: Buffer) {
        match &mut self.slots[node] {
            Some(sum) => crate::math::add(&mut sum.values, &grad.values),
            none => *none = Some(grad),
        }
    }

    /// Adds to the gradient of `value`, if that has one.
    pub(crate) fn give_to(&mut self, value: &Value, grad: Buffer) {
        if let Some(node) = value.node {
            self.give(node, grad);
        }
    }

    /// The gradient of a value so far, to add to; zeros at first. None where it has none.
    pub(crate) fn slot(&mut self, slot: Slot) -> Option<&mut Vec<f32>> {
        let node = slot.node?;
        if self.slots[node].is_none() {
            self.slots[node] = Some(self.pool.zeros(slot.len));
        }
        self.slots[node].as_mut().map(|buffer| &mut buffer.values)
    }

    pub(crate) fn take(&self, len: usize) -> Buffer {
        self.pool.take(len)
    }

    pub(crate) fn zeros(&self, len: usize) -> Buffer {
        self.pool.zeros(len)
    }

    /// Of one attention, for each of its sequences.
    pub(crate) fn tell(&mut self, attended: Vec<Attended>) {
        self.attended.push(attended);
    }

    fn keep(&mut self, grad: Buffer) {
        self.kept.push((self.at, grad));
    }
}

/// The gradients of the leaves that learn.
pub struct LeafGradients {
    kept: Vec<(usize, Buffer)>,
    /// Of each attention that was recorded, in their order, what each sequence attended to; empty without
    /// [`Tape::telling`].
    pub attended: Vec<Vec<Attended>>,
}

impl LeafGradients {
    /// That of a leaf, as large as it; None where nothing depends on it, or it does not learn.
    pub fn take(&mut self, leaf: &Value) -> Option<Vec<f32>> {
        let at = self.kept.iter().position(|(node, _)| Some(*node) == leaf.node)?;
        Some(std::mem::take(&mut self.kept.swap_remove(at).1.values))
    }
}
