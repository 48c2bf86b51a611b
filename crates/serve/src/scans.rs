//! Searches by a vector alone: those that wait for the same gallery and kind share one reading of it.

use std::sync::Arc;

use tuwen_index::Modality;
use tuwen_retrieve::{Ranked, RankedItem};

use crate::problem::Problem;
use crate::queue::Queue;
use crate::shelf::Open;

/// Vectors that share a reading.
const TOGETHER: usize = 64;

/// What is searched for.
pub(crate) struct Scan {
    pub open: Arc<Open>,
    pub modality: Modality,
    /// The query, (D).
    pub vector: Arc<[f32]>,
    pub k: usize,
}

pub(crate) type Scans = Queue<Scan, Ranked>;

/// Starts the queue.
pub(crate) fn start(waiting: usize) -> std::io::Result<Scans> {
    Queue::start("scans", waiting, TOGETHER, all)
}

fn all(scans: Vec<Scan>) -> Vec<Result<Ranked, Problem>> {
    let mut answers: Vec<_> = (0..scans.len()).map(|_| None).collect();
    for first in 0..scans.len() {
        if answers[first].is_some() {
            continue;
        }
        let same = |&at: &usize| {
            Arc::ptr_eq(&scans[at].open, &scans[first].open)
                && scans[at].modality == scans[first].modality
        };
        let group: Vec<usize> = (first..scans.len()).filter(same).collect();
        let ranked = together(group.iter().map(|&at| &scans[at]).collect());
        group.into_iter().zip(ranked).for_each(|(at, one)| answers[at] = Some(one));
    }
    answers.into_iter().map(|one| one.expect("each is in a group")).collect()
}

/// All of one gallery and kind. The best of a longer list are the best of a shorter one, for ties have an order.
fn together(scans: Vec<&Scan>) -> Vec<Result<Ranked, Problem>> {
    let most = scans.iter().map(|scan| scan.k).max().unwrap_or(0);
    let queries: Vec<f32> = scans.iter().flat_map(|scan| scan.vector.iter().copied()).collect();
    let found = scans[0]
        .open
        .engine
        .vectors(scans[0].modality)
        .and_then(|vectors| Ok((vectors.len(), vectors.search_all(&queries, most, None)?)));
    match found {
        Ok((total, found)) => {
            let ranked = |(hits, scan): (Vec<tuwen_index::Hit>, &&Scan)| {
                let items = hits.into_iter().take(scan.k);
                let items = items.map(RankedItem::from).collect();
                Ok(Ranked { items, total })
            };
            found.into_iter().zip(&scans).map(ranked).collect()
        }
        Err(error) => {
            let problem = Problem::from(error);
            scans.iter().map(|_| Err(problem.clone())).collect()
        }
    }
}
