//! A query as cells want it: rotated, as tables of sums for signs and as bytes for codes of four bits.

use tuwen_simd::simd;

use super::code::{MIDDLE, ONE_BIT};
use super::kernel::{LARGEST, TABLE};
use super::{Cells, QueryKind};
use crate::vectors::codes::Queries;
use crate::vectors::codes::kernel::{Kernel as Products, PANEL, Sums};

/// How many standard deviations of an estimate from signs a row may be below the best ones seen and is still looked
/// at again; chosen with drawn vectors like those of `docs/scale.md`.
const SIGNS_MARGIN: f32 = 2.3;
/// How many spreads a cell counts for more than its centre: rows of wide cells may be nearer.
const SPREADS: f32 = 4.0;

/// A query, prepared once.
pub(super) struct Query {
    /// Rotated, (P).
    turned: Vec<f32>,
    /// Its part along the mean.
    pub(super) along: f32,
    /// The length of what is left of it.
    pub(super) length: f32,
    /// (P / 4, 16).
    pub(super) tables: Vec<u8>,
    /// What a sum of table entries stands for: `step * sum + start`.
    pub(super) step: f32,
    pub(super) start: f32,
    /// What is left, as bytes in the order of codes of four bits, (2, P / 2).
    pub(super) bytes: Vec<i8>,
    pub(super) scale: f32,
    /// [`MIDDLE`] times the sum of the bytes.
    pub(super) middle: f32,
}

/// A cell to look into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    /// How promising it is.
    pub(super) key: f32,
    pub(super) cell: u32,
}

impl Query {
    pub(super) fn new(cells: &Cells, values: &[f32]) -> Self {
        let mut turned = vec![0.0; cells.rotation.width()];
        cells.rotation.turn(values, &mut turned);
        let along = dot(&turned, &cells.head.mean);
        let rest: Vec<f32> =
            turned.iter().zip(&cells.head.mean).map(|(value, mean)| value - along * mean).collect();
        let length = dot(&rest, &rest).sqrt();
        let (tables, step, start) = tables(&rest);
        let (bytes, scale) = bytes(&rest);
        let sum = bytes.iter().map(|&byte| i32::from(byte)).sum::<i32>();
        let middle = MIDDLE * sum as f32;
        Self { turned, along, length, tables, step, start, bytes, scale, middle }
    }

    /// What is added to a row's estimate from signs, before its factor.
    pub(super) fn signs_start(&self) -> f32 {
        self.start + SIGNS_MARGIN * ONE_BIT * self.length
    }

    /// The inner product with a centre, rotated (P).
    pub(super) fn with(&self, centre: &[f32]) -> f32 {
        dot(&self.turned, centre)
    }

    /// Words or a picture: whose mean is nearer.
    pub(super) fn kind(&self, cells: &Cells) -> QueryKind {
        let (text, picture) = cells.head.kinds.split_at(self.turned.len());
        let far = |mean: &[f32]| dot(mean, mean) - 2.0 * dot(mean, &self.turned);
        if far(picture) < far(text) { QueryKind::Picture } else { QueryKind::Text }
    }

    /// All cells that have rows, in no order.
    pub(super) fn cells(&self, cells: &Cells) -> Vec<Near> {
        let width = self.turned.len();
        let queries = Queries::new(&self.turned, width, Products::best());
        let mut sums: [Sums; 2] = [[0; PANEL]; 2];
        let mut near = Vec::with_capacity(cells.sizes.cells);
        let panels = cells.head.panels.chunks_exact(PANEL * width);
        let places = cells.head.places.chunks(PANEL).zip(cells.head.scales.chunks_exact(PANEL));
        for (panel, (codes, (places, scales))) in panels.zip(places).enumerate() {
            queries.sums_of(0, codes, &mut sums);
            for (at, (place, scale)) in places.iter().zip(scales).enumerate() {
                let sum = (128 * sums[0][at] + sums[1][at]) as f32;
                let key = sum * scale * queries.scale(0) + SPREADS * self.length * place.spread;
                if place.rows > 0 {
                    near.push(Near { key, cell: (PANEL * panel + at) as u32 });
                }
            }
        }
        near
    }
}

/// Tables of the sums of each four values with all choices of signs, what one in them stands for, and what all of
/// them begin from.
fn tables(values: &[f32]) -> (Vec<u8>, f32, f32) {
    let fours = values.as_chunks::<4>().0;
    let size = |four: &[f32; 4]| four.iter().map(|value| value.abs()).sum::<f32>();
    let (mut most, mut start) = (0f32, 0.0);
    for four in fours {
        most = most.max(size(four));
        start -= size(four);
    }
    let step = 2.0 * most / LARGEST;
    let inverse = if step >= f32::MIN_POSITIVE { 1.0 / step } else { 0.0 };
    let mut tables = Vec::with_capacity(fours.len() * TABLE);
    for four in fours {
        // What is chosen with its sign adds twice its size, or nothing: sums begin from where all are taken away.
        let mut sums = [0.0; TABLE];
        for (at, &value) in four.iter().enumerate() {
            for (code, sum) in sums.iter_mut().enumerate() {
                let same = (code >> at & 1 == 1) == (value > 0.0);
                *sum += if same { 2.0 * value.abs() } else { 0.0 };
            }
        }
        tables.extend(sums.map(|sum| (sum * inverse + 0.5) as u8));
    }
    (tables, step, start)
}

/// Values as bytes, first those that meet lower halves of codes (see `kernel`), and what one in them stands for.
fn bytes(values: &[f32]) -> (Vec<i8>, f32) {
    let most = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = most / 127.0;
    let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    let mut out = Vec::with_capacity(values.len());
    for half in 0..2 {
        let halves = values.chunks_exact(64).map(|some| &some[32 * half..][..32]);
        out.extend(halves.flatten().map(|value| (value * inverse).round() as i8));
    }
    (out, scale)
}

simd! {
    /// The inner product, in any order.
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut sums = [0f32; 64];
        let ((a, rest), (b, others)) = (a.as_chunks::<64>(), b.as_chunks::<64>());
        for (a, b) in a.iter().zip(b) {
            for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                *sum = a.mul_add(*b, *sum);
            }
        }
        for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(others)) {
            *sum += a * b;
        }
        sums.iter().sum()
    }
}
