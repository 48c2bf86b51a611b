//! `tuwen space project SPACE --images FILE | --texts FILE --out FILE.npy`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_space::table::{Source, npy_bytes};
use tuwen_space::{Chain, Features, Step, Stored};

use crate::output::{Force, OutputFile};
use crate::query::Usage;
use crate::terminal::say;

/// Bring features into a learned space, as a .npy of unit vectors that other programs and `tuwen score` read
#[derive(clap::Args)]
pub struct Args {
    /// What `tuwen space train` wrote
    space: PathBuf,
    /// Features of images: .npy, .mat or lines of text
    #[arg(long, conflicts_with = "texts", required_unless_present = "texts")]
    images: Option<PathBuf>,
    /// Features of texts
    #[arg(long)]
    texts: Option<PathBuf>,
    /// The variable of a .mat file
    #[arg(long)]
    variable: Option<String>,
    /// The .npy file for the codes
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Projects.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stored = Stored::load(&args.space)?;
    let (file, chain, wanted) = match (&args.images, &args.texts) {
        (Some(file), _) => (file, &stored.space.image, stored.widths[0]),
        (None, Some(file)) => (file, &stored.space.text, stored.widths[1]),
        (None, None) => unreachable!("one of them is required"),
    };
    let out = OutputFile::plan(&args.out, &[file, &args.space], args.force)?;
    let source = Source { file: file.clone(), variable: args.variable.clone(), column: None };
    let table = source.table()?;
    if table.columns != wanted {
        return Err(Usage(format!(
            "{}: its rows have {} values; the space was learned from {wanted}",
            file.display(),
            table.columns
        ))
        .into());
    }
    let codes = chain.apply(&Features::of(&table, &file.display().to_string())?);
    let codes = Chain(vec![Step::Unit]).apply(&codes);
    let is_wrong = |row: &[f32]| row.iter().any(|value| !value.is_finite());
    if let Some(row) = codes.values.chunks_exact(codes.width.max(1)).position(is_wrong) {
        bail!(
            "{}: row {} becomes values that are no numbers, for its own are too large: give features as those that the \
             space was learned from",
            file.display(),
            row + 1
        );
    }
    out.write(&npy_bytes(&codes.values, codes.width))?;
    say!("done: {} codes of {} values in {}", codes.rows(), codes.width, args.out.display());
    Ok(ExitCode::SUCCESS)
}
