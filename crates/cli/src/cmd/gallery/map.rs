//! `tuwen gallery map`

mod names;
mod page;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;
use tuwen_encode::Encoder;
use tuwen_features::map::{Doubt, Topic, doubts, lonely, neighbourhoods, principal, topics};
use tuwen_image::rng::Rng;
use tuwen_index::{Gallery, Item, Modality};
use tuwen_retrieve::gap::Gap;
use tuwen_retrieve::{FileName, path_of};

use crate::gallery::{GalleryArg, Networks, open};
use crate::number;
use crate::output::{Force, OutputFile};
use crate::query::{TextArgs, Usage};
use crate::terminal::{note, say};

/// Fewest pictures that have anything to show.
const FEWEST: usize = 8;
/// Others that a picture's loneliness is measured by.
const NEAR: usize = 5;
/// What is listed of pictures that stand alone, and of captions that hardly fit.
const LISTED: usize = 24;
/// Captions that fit better than this are no doubt, in deviations.
const DOUBTED: f32 = 1.0;

/// Draw a gallery as a whole: its pictures by likeness, topics, what stands alone, captions that hardly fit
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen gallery map map.html\n  tuwen gallery map topics.html --topics 20 --json\n\n\
    The page opens without a network. Pictures that are like each other lie near each other (t-SNE); how far groups are from each \
    other means nothing. Topics are k-means of the pictures, named by words of their captions, or by names of things that are nearest where few have \
    captions. A caption is doubted where \
    its own picture fits it no better than pictures do by chance. docs/explanations.md says how to read it."
)]
pub struct Args {
    /// The page to write
    output: PathBuf,
    #[command(flatten)]
    gallery: GalleryArg,
    /// At most so many pictures, drawn at random, and as many texts
    #[arg(long, default_value_t = 2000, value_parser = number::whole(FEWEST as u64..=10_000))]
    most: usize,
    /// How many topics; without it as many as there are pictures in one, up to 12
    #[arg(long, value_parser = number::whole(1..=100))]
    topics: Option<usize>,
    /// Draws what is drawn: the same number, the same page
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print places, topics and doubts as JSON, too
    #[arg(long)]
    json: bool,
    /// The model, for names of topics; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
    #[command(flatten)]
    force: Force,
}

/// Items with their vectors.
struct Side {
    items: Vec<Item>,
    /// (N, D).
    vectors: Vec<f32>,
}

/// All that is shown.
struct Seen {
    pictures: Side,
    texts: Side,
    places: Vec<[f32; 2]>,
    /// Both sides along the principal components, pictures first; nothing without texts.
    sides: Vec<[f32; 2]>,
    /// How far apart the means of both sides are.
    gap: Option<f32>,
    topics: Vec<Topic>,
    /// Of each topic.
    names: Vec<Vec<String>>,
    lonely: Vec<(usize, f32)>,
    doubts: Vec<Doubt>,
    /// The picture of each text, where it is drawn.
    owners: Vec<usize>,
}

/// Computes, writes and says what was found.
pub fn run(args: &Args) -> Result<ExitCode> {
    let folder = args.gallery.place().folder;
    let extension = args.output.extension().map(|e| e.to_string_lossy().to_lowercase());
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        bail!(Usage(format!(
            "{}: a page is written: its name must end in .html",
            args.output.display()
        )));
    }
    let output = OutputFile::plan(&args.output, &[folder.as_path()], args.force)?;
    let engine = open(&folder, args.model.as_deref(), &args.text_args, Networks::default())?;
    for modality in [Modality::Image, Modality::Text] {
        // Every block's checksum, which single rows are not read with.
        engine.vectors(modality)?.each(|_, _| Ok::<_, tuwen_index::Error>(()))?;
    }
    let (pictures, texts) = {
        let gallery = engine.gallery();
        let pictures = side(&gallery, drawn(&gallery, Modality::Image, args)?)?;
        (pictures, side(&gallery, drawn(&gallery, Modality::Text, args)?)?)
    };
    if pictures.items.len() < FEWEST {
        let (found, folder) = (pictures.items.len(), folder.display());
        bail!("{folder}: {found} pictures are too few to draw: {FEWEST} are needed");
    }
    let seen = see(args, engine.encoder(), pictures, texts)?;
    output.write(page::whole(&seen).as_bytes())?;
    if args.json {
        say!("{}", serde_json::to_string(&told(&seen))?);
    } else {
        tell(&seen);
    }
    Ok(ExitCode::SUCCESS)
}

/// Some items of a modality, all where there are few. Of texts those with a picture come first.
fn drawn(gallery: &Gallery, modality: Modality, args: &Args) -> Result<Vec<i64>> {
    let mut ids: Vec<i64> = gallery.ids(modality)?.iter().map(|id| id as i64).collect();
    let all = ids.len();
    if all > args.most {
        Rng::new(&[args.seed, 0x006d_6170]).shuffle(&mut ids);
        ids.truncate(args.most);
        ids.sort_unstable();
        let what = if modality == Modality::Text { "texts" } else { "pictures" };
        note!("note: {} of {all} {what} are drawn; --most takes more", ids.len());
    }
    Ok(ids)
}

