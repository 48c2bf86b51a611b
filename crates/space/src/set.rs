//! Pairs of two modalities' features with a class each, looked at before anybody learns from them.

use std::collections::BTreeMap;

use tuwen_image::rng::Rng;

use crate::error::{Result, input};
use crate::table::Table;

/// Features: rows of `width` values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Row-major.
    pub values: Vec<f32>,
    /// Values of a row.
    pub width: usize,
}

impl Features {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..][..self.width]
    }

    /// Some rows, in this order.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&at| self.row(at)).copied().collect();
        Self { values, width: self.width }
    }

    /// A table's numbers; `name` is what errors call it.
    ///
    /// # Errors
    /// A number is not finite (also as f32): the row and the column are named.
    pub fn of(table: &Table, name: &str) -> Result<Self> {
        let values: Vec<f32> = table.values.iter().map(|&value| value as f32).collect();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / table.columns + 1, at % table.columns + 1);
            let value = table.values[at];
            return input(format!(
                "{name}, row {row}, column {column}: {value} is not finite: leave the pair out of all files or \
                 repair it"
            ));
        }
        Ok(Self { values, width: table.columns })
    }

    /// Columns that say nothing, counted from 1.
    fn constant_columns(&self) -> Vec<usize> {
        let first = self.row(0);
        let same =
            |at: &usize| self.values.iter().skip(*at).step_by(self.width).all(|v| *v == first[*at]);
        (0..self.width).filter(same).map(|at| at + 1).collect()
    }
}

/// Pairs: row i of the images belongs to row i of the texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// (N, A).
    pub images: Features,
    /// (N, B).
    pub texts: Features,
    /// The class of each pair: a place in the classes' list.
    pub labels: Vec<usize>,
}

impl Pairs {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Some pairs, in this order.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        Self {
            images: self.images.pick(rows),
            texts: self.texts.pick(rows),
            labels: rows.iter().map(|&at| self.labels[at]).collect(),
        }
    }

    /// These and others behind them.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let both = |a: &Features, b: &Features| Features {
            values: [a.values.as_slice(), &b.values].concat(),
            width: a.width,
        };
        Self {
            images: both(&self.images, &others.images),
            texts: both(&self.texts, &others.texts),
            labels: [self.labels.as_slice(), &others.labels].concat(),
        }
    }

    /// Those whose class is one of these.
    #[must_use]
    pub fn of_classes(&self, classes: &[usize]) -> Self {
        let wanted = |at: &usize| classes.contains(&self.labels[*at]);
        self.pick(&(0..self.len()).filter(wanted).collect::<Vec<_>>())
    }

    /// A part of every class, drawn by `seed`, and the rest: (rest, part), each in its order. A class of one pair stays
    /// in the rest.
    pub fn parted(&self, share: f64, seed: u64) -> (Self, Self) {
        let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        (0..self.len()).for_each(|at| classes.entry(self.labels[at]).or_default().push(at));
        let (mut rest, mut part) = (Vec::new(), Vec::new());
        for (class, mut rows) in classes {
            Rng::new(&[seed, class as u64, 0x7061_7274]).shuffle(&mut rows);
            let count = (rows.len() as f64 * share).round() as usize;
            let (taken, left) = rows.split_at(count.min(rows.len() - 1));
            part.extend(taken);
            rest.extend(left);
        }
        rest.sort_unstable();
        part.sort_unstable();
        (self.pick(&rest), self.pick(&part))
    }
}

/// A set as it is split by those who made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The classes' names; labels are places in this list.
    pub classes: Vec<String>,
    /// To learn from.
    pub train: Pairs,
    /// To measure on.
    pub test: Pairs,
}

/// What a part of a set is made of: its name, images, texts, labels.
pub struct Part<'a> {
    /// As errors call it.
    pub name: &'a str,
    /// Features of images.
    pub images: &'a Table,
    /// Features of texts.
    pub texts: &'a Table,
    /// Labels as they are written.
    pub labels: &'a [String],
}

impl Set {
    /// Makes a set of what files say. Labels are names of `classes`, or their places counted from 1, or from 0 where a
    /// label is 0; without `classes` all labels of the training part, in their order.
    ///
    /// # Errors
    /// Counts differ, a value is not finite, a column is constant, a class has no member to learn from, there is one
    /// class alone, or a label is outside the classes.
    pub fn new(train: &Part<'_>, test: &Part<'_>, classes: &[String]) -> Result<Self> {
        let classes = match classes {
            [] => sorted_labels(train.labels),
            given => given.to_vec(),
        };
        if classes.len() < 2 {
            return input(format!(
                "{} class ({}): two are needed at least",
                classes.len(),
                classes.join(", ")
            ));
        }
        for (at, name) in classes.iter().enumerate() {
            if classes[..at].contains(name) {
                return input(format!("class {name} is there twice: merge the two"));
            }
        }
        let from = match train.labels.iter().chain(test.labels).any(|label| label == "0") {
            true => 0,
            false => 1,
        };
        let set = Self {
            train: pairs(train, &classes, from)?,
            test: pairs(test, &classes, from)?,
            classes,
        };
        set.look(train, test)?;
        Ok(set)
    }

