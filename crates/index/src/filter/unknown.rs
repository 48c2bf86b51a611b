//! Fields of a filter that are none, neither tuwen's own nor any item's, and values of another type than a field's: either would
//! find nothing in silence.

use super::{Facet, FieldSummary, Filter, FilterError, KNOWN, MADE_BY};

/// Names that an error lists.
const LISTED: usize = 40;
/// Values that a remark lists.
const VALUES: usize = 5;

impl Filter {
    /// Refuses a field that is neither one of [`KNOWN`], nor [`MADE_BY`], nor among `names`, those that items have, nor
    /// among those of items `elsewhere`, which are not told of.
    ///
    /// ```
    /// use tuwen_index::filter::Filter;
    /// let error = Filter::parse("yaer = 2020")?.check_fields(&["price", "year"], &[]).unwrap_err();
    /// assert!(error.to_string().contains("field `yaer`: did you mean `year`? There are price, year, "));
    /// assert_eq!(Filter::parse("camera = sony AND price < 3")?.check_fields(&["price"], &[]), Ok(()));
    /// # Ok::<(), tuwen_index::filter::FilterError>(())
    /// ```
    ///
    /// # Errors
    /// The first such field, with the nearest name and those that there are.
    pub fn check_fields(&self, names: &[&str], elsewhere: &[&str]) -> Result<(), FilterError> {
        let own = KNOWN.iter().map(|known| known.name).chain([MADE_BY]);
        let unknown = |field: &&str| {
            let of_items = [names, elsewhere].iter().any(|names| names.contains(field));
            !of_items && !own.clone().any(|own| own == *field)
        };
        let Some(field) = self.fields().into_iter().find(unknown) else { return Ok(()) };
        let mut known: Vec<&str> = names.to_vec();
        known.dedup(); // one with values of several types stands several times
        known.extend(own.filter(|name| !names.contains(name)));
        let mut listed = known.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        if known.len() > LISTED {
            listed += &format!(" and {} more", known.len() - LISTED);
        }
        let chinese = KNOWN.iter().map(|known| known.chinese);
        let nearest = nearest(field, known.into_iter().chain(chinese));
        let meant = nearest.map_or(String::new(), |name| format!(" did you mean `{name}`?"));
        Err(FilterError::UnknownField { field: field.to_owned(), meant, listed })
    }
}

impl Filter {
    /// For each comparison with what no value of its field in `fields` can be equal to, since all of these are of another
    /// type, a sentence that says so.
    ///
    /// ```
    /// use tuwen_index::filter::{FieldSummary, Filter, Type};
    /// let price = FieldSummary { name: "price".into(), kind: Type::Number, items: 3 };
    /// let said = |filter| Filter::parse(filter).expect("a filter").mistyped(std::slice::from_ref(&price));
    /// assert_eq!(said("price > abc OR year = 2020"), ["all values of `price` are of type number, and it is compared with none"]);
    /// assert!(said("price IN (abc, 3)").is_empty());
    /// ```
    pub fn mistyped(&self, fields: &[FieldSummary]) -> Vec<String> {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().flat_map(|part| part.mistyped(fields)).collect()
            }
            Self::Not(part) => part.mistyped(fields),
            Self::Has(_) => Vec::new(),
            Self::Compare { field, conditions } => {
                let own = || fields.iter().filter(|known| known.name == *field);
                let fits = own().any(|own| conditions.iter().any(|one| one.kind() == own.kind));
                let kinds: Vec<&str> = own().map(|own| own.kind.name()).collect();
                if fits || kinds.is_empty() {
                    return Vec::new();
                }
                let kinds = kinds.join(" or ");
                vec![format!(
                    "all values of `{field}` are of type {kinds}, and it is compared with none"
                )]
            }
        }
    }
}

impl Filter {
    /// For a search that found nothing: a sentence for each field of which no item has a value that is asked for, with the
    /// commonest that there are. `values` gives a field's values, the commonest first.
    ///
    /// # Errors
    /// Those of `values`.
    pub fn unmet<E>(
        &self,
        values: &mut impl FnMut(&str) -> Result<Vec<Facet>, E>,
    ) -> Result<Vec<String>, E> {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                let mut said = Vec::new();
                for part in parts {
                    said.extend(part.unmet(values)?);
                }
                Ok(said)
            }
            Self::Not(_) | Self::Has(_) => Ok(Vec::new()),
            Self::Compare { field, conditions } => {
                let all = values(field)?;
                let meets = |one: &Facet| conditions.iter().any(|fits| fits.accepts(&one.value));
                if all.is_empty() || all.iter().any(meets) {
                    return Ok(Vec::new());
                }
                let listed =
                    all.iter().take(VALUES).map(|one| format!("{:?}", one.value.to_string()));
                let listed = listed.collect::<Vec<_>>().join(", ");
                Ok(vec![format!("no item has such a value of `{field}`; the commonest: {listed}")])
            }
        }
    }
}

/// The name that takes the fewest slips to be written so; none where these are more than a third of its letters.
fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = written.chars().collect();
    let near = |name: &'a str| {
        let name_chars: Vec<char> = name.chars().collect();
        let most = name_chars.len().max(written.len()) / 3;
        let apart = slips(&written, &name_chars);
        (apart <= most.max(1) && apart < name_chars.len()).then_some((apart, name))
    };
    names.filter_map(near).min_by_key(|&(apart, _)| apart).map(|(_, name)| name)
}

/// Letters that were forgotten, added, mistaken or exchanged with the next one, at least
/// (the optimal string alignment distance).
fn slips(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mistaken = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = mistaken.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_items_elsewhere_are_neither_refused_nor_told_of() {
        let filter = Filter::parse("colour = red AND zz = 1").expect("a filter");
        let error = filter.check_fields(&["price"], &["colour"]).expect_err("zz is none");
        let said = error.to_string();
        assert!(said.contains("`zz`") && said.contains("price") && !said.contains("colour"));
        assert_eq!(filter.check_fields(&["price", "zz"], &["colour"]), Ok(()));
    }

    #[test]
    fn the_nearest_name_is_meant_if_any_is_near() {
        let names = ["year", "tag", "camera", "标签", "price_eur"];
        for (written, meant) in [
            ("yaer", Some("year")),
            ("years", Some("year")),
            ("camra", Some("camera")),
            ("标笺", Some("标签")),
            ("price_euro", Some("price_eur")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names.into_iter()), meant, "{written}");
        }
    }

    #[test]
    fn many_fields_are_counted_and_not_all_listed() {
        let names: Vec<String> = (0..100).map(|at| format!("column{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = Filter::parse("price = 3").expect("a filter").check_fields(&names, &[]);
        let said = error.expect_err("there is none").to_string();
        assert!(said.ends_with("column39 and 83 more"), "{said}");
    }
}
