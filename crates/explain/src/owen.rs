//! Owen values along a tree of neighbouring parts.

use std::collections::BinaryHeap;

use crate::Result;
use crate::game::Mask;
use crate::perturb::{Scores, Weights};

/// A part of the players: a leaf or two halves.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A player.
    Leaf(usize),
    /// Two parts that are near each other.
    Node(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// Squares of a grid, cut across its longer side again and again.
    ///
    /// # Panics
    /// Of no squares.
    pub fn of_grid(across: usize) -> Self {
        fn part(across: usize, x: [usize; 2], y: [usize; 2]) -> Tree {
            let (wide, high) = (x[1] - x[0], y[1] - y[0]);
            if wide == 1 && high == 1 {
                return Tree::Leaf(y[0] * across + x[0]);
            }
            let (first, second) = if wide >= high {
                let middle = x[0] + wide / 2;
                (part(across, [x[0], middle], y), part(across, [middle, x[1]], y))
            } else {
                let middle = y[0] + high / 2;
                (part(across, x, [y[0], middle]), part(across, x, [middle, y[1]]))
            };
            Tree::Node(Box::new(first), Box::new(second))
        }
        part(across, [0, across], [0, across])
    }

    /// Players in a row, halved again and again.
    ///
    /// # Panics
    /// Of none.
    pub fn of_row(first: usize, end: usize) -> Self {
        if end - first == 1 {
            return Self::Leaf(first);
        }
        let middle = first + (end - first) / 2;
        Self::Node(Box::new(Self::of_row(first, middle)), Box::new(Self::of_row(middle, end)))
    }

    fn leaves(&self, out: &mut Vec<usize>) {
        match self {
            Self::Leaf(at) => out.push(*at),
            Self::Node(a, b) => {
                a.leaves(out);
                b.leaves(out);
            }
        }
    }
}

/// A part that is still to be divided, between a set without it and the same with it.
struct Open<'t> {
    tree: &'t Tree,
    without: Mask,
    /// Scores without and with it.
    scores: [f32; 2],
    /// The share of this pair of sets among all.
    share: f32,
}

impl Open<'_> {
    fn urgency(&self) -> f32 {
        ((self.scores[1] - self.scores[0]) * self.share).abs()
    }
}

impl PartialEq for Open<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.urgency() == other.urgency()
    }
}
impl Eq for Open<'_> {}
impl PartialOrd for Open<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Open<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.urgency().total_cmp(&other.urgency())
    }
}

/// Parts that are divided before the next scores are asked for.
const AT_ONCE: usize = 16;

/// Owen values along a tree (the partition explainer of <https://github.com/shap/shap>): what a part is worth is divided
/// between its halves as between two players, in both settings of each other, the parts of most weight first; what is
/// not divided when `samples` scores have been asked for is shared equally among its players. The values always add up.
///
/// # Errors
/// The game's.
pub fn owen(tree: &Tree, samples: usize, scores: &Scores<'_>) -> Result<Weights> {
    let mut everyone = Vec::new();
    tree.leaves(&mut everyone);
    let players = everyone.len();
    let ends = scores(&[vec![false; players], vec![true; players]])?;
    let mut values = vec![0.0; players];
    let mut calls = 2;
    let first =
        Open { tree, without: vec![false; players], scores: [ends[0], ends[1]], share: 1.0 };
    let mut open = BinaryHeap::from([first]);
    while !open.is_empty() {
        let room = samples.saturating_sub(calls) / 2;
        let mut divided = Vec::new();
        while divided.len() < AT_ONCE.min(room) {
            let Some(part) = open.pop() else { break };
            match part.tree {
                Tree::Leaf(at) => values[*at] += part.share * (part.scores[1] - part.scores[0]),
                Tree::Node(..) => divided.push(part),
            }
        }
        if divided.is_empty() {
            break;
        }
        let asked: Vec<Mask> =
            divided.iter().flat_map(|part| halves(part).map(|(_, m)| m)).collect();
        let found = scores(&asked)?;
        calls += asked.len();
        for (part, (masks, scores)) in
            divided.into_iter().zip(asked.chunks_exact(2).zip(found.chunks_exact(2)))
        {
            divide(part, masks, scores, &mut open);
        }
    }
    for part in open {
        let mut own = Vec::new();
        part.tree.leaves(&mut own);
        let share = part.share * (part.scores[1] - part.scores[0]) / own.len() as f32;
        own.into_iter().for_each(|at| values[at] += share);
    }
    Ok(Weights { players: values, empty: ends[0], calls, ..Weights::default() })
}

/// Both halves of a part, each with the set to which it alone is added.
fn halves<'t>(part: &Open<'t>) -> [(&'t Tree, Mask); 2] {
    let Tree::Node(a, b) = part.tree else { unreachable!("leaves are not divided") };
    [a, b].map(|half| {
        let (mut mask, mut own) = (part.without.clone(), Vec::new());
        half.leaves(&mut own);
        own.into_iter().for_each(|at| mask[at] = true);
        (&**half, mask)
    })
}

/// Each half in both settings of the other.
fn divide<'t>(part: Open<'t>, masks: &[Mask], scores: &[f32], open: &mut BinaryHeap<Open<'t>>) {
    let Tree::Node(a, b) = part.tree else { unreachable!("leaves are not divided") };
    let [none, both] = part.scores;
    let share = part.share / 2.0;
    let mut push = |tree, without: &Mask, scores| {
        open.push(Open { tree, without: without.clone(), scores, share });
    };
    push(a, &part.without, [none, scores[0]]);
    push(a, &masks[1], [scores[1], both]);
    push(b, &part.without, [none, scores[1]]);
    push(b, &masks[0], [scores[0], both]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A game with pairs and a triple.
    fn score(mask: &Mask) -> f32 {
        let one = |at: usize| if mask[at] { 1.0 } else { 0.0 };
        0.25 + (0..mask.len()).map(|at| one(at) * (at as f32 - 2.5)).sum::<f32>()
            + 2.0 * one(0) * one(3)
            - one(1) * one(2) * one(4)
    }

    fn game(masks: &[Mask]) -> Result<Vec<f32>> {
        Ok(masks.iter().map(score).collect())
    }

    #[test]
    fn owen_values_add_up_wherever_they_stop_and_halves_are_fair() {
        let tree = Tree::of_row(0, 6);
        let total = score(&vec![true; 6]) - score(&vec![false; 6]);
        for samples in [0, 2, 5, 10, 50, 5000] {
            let found = owen(&tree, samples, &game).expect("values");
            let sum: f32 = found.players.iter().sum();
            assert!((sum - total).abs() < 1e-4, "{samples}: {sum} {total}");
            assert!(found.calls <= samples.max(2), "{samples}: {}", found.calls);
        }
        // Players 0 and 3 are in different halves: the pair is divided equally, as by Shapley.
        let found = owen(&tree, 5000, &game).expect("values");
        assert!((found.players[0] - (-1.5)).abs() < 1e-4, "{found:?}");
        let mut all = Vec::new();
        Tree::of_grid(7).leaves(&mut all);
        all.sort_unstable();
        assert_eq!(all, (0..49).collect::<Vec<_>>());
    }
}
