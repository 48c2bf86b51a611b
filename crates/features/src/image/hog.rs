//! Histograms of oriented gradients (Dalal and Triggs 2005, <https://doi.org/10.1109/CVPR.2005.177>), as scikit-image's `hog`
//! has them: nine unsigned orientations, blocks of 2 x 2 cells, clipped norms (L2-Hys).

use super::plane::Plane;

/// Orientations, cells of a block's side, and where values are clipped.
const ANGLES: usize = 9;
const BLOCK: usize = 2;
const CLIP: f32 = 0.2;
const SMALL: f32 = 1e-5;

/// Blocks row by row, each with its cells' histograms: `(h - 1) (w - 1) * 36` values of h x w cells of `cell` pixels. A
/// picture smaller than a block has none.
pub fn hog(grey: &Plane, cell: usize) -> Vec<f32> {
    let (across, down) = (grey.width / cell.max(1), grey.height / cell.max(1));
    let cells = cells(grey, cell, across, down);
    let mut found = Vec::new();
    for y in 0..(down + 1).saturating_sub(BLOCK) {
        for x in 0..(across + 1).saturating_sub(BLOCK) {
            let start = found.len();
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                found.extend_from_slice(&cells[(y + dy) * across + x + dx]);
            }
            let block = &mut found[start..];
            normalise(block);
            block.iter_mut().for_each(|value| *value = value.min(CLIP));
            normalise(block);
        }
    }
    found
}

fn normalise(block: &mut [f32]) {
    let length = (block.iter().map(|v| v * v).sum::<f32>() + SMALL * SMALL).sqrt();
    block.iter_mut().for_each(|value| *value /= length);
}

fn cells(grey: &Plane, cell: usize, across: usize, down: usize) -> Vec<[f32; ANGLES]> {
    let mut cells = vec![[0f32; ANGLES]; across * down];
    for y in 0..down * cell {
        for x in 0..across * cell {
            let dx = match x > 0 && x + 1 < grey.width {
                true => grey.at(x + 1, y) - grey.at(x - 1, y),
                false => 0.0,
            };
            let dy = match y > 0 && y + 1 < grey.height {
                true => grey.at(x, y + 1) - grey.at(x, y - 1),
                false => 0.0,
            };
            let degrees = dy.atan2(dx).to_degrees().rem_euclid(180.0);
            let bin = ((degrees * ANGLES as f32 / 180.0) as usize) % ANGLES;
            cells[y / cell * across + x / cell][bin] += dx.hypot(dy);
        }
    }
    let area = (cell * cell) as f32;
    cells.iter_mut().flatten().for_each(|value| *value /= area);
    cells
}
