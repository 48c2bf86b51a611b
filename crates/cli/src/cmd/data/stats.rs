//! `tuwen data stats`

use std::collections::BTreeMap;
use std::collections::HashSet;

use anyhow::Result;
use serde::Serialize;
use tuwen_sets::Sample;
use tuwen_text::token::WordPiece;

use super::{Skipped, SourceArgs, open};
use crate::number;
use crate::terminal::say;

/// What to count.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Texts with more tokens than this count as too long
    #[arg(long, default_value_t = 52, value_parser = number::whole(1..=number::MANY))]
    context: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// For people, with Chinese-CLIP's context.
    pub fn new(source: SourceArgs) -> Self {
        Self { source, context: 52, json: false }
    }
}

/// What a set holds.
#[derive(Debug, Default, Serialize)]
struct Stats {
    encoding: Option<String>,
    pictures: usize,
    captions: usize,
    /// Texts: one that several pictures have counts once.
    texts: usize,
    /// Pictures by how many captions they have.
    captions_a_picture: BTreeMap<usize, usize>,
    splits: BTreeMap<String, usize>,
    /// Captions with a Chinese character.
    chinese: usize,
    empty: usize,
    /// Captions that are there before, word for word.
    repeated: usize,
    /// Captions with more tokens than the context.
    too_long: usize,
    /// Shortest, median, 95th of 100, longest, in characters.
    length: [usize; 4],
    skipped: usize,
}

/// Counts in one pass; of the captions only their hashes and lengths are kept.
pub fn run(args: &Args) -> Result<()> {
    let opened = open(&args.source)?;
    let encoding = opened.text.as_ref().map(|text| text.encoding.to_string());
    let mut stats = Stats { encoding, ..Stats::default() };
    let (mut seen, mut lengths, mut skipped) =
        (HashSet::new(), BTreeMap::new(), Skipped::default());
    for record in opened.records {
        match record {
            Ok(sample) => stats.add(&sample, args.context, &mut seen, &mut lengths),
            Err(error) => skipped.add(error),
        }
    }
    args.source.refuse_nothing(stats.pictures, skipped.0)?;
    stats.skipped = skipped.0;
    let at = |share: f64| -> usize {
        let mut left = (share * stats.captions as f64) as usize;
        let found = lengths.iter().find(|&(_, &count): &(&usize, &usize)| {
            let here = left < count;
            left = left.saturating_sub(count);
            here
        });
        found.or(lengths.last_key_value()).map_or(0, |(&length, _)| length)
    };
    stats.length = [at(0.0), at(0.5), at(0.95), at(1.0)];
    if args.json {
        say!("{}", serde_json::to_string(&stats)?);
    } else {
        print(&stats, args.context);
    }
    Ok(())
}

impl Stats {
    fn add(
        &mut self,
        sample: &Sample,
        context: usize,
        seen: &mut HashSet<[u8; 16]>,
        lengths: &mut BTreeMap<usize, usize>,
    ) {
        self.pictures += 1;
        self.captions += sample.captions.len();
        *self.captions_a_picture.entry(sample.captions.len()).or_default() += 1;
        if let Some(split) = &sample.split {
            *self.splits.entry(split.clone()).or_default() += 1;
        }
        for caption in &sample.captions {
            let text = caption.text.trim();
            self.empty += usize::from(text.is_empty());
            self.chinese +=
                usize::from(text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)));
            self.too_long += usize::from(WordPiece::shared().encode(text, context).1 > 0);
            let short = |key: &str| -> [u8; 16] {
                *blake3::hash(key.as_bytes()).as_bytes().first_chunk().expect("32 bytes")
            };
            // A text of several pictures is not repeated, it is the same.
            let own = caption.id.as_ref().map(|id| short(&format!("{id}\0{text}")));
            let again = own.is_some_and(|key| !seen.insert(key));
            self.texts += usize::from(!again);
            self.repeated += usize::from(!again && !seen.insert(short(text)));
            *lengths.entry(text.chars().count()).or_default() += 1;
        }
    }
}

fn print(stats: &Stats, context: usize) {
    if let Some(encoding) = &stats.encoding {
        say!("encoding            {encoding}");
    }
    say!("pictures            {}", stats.pictures);
    let list: Vec<String> = stats
        .captions_a_picture
        .iter()
        .map(|(captions, pictures)| format!("{pictures} with {captions}"))
        .collect();
    say!("captions            {} ({})", stats.captions, list.join(", "));
    if stats.texts != stats.captions {
        say!("texts               {} (several pictures have the same)", stats.texts);
    }
    for (split, pictures) in &stats.splits {
        say!("split {split:13} {pictures}");
    }
    say!("with Chinese        {}", stats.chinese);
    say!("empty               {}", stats.empty);
    say!("repeated            {}", stats.repeated);
    say!("beyond {context:3} tokens   {}", stats.too_long);
    let [shortest, median, most, longest] = stats.length;
    say!("characters          {shortest} to {longest}, median {median}, 95% up to {most}");
    say!("skipped             {}", stats.skipped);
}
