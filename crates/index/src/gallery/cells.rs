//! Cells of a gallery's vectors: made, measured and verified. They are derived: whoever may read a gallery and write
//! beside it makes them, while others write and search.

use std::path::PathBuf;

use super::Gallery;
use crate::item::Modality;
use crate::vectors::{
    Asked, Building, CELLS_FROM, Recall, Vectors, Widths, build_cells, cells_path, mean_of,
};
use crate::{Error, Result};

/// Vectors by which queries are known and recall is measured, where a gallery has as many.
const SAMPLE: usize = 2000;
/// Queries of each kind that are measured with.
const ASKED: usize = 400;

/// How cells are made.
pub struct CellsOptions<'a> {
    /// Also where there are so few rows that exact search is fast.
    pub always: bool,
    /// Queries of words, (Q, D), where the gallery's own texts are none or no good ones.
    pub texts: Vec<f32>,
    /// The share of the best that searches are to find.
    pub target: f32,
    /// Is told how far it is, from 0 to 1, and answers whether to go on.
    pub goes_on: &'a (dyn Fn(f32) -> bool + Sync),
}

impl CellsOptions<'_> {
    /// The share that is asked for when nobody says another.
    pub const TARGET: f32 = 0.98;
}

/// What was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// How many there are.
    pub cells: usize,
    /// How many of them searches look into.
    pub widths: Widths,
    /// What that finds.
    pub recall: Vec<Recall>,
}

impl Gallery {
    /// Makes the cells of a modality's vectors, and measures how many of them searches must look into. Nothing where
    /// there are too few rows, or where it was stopped; then what was there stays.
    ///
    /// # Errors
    /// A segment is damaged, the disk is full or read-only, or another program makes them.
    pub fn make_cells(
        &self,
        modality: Modality,
        options: &CellsOptions<'_>,
    ) -> Result<Option<Cells>> {
        let vectors = self.vectors(modality)?;
        if self.format < 2 || (vectors.len() < CELLS_FROM && !options.always) {
            return Ok(None);
        }
        let (dim, folder) = (vectors.dim(), self.segments());
        let texts = self.words_asked(modality, &options.texts, SAMPLE)?;
        let (_, own) = vectors.sample(SAMPLE)?;
        let kinds = match modality {
            // Texts are found by pictures as well, which lie apart from them.
            Modality::Text => [
                mean_of(&own, dim),
                mean_of(&self.vectors(Modality::Image)?.sample(SAMPLE)?.1, dim),
            ],
            _ => [mean_of(&texts.vectors, dim), mean_of(&own, dim)],
        };
        let goes_on = |share: f32| (options.goes_on)(0.9 * share);
        let building = Building { goes_on: &goes_on, kinds };
        let made = build_cells(&folder, modality, dim, vectors.segments(), &building)?;
        let Some(cells) = made else { return Ok(None) };
        drop(vectors);
        let tuned = self.tune_cells(modality, options, true)?;
        let Some((widths, recall)) = tuned else { return Ok(None) };
        (options.goes_on)(1.0);
        Ok(Some(Cells { cells, widths, recall }))
    }

    /// Measures how many cells searches must look into to find a share of the best, and what that finds; `store` keeps
    /// it for the searches that follow. Nothing without cells.
    ///
    /// # Errors
    /// A segment is damaged, or the disk is read-only.
    pub fn tune_cells(
        &self,
        modality: Modality,
        options: &CellsOptions<'_>,
        store: bool,
    ) -> Result<Option<(Widths, Vec<Recall>)>> {
        let mut vectors = self.vectors(modality)?;
        let [text, picture] = self.asked(&vectors, modality, &options.texts)?;
        let tuned = vectors.tune([&text, &picture], options.target)?;
        if let (Some((widths, _)), Some(cells), true) = (&tuned, vectors.cells_mut(), store) {
            let stored = cells.store_widths(*widths);
            stored.map_err(|e| super::unwritable(&self.folder, &e))?;
        }
        Ok(tuned)
    }

