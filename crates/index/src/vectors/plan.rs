//! Which way a search goes, by how many rows there are, how many are wanted and which a filter leaves.

use serde::Serialize;

use super::codes::WIDTHS;
use super::{IdSet, MANY, QueryKind, Vectors};

/// Where a filter leaves fewer rows, these are scored one by one.
const FEW: usize = 4096;
/// Where a filter leaves fewer than one row in so many, cells hardly hold any of them.
const SELDOM: usize = 200;

/// A way of searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// All rows that count are scored from f32: exact.
    Scan,
    /// Rows are left out by bounds from codes of 8 bits: exact, too.
    Codes,
    /// The nearest cells: approximate.
    Cells,
}

impl Way {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Codes => "codes",
            Self::Cells => "cells",
        }
    }
}

/// How a search goes, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The way.
    pub way: Way,
    /// Whether what is found are the best for certain.
    pub exact: bool,
    /// Rows that can be found.
    pub rows: usize,
    /// Those of them that the filter leaves.
    pub among: usize,
    /// Cells that a query looks into, and all of them; nothing on another way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<[usize; 2]>,
    /// In words.
    pub why: String,
}

impl Plan {
    /// The same where the best are wanted for certain.
    #[must_use]
    pub fn exactly(self) -> Self {
        match self.exact {
            true => self,
            false => Self {
                way: Way::Codes,
                exact: true,
                cells: None,
                why: "the best are wanted for certain".into(),
                ..self
            },
        }
    }
}

impl Vectors {
    /// How the `k` best rows for a query (D) are searched, among all or some.
    pub fn plan(&self, query: &[f32], k: usize, among: Option<&IdSet>) -> Plan {
        if let Some(plan) = self.other_way(k, among) {
            return plan;
        }
        let cells = self.cells.as_ref().expect("there is no other way");
        let (rows, left) = self.rows_among(among);
        let (all, kind, covered) = (cells.count(), cells.kind(query), self.covered.1);
        let width = cells.widths().of(kind, self.depth(k, left)).min(all);
        let kind = match kind {
            QueryKind::Text => "words",
            QueryKind::Picture => "a picture",
        };
        let why = format!(
            "{covered} of {rows} rows are in {all} cells, and a query of {kind} looks into {width} of them"
        );
        let cells = Some([width, all]);
        Plan { way: Way::Cells, exact: false, rows, among: left, cells, why }
    }

    /// How a search goes that does not look into cells.
    pub(super) fn other_way(&self, k: usize, among: Option<&IdSet>) -> Option<Plan> {
        let (rows, left) = self.rows_among(among);
        let plan = |way, why| Some(Plan { way, exact: true, rows, among: left, cells: None, why });
        let many = k.saturating_mul(MANY) > left;
        let other = |why: String| match WIDTHS.contains(&self.dim) && !many {
            true => plan(Way::Codes, why),
            false => plan(Way::Scan, why),
        };
        if among.is_some() && (left < FEW || left.saturating_mul(SELDOM) < rows) {
            return plan(Way::Scan, format!("{left} of {rows} rows are left, and scored alone"));
        }
        let Some(cells) = &self.cells else { return other(self.no_cells(rows)) };
        if let Some(what) = cells.wrong() {
            return other(format!("{} is damaged ({what})", cells.path().display()));
        }
        let covered = self.covered.1;
        if 2 * covered < rows {
            let cure = "`tuwen gallery compact` puts all there";
            return other(format!("{covered} of {rows} rows are in cells: {cure}"));
        }
        if many {
            return other(format!("{k} of {left} rows are wanted"));
        }
        None
    }

    fn rows_among(&self, among: Option<&IdSet>) -> (usize, usize) {
        let rows = self.len();
        (rows, among.map_or(rows, |set| set.len().min(rows)))
    }

    /// Of how many hits of all rows the `k` best of `left` rows are about the best.
    pub(super) fn depth(&self, k: usize, left: usize) -> f64 {
        k as f64 * self.len() as f64 / left.max(1) as f64
    }

    fn no_cells(&self, rows: usize) -> String {
        match &self.without {
            Some((path, what)) => format!("{} is damaged ({what})", path.display()),
            None if rows >= super::CELLS_FROM => {
                format!("{rows} rows are in no cells: `tuwen gallery compact` makes them")
            }
            None => format!("{rows} rows are searched exactly in no time"),
        }
    }
}