fn side(gallery: &Gallery, ids: Vec<i64>) -> Result<Side> {
    let vectors = gallery.vectors_of(&ids)?;
    let items = ids.iter().map(|&id| gallery.item(id)).collect::<Result<Vec<_>, _>>()?;
    Ok(Side { items: items.into_iter().flatten().collect(), vectors })
}

fn see(args: &Args, encoder: &dyn Encoder, pictures: Side, texts: Side) -> Result<Seen> {
    let (dim, count) = (encoder.dim(), pictures.items.len());
    let usual = ((count as f64 / 4.0).sqrt().round() as usize).clamp(2, 12);
    let topics = topics(&pictures.vectors, dim, args.topics.unwrap_or(usual), args.seed);
    let places: HashMap<i64, usize> =
        pictures.items.iter().enumerate().map(|(at, item)| (item.id, at)).collect();
    let owner = |item: &Item| Some(places[&item.owner.filter(|id| places.contains_key(id))?]);
    // Texts whose picture is not drawn say nothing of it.
    let (mut owners, mut owned, mut whose) = (Vec::new(), Vec::new(), Vec::new());
    for (at, item) in texts.items.iter().enumerate() {
        if let Some(picture) = owner(item) {
            owners.push(picture);
            whose.push(at);
            owned.extend_from_slice(&texts.vectors[at * dim..][..dim]);
        }
    }
    let mut doubts = doubts(&pictures.vectors, &owned, &owners, dim);
    doubts.retain(|doubt| doubt.z < DOUBTED);
    doubts.iter_mut().for_each(|doubt| doubt.text = whose[doubt.text]);
    let owners: Vec<usize> =
        texts.items.iter().map(|item| owner(item).unwrap_or(usize::MAX)).collect();
    let both = [&pictures.vectors[..], &texts.vectors].concat();
    Ok(Seen {
        places: neighbourhoods(&pictures.vectors, dim),
        sides: if texts.items.is_empty() { Vec::new() } else { principal(&both, dim) },
        gap: Gap::of(&pictures.vectors, &texts.vectors, dim).map(|gap| gap.width()),
        names: names::of(&topics, encoder, count, &texts, &owners)?,
        lonely: lonely(&pictures.vectors, dim, NEAR),
        pictures,
        texts,
        topics,
        doubts,
        owners,
    })
}

fn file_of(item: &Item) -> FileName {
    path_of(&item.origin).as_path().into()
}

/// Lines for people.
fn tell(seen: &Seen) {
    for (topic, names) in seen.topics.iter().zip(&seen.names) {
        say!("{:>6} pictures  {}", topic.members.len(), names.join(", "));
    }
    if let Some(gap) = seen.gap {
        say!("the means of pictures and of texts are {gap:.2} apart");
    }
    if !seen.doubts.is_empty() {
        say!("captions that hardly fit their picture: {}", seen.doubts.len());
    }
}

#[derive(Serialize)]
struct Told {
    pictures: Vec<Placed>,
    topics: Vec<Named>,
    gap: Option<f32>,
    doubted: Vec<Doubted>,
}

#[derive(Serialize)]
struct Placed {
    id: i64,
    #[serde(flatten)]
    file: FileName,
    x: f32,
    y: f32,
    topic: usize,
    /// Its mean cosine with the five nearest.
    near: f32,
}

#[derive(Serialize)]
struct Named {
    names: Vec<String>,
    pictures: usize,
}

#[derive(Serialize)]
struct Doubted {
    text: String,
    picture: FileName,
    z: f32,
    better: usize,
}

fn told(seen: &Seen) -> Told {
    let topics = topic_of(seen);
    let near: HashMap<usize, f32> = seen.lonely.iter().copied().collect();
    let placed = |(at, item): (usize, &Item)| {
        let [x, y] = seen.places[at];
        Placed { id: item.id, file: file_of(item), x, y, topic: topics[at], near: near[&at] }
    };
    let named = |(topic, names): (&Topic, &Vec<String>)| Named {
        names: names.clone(),
        pictures: topic.members.len(),
    };
    let doubted = |doubt: &Doubt| Doubted {
        text: seen.texts.items[doubt.text].text.clone().unwrap_or_default(),
        picture: file_of(&seen.pictures.items[seen.owners[doubt.text]]),
        z: doubt.z,
        better: doubt.better,
    };
    Told {
        pictures: seen.pictures.items.iter().enumerate().map(placed).collect(),
        topics: seen.topics.iter().zip(&seen.names).map(named).collect(),
        gap: seen.gap,
        doubted: seen.doubts.iter().map(doubted).collect(),
    }
}

/// The topic of each picture.
fn topic_of(seen: &Seen) -> Vec<usize> {
    let mut topics = vec![0; seen.pictures.items.len()];
    for (topic, Topic { members, .. }) in seen.topics.iter().enumerate() {
        members.iter().for_each(|&member| topics[member] = topic);
    }
    topics
}
