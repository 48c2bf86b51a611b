//! How a batch runs through a tower: in chunks on the host's threads, or some items after the others on an executor.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tuwen_nn::{Executor, ExecutorError, Tape, Value, with_helpers};

use super::chunks::cut;
use super::{Chunk, Found, Pass, Record, Wanted};
use crate::layers::Weights;
use crate::{Error, Result, TowerConfig};

/// Where a tower's operations run.
pub(super) struct Runner {
    /// None for the host.
    executor: Option<Arc<dyn Executor>>,
    /// Values of the widest row that the tower makes.
    widest: usize,
    /// The tower, for messages.
    tower: String,
}

impl Runner {
    /// Where `weights` are; `input` is the width of the rows that the tower begins with.
    pub(super) fn new<'a>(
        weights: &dyn Weights<'a>,
        tower: &TowerConfig,
        input: usize,
        name: String,
    ) -> Self {
        let executor = weights.executor().cloned();
        let widest = (3 * tower.width).max(tower.mlp).max(input);
        Self { executor, widest, tower: name }
    }

    /// Runs items of so many `rows`.
    ///
    /// # Errors
    /// The executor has failed, or does not have all that is wanted; the host never fails.
    pub(super) fn run<'t>(
        &self,
        rows: &[usize],
        record: Record,
        wanted: &Wanted,
        forward: impl Fn(Range<usize>, &mut Tape<'t>) -> Found + Sync + Send,
    ) -> Result<Pass<'t>> {
        let Some(executor) = &self.executor else {
            return Ok(run(cut(rows, record), record, wanted, forward));
        };
        if let Some(what) = lacks(record, wanted) {
            return Err(Error::CpuOnly { what, model: self.tower.clone() });
        }
        let _turn = executor.turn();
        let mut most = executor.most_values() / self.widest;
        let (mut pass, mut start, mut full) = (Pass::default(), 0, None);
        while start < rows.len() {
            let items = start..start + fitting(&rows[start..], most);
            match elsewhere(executor, &forward, items.clone()) {
                Ok(found) => {
                    pass.take(Vec::new(), &found);
                    start = items.end;
                }
                // Half as many may find room.
                Err(error @ ExecutorError::Memory { .. }) if items.len() > 1 => {
                    most = rows[items].iter().sum::<usize>() / 2;
                    full = Some(error);
                }
                // Where weights found no room, all that follows fails, and the first error says why.
                Err(error) => return Err(full.unwrap_or(error).into()),
            }
        }
        Ok(pass)
    }
}

/// What an executor does not have: attention maps are never in memory there, and there is no way back.
fn lacks(record: Record, wanted: &Wanted) -> Option<&'static str> {
    let back =
        wanted.input_gradient || wanted.from.is_some() || wanted.attention || wanted.readouts;
    match (record, wanted.maps) {
        (Record::No, false) if !back => None,
        (Record::No, true) => Some("the operation `attention map`"),
        _ => Some("the backward pass"),
    }
}

/// How many items have so many rows together; at least one.
fn fitting(rows: &[usize], most: usize) -> usize {
    let mut sum = 0;
    let fits = |rows: &&usize| {
        sum += **rows;
        sum <= most
    };
    rows.iter().take_while(fits).count().clamp(1, rows.len())
}

/// Some items on an executor; what was wanted comes back at once.
fn elsewhere<'t>(
    executor: &Arc<dyn Executor>,
    forward: impl Fn(Range<usize>, &mut Tape<'t>) -> Found,
    items: Range<usize>,
) -> Result<Found, ExecutorError> {
    let mut tape = Tape::forward_only().on(Arc::clone(executor));
    let Found { features, spans, tokens, hidden, .. } = forward(items, &mut tape);
    let all: Vec<&Value> = [&features].into_iter().chain(&tokens).chain(&hidden).collect();
    let mut here = tape.fetch(&all)?.into_iter();
    let features = here.next().expect("the first one");
    let tokens = tokens.and_then(|_| here.next());
    let (input, from, readouts) = (None, None, Vec::new());
    Ok(Found { input, features, spans, tokens, hidden: here.collect(), from, readouts })
}

/// Runs every chunk; without a tape nothing but the results stays.
pub(super) fn run<'t>(
    chunks: Vec<Range<usize>>,
    record: Record,
    wanted: &Wanted,
    forward: impl Fn(Range<usize>, &mut Tape<'t>) -> Found + Sync + Send,
) -> Pass<'t> {
    let one = |items: Range<usize>, helped: bool| {
        let mut tape = record.tape();
        if helped {
            tape = tape.helped();
        }
        if wanted.maps {
            tape = tape.watching();
        }
        if wanted.attention {
            tape = tape.telling();
        }
        let found = forward(items.clone(), &mut tape);
        (tape.take_maps(), Chunk { items, tape, found })
    };
    let done: Vec<_> = match &chunks[..] {
        [only] => vec![with_helpers(|| one(only.clone(), true))],
        _ => chunks.into_par_iter().map(|items| one(items, false)).collect(),
    };
    let mut pass = Pass::default();
    for (maps, chunk) in done {
        pass.take(maps, &chunk.found);
        if record != Record::No {
            pass.chunks.push(chunk);
        }
    }
    pass
}
