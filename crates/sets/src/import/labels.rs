//! Sets whose pictures have labels: the labels' names as captions, and the parts that are kept apart to
//! measure on.

use super::pairs::Pair;
use super::{CaptionFile, Part};
use crate::{Caption, Sample, names};
use tuwen_files::{Error, Result};
use tuwen_image::rng::Rng;

/// The names of a record's label as captions, each with itself as its id.
pub(super) fn captions(file: &CaptionFile, set: &str, pair: &Pair) -> Result<Vec<Caption>> {
    let wrong = |what: String| Error::record(&file.file, pair.line, what);
    if names::of_set(set).is_none() {
        let known: Vec<&str> = names::sets().collect();
        return Err(wrong(format!("there are no names of a set `{set}`, only of {known:?}")));
    }
    let found = names::find(set, &pair.caption)
        .ok_or_else(|| wrong(format!("the set `{set}` has no label `{}`", pair.caption)))?;
    let caption = |(end, word): (&str, &str)| Caption {
        text: word.to_owned(),
        source: format!("{}-{end}", file.source),
        id: Some(word.to_owned()),
    };
    Ok(found.words().map(caption).collect())
}

/// Which part a picture is of. Its label is its first text that has an id; a picture without one is to
/// learn from, or a fifth of the time to measure on.
pub(super) fn part_of(sample: &Sample) -> Part {
    let label = sample.captions.iter().find_map(|caption| caption.id.as_deref());
    if label.is_some_and(|label| one_in(10, label)) {
        Part::Unseen
    } else if one_in(5, &sample.id) {
        Part::Seen
    } else {
        Part::Train
    }
}

/// True of one in `n` texts, always of the same ones.
fn one_in(n: usize, text: &str) -> bool {
    let bytes: Vec<u64> = text.bytes().map(u64::from).collect();
    Rng::new(&bytes).below(n) == 0
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ImageSource;

    fn labelled(id: &str, label: &str) -> Sample {
        let file = CaptionFile { source: "x".into(), ..CaptionFile::new(Path::new("x.jsonl")) };
        let pair = Pair { line: 3, caption: label.into(), ..Pair::default() };
        Sample {
            id: id.into(),
            image: ImageSource::File(id.into()),
            captions: captions(&file, "caltech101", &pair).expect("a label"),
            split: None,
            metadata: Default::default(),
        }
    }

    #[test]
    fn names_become_captions_with_ids_in_both_languages() {
        let sample = labelled("1", "accordion");
        let of = |source: &str| {
            let mut found = sample.captions.iter().filter(|caption| caption.source == source);
            found.next().expect("a name").clone()
        };
        assert_eq!((&*of("x-en").text, of("x-zh").id.as_deref()), ("accordion", Some("手风琴")));
        let file = CaptionFile::new(Path::new("x.jsonl"));
        let pair = Pair { line: 3, caption: "no such".into(), ..Pair::default() };
        let error = captions(&file, "caltech101", &pair).expect_err("no label").to_string();
        assert!(error.contains("no such") && error.contains("x.jsonl"), "{error}");
        assert!(
            captions(&file, "none", &pair).expect_err("no set").to_string().contains("imagenet")
        );
    }

    #[test]
    fn parts_are_about_as_large_as_they_should_be_and_labels_stay_together() {
        let labels = names::of_set("caltech101").expect("a set");
        let mut counts = [0; 3];
        let mut apart = 0;
        for names in labels {
            let parts: Vec<Part> = (0..20)
                .map(|at| part_of(&labelled(&format!("{}-{at}", names.label), names.label)))
                .collect();
            parts.iter().for_each(|&part| counts[part as usize] += 1);
            let unseen = parts.iter().filter(|&&part| part == Part::Unseen).count();
            assert!(unseen == 0 || unseen == 20);
            apart += usize::from(unseen == 20);
        }
        assert!((4..=18).contains(&apart), "{apart}");
        let share = f64::from(counts[1]) / f64::from(counts[0] + counts[1]);
        assert!((0.15..0.25).contains(&share), "{counts:?}");
    }
}
