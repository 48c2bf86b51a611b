//! Of pixels with labels, as k-means of colours leaves them, connected regions of a useful size: what [`crate::Regions::slic`]
//! ends with.

use std::collections::VecDeque;

const NONE: u32 = u32::MAX;

/// Each pixel's region, numbered by their first pixels, and how many there are.
///
/// A region is a connected piece of one label of at least `least` pixels, or a label's largest piece, so that a picture
/// of noise, whose labels are all in crumbs, still has as many regions as labels. Crumbs go to the regions around them,
/// which grow evenly; flooding them into whichever piece was met before, as is usual, makes one region of half a
/// meadow. What is still smaller than `least` joins the neighbour with which it has most of its border in common.
///
/// # Shapes
/// `labels`: (height, width), line by line; the regions too.
pub(crate) fn regions(
    size: [usize; 2],
    labels: &[u32],
    wanted: usize,
    least: usize,
) -> (Vec<u32>, usize) {
    let mut of = kept(size, labels, wanted, least);
    grow(size, &mut of);
    join(size, &mut of, least);
    number(&mut of)
}

/// The pixels above, below, left and right of one.
pub(crate) fn neighbours(pixel: usize, [width, height]: [usize; 2]) -> impl Iterator<Item = usize> {
    let (x, y) = (pixel % width, pixel / width);
    let left = (x > 0).then(|| pixel - 1);
    let right = (x + 1 < width).then(|| pixel + 1);
    let above = (y > 0).then(|| pixel - width);
    let below = (y + 1 < height).then(|| pixel + width);
    [left, right, above, below].into_iter().flatten()
}

/// The pieces that become regions; what belongs to none is `NONE`.
fn kept(size: [usize; 2], labels: &[u32], count: usize, least: usize) -> Vec<u32> {
    let mut piece_of = vec![NONE; labels.len()];
    let mut sizes: Vec<usize> = Vec::new();
    // Of each label its largest piece so far.
    let mut largest: Vec<Option<usize>> = vec![None; count];
    let mut piece = Vec::new();
    for start in 0..labels.len() {
        if piece_of[start] != NONE {
            continue;
        }
        let number = sizes.len();
        piece.clear();
        piece.push(start);
        piece_of[start] = number as u32;
        let mut at = 0;
        while at < piece.len() {
            for next in neighbours(piece[at], size) {
                if piece_of[next] == NONE && labels[next] == labels[start] {
                    piece_of[next] = number as u32;
                    piece.push(next);
                }
            }
            at += 1;
        }
        sizes.push(piece.len());
        let best = &mut largest[labels[start] as usize];
        if best.is_none_or(|best| sizes[best] < piece.len()) {
            *best = Some(number);
        }
    }
    let mut stays: Vec<bool> = sizes.iter().map(|&size| size >= least).collect();
    largest.into_iter().flatten().for_each(|piece| stays[piece] = true);
    piece_of.into_iter().map(|piece| if stays[piece as usize] { piece } else { NONE }).collect()
}

/// Gives every pixel without a region that of the nearest one, counted in steps from pixel to pixel.
fn grow(size: [usize; 2], of: &mut [u32]) {
    let mut queue: VecDeque<usize> = (0..of.len()).filter(|&pixel| of[pixel] != NONE).collect();
    while let Some(pixel) = queue.pop_front() {
        for next in neighbours(pixel, size) {
            if of[next] == NONE {
                of[next] = of[pixel];
                queue.push_back(next);
            }
        }
    }
}

/// Joins small regions to their neighbours, the smallest first.
fn join(size: [usize; 2], of: &mut [u32], least: usize) {
    let count = of.iter().max().map_or(0, |&most| most as usize + 1);
    let mut sizes = vec![0usize; count];
    of.iter().for_each(|&region| sizes[region as usize] += 1);
    loop {
        let small = (0..count).filter(|&region| (1..least).contains(&sizes[region]));
        let Some(small) = small.min_by_key(|&region| sizes[region]) else { return };
        let mut border = vec![0usize; count];
        for (pixel, _) in of.iter().enumerate().filter(|(_, region)| **region == small as u32) {
            neighbours(pixel, size).for_each(|next| border[of[next] as usize] += 1);
        }
        border[small] = 0;
        // One that has no neighbour is the whole picture.
        let Some(to) = (0..count).rev().max_by_key(|&region| border[region]) else { return };
        if border[to] == 0 {
            return;
        }
        let moved = of.iter_mut().filter(|region| **region == small as u32);
        moved.for_each(|region| *region = to as u32);
        sizes[to] += std::mem::take(&mut sizes[small]);
    }
}

/// Numbers regions without gaps, by their first pixels.
fn number(of: &mut [u32]) -> (Vec<u32>, usize) {
    let most = of.iter().max().map_or(0, |&most| most as usize + 1);
    let (mut new, mut count) = (vec![NONE; most], 0);
    for region in of.iter() {
        let new = &mut new[*region as usize];
        if *new == NONE {
            (*new, count) = (count, count + 1);
        }
    }
    (of.iter().map(|&region| new[region as usize]).collect(), count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Vec<u32> {
        rows.concat().bytes().map(|label| u32::from(label - b'0')).collect()
    }

    #[test]
    fn crumbs_go_to_the_nearest_region_and_large_pieces_of_one_label_are_two_regions() {
        // Label 0 in two large pieces; a crumb of it in label 2.
        let labels = of(&["001200", "001200", "001202", "001200", "001222"]);
        let (found, count) = regions([6, 5], &labels, 3, 4);
        assert_eq!(count, 4);
        assert_eq!(found, of(&["001233", "001233", "001233", "001233", "001222"]));
        // The right piece of label 0 is too small to stand alone.
        let labels = of(&["00112", "00110", "00112"]);
        let (found, count) = regions([5, 3], &labels, 3, 3);
        // Its pixel and the two crumbs of label 2, of which the first is kept as the largest and then joined.
        assert_eq!((found, count), (of(&["00111", "00111", "00111"]), 2));
    }

    #[test]
    fn a_picture_of_one_small_region_stays_one() {
        assert_eq!(regions([2, 2], &[0; 4], 1, 100), (vec![0; 4], 1));
    }
}
