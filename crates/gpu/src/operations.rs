//! The executor: each operation as a kernel, its numbers, and how many groups of threads it takes.

use std::fmt::{self, Debug, Formatter};
use std::sync::MutexGuard;

use tuwen_nn::{
    Activation, Attention, Columns, Executor, ExecutorError, Matrix, Memory, Sequence, Taps,
};

use crate::card::Card;
use crate::kernels::Kernel;

/// Rows and columns of a group's results of a product.
const TILE: usize = 64;
/// Values of a group where each thread has one.
const VALUES: usize = 256;
/// Queries of a group of attention's.
const QUERIES: usize = 64;

impl Debug for Card {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Card({})", self.name)
    }
}

impl Executor for Card {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_values(&self) -> usize {
        self.most_values()
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn()
    }

    fn put(&self, values: &[f32]) -> Memory {
        self.put(values)
    }

    fn get(&self, from: &[Matrix<'_>]) -> Result<Vec<Vec<f32>>, ExecutorError> {
        let blocks: Vec<&Memory> = from.iter().map(|matrix| matrix.memory).collect();
        self.get(&blocks)
    }

    fn linear(&self, x: Matrix<'_>, weight: Matrix<'_>, bias: Option<&Memory>) -> Memory {
        let (rows, out) = (x.rows, weight.rows);
        let across = out.div_ceil(TILE);
        let args = [rows, x.width, out, usize::from(bias.is_some()), across].map(word);
        // Where there is no bias, something is bound in its place that nobody reads.
        let reads = [x.memory, weight.memory, bias.unwrap_or(weight.memory)];
        self.run(Kernel::Product, &args, &reads, rows * out, across * rows.div_ceil(TILE))
    }

    fn layer_norm(&self, x: Matrix<'_>, weight: &Memory, bias: &Memory, eps: f32) -> Memory {
        let args = [word(x.rows), word(x.width), eps.to_bits()];
        self.run(Kernel::Norm, &args, &[x.memory, weight, bias], x.rows * x.width, x.rows)
    }

    fn activate(&self, x: Matrix<'_>, activation: Activation) -> Memory {
        let kind = match activation {
            Activation::Gelu => 0,
            Activation::QuickGelu => 1,
            Activation::GeluTanh => 2,
        };
        let values = x.rows * x.width;
        let args = [word(values), kind];
        self.run(Kernel::Activate, &args, &[x.memory], values, values.div_ceil(VALUES))
    }

    fn add(&self, a: Matrix<'_>, b: Matrix<'_>) -> Memory {
        let values = a.rows * a.width;
        let reads = [a.memory, b.memory];
        self.run(Kernel::Add, &[word(values)], &reads, values, values.div_ceil(VALUES))
    }

    fn gather(&self, sources: [Matrix<'_>; 2], taps: &Taps) -> Memory {
        let (width, rows) = (sources[0].width, taps.ends.len());
        let mut args = vec![word(width), word(rows)];
        args.extend(&taps.ends);
        args.extend(taps.taps.iter().flat_map(|tap| [tap.source, tap.row, tap.share.to_bits()]));
        let reads = sources.map(|source| source.memory);
        let values = rows * width;
        self.run(Kernel::Gather, &args, &reads, values, values.div_ceil(VALUES))
    }

    fn normalise(&self, x: Matrix<'_>) -> Memory {
        let args = [word(x.rows), word(x.width)];
        self.run(Kernel::Unit, &args, &[x.memory], x.rows * x.width, x.rows)
    }

    fn attention(
        &self,
        shape: Attention,
        parts: [Columns<'_>; 3],
        sequences: &[Sequence],
    ) -> Memory {
        let depth = shape.width / shape.heads;
        let (jobs, rows) = jobs(sequences);
        let count = jobs.len();
        let scale = (depth as f32).powf(-0.5).to_bits();
        let head = [shape.heads, count, shape.width, usize::from(shape.causal)].map(word);
        let strides = parts.map(|part| word(part.of.width));
        let columns = parts.map(|part| word(part.column));
        let head = head.into_iter().chain([scale]).chain(strides).chain(columns);
        let args: Vec<u32> = head.chain(jobs.into_iter().flatten()).collect();
        let reads = parts.map(|part| part.of.memory);
        let (values, groups) = (rows * shape.width, count * shape.heads);
        self.run(Kernel::Attention(depth), &args, &reads, values, groups)
    }
}

/// What groups of threads do for each head: the first query's row and how many there are, the first key's row and how
/// many, where the first query stands among them, and the first row of the result. Also how many rows the result has.
fn jobs(sequences: &[Sequence]) -> (Vec<[u32; 6]>, usize) {
    let (mut jobs, mut rows) = (Vec::new(), 0);
    for Sequence { queries, keys, first } in sequences {
        for start in queries.clone().step_by(QUERIES) {
            let (count, before) = (QUERIES.min(queries.end - start), start - queries.start);
            let job = [start, count, keys.start, keys.len(), first + before, rows + before];
            jobs.push(job.map(word));
        }
        rows += queries.len();
    }
    (jobs, rows)
}

fn word(number: usize) -> u32 {
    u32::try_from(number).expect("no matrix of the card's has more values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_divided_where_a_group_is_full() {
        let long = Sequence { queries: 3..70, keys: 0..70, first: 3 };
        let (jobs, rows) = jobs(&[long, Sequence::one(75, 70..80)]);
        let wanted = [[3, 64, 0, 70, 3, 0], [67, 3, 0, 70, 67, 64], [75, 1, 70, 10, 5, 67]];
        assert_eq!((&jobs[..], rows), (&wanted[..], 68));
    }
}
