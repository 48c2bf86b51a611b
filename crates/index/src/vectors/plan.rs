//! Which way a search goes, by how many rows there are, how many are wanted and which a filter leaves.

use serde::Serialize;

use super::codes::WIDTHS;
use super::{IdSet, Kind, MANY, Vectors};

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
        let (rows, left) = (self.len(), among.map_or(self.len(), |set| set.len().min(self.len())));
        let few = left < FEW || left.saturating_mul(SELDOM) < rows;
        let many = k.saturating_mul(MANY) > left;
        let plan = |way, why: String| {
            Plan { way, exact: way != Way::Cells, rows, among: left, cells: None, why }
        };
        let other = |because: String| match WIDTHS.contains(&self.dim) && !many {
            true => plan(Way::Codes, because),
            false => plan(Way::Scan, because),
        };
        if left == 0 || (among.is_some() && few) {
            return plan(Way::Scan, format!("{left} of {rows} rows are left: they are scored alone"));
        }
        let cells = match &self.cells {
            None => return other(self.no_cells(rows)),
            Some(cells) => cells,
        };
        if let Some(what) = cells.wrong() {
            return other(format!("{} is damaged ({what})", cells.path().display()));
        }
        let covered = self.covered();
        if 2 * covered < rows {
            return other(format!("{covered} of {rows} rows are in cells: `tuwen gallery compact` puts all there"));
        }
        if many {
            return other(format!("{k} of {left} rows are wanted"));
        }
        let width = cells.widths().of(cells.kind(query), self.depth(k, left)).min(cells.count());
        let kind = match cells.kind(query) {
            Kind::Text => "words",
            Kind::Picture => "a picture",
        };
        let why = format!(
            "{covered} of {rows} rows are in {} cells, {width} of which are near enough to a query of {kind}",
            cells.count()
        );
        Plan { cells: Some([width, cells.count()]), ..plan(Way::Cells, why) }
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
