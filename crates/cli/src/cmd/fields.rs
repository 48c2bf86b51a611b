//! `tuwen fields [FIELD]`

use std::process::ExitCode;

use anyhow::Result;
use tuwen_index::Gallery;
use tuwen_index::filter::{Facet, FieldSummary, field_name};

use crate::gallery::{AmongArgs, GalleryArg, note_fields, note_unknown};
use crate::terminal::say;

/// Show what can be asked for with `search --where`: the fields of a gallery's items, or a field's values with
/// how many items have each
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen fields\n  tuwen fields camera\n  \
    tuwen fields tag --where 'year = 2024' -k 50")]
pub struct Args {
    /// A field whose values are counted
    field: Option<String>,
    #[command(flatten)]
    gallery: GalleryArg,
    #[command(flatten)]
    among: AmongArgs,
    /// How many values, those of most items first
    #[arg(short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    k: u32,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Lists fields, or counts values.
pub fn run(args: &Args) -> Result<ExitCode> {
    let gallery = Gallery::open(&args.gallery.place().folder)?;
    let search = args.among.search(args.k as usize)?;
    note_fields(&gallery, &search)?;
    let within = match &search.filter {
        Some(filter) => gallery.select(filter, search.modality)?,
        None => gallery.ids(search.modality)?,
    };
    let Some(field) = &args.field else {
        let fields = gallery.fields(Some(&within))?;
        match args.json {
            true => say!("{}", serde_json::to_string(&fields)?),
            false => fields.iter().for_each(print_field),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let values = gallery.facet(&field_name(field), Some(&within), search.k)?;
    if values.is_empty() {
        note_unknown(&field_name(field));
    }
    match args.json {
        true => say!("{}", serde_json::to_string(&values)?),
        false => values.iter().for_each(print_value),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_field(FieldSummary { name, kind, items }: &FieldSummary) {
    say!("{name:<16} {kind:<8} {items}");
}

fn print_value(Facet { value, items }: &Facet) {
    say!("{items:>8}  {value}");
}
