//! Blocks of a matrix as panels of words: a word is one f32, or two bf16 that follow each other in depth.

use std::cell::RefCell;
use std::ops::Range;

use crate::{Mat, Precision};

thread_local! {
    static PAIRS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// How panels lie.
#[derive(Clone, Copy)]
pub(crate) struct Panels {
    /// Rows of a panel.
    pub(crate) height: usize,
    /// What a word holds.
    pub(crate) precision: Precision,
}

/// Words of that many values.
pub(crate) fn words(depth: &Range<usize>, precision: Precision) -> usize {
    match precision {
        Precision::F32 => depth.len(),
        Precision::Bf16 => depth.len().div_ceil(2),
    }
}

/// Copies rows `lines` and columns `depth` into panels, each column by column, the last one
/// padded with zeros.
pub(crate) fn pack(
    out: &mut Vec<u32>,
    from: Mat<'_>,
    depth: Range<usize>,
    lines: Range<usize>,
    panels: Panels,
) {
    let Panels { height, precision } = panels;
    let words = words(&depth, precision);
    out.resize(lines.len().div_ceil(height) * height * words, 0);
    for (panel, target) in out.chunks_exact_mut(height * words).enumerate() {
        let row = lines.start + panel * height;
        let rows = row..(row + height).min(lines.end);
        if rows.len() < height {
            target.fill(0);
        }
        if from.row_stride == 1 {
            let column = |k: usize| &from.data[k * from.col_stride + row..][..rows.len()];
            columns(target, column, &depth, panels);
        } else {
            assert_eq!(from.col_stride, 1, "one of the strides is always 1");
            let line = |row: usize| &from.data[row * from.row_stride..][depth.clone()];
            panel_of_lines(target, line, rows, words, panels);
        }
    }
}

/// A panel of values that lie column by column already.
fn columns<'m>(
    target: &mut [u32],
    column: impl Fn(usize) -> &'m [f32],
    depth: &Range<usize>,
    panels: Panels,
) {
    let Panels { height, precision } = panels;
    match precision {
        Precision::F32 => {
            for (k, words) in depth.clone().zip(target.chunks_exact_mut(height)) {
                words.iter_mut().zip(column(k)).for_each(|(word, value)| *word = value.to_bits());
            }
        }
        Precision::Bf16 => {
            for (k, words) in depth.clone().step_by(2).zip(target.chunks_exact_mut(height)) {
                let even = column(k);
                let odd = if k + 1 < depth.end { column(k + 1) } else { &[] };
                pair_columns(even, odd, &mut words[..even.len()]);
            }
        }
    }
}

/// A panel of values that lie row by row.
fn panel_of_lines<'m>(
    target: &mut [u32],
    line: impl Fn(usize) -> &'m [f32],
    rows: Range<usize>,
    words: usize,
    panels: Panels,
) {
    let Panels { height, precision } = panels;
    match precision {
        Precision::F32 => {
            transpose(|at| line(rows.start + at), f32::to_bits, rows.len(), target, height);
        }
        Precision::Bf16 => PAIRS.with_borrow_mut(|pairs| {
            pairs.resize(rows.len() * words, 0);
            for (row, pairs) in rows.clone().zip(pairs.chunks_exact_mut(words)) {
                pair_line(line(row), pairs);
            }
            transpose(|at| &pairs[at * words..][..words], |pair| pair, rows.len(), target, height);
        }),
    }
}

