//! `tuwen gallery dedup`

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Result;
use serde::Serialize;
use tuwen_index::filter::Filter;
use tuwen_index::{Gallery, Modality};
use tuwen_retrieve::alike::{ALIKE, FLOOR, groups, links_among, lowest};
use tuwen_retrieve::{FileName, path_of};

use crate::cmd::stop_flag;
use crate::gallery::{GalleryArg, note_filter};
use crate::number;
use crate::progress;
use crate::query::Usage;
use crate::terminal::{note, say};
use crate::words::counted;

/// Which pictures are the same.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen gallery dedup\n  tuwen gallery dedup --threshold 0.97 --json\n\n\
    The largest groups come first, and nothing is removed. Up to 20,000 pictures each is compared with each, of more each with \
    the 32 that a search finds nearest. --json prints a line for each group: `score` is the least cosine of any two of it, \
    `items` the pictures with `id` and file."
)]
pub struct Args {
    #[command(flatten)]
    gallery: GalleryArg,
    /// The cosine from which two pictures are nearly the same
    #[arg(long, value_name = "COSINE", default_value_t = ALIKE, value_parser = number::between(f32::from(FLOOR) / 1000.0, 1.0))]
    threshold: f32,
    /// Only pictures that this is true of, such as 'year >= 2020 AND tag = "狗"'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// How many groups are printed; all where it is not said and --json is
    #[arg(short, value_name = "GROUPS", value_parser = number::whole(1..=number::MANY))]
    k: Option<usize>,
    /// Print as JSON, one group a line
    #[arg(long)]
    json: bool,
}

/// Groups where nobody says how many.
const K: usize = 20;

#[derive(Serialize)]
struct Group {
    score: f32,
    items: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    id: i64,
    #[serde(flatten)]
    file: FileName,
}

/// Compares and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stop = stop_flag("stopping")?;
    let gallery = Gallery::open(&args.gallery.place().folder)?;
    gallery.hold()?;
    let ids = pictures(&gallery, args.filter.as_deref())?;
    let bar = progress::bar(Some(ids.len()), "pictures compared");
    let goes_on = |done: usize| {
        bar.set_position(done as u64);
        !stop.load(Ordering::Relaxed)
    };
    let vectors = gallery.vectors(Modality::Image)?;
    // Every block's checksum, which single rows are not read with.
    vectors.each(|_, _| Ok::<_, tuwen_index::Error>(()))?;
    let links = links_among(&vectors, &ids, &|some| gallery.vectors_of(some), &goes_on)?;
    bar.finish_and_clear();
    let Some(links) = links else { return Ok(ExitCode::FAILURE) };
    let least = (args.threshold * 1000.0).round() as u16;
    let of_places = |places: &[usize]| {
        gallery.vectors_of(&places.iter().map(|&at| ids[at]).collect::<Vec<_>>())
    };
    let groups = groups(ids.len(), &links, least, vectors.dim(), &of_places)?;
    let most = args.k.unwrap_or(if args.json { usize::MAX } else { K });
    for places in groups.iter().take(most) {
        let members: Vec<i64> = places.iter().map(|&at| ids[at]).collect();
        print(&read(&gallery, &members, vectors.dim())?, args.json)?;
    }
    if !args.json {
        let more: usize = groups.iter().map(|group| group.len() - 1).sum();
        say!(
            "{}; {} of {} would be left with one of each",
            counted(groups.len(), "group"),
            ids.len() - more,
            counted(ids.len(), "picture")
        );
        if groups.len() > most {
            note!("note: these were the largest {most} groups: -k N prints more, --json all");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The pictures that a filter is true of, all without one.
fn pictures(gallery: &Gallery, filter: Option<&str>) -> Result<Vec<i64>> {
    let Some(filter) = filter else {
        return Ok(gallery.ids(Modality::Image)?.iter().map(|id| id as i64).collect());
    };
    let filter = Filter::parse(filter).map_err(|error| Usage(format!("--where: {error}")))?;
    note_filter(gallery, &filter)?;
    Ok(gallery.select(&filter, Modality::Image)?.iter().map(|id| id as i64).collect())
}

fn read(gallery: &Gallery, ids: &[i64], dim: usize) -> Result<Group> {
    let score = lowest(&gallery.vectors_of(ids)?, dim).clamp(-1.0, 1.0);
    let member = |&id: &i64| {
        // Held as it was, so that all are there.
        let item = gallery.item(id)?;
        let file = item.map(|item| path_of(&item.origin).as_path().into());
        Ok(file.map(|file| Member { id, file }))
    };
    let items: Result<Vec<_>> = ids.iter().map(member).collect();
    Ok(Group { score, items: items?.into_iter().flatten().collect() })
}

fn print(group: &Group, json: bool) -> Result<()> {
    if json {
        say!("{}", serde_json::to_string(group)?);
        return Ok(());
    }
    say!("{} from {:.3} on", counted(group.items.len(), "picture"), group.score);
    group.items.iter().for_each(|member| say!("      {}", member.file));
    Ok(())
}
