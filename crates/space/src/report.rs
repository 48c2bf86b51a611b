//! What many runs say together: means and deviations, paired comparisons, one table as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use tuwen_eval::compare::{Paired, paired};
use tuwen_eval::labelled::Convention;

use crate::bench::{Measure, Run};

/// Mean and deviation over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Deviation of the runs (n - 1); 0 of one.
    pub deviation: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self { mean, deviation: if n > 1.0 { (squares / (n - 1.0)).sqrt() } else { 0.0 } }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method's name.
    pub method: String,
    /// What is measured.
    pub measure: Measure,
    /// How average precision is counted.
    pub convention: Convention,
    /// How many runs there are.
    pub runs: usize,
    /// Images to texts, texts to images, the mean of both.
    pub map: [Spread; 3],
    /// Mean seconds of learning.
    #[serde(skip)]
    pub seconds: f64,
}

/// Whether the second method is better than the first on the same splits, by the mean of both directions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Better {
    /// The first and the second.
    pub methods: [String; 2],
    /// What is measured.
    pub measure: Measure,
    /// By the first convention of the protocol.
    pub paired: Paired,
}

/// Everything that is printed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The set's name.
    pub set: String,
    /// In the order of measures, conventions and methods.
    pub rows: Vec<Row>,
    /// In the order of the configuration.
    pub better: Vec<Better>,
}

/// The scores of a method's runs, in the order of their seeds.
fn scores(runs: &[Run], method: &str, measure: Measure, convention: Convention) -> Vec<[f64; 3]> {
    let own = runs.iter().filter(|run| run.method == method);
    let found = own.filter_map(|run| run.scores.get(&measure)?.get(&convention));
    found.map(|&[a, b]| [a, b, (a + b) / 2.0]).collect()
}

impl Report {
    /// Of runs that `bench` gave.
    pub fn new(
        set: &str,
        runs: &[Run],
        conventions: &[Convention],
        compare: &[[String; 2]],
    ) -> Self {
        let mut methods: Vec<&str> = Vec::new();
        for run in runs {
            if !methods.contains(&run.method.as_str()) {
                methods.push(&run.method);
            }
        }
        let mut rows = Vec::new();
        for (_, measure) in Measure::NAMES {
            for &convention in conventions {
                for method in &methods {
                    let found = scores(runs, method, measure, convention);
                    if found.is_empty() {
                        continue;
                    }
                    let at = |at: usize| {
                        Spread::of(&found.iter().map(|one| one[at]).collect::<Vec<_>>())
                    };
                    let own: Vec<f64> = runs
                        .iter()
                        .filter(|run| run.method == *method)
                        .map(|run| run.seconds)
                        .collect();
                    rows.push(Row {
                        method: (*method).to_owned(),
                        measure,
                        convention,
                        runs: found.len(),
                        map: [at(0), at(1), at(2)],
                        seconds: Spread::of(&own).mean,
                    });
                }
            }
        }
        let mut better = Vec::new();
        for pair in compare {
            for (_, measure) in Measure::NAMES {
                let of = |name: &String| -> Vec<f64> {
                    scores(runs, name, measure, conventions[0]).iter().map(|one| one[2]).collect()
                };
                let (first, second) = (of(&pair[0]), of(&pair[1]));
                if first.is_empty() || first.len() != second.len() {
                    continue;
                }
                better.push(Better {
                    methods: pair.clone(),
                    measure,
                    paired: paired(&first, &second),
                });
            }
        }
        Self { set: set.to_owned(), rows, better }
    }

    /// The table, with the comparisons behind it.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        let mut groups: BTreeMap<(Measure, usize), Vec<&Row>> = BTreeMap::new();
        let mut conventions: Vec<Convention> = Vec::new();
        for row in &self.rows {
            if !conventions.contains(&row.convention) {
                conventions.push(row.convention);
            }
            let place = conventions.iter().position(|c| *c == row.convention).unwrap_or(0);
            groups.entry((row.measure, place)).or_default().push(row);
        }
        for ((measure, _), rows) in groups {
            let name = name_of(measure);
            let (convention, runs) = (rows[0].convention.name(), rows[0].runs);
            let _ = writeln!(out, "**{}, {name}** (mAP `{convention}`, {runs} runs)\n", self.set);
            out.push_str("| method | image to text | text to image | mean |\n|---|---|---|---|\n");
            for row in rows {
                let cells = row.map.map(|s| format!("{:.3} ± {:.3}", s.mean, s.deviation));
                let _ = writeln!(out, "| {} | {} |", row.method, cells.join(" | "));
            }
            out.push('\n');
        }
        if !self.better.is_empty() {
            out.push_str(
                "| better than | is | measured on | difference | 95% interval | splits | p |\n|---|---|---|---|---|---|---|\n",
            );
            for one in &self.better {
                let p = one.paired.p.map_or_else(|| "–".into(), |p| format!("{p:.3}"));
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {:+.3} | {:+.3} to {:+.3} | {} of {} | {p} |",
                    one.methods[0],
                    one.methods[1],
                    name_of(one.measure),
                    one.paired.difference,
                    one.paired.interval[0],
                    one.paired.interval[1],
                    one.paired.better,
                    one.paired.splits
                );
            }
        }
        out
    }
}

fn name_of(measure: Measure) -> &'static str {
    Measure::NAMES.iter().find(|(_, one)| *one == measure).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(method: &str, seed: u64, both: [f64; 2]) -> Run {
        let scores = [(Measure::Standard, [(Convention::All, both)].into())].into();
        Run { method: method.into(), seed, seen: None, scores, curve: Vec::new(), seconds: 0.0 }
    }

    #[test]
    fn means_deviations_and_pairs() {
        let runs = [
            run("a", 1, [0.2, 0.1]),
            run("a", 2, [0.4, 0.1]),
            run("b", 1, [0.3, 0.2]),
            run("b", 2, [0.5, 0.2]),
        ];
        let report = Report::new("tiny", &runs, &[Convention::All], &[["a".into(), "b".into()]]);
        let first = &report.rows[0];
        assert!(
            (first.map[0].mean - 0.3).abs() < 1e-12
                && (first.map[0].deviation - 0.02f64.sqrt()).abs() < 1e-12
        );
        assert!((report.better[0].paired.difference - 0.1).abs() < 1e-12);
        assert_eq!(report.better[0].paired.better, 2);
        let text = report.to_markdown();
        assert!(text.contains("**tiny, standard** (mAP `all`, 2 runs)"), "{text}");
        assert!(text.contains("| a | 0.300 ± 0.141 | 0.100 ± 0.000 | 0.200 ± 0.071 |"), "{text}");
        assert!(text.contains("| a | b | standard | +0.100 |"), "{text}");
    }
}