/// Writes `rows` lines as columns of `height`, four by four in registers.
pub(crate) fn transpose<'l, T: Copy + 'l, W: Copy>(
    line: impl Fn(usize) -> &'l [T],
    word: impl Fn(T) -> W,
    rows: usize,
    target: &mut [W],
    height: usize,
) {
    for first in (0..rows / 4 * 4).step_by(4) {
        let (a, b, c, d) = (line(first), line(first + 1), line(first + 2), line(first + 3));
        let (depth, whole) = (a.len(), a.len() / 4 * 4);
        for (index, square) in target.chunks_exact_mut(4 * height).take(whole / 4).enumerate() {
            let k = index * 4;
            let (a, b, c, d) = (&a[k..k + 4], &b[k..k + 4], &c[k..k + 4], &d[k..k + 4]);
            for i in 0..4 {
                let words = [word(a[i]), word(b[i]), word(c[i]), word(d[i])];
                square[i * height + first..][..4].copy_from_slice(&words);
            }
        }
        for k in whole..depth {
            let words = [word(a[k]), word(b[k]), word(c[k]), word(d[k])];
            target[k * height + first..][..4].copy_from_slice(&words);
        }
    }
    for row in rows / 4 * 4..rows {
        for (k, &value) in line(row).iter().enumerate() {
            target[k * height + row] = word(value);
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86::{pair_columns, pair_line};

#[cfg(not(target_arch = "x86_64"))]
fn pair_line(_: &[f32], _: &mut [u32]) {
    unreachable!("no kernel multiplies bf16 here");
}

#[cfg(not(target_arch = "x86_64"))]
fn pair_columns(_: &[f32], _: &[f32], _: &mut [u32]) {
    unreachable!("no kernel multiplies bf16 here");
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use crate::kernel::Kernel;

    /// Neighbours of a line as pairs; the last one of an odd line is paired with 0.
    pub(super) fn pair_line(line: &[f32], out: &mut [u32]) {
        assert!(Kernel::bf16().is_some() && out.len() == line.len().div_ceil(2));
        // SAFETY: the features that the function is compiled for were just detected.
        unsafe { line_to_pairs(line, out) }
    }

    /// Pairs of a value of one column and one of the next, or 0 where there is none.
    pub(super) fn pair_columns(even: &[f32], odd: &[f32], out: &mut [u32]) {
        assert!(Kernel::bf16().is_some() && out.len() == even.len() && odd.len() <= even.len());
        // SAFETY: the features that the function is compiled for were just detected.
        unsafe { columns_to_pairs(even, odd, out) }
    }

    /// The first `count` lanes.
    fn first(count: usize) -> __mmask16 {
        if count >= 16 { !0 } else { (1 << count) - 1 }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn line_to_pairs(line: &[f32], out: &mut [u32]) {
        for (values, pairs) in line.chunks(32).zip(out.chunks_mut(16)) {
            let (low, high) = values.split_at(values.len().min(16));
            // SAFETY: only the lanes that `low`, `high` and `pairs` have are touched.
            unsafe {
                let low = _mm512_maskz_loadu_ps(first(low.len()), low.as_ptr());
                let high = _mm512_maskz_loadu_ps(first(high.len()), high.as_ptr());
                let both = _mm512_cvtne2ps_pbh(high, low);
                let both = std::mem::transmute::<__m512bh, __m512i>(both);
                _mm512_mask_storeu_epi32(pairs.as_mut_ptr().cast(), first(pairs.len()), both);
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn columns_to_pairs(even: &[f32], odd: &[f32], out: &mut [u32]) {
        let others = odd.chunks(16).chain(std::iter::repeat(&[][..]));
        for ((even, odd), pairs) in even.chunks(16).zip(others).zip(out.chunks_mut(16)) {
            // SAFETY: only the lanes that `even`, `odd` and `pairs` have are touched.
            unsafe {
                let low = _mm512_maskz_loadu_ps(first(even.len()), even.as_ptr());
                let high = _mm512_maskz_loadu_ps(first(odd.len()), odd.as_ptr());
                let words = |pairs| std::mem::transmute::<__m256bh, __m256i>(pairs);
                let low = words(_mm512_cvtneps_pbh(low));
                let high = words(_mm512_cvtneps_pbh(high));
                let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
                let both = _mm512_or_si512(_mm512_cvtepu16_epi32(low), high);
                _mm512_mask_storeu_epi32(pairs.as_mut_ptr().cast(), first(pairs.len()), both);
            }
        }
    }
}