    /// Queries of words and pictures for a modality, from the gallery's own items.
    fn asked(&self, vectors: &Vectors, modality: Modality, texts: &[f32]) -> Result<[Asked; 2]> {
        let text = self.words_asked(modality, texts, ASKED)?;
        let picture = match modality {
            Modality::Text => {
                let (_, vectors) = self.vectors(Modality::Image)?.sample(ASKED)?;
                Asked { vectors, own: Vec::new() }
            }
            _ => {
                let (own, vectors) = vectors.sample(ASKED)?;
                Asked { vectors, own }
            }
        };
        Ok([text, picture])
    }

    fn words_asked(&self, modality: Modality, texts: &[f32], count: usize) -> Result<Asked> {
        if !texts.is_empty() {
            return Ok(Asked { vectors: texts.to_vec(), own: Vec::new() });
        }
        let (own, vectors) = self.vectors(Modality::Text)?.sample(count)?;
        let own = if modality == Modality::Text { own } else { Vec::new() };
        Ok(Asked { vectors, own })
    }

    /// What the files of a modality's vectors are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stored(&self, modality: Modality) -> Result<Stored> {
        if self.format < 2 {
            return Ok(Stored { rows: self.count(modality)?, ..Stored::default() });
        }
        let (folder, mut stored) = (self.segments(), Stored::default());
        let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |data| data.len());
        for (number, rows) in self.numbers(modality).map_err(|e| self.error(e))? {
            stored.segments += 1;
            stored.rows += rows;
            let name = folder.join(format!("{number:06}"));
            stored.vectors_bytes += size(&name.with_extension("vectors"));
            stored.codes_bytes += size(&name.with_extension("codes"));
        }
        stored.cells_bytes = size(&cells_path(&folder, modality));
        Ok(stored)
    }

    /// Takes the cells of a modality away; whether there were some.
    ///
    /// # Errors
    /// The disk is read-only.
    pub fn remove_cells(&self, modality: Modality) -> Result<bool> {
        match std::fs::remove_file(cells_path(&self.segments(), modality)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(super::unwritable(&self.folder, &error)),
        }
    }

    /// Reads every file of vectors and the database, and compares all checksums. `goes_on` is told how far it is and
    /// answers whether to go on. What is wrong, a line for each file: of derived files too, of which the gallery loses
    /// nothing.
    ///
    /// # Errors
    /// The database cannot be asked at all.
    pub fn verify(&self, goes_on: &dyn Fn(f32) -> bool) -> Result<Vec<Wrong>> {
        let mut wrong = Vec::new();
        let health = |db: &rusqlite::Connection| {
            db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))
        };
        let health = health(&self.db).map_err(|e| self.error(e))?;
        if health != "ok" {
            wrong.push(Wrong { path: self.file(), what: health, derived: false });
        }
        let kinds = [Modality::Image, Modality::Text, Modality::Fused];
        for (at, modality) in kinds.into_iter().enumerate() {
            let share = |within: f32| goes_on((at as f32 + within) / kinds.len() as f32);
            let vectors = match self.vectors(modality) {
                Ok(vectors) => vectors,
                Err(Error::DamagedSegment { path, what }) => {
                    wrong.push(Wrong { path, what, derived: false });
                    continue;
                }
                Err(Error::Segment { path, source }) => {
                    wrong.push(Wrong { path, what: source.to_string(), derived: false });
                    continue;
                }
                Err(other) => return Err(other),
            };
            for (path, what, derived) in vectors.verify(&share) {
                wrong.push(Wrong { path, what, derived });
            }
        }
        Ok(wrong)
    }
}

/// The files of a modality's vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stored {
    /// Pairs of files.
    pub segments: usize,
    /// Rows in them, those among them whose item is gone.
    pub rows: usize,
    /// Of f32.
    pub vectors_bytes: u64,
    /// Of 8 bits.
    pub codes_bytes: u64,
    /// Of cells.
    pub cells_bytes: u64,
}

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Wrong {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// Whether it is made again from others, so that nothing is lost.
    pub derived: bool,
}
