//! How the items of a batch are divided into chunks, each of which runs through the whole tower on one thread.

use std::ops::Range;

use super::Record;

/// Sequences of one chunk are gathered until they have this many rows.
const CHUNK_ROWS: usize = 800;
/// Fewer when there are few, so that several threads have something to do, but not fewer than this.
/// Neither depends on the number of threads, nor does the order of summation.
const LEAST_ROWS: usize = 200;
/// Rows of a chunk where no gradients are summed, so that nothing depends on it but how long it takes: a core's own
/// cache holds what lies between two products, and a few short texts are divided among the threads, which then need
/// not wait for each other at each product.
const UNRECORDED_ROWS: usize = 200;

/// Pictures that run through a tower of convolutions together in training, so that its large matrices are read less
/// often; fixed, so that the order of summation is.
const PICTURES: usize = 4;

/// Neighbouring pictures of a tower of convolutions.
pub(super) fn of_pictures(all: usize, record: Record) -> Vec<Range<usize>> {
    let size = match record {
        Record::No => all.div_ceil(rayon::current_num_threads()).clamp(1, PICTURES),
        _ => PICTURES,
    };
    (0..all).step_by(size).map(|start| start..(start + size).min(all)).collect()
}

/// Neighbouring items, cut where a chunk has enough rows.
pub(super) fn cut(rows: &[usize], record: Record) -> Vec<Range<usize>> {
    if record == Record::No {
        let threads = rayon::current_num_threads();
        let wanted = rows.iter().sum::<usize>().div_ceil(UNRECORDED_ROWS);
        return evenly(rows, wanted.next_multiple_of(threads));
    }
    let wanted = (rows.iter().sum::<usize>() / 4).clamp(LEAST_ROWS, CHUNK_ROWS);
    let (mut chunks, mut start, mut sum) = (Vec::new(), 0, 0);
    for (item, rows) in rows.iter().enumerate() {
        if sum > 0 && sum + rows > wanted {
            chunks.push(start..item);
            (start, sum) = (item, 0);
        }
        sum += rows;
    }
    if sum > 0 {
        chunks.push(start..rows.len());
    }
    chunks
}

/// At most so many chunks of neighbouring items, as even as whole items can be.
fn evenly(rows: &[usize], count: usize) -> Vec<Range<usize>> {
    let all: usize = rows.iter().sum();
    let (mut chunks, mut start, mut before) = (Vec::new(), 0, 0);
    for (item, rows) in rows.iter().enumerate() {
        // It belongs to the share that its middle lies in.
        if item > start && (2 * before + rows) * count > 2 * all * (chunks.len() + 1) {
            chunks.push(start..item);
            start = item;
        }
        before += rows;
    }
    if all > 0 {
        chunks.push(start..rows.len());
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_texts_are_divided_among_the_threads_as_evenly_as_whole_ones_can_be() {
        assert_eq!(evenly(&[12, 15, 15, 10], 2), [0..2, 2..4]);
        assert_eq!(evenly(&[13; 6], 2), [0..3, 3..6]);
        assert_eq!(evenly(&[13; 5], 2), [0..3, 3..5], "the middle one is as near to both");
        assert_eq!(evenly(&[13], 2).len(), 1);
        assert_eq!(evenly(&[60, 5, 5, 5], 2), [0..1, 1..4]);
        assert_eq!(evenly(&[5, 5, 5, 60], 2), [0..3, 3..4]);
        assert!(evenly(&[], 2).is_empty());
        assert!(evenly(&[0, 0], 2).is_empty(), "no rows, no chunk");
    }

    #[test]
    fn every_item_is_in_one_chunk_and_there_are_no_more_than_asked_for() {
        for (items, count) in [(1, 1), (3, 8), (64, 6), (100, 7)] {
            let rows: Vec<usize> = (0..items).map(|item| 1 + item * 7919 % 60).collect();
            let chunks = evenly(&rows, count);
            assert!(chunks.len() <= count && chunks.iter().all(|chunk| !chunk.is_empty()));
            let all: Vec<usize> = chunks.into_iter().flatten().collect();
            assert_eq!(all, (0..items).collect::<Vec<_>>());
        }
    }
}