    fn look(&self, train: &Part<'_>, test: &Part<'_>) -> Result<()> {
        let widths = |pairs: &Pairs| [pairs.images.width, pairs.texts.width];
        let (a, b) = (widths(&self.train), widths(&self.test));
        for (at, what) in ["images", "texts"].iter().enumerate() {
            if a[at] != b[at] {
                let (a, b) = (a[at], b[at]);
                return input(format!(
                    "{what} have {a} values in {} and {b} in {}",
                    train.name, test.name
                ));
            }
        }
        for (features, what) in [(&self.train.images, "images"), (&self.train.texts, "texts")] {
            let constant = features.constant_columns();
            if let Some(first) = constant.first() {
                return input(format!(
                    "{} of {}: column {first} is constant ({}{}), which says nothing: leave it out",
                    what,
                    train.name,
                    features.row(0)[first - 1],
                    match constant.len() - 1 {
                        0 => String::new(),
                        more => format!("; {more} more such columns"),
                    }
                ));
            }
        }
        for (class, name) in self.classes.iter().enumerate() {
            if !self.train.labels.contains(&class) {
                return input(format!(
                    "class {name} has no member in {}: leave it out",
                    train.name
                ));
            }
        }
        Ok(())
    }
}

/// All labels; numbers by their size and names by the alphabet.
fn sorted_labels(labels: &[String]) -> Vec<String> {
    let mut all = labels.to_vec();
    all.sort_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    all.dedup();
    all
}

fn pairs(part: &Part<'_>, classes: &[String], from: usize) -> Result<Pairs> {
    let (images, texts, labels) = (part.images.rows, part.texts.rows, part.labels.len());
    if images != texts || images != labels {
        return input(format!(
            "{}: {images} rows of images, {texts} of texts and {labels} labels: they must be as many",
            part.name
        ));
    }
    if images == 0 {
        return input(format!("{}: it is empty", part.name));
    }
    let place = |(at, label): (usize, &String)| {
        let named = classes.iter().position(|class| class == label);
        let numbered = || label.parse::<usize>().ok().and_then(|number| number.checked_sub(from));
        match named.or_else(|| numbered().filter(|place| *place < classes.len())) {
            Some(place) => Ok(place),
            None => input(format!(
                "{}, row {}: label {label} is none of the {} classes ({})",
                part.name,
                at + 1,
                classes.len(),
                classes.join(", ")
            )),
        }
    };
    Ok(Pairs {
        images: Features::of(part.images, &format!("{}, images", part.name))?,
        texts: Features::of(part.texts, &format!("{}, texts", part.name))?,
        labels: part.labels.iter().enumerate().map(place).collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize, columns: usize) -> Table {
        let values = (0..rows * columns).map(|i| ((i * 37 + 11) % 101) as f64).collect();
        Table { rows, columns, values }
    }

    fn labels(list: &[&str]) -> Vec<String> {
        list.iter().map(|label| (*label).to_owned()).collect()
    }

    fn made(images: &Table, texts: &Table, own: &[&str], classes: &[&str]) -> Result<Set> {
        let (own, test_labels) = (labels(own), labels(&["1", "2"]));
        let (test_images, test_texts) = (table(2, images.columns), table(2, texts.columns));
        let train = Part { name: "train", images, texts, labels: &own };
        let test =
            Part { name: "test", images: &test_images, texts: &test_texts, labels: &test_labels };
        Set::new(&train, &test, &labels(classes))
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused_with_its_row() {
        let four = ["1", "2", "1", "2"];
        let wrong = |found: Result<Set>| found.expect_err("wrong").to_string();
        assert!(made(&table(4, 3), &table(4, 2), &four, &[]).is_ok());
        assert!(made(&table(4, 3), &table(4, 2), &four, &["cat", "dog"]).is_ok());
        let counts = wrong(made(&table(4, 3), &table(3, 2), &four, &[]));
        assert!(counts.contains("4 rows of images, 3 of texts and 4 labels"), "{counts}");
        let mut nan = table(4, 3);
        nan.values[7] = f64::NAN;
        assert!(
            wrong(made(&nan, &table(4, 2), &four, &[])).contains("images, row 3, column 2: NaN")
        );
        nan.values[7] = 1e300;
        assert!(wrong(made(&nan, &table(4, 2), &four, &[])).contains("row 3, column 2"));
        let mut constant = table(4, 3);
        (0..4).for_each(|row| constant.values[row * 3 + 1] = 7.0);
        assert!(
            wrong(made(&constant, &table(4, 2), &four, &[])).contains("column 2 is constant (7)")
        );
        assert!(wrong(made(&table(2, 3), &table(2, 2), &["1", "1"], &[])).contains("1 class (1)"));
        let missing = wrong(made(&table(4, 3), &table(4, 2), &four, &["a", "b", "c"]));
        assert!(missing.contains("class c has no member in train"), "{missing}");
        let outside = wrong(made(&table(4, 3), &table(4, 2), &["1", "2", "3", "1"], &["a", "b"]));
        assert!(outside.contains("train, row 3: label 3 is none of the 2 classes"), "{outside}");
        assert!(
            wrong(made(&table(4, 3), &table(4, 2), &["1", "2", "bird", "1"], &["a", "b"]))
                .contains("bird")
        );
    }

    #[test]
    fn labels_count_from_one_or_from_zero_and_a_part_holds_every_class() {
        let set =
            made(&table(4, 3), &table(4, 2), &["2", "1", "a", "2"], &["a", "b"]).expect("a set");
        assert_eq!(set.train.labels, [1, 0, 0, 1]);
        let many = Pairs {
            images: Features { values: (0..60).map(|i| i as f32).collect(), width: 2 },
            texts: Features { values: vec![0.5; 30], width: 1 },
            labels: (0..30).map(|i| i % 3).collect(),
        };
        let (rest, part) = many.parted(0.2, 5);
        assert_eq!((rest.len(), part.len()), (24, 6));
        (0..3).for_each(|class| assert_eq!(part.of_classes(&[class]).len(), 2));
        assert_eq!(many.parted(0.2, 5), (rest, part.clone()));
        assert_ne!(many.parted(0.2, 6).1, part);
    }
}
