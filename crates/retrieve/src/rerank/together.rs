//! Several rerankers as one: their scores have nothing in common, so that they are brought to one scale, or only their
//! ranks count.

use tuwen_index::Hit;
use tuwen_index::fuse::{Ranked, Scale, reciprocal_ranks, weighted};

use super::{Asked, Candidate, Reranker, Scores};
use crate::Result;

/// How scores become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// Mean 0 and deviation 1 of each.
    #[default]
    ZScore,
    /// By their ranks (reciprocal rank fusion).
    Ranks,
}

/// Rerankers that are heard together, each with its share.
pub struct Together {
    /// Who is heard.
    pub members: Vec<(Box<dyn Reranker>, f32)>,
    /// How.
    pub how: How,
}

impl Reranker for Together {
    fn name(&self) -> String {
        self.members.iter().map(|(member, _)| member.name()).collect::<Vec<_>>().join(" + ")
    }

    fn score(&self, query: Asked<'_>, items: &[Candidate]) -> Result<Scores> {
        let (mut lists, mut remarks) = (Vec::new(), Vec::new());
        for (member, share) in &self.members {
            let mut found = member.score(query, items)?;
            // Several members say the same of the same tokens.
            found.remarks.retain(|remark| !remarks.contains(remark));
            remarks.append(&mut found.remarks);
            let mut hits: Vec<Hit> = found
                .values
                .iter()
                .enumerate()
                .filter_map(|(at, score)| Some(Hit { id: at as u64, score: (*score)? }))
                .collect();
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
            lists.push((hits, *share));
        }
        let lists: Vec<Ranked<'_>> =
            lists.iter().map(|(hits, weight)| Ranked { hits, weight: *weight }).collect();
        let fused = match self.how {
            How::ZScore => weighted(&lists, Scale::ZScore, items.len()),
            How::Ranks => reciprocal_ranks(&lists, items.len()),
        };
        let mut values = vec![None; items.len()];
        fused.iter().for_each(|hit| values[hit.id as usize] = Some(hit.score));
        Ok(Scores { values, remarks })
    }
}
