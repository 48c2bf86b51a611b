//! Positions of pictures whose grids have many shapes: one square table, resized to each.

use super::Patches;
use crate::executor::Taps;
use crate::layers::Weight;
use crate::tape::Tape;
use crate::value::Value;

/// The steps of a table's axis that one step of a grid's axis is made of, with their shares.
type Steps = Vec<(usize, f32)>;

/// The axes of a picture's grid, and which of its patches there are.
struct Resized {
    rows: Vec<Steps>,
    columns: Vec<Steps>,
    kept: Vec<usize>,
}

impl Resized {
    /// Calls `each` with every row of `x`, in their order, and what it is made of: a row of the table and its share.
    fn walk(all: &[Self], side: usize, mut each: impl FnMut(usize, usize, f32)) {
        let places = all.iter().flat_map(|one| one.kept.iter().map(move |&at| (one, at)));
        for (row, (one, at)) in places.enumerate() {
            let columns = one.columns.len();
            for &(y, down) in &one.rows[at / columns] {
                for &(x, across) in &one.columns[at % columns] {
                    each(row, y * side + x, down * across);
                }
            }
        }
    }

    /// The same as sums of rows: each row of `x`, and what of the table is added to it.
    fn taps(all: &[Self], side: usize, rows: usize) -> Taps {
        let mut taps: Vec<_> = (0..rows).map(|row| vec![(0, row, 1.0)]).collect();
        Self::walk(all, side, |row, place, share| taps[row].push((1, place, share)));
        taps.into_iter().collect()
    }
}

/// An axis of `from` steps resized to `to`: linear between neighbours without aligned corners, and where it shrinks over as
/// many of them as a step of it covers (PyTorch's `interpolate(mode="bilinear", antialias=True)`, which is Pillow's).
fn resized(from: usize, to: usize) -> Vec<Steps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let one = |at: usize| {
        let centre = (at as f64 + 0.5) * scale - 0.5;
        let share = |step: usize| (1.0 - (step as f64 - centre).abs() / support).max(0.0);
        let sum: f64 = (0..from).map(share).sum();
        let taps = (0..from).map(|step| (step, (share(step) / sum) as f32));
        taps.filter(|&(_, share)| share > 0.0).collect()
    };
    (0..to).map(one).collect()
}

impl<'w> Tape<'w> {
    /// Adds to the patches of pictures their positions: the table is a square of rows, resized to each picture's grid.
    ///
    /// # Shapes
    /// `x`: (patches kept, W), `keep[i]` of picture i, which is cut as `cuts[i]`; `table`: (S S, W).
    pub fn add_resized_places(
        &mut self,
        x: Value,
        table: &'w Weight<'w>,
        cuts: &[Patches],
        keep: &[&[usize]],
    ) -> Value {
        let (width, from) = (x.width(), x.node);
        let side = (table.values.len() / width.max(1)).isqrt();
        let one = |(cut, kept): (&Patches, &&[usize])| Resized {
            rows: resized(side, cut.rows),
            columns: resized(side, cut.columns),
            kept: kept.to_vec(),
        };
        let all: Vec<Resized> = cuts.iter().zip(keep).map(one).collect();
        if let Some(sum) = self.gathered(&x, Some(table), || Resized::taps(&all, side, x.rows())) {
            return sum;
        }
        let records = self.records(&[&x], table.learns);
        let mut sum = self.owned(x);
        Resized::walk(&all, side, |row, place, share| {
            let target = &mut sum.values[row * width..][..width];
            let pairs = target.iter_mut().zip(&table.values[place * width..][..width]);
            pairs.for_each(|(value, position)| *value += share * position);
        });
        if !records {
            return self.plain(sum, width);
        }
        self.record(sum, width, move |grad, back| {
            table.add(back.grads, |sum| {
                Resized::walk(&all, side, |row, place, share| {
                    let target = &mut sum[place * width..][..width];
                    let pairs = target.iter_mut().zip(&grad.values[row * width..][..width]);
                    pairs.for_each(|(value, grad)| *value += share * grad);
                });
            });
            if let Some(from) = from {
                back.give(from, grad);
            }
        })
    }
}
