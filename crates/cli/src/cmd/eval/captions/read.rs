//! Captions and the references of the same pictures.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Result, bail};
use tuwen_files::encoding::TextFile;
use tuwen_sets::import::{Line, captions, picture_id};

use super::Args;
use crate::terminal::note;
use crate::words::counted;

/// A picture's caption and what people said of it.
pub(super) struct Described {
    pub id: String,
    /// The name of its file without the extension, where a file says it.
    pub name: Option<String>,
    pub caption: String,
    /// At least one.
    pub references: Vec<String>,
}

/// The references of a picture, and where its caption stands.
struct Wanted {
    id: String,
    name: Option<String>,
    references: Vec<String>,
    found: Option<Line>,
}

/// All pictures, in the order of the references.
pub(super) fn set(args: &Args) -> Result<Vec<Described>> {
    let predictions = read(&args.predictions, args)?;
    let mut wanted = grouped(read(&args.references, args)?);
    if let Some(list) = &args.ids {
        only(&mut wanted, list, &args.references)?;
    }
    find(predictions, &mut wanted, args)?;
    let missing: Vec<&Wanted> = wanted.iter().filter(|one| one.found.is_none()).collect();
    if let Some(first) = missing.first() {
        bail!(
            "{}: {} of the {} of {} without a caption, such as `{}`: write one for each, or name the pictures to \
             measure with --ids FILE",
            args.predictions.display(),
            missing.len(),
            counted(wanted.len(), "picture"),
            args.references.display(),
            first.id
        );
    }
    let described = |one: Wanted| {
        let line = one.found.expect("none is missing");
        let name = one.name.or(line.name);
        Described { id: one.id, name, caption: line.caption, references: one.references }
    };
    Ok(wanted.into_iter().map(described).collect())
}

/// Captions that all say something.
fn read(path: &Path, args: &Args) -> Result<Vec<Line>> {
    for remark in TextFile::look_as(path, args.encoding)?.remarks() {
        note!("note: {}: {remark}", path.display());
    }
    let lines = captions(path, args.encoding)?;
    if let Some(empty) = lines.iter().find(|line| line.caption.trim().is_empty()) {
        bail!(
            "{}, entry {}: the caption of `{}` is empty: write its words, or take the entry out",
            path.display(),
            empty.place,
            empty.id
        );
    }
    Ok(lines)
}

fn grouped(lines: Vec<Line>) -> Vec<Wanted> {
    let (mut all, mut places) = (Vec::<Wanted>::new(), HashMap::new());
    for line in lines {
        let at = *places.entry(line.id.clone()).or_insert(all.len());
        if at == all.len() {
            all.push(Wanted { id: line.id, name: line.name, references: Vec::new(), found: None });
        }
        all[at].references.push(line.caption);
    }
    all
}

/// Keeps the listed pictures.
fn only(wanted: &mut Vec<Wanted>, list: &Path, references: &Path) -> Result<()> {
    let text = TextFile::read(list)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let listed: HashSet<String> = lines.map(picture_id).collect();
    let is_listed = |one: &Wanted| {
        listed.contains(&one.id) || one.name.as_ref().is_some_and(|name| listed.contains(name))
    };
    wanted.retain(is_listed);
    let there: HashSet<&String> =
        wanted.iter().flat_map(|one| [Some(&one.id), one.name.as_ref()]).flatten().collect();
    if let Some(missing) = listed.iter().filter(|id| !there.contains(id)).min() {
        bail!(
            "{}: the picture `{missing}` has no reference in {}: take it out of the list, or give references of it",
            list.display(),
            references.display()
        );
    }
    if wanted.is_empty() {
        bail!("{}: no picture is listed: write one id a line", list.display());
    }
    Ok(())
}

/// Gives each picture its caption, by its number or by the name of its file.
fn find(predictions: Vec<Line>, wanted: &mut [Wanted], args: &Args) -> Result<()> {
    let path = args.predictions.display();
    let ids = wanted.iter().enumerate().map(|(at, one)| (one.id.clone(), at));
    let ids: HashMap<String, usize> = ids.collect();
    let names = wanted.iter().enumerate().filter_map(|(at, one)| Some((one.name.clone()?, at)));
    let names: HashMap<String, usize> = names.collect();
    let (count, mut strangers) = (predictions.len(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in predictions {
        if let Some(before) = seen.insert(line.id.clone(), line.place) {
            bail!(
                "{path}: `{}` has two captions, in the entries {before} and {}: keep one for each picture",
                line.id,
                line.place
            );
        }
        let by_name = || names.get(line.name.as_ref().unwrap_or(&line.id));
        let Some(&at) = ids.get(&line.id).or_else(by_name) else {
            strangers.push(line.id);
            continue;
        };
        if let Some(before) = &wanted[at].found {
            bail!(
                "{path}: `{}` (entry {}) and `{}` (entry {}) are one picture: keep one caption of it",
                before.id,
                before.place,
                line.id,
                line.place
            );
        }
        wanted[at].found = Some(line);
    }
    match (strangers.first(), &args.ids) {
        (None, _) => {}
        (Some(_), Some(list)) if strangers.len() < count => {
            let many = counted(strangers.len(), "caption");
            note!("note: {path}: {many} of pictures that {} does not list", list.display());
        }
        (Some(first), _) => bail!(
            "{path}: {} of {count} captions are of pictures without a reference in {}, such as `{first}`; pictures \
             are called `{}` there: give references of the same pictures, or write their ids the same way",
            strangers.len(),
            args.references.display(),
            wanted[0].id
        ),
    }
    Ok(())
}
